//! `use-aa dan-refresh` and `use-aa dan-repair`: new shares of distributed keys, and the shares of a node that lost
//! them. All nodes must be there; they do it among themselves, all or none of them (`use_aa_dan_node`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alloy::primitives::B256;
use futures::future::join_all;

use super::super::config::{self, ConfigError, Secret};
use use_aa_actions::clock::unix_seconds;
use use_aa_dan::api::{
    HeldKey, KEYS_AT_ONCE, KeysAnswer, NodeNonce, NonceAnswer, NonceRequest, RefreshAnswer, RefreshRequest, RunKind,
    StatusAnswer,
};
use use_aa_dan::client::{DanNode, Failure};

/// How long a node may take to say how it is.
pub(super) const QUICK: Duration = Duration::from_secs(5);
/// How long it may take for new shares: its own limit is 120 s.
const RENEWING: Duration = Duration::from_secs(130);

/// Which nodes.
#[derive(Debug, clap::Args)]
pub(super) struct NodesArgs {
    /// All nodes, comma-separated url#static-public-key in the order of their ids
    #[arg(long, env = "USE_AA_DAN_NODES", value_name = "NODES", hide_env_values = true)]
    nodes: Option<Secret>,
    /// Key by which the nodes know their operator; one for all, or one for each, comma-separated (secret: prefer the
    /// environment)
    #[arg(long, env = "USE_AA_DAN_OPERATOR_KEY", value_name = "KEY", hide_env_values = true)]
    operator_key: Option<Secret>,
}

/// Which keys.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct KeysArgs {
    /// Ids of keys, 64 hexadecimal digits each
    #[arg(value_name = "KEY")]
    keys: Vec<B256>,
    /// Every key that can still sign
    #[arg(long)]
    all: bool,
}

/// Options of `use-aa dan-refresh`.
#[derive(Debug, clap::Args)]
pub struct RefreshArgs {
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    nodes: NodesArgs,
}

/// Options of `use-aa dan-repair`.
#[derive(Debug, clap::Args)]
pub struct RepairArgs {
    /// Id of the node that lost its shares, from 1; it runs again, with its old secret key and an empty vault
    #[arg(long, value_name = "NUMBER")]
    node: u8,
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    nodes: NodesArgs,
}

/// Why the command did not do all that it was told.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// A value of the command line or the environment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nodes are missing, or are not who they should be. Nothing was begun.
    #[error("all {nodes} nodes must be there; nothing was changed\n  {}", reasons.join("\n  "))]
    Missing {
        /// How many there are.
        nodes: usize,
        /// One line for each that is not there.
        reasons: Vec<String>,
    },
    /// Some keys have their old shares; the lines before say why.
    #[error("{failed} of {all} keys have no new shares")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// Some nodes did not do it; their lines say why.
    #[error("{failed} of {all} nodes did not do it")]
    Unanswered {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// Our own fault.
    #[error("{0}")]
    Internal(String),
}

/// New shares; `say` gets a line for each key.
///
/// # Errors
/// See [`OperatorError`].
pub async fn refresh(args: RefreshArgs, say: impl FnMut(String)) -> Result<(), OperatorError> {
    let network = Network::new(&args.nodes)?;
    network.check().await?;
    let keys = match args.keys.all {
        true => network.keys().await?.into_keys().collect(),
        false => args.keys.keys,
    };
    network.renew_all(keys, None, say).await
}

/// The shares of one node, and new ones for all; `say` gets a line for each key.
///
/// # Errors
/// See [`OperatorError`].
pub async fn repair(args: RepairArgs, say: impl FnMut(String)) -> Result<(), OperatorError> {
    let network = Network::new(&args.nodes)?;
    network.must_have("--node", args.node)?;
    network.check().await?;
    let keys = match args.keys.all {
        true => {
            let lost = network.keys().await?.into_iter().filter(|(_, holders)| !holders.contains(&args.node));
            lost.map(|(key, _)| key).collect()
        }
        false => args.keys.keys,
    };
    network.renew_all(keys, Some(args.node), say).await
}

/// All nodes.
pub(super) struct Network {
    pub nodes: Vec<DanNode>,
}

impl Network {
    pub fn new(args: &NodesArgs) -> Result<Self, OperatorError> {
        let nodes = config::dan_nodes(args.nodes.as_ref(), config::OPERATOR_KEY, args.operator_key.as_ref())?;
        if nodes.is_empty() {
            return Err(ConfigError::new("USE_AA_DAN_NODES", "all nodes, as the app server is told", "nothing").into());
        }
        let http =
            reqwest::Client::builder().connect_timeout(QUICK).redirect(reqwest::redirect::Policy::none()).build();
        let http = http.map_err(|error| OperatorError::Internal(error.to_string()))?;
        let nodes = (1..)
            .zip(nodes)
            .map(|(id, node)| DanNode::new(id, node.identity, node.url.expose().clone(), http.clone(), node.key));
        Ok(Self { nodes: nodes.collect() })
    }

    /// There is a node with this id.
    pub fn must_have(&self, option: &'static str, id: u8) -> Result<(), ConfigError> {
        match self.nodes.iter().any(|node| node.id == id) {
            true => Ok(()),
            false => Err(ConfigError::new(option, format!("the id of a node, 1 to {}", self.nodes.len()), id)),
        }
    }

    /// All of them answer and are who they should be.
    async fn check(&self) -> Result<(), OperatorError> {
        let check = |node| async move {
            let node: &DanNode = node;
            match node.get::<StatusAnswer>("/v1/status", QUICK).await {
                Ok(status) if (status.node, status.identity) == (node.id, node.identity) => None,
                Ok(status) => Some(format!(
                    "node {}: has id {} and key {}: USE_AA_DAN_NODES names another",
                    node.id, status.node, status.identity
                )),
                Err(failure) => Some(said(&failure)),
            }
        };
        self.complete(join_all(self.nodes.iter().map(check)).await.into_iter().flatten().collect())
    }

    fn complete(&self, reasons: Vec<String>) -> Result<(), OperatorError> {
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(OperatorError::Missing { nodes: self.nodes.len(), reasons }),
        }
    }

    /// Every key that can still sign, and who has a share of it. One node's word does not end a key: most say so.
    async fn keys(&self) -> Result<BTreeMap<B256, BTreeSet<u8>>, OperatorError> {
        let now = unix_seconds();
        let mut keys: BTreeMap<B256, BTreeSet<u8>> = BTreeMap::new();
        let mut over: BTreeMap<B256, usize> = BTreeMap::new();
        for (node, listed) in self.nodes.iter().zip(join_all(self.nodes.iter().map(held)).await) {
            let listed = match listed {
                Ok(listed) => listed,
                Err(failure) => return self.complete(vec![said(&failure)]).map(|()| keys),
            };
            for key in listed {
                if key.revoked || key.valid_until.is_some_and(|end| end <= now) {
                    *over.entry(key.key_id).or_default() += 1;
                }
                let holders = keys.entry(key.key_id).or_default();
                if key.share {
                    holders.insert(node.id);
                }
            }
        }
        keys.retain(|key, _| over.get(key).is_none_or(|voices| voices * 2 <= self.nodes.len()));
        Ok(keys)
    }

    async fn renew_all(
        &self,
        keys: Vec<B256>,
        repair: Option<u8>,
        mut say: impl FnMut(String),
    ) -> Result<(), OperatorError> {
        if keys.is_empty() {
            say("no key needs it".into());
        }
        let (all, mut failed) = (keys.len(), 0);
        for key in keys {
            match self.renew(key, repair).await {
                Ok(epoch) => {
                    let repaired = repair.map(|node| format!("node {node} has its share again, ")).unwrap_or_default();
                    say(format!("key {key}: {repaired}new shares at all {} nodes (epoch {epoch})", self.nodes.len()));
                }
                Err(reasons) => {
                    failed += 1;
                    say(format!("key {key}: no new shares\n  {}", reasons.join("\n  ")));
                }
            }
        }
        if failed > 0 { Err(OperatorError::Failed { failed, all }) } else { Ok(()) }
    }

    /// How often the key's shares were renewed, or a line for each node that failed.
    async fn renew(&self, key_id: B256, repair: Option<u8>) -> Result<u64, Vec<String>> {
        let kind = if repair.is_some() { RunKind::Repair } else { RunKind::Refresh };
        let draw = |node| async move {
            let node: &DanNode = node;
            let answer: NonceAnswer = node.post("/v1/nonce", &NonceRequest { kind }, QUICK).await?;
            Ok(NodeNonce { node: node.id, nonce: answer.nonce })
        };
        let nonces = all_of(join_all(self.nodes.iter().map(draw)).await)?;
        let request = RefreshRequest { key_id, repair, nonces };
        let renewing = self.nodes.iter().map(|node| node.post::<RefreshAnswer>("/v1/refresh", &request, RENEWING));
        let answers = join_all(renewing).await;
        let done = answers.iter().flatten().map(|answer| answer.node.to_string()).collect::<Vec<_>>().join(", ");
        let epochs = all_of(answers).map_err(|mut reasons| {
            if !done.is_empty() {
                reasons.push(format!("node {done}: has new shares; the others take theirs when they see each other"));
            }
            reasons
        })?;
        match epochs.iter().map(|answer| answer.epoch).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()[..] {
            [epoch] => Ok(epoch),
            _ => Err(vec!["the nodes do not say the same of it".into()]),
        }
    }
}

/// All answers, or what those said that failed.
fn all_of<T>(answers: Vec<Result<T, Failure>>) -> Result<Vec<T>, Vec<String>> {
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    match bad.is_empty() {
        true => Ok(good.into_iter().flatten().collect()),
        false => Err(bad.iter().filter_map(|answer| answer.as_ref().err()).map(said).collect()),
    }
}

/// One line; both name the node.
pub(super) fn said(failure: &Failure) -> String {
    match failure {
        Failure::Down(reason) => reason.clone(),
        Failure::Refused(refusal) => refusal.to_string(),
    }
}

/// All keys of a node.
async fn held(node: &DanNode) -> Result<Vec<HeldKey>, Failure> {
    let (mut keys, mut after) = (Vec::new(), B256::ZERO);
    loop {
        let answer: KeysAnswer = node.get(&format!("/v1/keys?after={after}"), QUICK).await?;
        let complete = answer.keys.len() < KEYS_AT_ONCE;
        let last = answer.keys.last().map(|key| key.key_id).filter(|last| *last > after);
        keys.extend(answer.keys);
        match last {
            Some(last) if !complete => after = last,
            _ => return Ok(keys),
        }
    }
}
