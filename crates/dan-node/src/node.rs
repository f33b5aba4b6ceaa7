//! A node: what it has, how it starts, and what all its answers have in common.

mod bans;
mod binding;
mod doubt;
mod epochs;
mod pool;
mod rebuild;
mod renewal;
mod sign;
mod upkeep;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::B256;
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    api::{BanEvidence, NodeNonce, NodeRefusal, NonceAnswer, PeerStatus, RunKind, StatusAnswer},
    callers::Callers,
    config::NodeConfig,
    keys::{KeyError, Keys},
    limits::MinuteCount,
    mesh::Mesh,
    message::Message,
    nonces::{NonceError, Nonces},
    run::{Run, RunError, Runs},
    run_error::OUR_FAULT,
    vault::{Vault, VaultError},
    workers::Workers,
};
use bans::Bans;
use doubt::Asking;
use use_aa_protocol::distributed_key::{MAX_NODES, Refusal, joint_challenge};

/// How often ended runs are forgotten, and unfinished refreshes looked after.
const SWEEP: Duration = Duration::from_secs(2);
/// How often keys whose grant is over are looked for.
const UPKEEP: Duration = Duration::from_secs(10 * 60);
/// Questions of one peer about our shares that are being answered at the same time.
const TELLING: usize = 16;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// An address is taken, say.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The vault cannot be opened.
    #[error("the vault: {0}")]
    Vault(#[from] VaultError),
    /// Something in the vault cannot be read.
    #[error("the vault: {0}")]
    Key(#[from] KeyError),
}

/// A peer's answer about a key: who says so, fingerprint of the share in use, of another one that it has.
type ShareReport = (u8, B256, B256);

/// A running node.
pub struct Node {
    config: NodeConfig,
    vault: Arc<Vault>,
    keys: Keys,
    mesh: Arc<Mesh>,
    runs: Arc<Runs>,
    workers: Workers,
    nonces: Nonces,
    bans: Bans,
    /// Who waits for a peer's answer about a key's shares.
    asked: Mutex<HashMap<B256, Vec<Asking>>>,
    /// By the peer's id: room to answer its questions about our shares.
    telling: [Arc<Semaphore>; MAX_NODES as usize + 1],
    /// Keys that are being made.
    making: Mutex<usize>,
    /// Held while a key is bound, from counting those that are to writing it down.
    binding: tokio::sync::Mutex<()>,
    _tasks: Mutex<JoinSet<()>>,
}

impl Node {
    /// Opens the vault and joins the mesh.
    pub fn start(config: NodeConfig, mesh_listener: TcpListener) -> Result<Arc<Self>, NodeError> {
        let vault = Arc::new(Vault::open(&config.vault_dir, &config.vault_key, config.id)?);
        let keys = Keys::load(vault.clone())?;
        let bans = Bans::load(&vault)?;
        let this: Arc<OnceLock<Weak<Self>>> = Arc::default();
        let receiver = this.clone();
        let (mesh, mut tasks) = Mesh::start(
            config.id,
            config.identity.clone(),
            config.peers.clone(),
            mesh_listener,
            move |_, from, message| {
                // Nothing is lost before the node is complete: whoever sends waits for an answer and asks again.
                if let Some(node) = receiver.get().and_then(Weak::upgrade) {
                    node.hear(from, message);
                }
            },
        );
        let runs = Runs::new(config.id, mesh.clone());
        let node = Arc::new(Self {
            config,
            vault,
            keys,
            runs,
            workers: Workers::default(),
            nonces: Nonces::default(),
            bans,
            asked: Mutex::default(),
            telling: std::array::from_fn(|_| Arc::new(Semaphore::new(TELLING))),
            making: Mutex::default(),
            binding: tokio::sync::Mutex::default(),
            _tasks: Mutex::default(),
            mesh,
        });
        let _ = this.set(Arc::downgrade(&node));
        tasks.spawn(Self::settle_always(Arc::downgrade(&node)));
        let weak = Arc::downgrade(&node);
        tasks.spawn(async move {
            let mut upkeep = Instant::now();
            while let Some(node) = weak.upgrade() {
                if upkeep <= Instant::now() {
                    node.forget_ended().await;
                    upkeep = Instant::now() + UPKEEP;
                }
                node.runs.sweep();
                drop(node);
                sleep(SWEEP).await;
            }
        });
        *node._tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(node)
    }

    fn hear(self: &Arc<Self>, from: u8, message: Message) {
        // A banned node is not listened to.
        if self.bans.is_banned(from) {
            return;
        }
        match message {
            Message::Round { .. } | Message::Abort { .. } => self.runs.deliver(from, message),
            Message::ShareQuery { key } => self.clone().tell(from, key),
            Message::ShareReport { key, current, other } => self.told(from, key, current, other),
            Message::Ping | Message::Pong => {}
        }
    }

    /// A fresh nonce.
    pub fn nonce(&self, kind: RunKind) -> NonceAnswer {
        let (nonce, expires) = self.nonces.draw(kind, now());
        NonceAnswer { node: self.config.id, nonce, expires }
    }

    /// Who may ask over HTTP.
    pub fn callers(&self) -> &Callers {
        &self.config.callers
    }

    /// How it is; whom it banned, only for its operator.
    pub fn status(&self, for_operator: bool) -> StatusAnswer {
        let peers: Vec<_> = self.mesh.peers().map(|(node, up)| (node, up, self.bans.is_banned(node))).collect();
        let usable = peers.iter().filter(|(_, connected, banned)| *connected && !banned).count();
        let peers = peers.into_iter().map(|(node, connected, banned)| PeerStatus {
            node,
            connected,
            banned: for_operator.then_some(banned),
        });
        let keys = self.keys.counts();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        StatusAnswer {
            version: env!("CARGO_PKG_VERSION").into(),
            node: self.config.id,
            identity: self.config.identity.public().to_bytes().into(),
            nodes: self.config.nodes(),
            threshold: self.config.threshold,
            ready: usable + 1 >= usize::from(self.config.threshold),
            peers: peers.collect(),
            keys: count(keys.bound),
            pooled: count(keys.waiting),
            sessions: count(self.runs.open_count()),
            mesh_bytes_sent: self.mesh.sent(),
        }
    }

    /// A refusal of this node.
    pub(super) fn refuse(&self, code: &str, message: impl Into<String>) -> NodeRefusal {
        NodeRefusal { code: code.into(), message: message.into(), node: self.config.id, peer: None }
    }

    fn by_rule(&self, refusal: &Refusal) -> NodeRefusal {
        self.refuse(refusal.code(), refusal.to_string())
    }

    fn by_nonce(&self, error: NonceError) -> NodeRefusal {
        self.refuse(if error == NonceError::Busy { "busy" } else { "nonce" }, error.to_string())
    }

    /// Our own fault: the reason goes to the log, not to the requester.
    fn internal(&self, error: &dyn std::fmt::Display) -> NodeRefusal {
        tracing::error!(node = self.config.id, %error, "the node failed");
        self.refuse("internal", OUR_FAULT)
    }

    /// What a run ended with. Whoever cheated so that the key would leak is banned before anything else.
    async fn ended(self: &Arc<Self>, error: RunError, evidence: Option<BanEvidence>) -> NodeRefusal {
        if let RunError::Ban { node, reason } = &error {
            self.ban(*node, reason, evidence).await;
        }
        match &error {
            RunError::Internal(reason) => self.internal(reason),
            other => NodeRefusal { peer: other.peer(), ..self.refuse(other.code(), other.to_string()) },
        }
    }

    /// Blocking work on the disk.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, NodeRefusal> {
        let node = self.clone();
        match tokio::task::spawn_blocking(move || work(&node)).await {
            Ok(result) => result.map_err(|error| self.internal(&error)),
            Err(error) => Err(self.internal(&error)),
        }
    }

    /// Our own nonce among these, and the challenge of all of them.
    fn challenge(&self, kind: RunKind, nonces: &[NodeNonce]) -> Result<(B256, B256), NodeRefusal> {
        let challenge =
            joint_challenge(kind, nonces).map_err(|error| self.refuse("participants", error.to_string()))?;
        if let Some(stranger) = nonces.iter().find(|nonce| nonce.node > self.config.nodes()) {
            return Err(self.refuse("participants", format!("there is no node {}", stranger.node)));
        }
        let own = nonces.iter().find(|nonce| nonce.node == self.config.id);
        match own {
            Some(own) => Ok((own.nonce, challenge)),
            None => Err(self.refuse("participants", format!("node {} is not one of them", self.config.id))),
        }
    }

    /// All nodes, where all must take part.
    fn everybody(&self, nonces: &[NodeNonce]) -> Result<Vec<u8>, NodeRefusal> {
        if nonces.len() != usize::from(self.config.nodes()) {
            let reason = format!("all {} nodes must take part, not {}", self.config.nodes(), nonces.len());
            return Err(self.refuse("participants", reason));
        }
        self.none_banned((1..=self.config.nodes()).collect())
    }

    fn none_banned(&self, participants: Vec<u8>) -> Result<Vec<u8>, NodeRefusal> {
        match participants.iter().find(|node| self.bans.is_banned(**node)) {
            Some(node) => {
                let refusal = self.refuse("peer-banned", format!("node {node} cheated before and is banned"));
                Err(NodeRefusal { peer: Some(*node), ..refusal })
            }
            None => Ok(participants),
        }
    }
}

impl Node {
    /// Writes a limit down.
    async fn write_limit(self: &Arc<Self>, id: B256, limit: MinuteCount) -> Result<(), RunError> {
        let node = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let bytes = postcard::to_allocvec(&limit).map_err(|_| VaultError::Cipher)?;
            node.vault.write(super::vault::Slot::Limit, id, &bytes)
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(RunError::Internal(error.to_string())),
            Err(error) => Err(RunError::Internal(error.to_string())),
        }
    }
}

/// Where a run is, should somebody have cheated in it.
fn evidence(run: &Run, kind: RunKind, key_id: B256, epoch: u64) -> BanEvidence {
    BanEvidence { kind, run: run.id(), key_id, epoch, round: run.round(), participants: run.participants().to_vec() }
}

/// Unix seconds.
fn now() -> u64 {
    now_ms() / 1_000
}

/// Unix milliseconds.
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
