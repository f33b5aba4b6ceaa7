//! [`DanCoordinator`]: asks the nodes, all of them or any t, and puts their answers together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy::primitives::{Address, B256, Bytes, Signature};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout_at},
};

use super::{
    super::{config::DanNodeAddress, inner_error},
    disputes::Disputes,
    failure::error_of,
    making::Making,
    pool::{MOST_KEYS, Pool},
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_dan::api::{
    KeygenRequest, NonceAnswer, NonceRequest, PoolAnswer, PoolRequest, PooledKey, RevokeAnswer, SignAnswer, SignBody,
    StatusAnswer,
};
use use_aa_dan::client::{DanNode, Failure};
use use_aa_protocol::{
    distributed_key::{
        KeyAttestation, KeyNetwork, KeyOffer, NodeIdentity, NodeNonce, Revocation, RunKind, SignOutcome, SignRequest,
        SignedGrant,
    },
    signature::personal_digest,
};

/// How long a node may take for a nonce, or to say how it is.
const QUICK: Duration = Duration::from_secs(2);
/// How long a connection to a node is kept for another request.
const KEPT_OPEN: Duration = Duration::from_secs(30);
/// For a signature: the nodes' own limit is shorter.
const SIGNING: Duration = Duration::from_secs(15);
/// For the other signers once one has refused: it may be the only one that missed the last message.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(1);
/// For binding a key.
const BINDING: Duration = Duration::from_secs(8);
/// For making keys.
const MAKING: Duration = Duration::from_secs(90);
/// So old may be what is told of the network.
const SEEN_LATELY: Duration = Duration::from_millis(750);
/// How long a person waits for a key to be made before hearing that it failed.
const OFFER_PATIENCE: Duration = Duration::from_secs(60);
/// Between attempts to make keys while the nodes do not.
const RETRY: Duration = Duration::from_secs(3);
/// How often a binding is sent again after a passing failure: to nodes that have bound it, it changes nothing.
const BINDING_ATTEMPTS: usize = 3;

/// The nodes behind this server; clones share the pool.
#[derive(Clone)]
pub struct DanCoordinator {
    inner: Arc<Inner>,
}

struct Inner {
    nodes: Vec<DanNode>,
    pool: Pool,
    pool_size: usize,
    /// How many must sign, once the nodes have said so.
    threshold: std::sync::Mutex<Option<u8>>,
    making: Making,
    disputes: Disputes,
    /// Nodes that do not know this server, and what they say.
    locked_out: std::sync::Mutex<BTreeMap<u8, Failure>>,
    /// How the network was a moment ago: many pages ask, and each answer costs a request to every node.
    seen: Mutex<Option<(Instant, KeyNetwork)>>,
}

impl DanCoordinator {
    /// Over these nodes, in the order of their ids; nothing is asked yet.
    pub fn new(nodes: &[DanNodeAddress], pool_size: usize) -> Result<Self, AppError> {
        // Nodes close what is idle for longer than 75 s.
        let http = reqwest::Client::builder().connect_timeout(QUICK).tcp_nodelay(true).pool_idle_timeout(KEPT_OPEN);
        // A node sends nobody elsewhere, and its key is for it alone.
        let http = http.redirect(reqwest::redirect::Policy::none()).build();
        let http = http.map_err(|error| AppError::Internal {
            reason: inner_error::logged("HTTP client of the key nodes", &error),
        })?;
        let nodes = (1u8..)
            .zip(nodes)
            .map(|(id, key)| DanNode::new(id, key.identity, key.url.expose().clone(), http.clone(), key.key.clone()))
            .collect();
        let inner = Inner {
            nodes,
            pool: Pool::default(),
            pool_size,
            threshold: std::sync::Mutex::new(None),
            making: Making::default(),
            disputes: Disputes::default(),
            locked_out: std::sync::Mutex::default(),
            seen: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps the pool filled for as long as the server runs.
    pub fn keep_pool(&self) {
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            while let Some(inner) = weak.upgrade() {
                let filled = inner.refill().await;
                if let Err(failure) = &filled {
                    tracing::debug!(?failure, "no distributed key was made");
                }
                // The server may end while nothing is wanted.
                let pause = if filled.is_ok() { Duration::from_secs(30) } else { RETRY };
                tokio::select! {
                    () = inner.pool.wanted.notified(), if filled.is_ok() => {}
                    () = sleep(pause) => {}
                }
            }
        });
    }

    /// What is wrong with each node, in the order of their ids: gone, another one, or it does not know this server.
    pub async fn check(&self) -> Vec<Result<(), AppError>> {
        let check = |node| async move {
            let node: &DanNode = node;
            let status = node.get::<StatusAnswer>("/v1/status", QUICK).await.map_err(error_of)?;
            if (status.node, status.identity) != (node.id, node.identity) {
                let reason = format!("it is node {} with key {}", status.node, status.identity);
                return Err(AppError::UpstreamMalformed { upstream: Upstream::Nodes, reason });
            }
            node.get::<PoolAnswer>("/v1/pool", QUICK).await.map(drop).map_err(error_of)
        };
        join_all(self.inner.nodes.iter().map(check)).await
    }

    /// How the network is now.
    pub async fn network(&self) -> KeyNetwork {
        // Whoever comes while the nodes are being asked waits for that answer.
        let mut seen = self.inner.seen.lock().await;
        if let Some((_, network)) = seen.filter(|(at, _)| at.elapsed() < SEEN_LATELY) {
            return network;
        }
        let statuses = self.inner.statuses().await;
        let (pooled, _) = self.inner.pool.count();
        let progress = self.inner.making.progress();
        let network = KeyNetwork {
            nodes: self.inner.count(),
            live: u8::try_from(statuses.len()).unwrap_or(u8::MAX),
            threshold: self.inner.known_threshold().unwrap_or_default(),
            pooled: u32::try_from(pooled).unwrap_or(u32::MAX),
            making: progress.is_some(),
            progress,
        };
        *seen = Some((Instant::now(), network));
        network
    }

    /// Takes a key out of the pool, or waits until one is made.
    pub async fn offer(&self) -> Result<KeyOffer, AppError> {
        let inner = &self.inner;
        // A key is bound by all nodes, so all must be there; and without them none can be made either.
        let answers = inner.nonces(RunKind::KeyGeneration, &inner.nodes.iter().collect::<Vec<_>>()).await;
        if answers.len() < inner.nodes.len() {
            return Err(inner.too_few(answers.len(), inner.count()));
        }
        let key = loop {
            let key = inner.wait_for_key().await?;
            if inner.is_free(&key).await {
                break key;
            }
        };
        let identity = |node: &DanNode| NodeIdentity { node: node.id, identity: node.identity };
        Ok(KeyOffer {
            key_id: key.key_id,
            session_key_address: key.address,
            threshold: key.threshold,
            nodes: inner.nodes.iter().map(identity).collect(),
            expires: answers.iter().map(|answer| answer.expires).min().unwrap_or_default(),
            nonces: answers.into_iter().map(|answer| NodeNonce { node: answer.node, nonce: answer.nonce }).collect(),
        })
    }

    /// Has every node bind the key that the grant names.
    pub async fn bind(&self, grant: SignedGrant, nonces: Vec<NodeNonce>) -> Result<Vec<KeyAttestation>, AppError> {
        let key_id = grant.grant.key_id;
        let request = KeygenRequest { grant, nonces };
        let mut attempt = 1;
        loop {
            let answers =
                join_all(self.inner.nodes.iter().map(|node| node.post("/v1/keygen", &request, BINDING))).await;
            let failures: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err().cloned()).collect();
            if failures.is_empty() {
                self.inner.pool.bound(key_id);
                return Ok(answers.into_iter().flatten().collect());
            }
            if attempt == BINDING_ATTEMPTS || !failures.iter().all(Failure::is_passing) {
                return Err(self.inner.error_of(failures, self.inner.count()));
            }
            attempt += 1;
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Nonces of any `threshold` nodes: those that were blamed or failed lately only when there are not enough others.
    pub async fn challenge(&self, threshold: u8) -> Result<Vec<NodeNonce>, AppError> {
        let inner = &self.inner;
        let needed = usize::from(threshold);
        if threshold == 0 || needed > inner.nodes.len() {
            return Err(AppError::invalid("threshold", format!("1 to {} nodes", inner.nodes.len()), threshold));
        }
        let now = std::time::Instant::now();
        let mut by_trust: BTreeMap<(bool, usize), Vec<&DanNode>> = BTreeMap::new();
        for node in &inner.nodes {
            by_trust.entry((node.is_suspect(), inner.disputes.of(node.id, now))).or_default().push(node);
        }
        let mut found = Vec::new();
        for nodes in by_trust.values() {
            let more = inner.first_nonces(nodes, needed - found.len()).await;
            found.extend(more);
        }
        if found.len() < needed {
            return Err(inner.too_few(found.len(), threshold));
        }
        Ok(found)
    }

    /// Has the nodes of the request sign, and checks what they answer.
    pub async fn sign(
        &self,
        request: SignRequest,
        nonces: Vec<NodeNonce>,
        session_key_address: Address,
    ) -> Result<SignOutcome, AppError> {
        let signers: Vec<usize> = (0..self.inner.nodes.len())
            .filter(|index| request.signers.iter().any(|id| usize::from(*id) == index + 1))
            .collect();
        if signers.is_empty() || signers.len() != request.signers.len() {
            let expected = format!("different nodes, 1 to {}", self.inner.nodes.len());
            return Err(AppError::invalid("signers", expected, format!("{:?}", request.signers)));
        }
        let needed = u8::try_from(signers.len()).unwrap_or(u8::MAX);
        let user_op_hash = request.user_operation.hash(request.chain_id);
        let body = Arc::new(SignBody { request, nonces });
        // Tasks of their own: the first answer is enough, and no node shall see its caller hang up for that.
        let ask = |index: usize| {
            let (inner, body) = (Arc::clone(&self.inner), Arc::clone(&body));
            tokio::spawn(async move {
                match inner.nodes.get(index) {
                    Some(node) => node.post::<SignAnswer>("/v1/sign", body.as_ref(), SIGNING).await,
                    None => Err(Failure::Down("no such node".into())),
                }
            })
        };
        let mut pending: FuturesUnordered<_> = signers.into_iter().map(ask).collect();
        let (mut failures, mut wrong) = (Vec::new(), false);
        let mut deadline = Instant::now() + SIGNING;
        while let Ok(Some(answer)) = timeout_at(deadline, pending.next()).await {
            let answer =
                answer.unwrap_or_else(|error| Err(Failure::Down(inner_error::logged("asking a key node", &error))));
            match answer {
                Ok(answer) if recovers(&answer.signature, user_op_hash, session_key_address) => {
                    // The others compute the same and need not be waited for.
                    return Ok(SignOutcome::Signed { signature: answer.signature });
                }
                // What one node makes up does not stand in the way of what the others say.
                Ok(_) => wrong = true,
                Err(failure) => {
                    if matches!(failure, Failure::Refused(_)) {
                        deadline = deadline.min(Instant::now() + AFTER_A_REFUSAL);
                    }
                    failures.push(failure);
                }
            }
        }
        if wrong && failures.is_empty() {
            let reason = "a signature that is not that of the session key".into();
            return Err(AppError::UpstreamMalformed { upstream: Upstream::Nodes, reason });
        }
        let refusals = failures.iter().filter_map(|failure| match failure {
            Failure::Refused(refusal) => Some(refusal),
            Failure::Down(_) => None,
        });
        self.inner.disputes.learn(refusals, &body.request.signers, std::time::Instant::now());
        if failures.iter().all(Failure::is_passing) {
            let reason = self.inner.error_of(failures, needed).to_string();
            return Ok(SignOutcome::Again { reason });
        }
        Err(self.inner.error_of(failures, needed))
    }

    /// Tells every node. Enough have heard it when fewer than t have not.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), AppError> {
        let inner = &self.inner;
        let answers =
            join_all(inner.nodes.iter().map(|node| node.post::<RevokeAnswer>("/v1/revoke", revocation, QUICK))).await;
        let failures: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err().cloned()).collect();
        let heard = answers.len() - failures.len();
        let threshold = usize::from(inner.known_threshold().unwrap_or(1));
        let needed = inner.nodes.len().saturating_sub(threshold) + 1;
        if heard >= needed {
            return Ok(());
        }
        Err(inner.error_of(failures, u8::try_from(needed).unwrap_or(u8::MAX)))
    }
}

fn recovers(signature: &Bytes, user_op_hash: B256, session_key_address: Address) -> bool {
    let signature = Signature::try_from(&signature[..]).ok().filter(|signature| signature.normalize_s().is_none());
    let signer = signature.and_then(|it| it.recover_address_from_prehash(&personal_digest(user_op_hash)).ok());
    signer == Some(session_key_address)
}

impl Inner {
    fn count(&self) -> u8 {
        u8::try_from(self.nodes.len()).unwrap_or(u8::MAX)
    }

    fn known_threshold(&self) -> Option<u8> {
        self.threshold.lock().ok().and_then(|threshold| *threshold)
    }

    /// Of several failures the one that says most: a refusal of a node's own, then any refusal, then who is missing.
    fn error_of(&self, failures: Vec<Failure>, needed: u8) -> AppError {
        let missing = failures.iter().filter(|failure| matches!(failure, Failure::Down(_))).count();
        let total = failures.len();
        let refused = |failure: &&Failure| matches!(failure, Failure::Refused(_));
        let clear = failures.iter().find(|failure| !failure.is_passing());
        match clear.or_else(|| failures.iter().find(refused)) {
            // One that is gone makes the others refuse; what counts is that it is gone.
            Some(failure) if missing == 0 || !failure.is_passing() => error_of(failure.clone()),
            _ => {
                let live = needed.saturating_sub(u8::try_from(missing.min(total)).unwrap_or(u8::MAX));
                AppError::TooFewNodes { live, needed }
            }
        }
    }

    async fn nonces<'a>(&'a self, kind: RunKind, nodes: &[&'a DanNode]) -> Vec<NonceAnswer> {
        let ask = |node: &'a DanNode| async move {
            let answer = node.post::<NonceAnswer>("/v1/nonce", &NonceRequest { kind }, QUICK).await;
            self.note_caller(node.id, &answer);
            answer.ok().filter(|answer| answer.node == node.id)
        };
        join_all(nodes.iter().copied().map(ask)).await.into_iter().flatten().collect()
    }

    /// Remembers whether a node takes this server for who may ask it; says so once when it does not.
    fn note_caller<T>(&self, node: u8, answer: &Result<T, Failure>) {
        let mut locked_out = self.locked_out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match answer {
            Ok(_) => drop(locked_out.remove(&node)),
            Err(failure) if failure.is_about_the_caller() => {
                if locked_out.insert(node, failure.clone()).is_none() {
                    tracing::warn!(node, ?failure, "a key node does not know this server: USE_AA_DAN_SERVER_KEY");
                }
            }
            Err(_) => {}
        }
    }

    /// Not enough nodes answer; where that is because they do not know this server, that is what is said.
    fn too_few(&self, live: usize, needed: u8) -> AppError {
        let locked_out = self.locked_out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match locked_out.values().next() {
            Some(failure) => error_of(failure.clone()),
            None => AppError::TooFewNodes { live: u8::try_from(live).unwrap_or(u8::MAX), needed },
        }
    }

    /// The first `needed` nonces that come.
    async fn first_nonces(&self, nodes: &[&DanNode], needed: usize) -> Vec<NodeNonce> {
        let mut asked: FuturesUnordered<_> =
            nodes.iter().map(|node| async move { self.nonces(RunKind::Signing, &[node]).await }).collect();
        let mut found = Vec::new();
        while found.len() < needed {
            let Some(answers) = asked.next().await else { break };
            found.extend(answers.into_iter().map(|answer| NodeNonce { node: answer.node, nonce: answer.nonce }));
        }
        found
    }

    /// What the nodes say of themselves; those that are not who they should be do not count.
    async fn statuses(&self) -> Vec<StatusAnswer> {
        let ask = |node| async move {
            let node: &DanNode = node;
            let status = node.get::<StatusAnswer>("/v1/status", QUICK).await.ok()?;
            if status.node != node.id || status.identity != node.identity {
                tracing::warn!(
                    expected = node.id,
                    says = status.node,
                    "USE_AA_DAN_NODES: a node has another id or key than its place in the list says"
                );
                return None;
            }
            Some(status)
        };
        join_all(self.nodes.iter().map(ask)).await.into_iter().flatten().collect()
    }

    async fn wait_for_key(&self) -> Result<PooledKey, AppError> {
        let deadline = Instant::now() + OFFER_PATIENCE;
        let _waiting = self.making.wait();
        loop {
            let changed = self.pool.changed.notified();
            if let Some(key) = self.pool.take() {
                return Ok(key);
            }
            if self.pool.count().1 >= MOST_KEYS {
                let reason = "too many keys were offered and not taken; try again in some minutes".into();
                return Err(AppError::UpstreamUnavailable { upstream: Upstream::Nodes, reason });
            }
            self.pool.wanted.notify_one();
            if timeout_at(deadline, changed).await.is_err() {
                let reason = format!("no key was made within {} s", OFFER_PATIENCE.as_secs());
                return Err(AppError::UpstreamUnavailable { upstream: Upstream::Nodes, reason });
            }
        }
    }

    /// No node says that somebody has it: another server over the same nodes may have been faster.
    async fn is_free(&self, key: &PooledKey) -> bool {
        let listed = join_all(self.nodes.iter().map(|node| node.get::<PoolAnswer>("/v1/pool", QUICK))).await;
        listed.into_iter().flatten().all(|answer| answer.keys.contains(key))
    }

    /// Lists the waiting keys, and makes more until there are enough; at least one.
    async fn refill(&self) -> Result<(), Failure> {
        let statuses = self.statuses().await;
        let first = statuses.first().ok_or_else(|| Failure::Down("no node answers".into()))?;
        if let Ok(mut threshold) = self.threshold.lock() {
            *threshold = Some(first.threshold);
        }
        let listed = join_all(self.nodes.iter().map(|node| node.get::<PoolAnswer>("/v1/pool", QUICK))).await;
        let listed = listed.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.pool.fill(common(&listed), std::time::Instant::now());
        loop {
            let (waiting, all) = self.pool.count();
            if waiting >= self.pool_size.max(1) || all >= MOST_KEYS {
                return Ok(());
            }
            let begun = self.making.begin();
            self.make_one(first.threshold).await?;
            begun.made();
            let listed = join_all(self.nodes.iter().map(|node| node.get::<PoolAnswer>("/v1/pool", QUICK))).await;
            let listed = listed.into_iter().collect::<Result<Vec<_>, _>>()?;
            self.pool.fill(common(&listed), std::time::Instant::now());
        }
    }

    /// One key, made by all nodes together.
    async fn make_one(&self, threshold: u8) -> Result<(), Failure> {
        let nodes: Vec<&DanNode> = self.nodes.iter().collect();
        let nonces = self.nonces(RunKind::Pool, &nodes).await;
        if nonces.len() < nodes.len() {
            return Err(Failure::Down("not all nodes answer".into()));
        }
        let nonces = nonces.into_iter().map(|answer| NodeNonce { node: answer.node, nonce: answer.nonce }).collect();
        let request = PoolRequest { count: 1, threshold, nonces };
        let made = nodes.iter().map(|node| node.post::<PoolAnswer>("/v1/pool", &request, MAKING));
        join_all(made).await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }
}

/// The keys that all nodes list alike, in the first one's order.
fn common(listed: &[PoolAnswer]) -> Vec<PooledKey> {
    let Some((first, rest)) = listed.split_first() else { return Vec::new() };
    let everywhere = |key: &&PooledKey| rest.iter().all(|answer| answer.keys.contains(key));
    first.keys.iter().filter(everywhere).cloned().collect()
}
