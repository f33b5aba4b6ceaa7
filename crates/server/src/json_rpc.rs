//! A JSON-RPC 2.0 client over HTTP that believes nothing: time and size limits, ids checked, errors kept whole,
//! several URLs in failover order, each with a circuit breaker. No error carries a URL: it may hold a key.
//!
//! # What an upstream may do, and what is done about it
//!
//! "Next" is the next URL of the list that is not left alone; a *read* is every call but `eth_sendUserOperation`.
//!
//! | The upstream … | Counted as | A read | A send |
//! |---|---|---|---|
//! | is down (refuses, no route) | failure | next; after all, once more after 100–300 ms | next: nothing was done |
//! | is slow (time-out, 15 s) | failure | next, never the same again | asked whether it has the operation, then next |
//! | closes without an answer | failure | as down | as slow, then once more the same |
//! | answers 500, 502, 503, 504 | failure | as down | as slow, then once more the same |
//! | answers another 4xx or 3xx | failure | next | as slow |
//! | answers 429, or `Retry-After` | rest | left alone for that long (at most 60 s), next; waited for up to 2 s | the same |
//! | says in JSON-RPC that the rate is too high, in words or with code 429 | rest of 1 s for that method; of all methods when it was a plain question or a second method | the same | the same: nothing was done, and it is told as `UpstreamUnavailable`, no refusal of the operation |
//! | sends HTML, nothing, or cut JSON | failure | next | as slow |
//! | answers 200 (or 4xx) with `error` | answer | final, code, message and data kept | final, unless a first answer was lost |
//! | a node: does not have the block ("header not found"), the method or a moment (-32601, -32603, -32005), or answers 400, 413, 414, 422, 501 | answer | next; what it said when nobody else answers | – |
//! | refuses a batch, in any way, but not its first call alone | its batches get shorter (`batch.rs`) | the same again in parts | – |
//! | refuses a range of logs | its ranges get shorter (`logs.rs`) | whoever takes the range; else in parts | – |
//! | answers another request's id | failure | next | as slow |
//! | leaves a call of a batch out | failure | next | – |
//! | sends more than 4 MiB | nothing: whoever asks may choose what is asked for | next | as slow |
//! | answers `null` or another type | answer | `null` is passed on; who needs a value says `UpstreamMalformed` | as slow |
//! | names another operation's hash | answer | a receipt for another operation is none | `UpstreamMalformed`, ours is followed |
//! | serves another chain | failure | never asked anything else; next | the same |
//!
//! A send is never a blind repetition: an operation is known by its hash, so after a lost answer the bundler is asked
//! for that hash first (`bundler/send.rs`), and sending the same bytes again changes nothing. When no URL can tell
//! and the last one refuses, the lost answer is the result, not the refusal.
//!
//! *Failure* opens the breaker (`breaker.rs`): at once when there are other URLs, for 0.5 s doubling to 30 s, and one
//! request of our own (`eth_chainId`) finds out whether it is back; the only URL of a list gets five chances and
//! breaks of at most 2 s. While it is open requests fail at once with the last error. The order of the list always
//! holds: the first URL is asked again as soon as it is back. All attempts together take at most twice the time-out.
//!
//! # What is used for it
//!
//! `reqwest` (connections, TLS, time-outs), alloy's web socket for pushed logs (`events/push.rs`). Not alloy's
//! `ErrorPayload::is_retry_err`: it takes "header not found" and too many logs, which anybody can ask for, to be rate
//! limits. Not alloy's `FallbackLayer`: it sends every request
//! to several nodes at once (each is paid for), ranks them instead of keeping the order, and knows nobody who is left
//! alone. Not its `RetryBackoffLayer`: one number of retries for reads and sends alike, a batch is repeated whole, and
//! its pauses have no jitter. tower has no breaker, and `tower::retry` sees neither the list nor a lost answer's meaning.

mod batch;
mod breaker;
mod endpoint;
mod logs;
mod manners;
mod refusal;
mod wire;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::Instant};

use super::{
    inner_error, metrics,
    quantity::small,
    request_id::{REQUEST_ID, current_request_id, has_turn, keep_turn},
    secret::Secret,
    upstream_health::UpstreamHealth,
    upstream_url::UpstreamUrl,
};
use breaker::Admission;
use endpoint::Endpoint;
pub(super) use logs::{Lesson, Piece};
pub(super) use refusal::{is_about_block, is_of_execution};
use use_aa_actions::error::{AppError, Upstream};
pub(super) use wire::Failure;
use wire::Reader;

/// The largest answer that is read, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// An answer larger than this is read beside few others: its JSON takes ten times as much memory.
const LARGE: usize = 256 * 1024;
/// Large answers of one upstream at the same time, each until what it was asked for is answered.
const LARGE_AT_ONCE: usize = 4;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a read that failed on every URL is tried once more.
const MORE_ROUNDS: u32 = 1;
/// The pause before it, without the jitter.
const ROUND_PAUSE: Duration = Duration::from_millis(100);
/// The longest rest of an upstream that a request waits for.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// JSON-RPC code "method not found".
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

/// The client for one upstream.
#[derive(Clone)]
pub(super) struct JsonRpcClient {
    inner: Arc<Inner>,
}

struct Inner {
    reader: Reader,
    http: reqwest::Client,
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    /// Every URL must serve this chain before it is asked anything.
    chain_id: Option<u64>,
    next_id: AtomicU64,
    large: Arc<Semaphore>,
}

impl JsonRpcClient {
    /// A client for the URLs in failover order. `timeout` is for one request to one URL.
    pub(super) fn new(upstream: Upstream, urls: &[UpstreamUrl], timeout: Duration) -> Result<Self, AppError> {
        Self::build(upstream, urls, timeout, None, None, Vec::new())
    }

    /// As [`Self::new`], for services of a chain: each URL is asked for its chain id before anything else.
    pub(super) fn on_chain(
        upstream: Upstream,
        urls: &[UpstreamUrl],
        timeout: Duration,
        chain_id: u64,
    ) -> Result<Self, AppError> {
        Self::build(upstream, urls, timeout, None, Some(chain_id), Vec::new())
    }

    /// As [`Self::new`], with a key that every request carries as the header `x-api-key`. The upstream's words are passed
    /// on without `untold`, which it is told.
    pub(super) fn with_api_key(
        upstream: Upstream,
        urls: &[UpstreamUrl],
        timeout: Duration,
        api_key: Option<&Secret>,
        untold: Vec<String>,
    ) -> Result<Self, AppError> {
        Self::build(upstream, urls, timeout, api_key, None, untold)
    }

    fn build(
        upstream: Upstream,
        urls: &[UpstreamUrl],
        timeout: Duration,
        api_key: Option<&Secret>,
        chain_id: Option<u64>,
        untold: Vec<String>,
    ) -> Result<Self, AppError> {
        let urls: Vec<Url> = urls.iter().map(http_url).collect();
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(key) = api_key {
            let mut value = HeaderValue::from_str(key.expose().trim())
                .map_err(|_| AppError::Internal { reason: "the API key has characters that HTTP forbids".into() })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-api-key"), value);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(30));
        if urls.iter().all(is_loopback) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| AppError::Internal { reason: format!("HTTP client: {}", error.without_url()) })?;
        let reader = Reader::new(upstream, &urls, api_key, untold);
        let entries = urls.len();
        let endpoints = urls.into_iter().map(|url| Endpoint::new(url, entries)).collect();
        let (next_id, large) = (AtomicU64::new(2), Arc::new(Semaphore::new(LARGE_AT_ONCE)));
        Ok(Self { inner: Arc::new(Inner { reader, http, endpoints, timeout, chain_id, next_id, large }) })
    }

    /// Calls a method and reads its result as `T`.
    pub(super) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, AppError> {
        let result = self.call_value(method, params).await?;
        self.typed(method, result)
    }

    /// Reads a result as `T`.
    pub(super) fn typed<T: DeserializeOwned>(&self, method: &str, result: Value) -> Result<T, AppError> {
        serde_json::from_value(result).map_err(|error| {
            let log = inner_error::logged(method, &error);
            self.malformed(format!("the result of {method} cannot be read; {log}"))
        })
    }

    /// An upstream's words without our keys, and without addresses, in them: for words that came as a result.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.inner.reader.redacted(text)
    }

    /// Calls a method; the result as it came, `null` included.
    pub(super) async fn call_value(&self, method: &str, params: Value) -> Result<Value, AppError> {
        let id = self.next_ids(1);
        let request = request(method, &params, id);
        self.failover(method, &request, |answer| self.inner.reader.result_of(method, id, answer)).await
    }

    /// The URLs that may be asked now, by their place in the list.
    pub(super) fn usable(&self) -> Vec<usize> {
        let now = Instant::now();
        let mut probes = Vec::new();
        let mut usable = Vec::new();
        for (index, endpoint) in self.inner.endpoints.iter().enumerate() {
            match endpoint.admit(now) {
                Admission::Yes => usable.push(index),
                Admission::Probe => probes.push(index),
                Admission::No => {}
            }
        }
        if usable.is_empty() {
            // Somebody has to find out.
            return probes;
        }
        for index in probes {
            let client = self.clone();
            tokio::spawn(async move { client.probe(index).await });
        }
        usable
    }

    /// Those of them that do not rest from a method.
    fn usable_for(&self, method: &str) -> Vec<usize> {
        let mut usable = self.usable();
        usable.retain(|index| {
            let is_asked = self.resting(*index, method).is_none();
            if !is_asked {
                self.left_out(*index);
            }
            is_asked
        });
        usable
    }

    /// An URL of [`Self::usable`] is not asked after all: should it have been the one request that finds out whether it
    /// is back, that is made all the same.
    fn left_out(&self, index: usize) {
        if self.inner.endpoints.get(index).is_some_and(Endpoint::is_tried) {
            let client = self.clone();
            tokio::spawn(async move { client.probe(index).await });
        }
    }

    /// What an URL said that shall not be asked this now.
    fn resting(&self, index: usize, method: &str) -> Option<AppError> {
        self.inner.endpoints.get(index)?.manners.resting(method).map(|(_, error)| error)
    }

    /// Calls a method of one URL, without failover.
    pub(super) async fn call_at(&self, index: usize, method: &str, params: &Value) -> Result<Value, Failure> {
        if let Some(error) = self.resting(index, method) {
            return Err(Failure::Limited { error, rest: Duration::ZERO });
        }
        self.single_at(index, method, params, Instant::now() + self.inner.timeout).await
    }

    async fn single_at(&self, index: usize, method: &str, params: &Value, deadline: Instant) -> Result<Value, Failure> {
        let id = self.next_ids(1);
        let read = |answer| self.inner.reader.result_of(method, id, answer);
        self.attempt(index, method, &request(method, params, id), deadline, &read).await
    }

    /// Why nobody can be asked for a method.
    fn nobody_left_for(&self, method: &str) -> AppError {
        let resting = (0..self.inner.endpoints.len()).find_map(|index| self.resting(index, method));
        resting.unwrap_or_else(|| self.nobody_left())
    }

    /// Why nobody can be asked, when [`Self::usable`] is empty.
    pub(super) fn nobody_left(&self) -> AppError {
        let known = self.inner.endpoints.iter().find_map(Endpoint::last_error);
        known.unwrap_or_else(|| self.inner.reader.unavailable("no URL is configured"))
    }

    /// How each URL does.
    pub(super) fn health(&self) -> Vec<UpstreamHealth> {
        let Inner { reader, endpoints, .. } = &*self.inner;
        endpoints.iter().enumerate().map(|(entry, endpoint)| endpoint.health(reader.upstream, entry)).collect()
    }

    /// The chain id that each URL reports, asked now.
    pub(super) async fn chain_ids(&self) -> Vec<Result<u64, AppError>> {
        let asked = (0..self.inner.endpoints.len()).map(|index| self.chain_id_of(index));
        let answers = futures::future::join_all(asked).await;
        answers.into_iter().map(|answer| answer.map_err(|failure| failure.error().clone())).collect()
    }

    /// An [`AppError::UpstreamMalformed`] of this upstream.
    pub(super) fn malformed(&self, reason: impl Into<String>) -> AppError {
        self.inner.reader.malformed(reason)
    }

    fn next_ids(&self, count: u64) -> u64 {
        self.inner.next_id.fetch_add(count, Ordering::Relaxed)
    }

    /// How long all attempts of one call may take together.
    pub(super) fn patience(&self) -> Duration {
        self.inner.timeout * 2
    }

    /// After `round` rounds over all URLs with a method: how long to wait before one more, or `None` for giving up.
    /// `again`: some URL failed in a way that may be gone in a moment.
    pub(super) fn pause_before_another_round(
        &self,
        method: &str,
        round: u32,
        again: bool,
        deadline: Instant,
    ) -> Option<Duration> {
        if round >= MORE_ROUNDS {
            return None;
        }
        let resting = self.inner.endpoints.iter().filter_map(|endpoint| endpoint.resting_until(method)).min();
        let pause = match resting.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(rest) if rest > LONGEST_WAIT => return None,
            Some(rest) => rest + jitter(ROUND_PAUSE),
            None if again => ROUND_PAUSE + jitter(ROUND_PAUSE * 2),
            None => return None,
        };
        (Instant::now() + pause < deadline).then_some(pause)
    }

    /// Asks one URL after the other until one gives a proper answer.
    async fn failover<T>(
        &self,
        method: &str,
        request: &Value,
        read: impl Fn(Value) -> Result<T, Failure>,
    ) -> Result<T, AppError> {
        let deadline = Instant::now() + self.patience();
        // What a node says is worth more than that another one says nothing.
        let (mut refused, mut last) = (None, None);
        for round in 0.. {
            let mut again = false;
            for index in self.usable_for(method) {
                match self.attempt(index, method, request, deadline, &read).await {
                    Ok(value) => return Ok(value),
                    Err(Failure::Answer(error)) => return Err(error),
                    Err(Failure::Refused(error)) => drop(refused.get_or_insert(error)),
                    Err(failure) => {
                        again |= failure.may_be_gone();
                        last = Some(failure.error().clone());
                    }
                }
            }
            match self.pause_before_another_round(method, round, again, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(refused.or(last).unwrap_or_else(|| self.nobody_left_for(method)))
    }

    /// One request to one URL, a call of `method` or a batch, which has none; what comes of it is remembered.
    async fn attempt<T>(
        &self,
        index: usize,
        method: &str,
        request: &Value,
        deadline: Instant,
        read: &impl Fn(Value) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(endpoint) = self.inner.endpoints.get(index) else {
            return Err(Failure::Unreached(self.nobody_left()));
        };
        if let Some(expected) = self.inner.chain_id
            && !endpoint.is_verified()
        {
            let actual = match self.chain_id_of(index).await {
                Ok(actual) => Some(actual),
                // It has no such method: it is believed.
                Err(Failure::Answer(_) | Failure::Refused(_)) => None,
                Err(failure) => return Err(failure),
            };
            if let Some(actual) = actual.filter(|actual| *actual != expected) {
                let error = self.malformed(format!("it serves chain {actual}, this server works on chain {expected}"));
                endpoint.failed(&error);
                tracing::error!(upstream = %self.inner.reader.upstream, entry = index, %error, "upstream not used");
                // Nothing was asked of it, so nothing was done.
                return Err(Failure::Limited { error, rest: Duration::ZERO });
            }
            endpoint.verified();
        }
        let posted = self.post(endpoint, method, request, deadline);
        self.observed(index, method, posted, read, Endpoint::answered).await
    }

    /// Waits for an answer and writes down how it went.
    async fn observed<T>(
        &self,
        index: usize,
        method: &str,
        answer: impl Future<Output = Result<Value, Failure>>,
        read: &impl Fn(Value) -> Result<T, Failure>,
        answered: impl Fn(&Endpoint, Duration),
    ) -> Result<T, Failure> {
        let Some(endpoint) = self.inner.endpoints.get(index) else {
            return Err(Failure::Unreached(self.nobody_left()));
        };
        let begun = Instant::now();
        let outcome = answer.await.and_then(read);
        let upstream = self.inner.reader.upstream;
        metrics::upstream(upstream, index, outcome.as_ref().err().map(Failure::error), begun.elapsed());
        match &outcome {
            Ok(_) | Err(Failure::Answer(_)) => answered(endpoint, begun.elapsed()),
            Err(Failure::Refused(error)) => {
                tracing::debug!(%upstream, entry = index, method, %error, "upstream refuses a call");
                metrics::refused(upstream, index, if is_about_block(error) { "block" } else { "call" });
                answered(endpoint, begun.elapsed());
            }
            Err(Failure::Limited { error, rest }) => self.limited(index, method, error, *rest),
            Err(Failure::Oversized(error)) => {
                tracing::warn!(%upstream, entry = index, %error, "an answer not read");
                answered(endpoint, begun.elapsed());
            }
            Err(Failure::Unreached(error) | Failure::Transport { error, .. }) => {
                tracing::warn!(%upstream, entry = index, %error, "upstream failed");
                if matches!(outcome, Err(Failure::Unreached(_))) {
                    endpoint.gone();
                }
                endpoint.failed(error);
            }
        }
        outcome
    }

    /// Fewer requests are wanted: in HTTP of all, in JSON-RPC of what was asked.
    fn limited(&self, index: usize, method: &str, error: &AppError, rest: Duration) {
        let upstream = self.inner.reader.upstream;
        tracing::warn!(%upstream, entry = index, method, %error, ?rest, "upstream wants fewer requests");
        metrics::refused(upstream, index, "rate");
        let Some(endpoint) = self.inner.endpoints.get(index) else { return };
        match error {
            AppError::UpstreamRejected { .. } if !method.is_empty() => endpoint.rest_from(method, rest, error),
            _ => endpoint.rest(rest, error),
        }
    }

    async fn chain_id_of(&self, index: usize) -> Result<u64, Failure> {
        let Some(endpoint) = self.inner.endpoints.get(index) else {
            return Err(Failure::Unreached(self.nobody_left()));
        };
        let (id, method) = (self.next_ids(1), "eth_chainId");
        let request = request(method, &json!([]), id);
        let deadline = Instant::now() + self.inner.timeout;
        let read = |answer| {
            let result = self.inner.reader.result_of(method, id, answer)?;
            small(&result).ok_or_else(|| self.inner.reader.lost(format!("eth_chainId: {}", excerpt(&result))))
        };
        let probed = |endpoint: &Endpoint, _| endpoint.probed();
        self.observed(index, method, self.post(endpoint, method, &request, deadline), &read, probed).await
    }

    /// The request that finds out whether an URL is back.
    async fn probe(&self, index: usize) {
        match self.chain_id_of(index).await {
            Ok(actual) if self.inner.chain_id.is_some_and(|expected| expected != actual) => {
                if let Some(endpoint) = self.inner.endpoints.get(index) {
                    endpoint.failed(&self.malformed(format!("it serves chain {actual}")));
                }
            }
            Ok(_) | Err(Failure::Answer(_) | Failure::Refused(_)) => {
                tracing::info!(upstream = %self.inner.reader.upstream, entry = index, "upstream is back");
            }
            Err(_) => {}
        }
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        method: &str,
        request: &Value,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let reader = &self.inner.reader;
        let timeout = self.inner.timeout.min(deadline.saturating_duration_since(Instant::now()));
        let mut sending = self.inner.http.post(endpoint.url.clone()).timeout(timeout).json(request);
        if let Some(id) = current_request_id() {
            sending = sending.header(REQUEST_ID, id);
        }
        let sent = sending.send().await;
        let mut response = sent.map_err(|error| {
            let reason = reader.unavailable(reason(&error, timeout));
            match error.is_connect() {
                true => Failure::Unreached(reason),
                false => Failure::Transport { error: reason, brief: !error.is_timeout() },
            }
        })?;
        let status = response.status();
        let mut body = Vec::new();
        let mut turn = None;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER => {
                    return Err(Failure::Oversized(reader.malformed("an answer larger than 4 MiB")));
                }
                Ok(Some(chunk)) => {
                    if turn.is_none() && body.len() + chunk.len() > LARGE && !has_turn() {
                        let busy = || reader.unavailable("too many large answers at the moment");
                        let waited = tokio::time::timeout_at(deadline, self.inner.large.clone().acquire_owned()).await;
                        turn = Some(waited.ok().and_then(Result::ok).ok_or_else(|| Failure::Oversized(busy()))?);
                    }
                    body.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Err(error) if error.is_timeout() => {
                    let reason = reader.unavailable(reason(&error, timeout));
                    return Err(match turn {
                        Some(_) => Failure::Oversized(reason),
                        None => Failure::Transport { error: reason, brief: false },
                    });
                }
                Err(_) => {
                    let error = reader.malformed("the connection was cut in the answer");
                    return Err(Failure::Transport { error, brief: true });
                }
            }
        }
        let answer = reader.body(method, status, response.headers(), &body);
        // What is made of it takes much memory, too.
        turn.into_iter().for_each(keep_turn);
        answer
    }
}

fn request(method: &str, params: &Value, id: u64) -> Value {
    json!({"method": method, "params": params, "id": id, "jsonrpc": "2.0"})
}

/// A random part of `most`.
fn jitter(most: Duration) -> Duration {
    most.mul_f64(rand::random())
}

/// The beginning of a value, for an error message.
pub(super) fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// Why a request failed, in words without its URL.
fn reason(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", timeout.as_secs_f32());
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        if let Some(io) = next.downcast_ref::<std::io::Error>() {
            return io.kind().to_string();
        }
        source = next;
    }
    if error.is_connect() { "cannot connect".into() } else { "the connection was cut".into() }
}

/// Node URLs may be given as web sockets, for pushed logs; requests go over HTTP to the same place.
fn http_url(url: &UpstreamUrl) -> Url {
    let mut url = url.expose().clone();
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return url,
    };
    // `Url::set_scheme` refuses only changes between special and other schemes; all four are special.
    let _ = url.set_scheme(scheme);
    url
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// The upstream does not know the method that was called.
pub(super) fn is_unknown_method(error: &AppError) -> bool {
    match error {
        AppError::UpstreamRejected { code, message, .. } => {
            *code == METHOD_NOT_FOUND || {
                let message = message.to_lowercase();
                message.contains("method not")
                    || message.contains("unsupported method")
                    || message.contains("unknown method")
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A node that nobody answers for.
    pub(super) fn nobody() -> JsonRpcClient {
        let nobody = ["http://127.0.0.1:1".parse().unwrap()];
        JsonRpcClient::new(Upstream::Node, &nobody, Duration::from_secs(1)).unwrap()
    }
}
