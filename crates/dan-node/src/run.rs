//! One run of some nodes: rounds of messages, each awaited from every other participant.
//!
//! A run is named by its joint challenge (all nodes derive the same name) and bound to kind, challenge, key, digest
//! and participants: a node that was asked something else gives another binding and is refused. Messages that come
//! before this node's own request are kept for a while, within limits. Whatever ends a run removes it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::{B256, keccak256};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

pub use super::run_error::RunError;
use super::{message::Message, share::SecretBytes};
use use_aa_protocol::distributed_key::MAX_NODES;

/// How long messages wait for this node's own request.
const EARLY_FOR: Duration = Duration::from_secs(30);
/// Runs that may wait like that, of all peers together.
const EARLY_SESSIONS: usize = 512;
/// Messages that may wait in one run: an honest peer is at most one round ahead.
const WAITING_MESSAGES: usize = 4 * MAX_NODES as usize;
/// How long an ended run is remembered, so that its late messages are dropped.
const ENDED_FOR: Duration = Duration::from_secs(60);

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
        let text = format!("use-aa dan run 1\n{kind}\n{challenge}\n{number}\n{key}\n{digest}\n{participants:?}\n");
        Self { id, binding: keccak256(text), participants }
    }
}

struct Incoming {
    from: u8,
    message: Message,
}

enum Entry {
    /// Messages came before our own request did.
    Early { since: Instant, messages: Vec<Incoming> },
    /// Under way.
    Open { sender: mpsc::Sender<Incoming>, participants: Vec<u8> },
    /// Over.
    Ended { since: Instant },
}

/// All runs of this node.
pub struct Runs {
    me: u8,
    network: Arc<dyn Network>,
    entries: Mutex<HashMap<B256, Entry>>,
}

impl Runs {
    /// None yet. `me` is this node's id.
    pub fn new(me: u8, network: Arc<dyn Network>) -> Arc<Self> {
        Arc::new(Self { me, network, entries: Mutex::default() })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<B256, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs under way.
    pub fn open_count(&self) -> usize {
        self.entries().values().filter(|entry| matches!(entry, Entry::Open { .. })).count()
    }

    /// Forgets what is over or never began. Called once in a while.
    pub fn sweep(&self) {
        self.entries().retain(|_, entry| match entry {
            Entry::Early { since, .. } => since.elapsed() < EARLY_FOR,
            Entry::Open { sender, .. } => !sender.is_closed(),
            Entry::Ended { since } => since.elapsed() < ENDED_FOR,
        });
    }

    /// A message of a run came from this (authenticated) node.
    pub fn deliver(&self, from: u8, message: Message) {
        let id = match &message {
            Message::Round { run, .. } | Message::Abort { run, .. } => *run,
            _ => return,
        };
        let mut entries = self.entries();
        if !entries.contains_key(&id) {
            if entries.values().filter(|entry| matches!(entry, Entry::Early { .. })).count() >= EARLY_SESSIONS {
                tracing::debug!(node = self.me, from, "too many runs wait; a message was dropped");
                return;
            }
            entries.insert(id, Entry::Early { since: Instant::now(), messages: Vec::new() });
        }
        match entries.get_mut(&id) {
            // A full queue is the sender's fault: the run then misses its message and lapses.
            Some(Entry::Open { sender, participants }) if participants.contains(&from) => {
                let dropped = sender.try_send(Incoming { from, message }).is_err();
                if dropped {
                    tracing::debug!(node = self.me, from, "a message for a full run was dropped");
                }
            }
            Some(Entry::Early { messages, .. }) if messages.len() < WAITING_MESSAGES => {
                messages.push(Incoming { from, message });
            }
            _ => {}
        }
    }

    /// Opens a run. Every participant must be connected, and the run must be new.
    pub fn open(self: &Arc<Self>, name: RunName, limit: Duration) -> Result<Run, RunError> {
        let losses = self.network.losses();
        let at_start = *losses.borrow();
        let (sender, receiver) = mpsc::channel(WAITING_MESSAGES);
        let early = {
            let mut entries = self.entries();
            match entries.get(&name.id) {
                Some(Entry::Open { .. } | Entry::Ended { .. }) => return Err(RunError::Repeated),
                Some(Entry::Early { .. }) | None => {}
            }
            let open = Entry::Open { sender, participants: name.participants.clone() };
            match entries.insert(name.id, open) {
                Some(Entry::Early { messages, .. }) => messages,
                _ => Vec::new(),
            }
        };
        let early = early.into_iter().filter(|incoming| name.participants.contains(&incoming.from)).collect();
        let run = Run {
            runs: self.clone(),
            name,
            receiver,
            early,
            stash: BTreeMap::new(),
            round: 0,
            deadline: Instant::now() + limit,
            losses,
            at_start,
            sent: 0,
        };
        let down = run.others().find(|node| !self.network.is_connected(*node));
        match down {
            Some(down) => {
                let error = RunError::PeerDown(down);
                run.tell(&error);
                Err(error)
            }
            None => Ok(run),
        }
    }

    /// Tells the other participants that this node does not take part, so that none waits for it. Does nothing to a
    /// run that is under way or over here: a repeated request must not disturb the first.
    pub fn refuse(&self, name: &RunName, code: &str, message: &str) {
        {
            let mut entries = self.entries();
            if matches!(entries.get(&name.id), Some(Entry::Open { .. } | Entry::Ended { .. })) {
                return;
            }
            entries.insert(name.id, Entry::Ended { since: Instant::now() });
        }
        self.abort(name, code, message);
    }

    fn abort(&self, name: &RunName, code: &str, text: &str) {
        let message = Message::Abort { run: name.id, code: code.into(), message: text.into() };
        for node in name.participants.iter().filter(|node| **node != self.me) {
            self.network.send(*node, &message);
        }
    }
}

/// A run under way. Dropping it ends it.
pub struct Run {
    runs: Arc<Runs>,
    name: RunName,
    receiver: mpsc::Receiver<Incoming>,
    early: VecDeque<Incoming>,
    stash: BTreeMap<(u8, u8), SecretBytes>,
    round: u8,
    deadline: Instant,
    losses: watch::Receiver<Losses>,
    at_start: Losses,
    sent: u64,
}

impl Run {
    /// This node's id.
    pub fn me(&self) -> u8 {
        self.runs.me
    }

    /// Ids of all participants, ascending.
    pub fn participants(&self) -> &[u8] {
        &self.name.participants
    }

    /// The binding: a value that all participants share and no other run has.
    pub fn binding(&self) -> B256 {
        self.name.binding
    }

    /// Bytes handed to the mesh so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Ids of the others, ascending.
    pub fn others(&self) -> impl Iterator<Item = u8> + '_ {
        let me = self.me();
        self.name.participants.iter().copied().filter(move |node| *node != me)
    }

    /// The same message to everybody; see [`Self::exchange`].
    pub async fn broadcast(&mut self, body: SecretBytes) -> Result<BTreeMap<u8, SecretBytes>, RunError> {
        let bodies = self.others().map(|node| (node, body.clone())).collect();
        self.exchange(bodies).await
    }

    /// One round: sends each other participant its message, waits for one of each.
    pub async fn exchange(&mut self, bodies: BTreeMap<u8, SecretBytes>) -> Result<BTreeMap<u8, SecretBytes>, RunError> {
        self.send(bodies)?;
        let others: Vec<u8> = self.others().collect();
        self.receive(&others).await
    }

    /// Sends the messages of the next round to those named, and begins the round.
    pub fn send(&mut self, bodies: BTreeMap<u8, SecretBytes>) -> Result<(), RunError> {
        self.round += 1;
        for (to, body) in bodies {
            self.sent += body.len() as u64;
            let message = Message::Round { run: self.name.id, binding: self.name.binding, round: self.round, body };
            if !self.runs.network.send(to, &message) {
                return Err(RunError::PeerDown(to));
            }
        }
        Ok(())
    }

    /// Waits for this round's messages of those named.
    pub async fn receive(&mut self, from: &[u8]) -> Result<BTreeMap<u8, SecretBytes>, RunError> {
        let mut received = BTreeMap::new();
        loop {
            for node in from {
                if let Some(body) = self.stash.remove(&(self.round, *node)) {
                    received.insert(*node, body);
                }
            }
            let Some(missing) = from.iter().copied().find(|node| !received.contains_key(node)) else {
                return Ok(received);
            };
            if let Some(incoming) = self.early.pop_front() {
                self.take(incoming)?;
                continue;
            }
            tokio::select! {
                // First what was delivered: a node that answered and then went has answered.
                biased;
                incoming = self.receiver.recv() => match incoming {
                    Some(incoming) => self.take(incoming)?,
                    None => return Err(RunError::Internal("the run was removed".into())),
                },
                changed = self.losses.changed() => {
                    let now = *self.losses.borrow();
                    let lost = |node: &u8| now.get(usize::from(*node)) != self.at_start.get(usize::from(*node));
                    let waited_for = from.iter().find(|node| !received.contains_key(node) && lost(node));
                    if let Some(node) = waited_for {
                        return Err(RunError::PeerDown(*node));
                    }
                    if changed.is_err() {
                        return Err(RunError::Internal("the mesh ended".into()));
                    }
                }
                () = tokio::time::sleep_until(self.deadline) => return Err(RunError::Timeout(missing)),
            }
        }
    }

    fn take(&mut self, Incoming { from, message }: Incoming) -> Result<(), RunError> {
        match message {
            Message::Round { binding, .. } if binding != self.name.binding => Err(RunError::Disagree(from)),
            Message::Round { round, body, .. } => {
                if round < self.round.max(1) || round > self.round + 1 {
                    return Err(RunError::cheated(from, "a message of a round that is not now"));
                }
                match self.stash.insert((round, from), body) {
                    None => Ok(()),
                    Some(_) => Err(RunError::cheated(from, "two messages of one round")),
                }
            }
            Message::Abort { code, message, .. } => Err(RunError::PeerRefused { node: from, code, message }),
            _ => Ok(()),
        }
    }

    /// Tells the others why it ends here. A peer's own refusal is not sent around again.
    pub fn tell(&self, error: &RunError) {
        if !matches!(error, RunError::PeerRefused { .. }) {
            self.runs.abort(&self.name, error.code(), &error.to_string());
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.entries().insert(self.name.id, Entry::Ended { since: Instant::now() });
    }
}
