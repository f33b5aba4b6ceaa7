//! One run of some nodes: rounds of messages, each awaited from every other participant.
//!
//! A run is named by its joint challenge (all nodes derive the same name) and bound to kind, challenge, key, digest
//! and participants: a node that was asked something else gives another binding and is refused. Messages that come
//! before this node's own request are kept for a while, within limits (`runs.rs`). Whatever ends a run removes it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use alloy::primitives::B256;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, watch},
    time::Instant,
};

use super::{message::Message, runs::Incoming, share::SecretBytes};
pub use super::{
    run_error::RunError,
    runs::{Losses, Network, RunName, Runs},
};

impl Runs {
    /// Opens a run. Every participant must be connected, and the run must be new.
    pub fn open(self: &Arc<Self>, name: RunName, limit: Duration) -> Result<Run, RunError> {
        // Before the run is known: no loss after that is missed.
        let losses = self.network.losses();
        let (receiver, early) = self.begin(&name)?;
        let run = Run::new(self.clone(), name, receiver, early, limit, losses);
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
}

/// A run under way. Dropping it ends it.
pub struct Run {
    runs: Arc<Runs>,
    name: RunName,
    receiver: mpsc::Receiver<Incoming>,
    early: VecDeque<Incoming>,
    /// By round and sender, with the room that it takes.
    stash: BTreeMap<(u8, u8), (SecretBytes, OwnedSemaphorePermit)>,
    round: u8,
    deadline: Instant,
    losses: watch::Receiver<Losses>,
    at_start: Losses,
    sent: u64,
}

impl Run {
    fn new(
        runs: Arc<Runs>,
        name: RunName,
        receiver: mpsc::Receiver<Incoming>,
        early: VecDeque<Incoming>,
        limit: Duration,
        losses: watch::Receiver<Losses>,
    ) -> Self {
        let at_start = *losses.borrow();
        let (stash, deadline) = (BTreeMap::new(), Instant::now() + limit);
        Self { runs, name, receiver, early, stash, round: 0, deadline, losses, at_start, sent: 0 }
    }

    /// Its id.
    pub fn id(&self) -> B256 {
        self.name.id
    }

    /// The round that it is in, from 1.
    pub fn round(&self) -> u8 {
        self.round
    }

    /// From now on it may go on for no longer than this.
    pub fn hurry(&mut self, limit: Duration) {
        self.deadline = self.deadline.min(Instant::now() + limit);
    }

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
                if let Some((body, _)) = self.stash.remove(&(self.round, *node)) {
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

    fn take(&mut self, Incoming { from, message, room }: Incoming) -> Result<(), RunError> {
        match message {
            Message::Round { binding, .. } if binding != self.name.binding => Err(RunError::Disagree(from)),
            Message::Round { round, body, .. } => {
                if round < self.round.max(1) || round > self.round + 1 {
                    return Err(RunError::cheated(from, "a message of a round that is not now"));
                }
                match self.stash.insert((round, from), (body, room)) {
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
        self.runs.end(self.name.id);
    }
}
