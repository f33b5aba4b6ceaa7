//! Logs that a node pushes over a web socket: told within a millisecond, and nobody is asked.
//!
//! alloy's pubsub does the socket: framing, ping and pong, ids, routing of notifications. It would also reconnect by
//! itself, but silently, and what was logged meanwhile would be missing: here a cut ends the connection, the next one
//! is ours, and after each the chain is read from the last seen block on (`chain.rs`).

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::{
    pubsub::{ConnectionHandle, PubSubConnect, PubSubFrontend, RawSubscription},
    rpc::json_rpc::{Id, Request, ResponsePayload},
    transports::{
        TransportErrorKind, TransportResult,
        ws::{WebSocketConfig, WsConnect},
    },
};
use serde_json::{Value, json};
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{
    super::{json_shape, quantity::small, receipt, upstream_url::UpstreamUrl},
    Inner,
};

/// How long connecting and subscribing may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// A ping is sent this often, and its answer expected until the next one.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The first pause before connecting again, without jitter; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before connecting again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A connection that lived for this long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(30);
/// When nothing was followed for this long the socket is closed.
const IDLE: Duration = Duration::from_secs(60);
/// The largest frame that is read, bytes.
const MAX_FRAME: usize = 4 * 1024 * 1024;
/// Logs that wait to be read; when there are more, the chain is read instead.
const BUFFER: usize = 4_096;
/// Revert reasons that wait for their operation's event, which follows in the same transaction.
const REASONS: usize = 256;

/// Who pushes, if anybody does.
#[derive(Debug, Default)]
pub(super) struct Pushing {
    /// Place in the list of nodes, plus one; 0 = nobody.
    by: AtomicUsize,
    /// Something may have been missed.
    gap: AtomicBool,
}

impl Pushing {
    pub(super) fn is_live(&self) -> bool {
        self.by().is_some()
    }

    pub(super) fn by(&self) -> Option<usize> {
        self.by.load(Ordering::Acquire).checked_sub(1)
    }

    /// There was a gap since this was asked last.
    pub(super) fn take_gap(&self) -> bool {
        self.gap.swap(false, Ordering::AcqRel)
    }

    fn set(&self, by: Option<usize>) {
        self.by.store(by.map_or(0, |place| place + 1), Ordering::Release);
    }
}

/// Keeps one subscription alive while operations are followed; the next socket of the list when one fails.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut pause = FIRST_PAUSE;
    let mut closing = inner.closing.subscribe();
    for (entry, url) in inner.sockets.iter().cycle() {
        let begun = Instant::now();
        let listened = async {
            match tokio::time::timeout(CONNECTING, subscribe(url, inner.bundler_chain())).await {
                Ok(Ok((connection, subscription))) => {
                    inner.pushing.set(Some(*entry));
                    inner.missed();
                    tracing::info!(entry, "the node pushes logs");
                    let idle = listen(&inner, subscription).await;
                    drop(connection);
                    idle
                }
                Ok(Err(reason)) => {
                    tracing::warn!(entry, reason, "no web socket to the node");
                    false
                }
                Err(_) => {
                    tracing::warn!(entry, "no web socket to the node in time");
                    false
                }
            }
        };
        let idle = tokio::select! {
            idle = listened => idle,
            _ = closing.wait_for(|closing| *closing) => true,
        };
        inner.pushing.set(None);
        if idle && inner.stop_pushing() {
            return;
        }
        // Whoever is followed is polled for until somebody pushes again.
        inner.look_now.notify_one();
        pause = if begun.elapsed() > GOOD { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
    }
}

impl Inner {
    fn bundler_chain(&self) -> u64 {
        self.bundler.chain_id()
    }

    pub(super) fn missed(&self) {
        self.pushing.gap.store(true, Ordering::Release);
        self.look_now.notify_one();
    }

    /// Ends pushing when nobody is followed (or the server stops); false when somebody came meanwhile.
    fn stop_pushing(&self) -> bool {
        let mut registry = self.registry();
        let stop = registry.operations.values().all(|operation| operation.is_over()) || *self.closing.borrow();
        if stop {
            registry.pushing = false;
        }
        stop
    }
}

/// A connection that never reconnects by itself.
#[derive(Clone)]
struct Once(WsConnect);

impl PubSubConnect for Once {
    fn is_local(&self) -> bool {
        self.0.is_local()
    }

    async fn connect(&self) -> TransportResult<ConnectionHandle> {
        self.0.connect().await
    }

    async fn try_reconnect(&self) -> TransportResult<ConnectionHandle> {
        Err(TransportErrorKind::non_retryable_str("the web socket was cut"))
    }
}

/// Connects, checks the chain, and subscribes to the entry points' events. Errors are words without the URL.
async fn subscribe(url: &UpstreamUrl, chain_id: u64) -> Result<(PubSubFrontend, RawSubscription), String> {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
    let connect = WsConnect::new(url.expose().as_str()).with_config(config).with_keepalive_interval(KEEPALIVE);
    let frontend = Once(connect).into_service().await.map_err(|_| "cannot connect".to_owned())?;
    frontend.set_channel_size(BUFFER);
    let chain = call(&frontend, 1, "eth_chainId", json!([])).await?;
    if small(&chain) != Some(chain_id) {
        return Err(format!("it does not serve chain {chain_id}"));
    }
    let filter = json!(["logs", {"address": receipt::entry_points(), "topics": [receipt::topics()]}]);
    let id = call(&frontend, 2, "eth_subscribe", filter).await?;
    let id = receipt::hash(&id).ok_or("it answers eth_subscribe with something else than an id")?;
    let subscription = frontend.get_subscription(id).await.map_err(|_| "the subscription is gone".to_owned())?;
    Ok((frontend, subscription))
}

async fn call(frontend: &PubSubFrontend, id: u64, method: &'static str, params: Value) -> Result<Value, String> {
    let request = Request::new(method, Id::Number(id), params).serialize().map_err(|error| error.to_string())?;
    let response = frontend.send(request).await.map_err(|_| format!("no answer to {method}"))?;
    match response.payload {
        ResponsePayload::Success(result) => {
            serde_json::from_str(result.get()).map_err(|_| format!("an unreadable answer to {method}"))
        }
        ResponsePayload::Failure(error) => Err(format!("{method} is refused with code {}", error.code)),
    }
}

/// Passes logs on until the socket is cut (false) or nobody is followed any more (true).
async fn listen(inner: &Arc<Inner>, mut subscription: RawSubscription) -> bool {
    let mut pushed = Pushed::default();
    loop {
        let next = match tokio::time::timeout(IDLE, subscription.recv()).await {
            Ok(next) => next,
            Err(_) if inner.registry().operations.values().all(|operation| operation.is_over()) => return true,
            Err(_) => continue,
        };
        match next {
            Ok(notification) => {
                pushed.read(notification.get());
                // What came together is passed on together: a block is one step.
                while let Ok(notification) = subscription.try_recv() {
                    pushed.read(notification.get());
                }
                inner.removed(&pushed.removed());
                inner.seen(pushed.sightings());
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "logs came faster than they were read; the chain is read instead");
                inner.missed();
            }
            Err(RecvError::Closed) => return false,
        }
    }
}

/// Logs as they come, one by one: a revert reason comes before the event that it belongs to.
#[derive(Default)]
struct Pushed {
    reasons: VecDeque<Value>,
    events: Vec<Value>,
    removed: Vec<receipt::Removed>,
}

impl Pushed {
    /// Takes a notification in; whatever is no log is passed over.
    fn read(&mut self, notification: &str) {
        if !json_shape::is_modest(notification.as_bytes(), json_shape::REQUEST) {
            return;
        }
        let Ok(log) = serde_json::from_str::<Value>(notification) else { return };
        if let Some(removed) = receipt::removed(&log) {
            self.removed.push(removed);
        } else if receipt::is_reason(&log) {
            if self.reasons.len() == REASONS {
                self.reasons.pop_front();
            }
            self.reasons.push_back(log);
        } else {
            self.events.push(log);
        }
    }

    fn removed(&mut self) -> Vec<receipt::Removed> {
        std::mem::take(&mut self.removed)
    }

    /// The operations among the logs since it was asked last.
    fn sightings(&mut self) -> Vec<receipt::Sighting> {
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Vec::new();
        }
        let logs: Vec<Value> = self.reasons.iter().cloned().chain(events).collect();
        let found = receipt::sightings(&logs);
        self.reasons.retain(|reason| {
            let told = receipt::operation_of(reason);
            !found.iter().any(|sighting| Some(sighting.receipt.user_op_hash) == told)
        });
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_pushes_is_known_and_a_gap_is_told_once() {
        let pushing = Pushing::default();
        assert!(!pushing.is_live());
        pushing.set(Some(0));
        assert_eq!(pushing.by(), Some(0));
        pushing.gap.store(true, Ordering::Release);
        assert!(pushing.take_gap() && !pushing.take_gap());
        pushing.set(None);
        assert!(!pushing.is_live());
    }

    proptest! {
        #[test]
        fn any_notification_is_read_or_passed_over(texts in prop::collection::vec(".{0,80}", 0..8)) {
            let mut pushed = Pushed::default();
            for text in texts {
                pushed.read(&text);
            }
            prop_assert!(pushed.sightings().is_empty());
            prop_assert!(pushed.removed().is_empty());
        }

        #[test]
        fn reasons_without_an_event_are_not_kept_for_ever(count in 0usize..600) {
            let mut pushed = Pushed::default();
            for number in 0..count {
                let hash = alloy::primitives::B256::from(alloy::primitives::U256::from(number));
                pushed.read(&json!({"address": use_aa_protocol::entry_point::EntryPoint::V06.address(), "topics": [receipt::topics()[1], hash]}).to_string());
            }
            prop_assert!(pushed.reasons.len() <= REASONS);
        }
    }
}
