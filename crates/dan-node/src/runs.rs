//! All runs of a node: finds the run of a message, keeps what comes before this node's own request, remembers what is
//! over.
//!
//! All of it is bounded, and for each peer by itself: what a bad node sends, or what strangers have an honest one send,
//! takes no room from the others.

use std::{
    array,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::{B256, keccak256};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::Instant,
};

use super::{message::Message, run_error::RunError};
use use_aa_protocol::distributed_key::MAX_NODES;

/// How long messages wait for this node's own request.
const EARLY_FOR: Duration = Duration::from_secs(30);
/// Runs that one peer may begin like that, by messages and by refusals each. Beyond it the oldest of them go: what is
/// honest waits for milliseconds.
const EARLY_RUNS: usize = 128;
/// Messages of one peer that may wait in one such run: of its first round, and that it gives up.
const EARLY_MESSAGES: usize = 2;
/// Messages that may wait in an open run: an honest peer is at most one round ahead.
const WAITING_MESSAGES: usize = 4 * MAX_NODES as usize;
/// Bytes of one peer's messages that may wait in all runs together. The largest honest message has 150,000.
const WAITING_BYTES: usize = 32 * 1024 * 1024;
/// What a message takes beside its body, bytes.
const OVERHEAD: usize = 256;
/// How long an ended run is remembered, so that its late messages are dropped.
const ENDED_FOR: Duration = Duration::from_secs(60);
/// Ended runs that are remembered. That none is run twice does not depend on it: nonces are spent.
const ENDED_RUNS: usize = 8_192;

/// For each node id the number of times that its connection to us ended.
pub type Losses = [u64; MAX_NODES as usize + 1];

/// What a run needs of the mesh.
pub trait Network: Send + Sync {
    /// Hands a message over; false when there is no connection (or its queue is full).
    fn send(&self, to: u8, message: &Message) -> bool;
    /// True while messages to this node can be sent.
    fn is_connected(&self, node: u8) -> bool;
    /// Counts lost connections.
    fn losses(&self) -> watch::Receiver<Losses>;
}

/// Name and binding of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// The joint challenge (with the number of the key, when several are made over one challenge).
    pub id: B256,
    /// Hash over all that the participants must agree on.
    pub binding: B256,
    /// Ids of the nodes that take part, ascending.
    pub participants: Vec<u8>,
}

impl RunName {
    /// Binds `id` to a kind's name, challenge, key, digest and participants (sorted here).
    pub fn new(kind: &str, challenge: B256, number: u8, key: B256, digest: B256, participants: &[u8]) -> Self {
        let mut participants = participants.to_vec();
        participants.sort_unstable();
        let id = keccak256([challenge.as_slice(), &[number]].concat());
        let text = format!("use-aa dan run 2\n{kind}\n{challenge}\n{number}\n{key}\n{digest}\n{participants:?}\n");
        Self { id, binding: keccak256(text), participants }
    }
}

/// A message that waits, and the room that it takes.
pub(super) struct Incoming {
    pub from: u8,
    pub message: Message,
    pub room: OwnedSemaphorePermit,
}

impl Incoming {
    fn is_refusal(&self) -> bool {
        matches!(self.message, Message::Abort { .. })
    }
}

enum Entry {
    /// Messages came before our own request did.
    Early { since: Instant, messages: Vec<Incoming> },
    /// Under way.
    Open { sender: mpsc::Sender<Incoming>, participants: Vec<u8> },
    /// Over.
    Ended { since: Instant },
}

/// The runs by their ids, and the order in which they came and went.
#[derive(Default)]
struct Table {
    entries: HashMap<B256, Entry>,
    /// Runs in which a peer's messages wait for our own request, oldest first; apart those in which its refusal waits,
    /// which anybody can cause who asks it for nonsense. Some may be open or over by now.
    begun: BTreeMap<(u8, bool), VecDeque<B256>>,
    ended: VecDeque<B256>,
}

impl Table {
    /// A message that came before our own request.
    fn keep(&mut self, id: B256, incoming: Incoming, by_refusal: bool) {
        let from = incoming.from;
        let entry = self.entries.entry(id);
        let entry = entry.or_insert_with(|| Entry::Early { since: Instant::now(), messages: Vec::new() });
        let Entry::Early { messages, .. } = entry else { return };
        let mut waiting = messages.iter().filter(|waiting| waiting.from == from);
        let known = waiting.clone().any(|waiting| waiting.is_refusal() == by_refusal);
        if waiting.nth(EARLY_MESSAGES - 1).is_some() {
            return;
        }
        messages.push(incoming);
        if !known {
            let begun = self.begun.entry((from, by_refusal)).or_default();
            begun.push_back(id);
            if begun.len() > EARLY_RUNS {
                self.forget_oldest(from, by_refusal);
            }
        }
    }

    /// Drops what waits of this peer in the oldest of its runs, and of nobody else. True when there was one.
    fn forget_oldest(&mut self, from: u8, by_refusal: bool) -> bool {
        let Some(oldest) = self.begun.get_mut(&(from, by_refusal)).and_then(VecDeque::pop_front) else { return false };
        if let Some(Entry::Early { messages, .. }) = self.entries.get_mut(&oldest) {
            messages.retain(|waiting| (waiting.from, waiting.is_refusal()) != (from, by_refusal));
            if messages.is_empty() {
                self.entries.remove(&oldest);
            }
        }
        true
    }

    fn end(&mut self, id: B256) {
        self.entries.insert(id, Entry::Ended { since: Instant::now() });
        self.ended.push_back(id);
        if self.ended.len() > ENDED_RUNS
            && let Some(oldest) = self.ended.pop_front()
            && matches!(self.entries.get(&oldest), Some(Entry::Ended { .. }))
        {
            self.entries.remove(&oldest);
        }
    }

    fn sweep(&mut self) {
        self.entries.retain(|_, entry| match entry {
            Entry::Early { since, .. } => since.elapsed() < EARLY_FOR,
            Entry::Open { sender, .. } => !sender.is_closed(),
            Entry::Ended { since } => since.elapsed() < ENDED_FOR,
        });
        let entries = &self.entries;
        self.begun.values_mut().for_each(|ids| ids.retain(|id| matches!(entries.get(id), Some(Entry::Early { .. }))));
        self.ended.retain(|id| matches!(entries.get(id), Some(Entry::Ended { .. })));
    }
}

/// All runs of this node.
pub struct Runs {
    pub(super) me: u8,
    pub(super) network: Arc<dyn Network>,
    table: Mutex<Table>,
    /// By the sender's id: the bytes that may still wait.
    room: [Arc<Semaphore>; MAX_NODES as usize + 1],
}

impl Runs {
    /// None yet. `me` is this node's id.
    pub fn new(me: u8, network: Arc<dyn Network>) -> Arc<Self> {
        let room = array::from_fn(|_| Arc::new(Semaphore::new(WAITING_BYTES)));
        Arc::new(Self { me, network, table: Mutex::default(), room })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs under way.
    pub fn open_count(&self) -> usize {
        self.table().entries.values().filter(|entry| matches!(entry, Entry::Open { .. })).count()
    }

    /// Forgets what is over or never began. Called once in a while.
    pub fn sweep(&self) {
        self.table().sweep();
    }

    /// A message of a run came from this (authenticated) node.
    pub fn deliver(&self, from: u8, message: Message) {
        let (id, size, refusal) = match &message {
            Message::Round { run, body, .. } => (*run, body.len(), false),
            Message::Abort { run, code, message } => (*run, code.len() + message.len(), true),
            _ => return,
        };
        let Some(limit) = self.room.get(usize::from(from)) else { return };
        let Ok(size) = u32::try_from(size + OVERHEAD) else { return };
        let mut table = self.table();
        let room = loop {
            match limit.clone().try_acquire_many_owned(size) {
                Ok(room) => break room,
                Err(_) if table.forget_oldest(from, false) || table.forget_oldest(from, true) => {}
                Err(_) => {
                    tracing::debug!(node = self.me, from, "too much of a peer waits; a message was dropped");
                    return;
                }
            }
        };
        match table.entries.get_mut(&id) {
            // A full queue is the sender's fault: the run then misses its message and lapses.
            Some(Entry::Open { sender, participants }) if participants.contains(&from) => {
                let dropped = sender.try_send(Incoming { from, message, room }).is_err();
                if dropped {
                    tracing::debug!(node = self.me, from, "a message for a full run was dropped");
                }
            }
            Some(Entry::Early { .. }) | None => table.keep(id, Incoming { from, message, room }, refusal),
            _ => {}
        }
    }

    /// This node takes part from now on; gives what will come, and what came before.
    pub(super) fn begin(&self, name: &RunName) -> Result<(mpsc::Receiver<Incoming>, VecDeque<Incoming>), RunError> {
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
        let mut table = self.table();
        if let Some(Entry::Open { .. } | Entry::Ended { .. }) = table.entries.get(&name.id) {
            return Err(RunError::Repeated);
        }
        let open = Entry::Open { sender, participants: name.participants.clone() };
        let early = match table.entries.insert(name.id, open) {
            Some(Entry::Early { messages, .. }) => messages,
            _ => Vec::new(),
        };
        Ok((receiver, early.into_iter().filter(|incoming| name.participants.contains(&incoming.from)).collect()))
    }

    /// Tells the other participants that this node does not take part, so that none waits for it. Does nothing to a
    /// run that is under way or over here: a repeated request must not disturb the first.
    pub fn refuse(&self, name: &RunName, code: &str, message: &str) {
        {
            let mut table = self.table();
            if matches!(table.entries.get(&name.id), Some(Entry::Open { .. } | Entry::Ended { .. })) {
                return;
            }
            table.end(name.id);
        }
        self.abort(name, code, message);
    }

    /// The run is over.
    pub(super) fn end(&self, id: B256) {
        self.table().end(id);
    }

    pub(super) fn abort(&self, name: &RunName, code: &str, text: &str) {
        let message = Message::Abort { run: name.id, code: code.into(), message: text.into() };
        for node in name.participants.iter().filter(|node| **node != self.me) {
            self.network.send(*node, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use zeroize::Zeroizing;

    use super::*;
    use crate::frame::MAX_MESSAGE;

    struct Nobody(watch::Sender<Losses>);

    impl Network for Nobody {
        fn send(&self, _: u8, _: &Message) -> bool {
            true
        }

        fn is_connected(&self, _: u8) -> bool {
            true
        }

        fn losses(&self) -> watch::Receiver<Losses> {
            self.0.subscribe()
        }
    }

    fn runs() -> Arc<Runs> {
        Runs::new(1, Arc::new(Nobody(watch::Sender::new(Losses::default()))))
    }

    fn name(number: u64) -> RunName {
        let challenge = B256::left_padding_from(&number.to_be_bytes());
        RunName::new("signing", challenge, 0, B256::ZERO, B256::ZERO, &[1, 2, 3])
    }

    fn round(name: &RunName, length: usize) -> Message {
        Message::Round { run: name.id, binding: name.binding, round: 1, body: Zeroizing::new(vec![7; length]) }
    }

    fn abort(name: &RunName) -> Message {
        Message::Abort { run: name.id, code: "policy-violation".into(), message: "no".into() }
    }

    /// Bytes of this node's messages that wait.
    fn waiting(runs: &Runs, from: u8) -> usize {
        WAITING_BYTES - runs.room[usize::from(from)].available_permits()
    }

    #[tokio::test]
    async fn a_bad_node_fills_no_memory_and_takes_no_room_from_the_others() {
        let runs = runs();
        let honest = name(u64::MAX);
        runs.deliver(2, round(&honest, 30_000));
        // Runs that nobody ever opens, in the largest messages there are, and refusals of runs that there are not.
        for number in 0..3 * EARLY_RUNS as u64 {
            runs.deliver(3, round(&name(number), MAX_MESSAGE));
            runs.deliver(3, round(&name(200_000 + number), 1));
            runs.deliver(3, abort(&name(100_000 + number)));
        }
        assert!(waiting(&runs, 3) <= WAITING_BYTES);
        assert!(runs.table().entries.len() <= 1 + 2 * EARLY_RUNS, "{}", runs.table().entries.len());
        let mut run = runs.open(honest.clone(), Duration::from_secs(5)).unwrap();
        run.send(BTreeMap::new()).unwrap();
        assert_eq!(run.receive(&[2]).await.unwrap()[&2].len(), 30_000, "what an honest node said is there");
        // And in a run that it takes part in: what waits is bounded, what was read waits no more.
        for _ in 0..2 * WAITING_MESSAGES {
            runs.deliver(3, round(&honest, MAX_MESSAGE));
        }
        assert!(waiting(&runs, 3) <= WAITING_BYTES);
        drop(run);
        assert_eq!(waiting(&runs, 2), 0);
        runs.deliver(2, round(&name(7), 1));
        assert!(runs.open(name(7), Duration::from_secs(5)).is_ok());
    }

    /// Who is first in a run and then floods the table drops what he said himself.
    #[tokio::test]
    async fn who_begins_a_run_and_floods_pushes_out_nothing_of_the_others() {
        let runs = runs();
        let shared = name(u64::MAX);
        runs.deliver(3, abort(&shared));
        runs.deliver(3, round(&shared, 10));
        runs.deliver(2, round(&shared, 20));
        for number in 0..2 * EARLY_RUNS as u64 {
            runs.deliver(3, round(&name(number), 1));
            runs.deliver(3, abort(&name(100_000 + number)));
        }
        let mut run = runs.open(shared, Duration::from_secs(5)).unwrap();
        run.send(BTreeMap::new()).unwrap();
        assert_eq!(run.receive(&[2]).await.unwrap()[&2].len(), 20);
        assert!(runs.table().entries.len() <= 1 + 2 * EARLY_RUNS);
    }

    #[test]
    fn refusals_that_strangers_cause_push_no_message_out_and_what_ended_is_bounded() {
        let runs = runs();
        let early = name(u64::MAX);
        runs.deliver(2, round(&early, 100));
        for number in 0..20_000 {
            runs.deliver(2, abort(&name(number)));
            runs.refuse(&name(100_000 + number), "malformed", "no");
        }
        let table = runs.table();
        assert!(matches!(&table.entries[&early.id], Entry::Early { messages, .. } if messages.len() == 1));
        assert!(table.entries.len() <= 1 + EARLY_RUNS + ENDED_RUNS, "{}", table.entries.len());
    }
}
