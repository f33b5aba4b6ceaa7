//! Five nodes as five real processes, and what a coordinator, an owner and a page do with them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alloy::{
    primitives::{Address, B256, Bytes, Signature, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use use_aa::{
    dan::{
        api::{
            KeyAttestation, KeygenRequest, NodeNonce, NodeRefusal, NonceAnswer, PoolAnswer, PooledKey, RunKind,
            SignAnswer, SignBody, SignRequest, SignedGrant, StatusAnswer,
        },
        identity::{Identity, PublicIdentity},
    },
    protocol::{
        addresses::{DEMO_NFT, ENTRY_POINT},
        distributed_key::{
            DEFAULT_MAX_OPERATION_COST, GRANT_VERSION, Grant, GrantedLeaf, NexusProof, joint_challenge, policy_hash,
        },
        policy::{Condition, Policy},
        session::SessionLeaf,
        signature::personal_digest,
        smart_account::{Call, counterfactual_address, encode_calls},
        user_operation::UserOperation,
    },
};

pub mod nexus;

/// The lab's chain id.
pub const CHAIN_ID: u64 = 31337;
/// Fine for a debug build on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// By which all nodes here know the app server.
pub static SERVER_KEY: LazyLock<String> = LazyLock::new(|| hex::encode(rand::random::<[u8; 32]>()));
/// By which they know their operator.
pub static OPERATOR_KEY: LazyLock<String> = LazyLock::new(|| hex::encode(rand::random::<[u8; 32]>()));

/// The key of whoever may ask for this.
pub fn key_for(path: &str) -> &'static str {
    let operators = ["/v1/refresh", "/v1/keys", "/v1/bans", "/v1/status"];
    if operators.iter().any(|start| path.starts_with(start)) { &OPERATOR_KEY } else { &SERVER_KEY }
}

/// Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One node.
pub struct NodeProcess {
    pub id: u8,
    pub url: String,
    pub mesh_port: u16,
    pub identity: PublicIdentity,
    /// Its secret key.
    pub seed: [u8; 32],
    pub vault_key: [u8; 32],
    pub vault: PathBuf,
    arguments: Vec<String>,
    child: Option<Child>,
    /// All it wrote to its log since the first start.
    pub log: Arc<Mutex<Vec<u8>>>,
}

/// All nodes; they end with it.
pub struct Cluster {
    pub nodes: Vec<NodeProcess>,
    pub folder: TempDir,
    log_level: &'static str,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for id in 1..=self.nodes.len() {
            self.kill(u8::try_from(id).unwrap());
        }
    }
}

/// Ports that nobody listens on, below those that the system gives to outgoing connections: they stay free while a node
/// starts, and while it is down.
fn free_ports(count: usize) -> Vec<u16> {
    const FIRST: u32 = 10_000;
    const ENDS: u32 = 32_768;
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    // Other processes begin elsewhere.
    let begin = std::process::id().wrapping_mul(64);
    let next = || begin.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % (ENDS - FIRST);
    let tried = std::iter::repeat_with(|| u16::try_from(FIRST + next()).unwrap());
    let ports: Vec<u16> = tried.take(1_000).filter(is_free).take(count).collect();
    assert_eq!(ports.len(), count, "no free ports");
    ports
}

/// The program; where there is none beside (`crates/dan-node/benches`), this one.
fn program() -> PathBuf {
    option_env!("CARGO_BIN_EXE_use-aa").map_or_else(|| std::env::current_exe().unwrap(), PathBuf::from)
}

/// A paymaster that every node is told of.
pub const OWN_SPONSOR: Address = Address::repeat_byte(9);

impl Cluster {
    /// Five nodes, 3 of which sign.
    pub async fn start() -> Self {
        Self::with(5, &[], "info").await
    }

    /// `count` nodes with more arguments.
    pub async fn with(count: u8, more: &[&str], log_level: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(2 * usize::from(count));
        let seeds: Vec<[u8; 32]> = (0..count).map(|_| rand::random()).collect();
        let identity = |seed: &[u8; 32]| Identity::from_seed(seed).public();
        let peers: Vec<_> = (1..=count)
            .zip(&seeds)
            .map(|(id, seed)| format!("{id}=127.0.0.1:{}#{}", ports[usize::from(id) - 1], identity(seed)))
            .collect();
        let nodes = (1..=count).zip(&seeds).map(|(id, seed)| {
            let vault = folder.path().join(format!("vault-{id}"));
            let vault_key: [u8; 32] = rand::random();
            let mut arguments: Vec<String> =
                vec!["dan-node".into(), "--end-with-stdin".into(), "--id".into(), id.to_string()];
            let http = ports[usize::from(count + id) - 1];
            arguments.extend(["--listen".into(), format!("127.0.0.1:{http}")]);
            arguments.extend(["--mesh-listen".into(), format!("127.0.0.1:{}", ports[usize::from(id) - 1])]);
            arguments.extend(["--peers".into(), peers.join(",")]);
            arguments.extend(["--vault-dir".into(), vault.display().to_string()]);
            arguments.extend(more.iter().map(|text| (*text).to_owned()));
            let secrets = [("USE_AA_DAN_KEY", hex::encode(seed)), ("USE_AA_DAN_VAULT_KEY", hex::encode(vault_key))];
            // First, so that they are not taken for arguments.
            arguments.splice(0..0, secrets.map(|(name, value)| format!("{name}={value}")));
            NodeProcess {
                id,
                url: format!("http://127.0.0.1:{http}"),
                mesh_port: ports[usize::from(id) - 1],
                identity: identity(seed),
                seed: *seed,
                vault_key,
                vault,
                arguments,
                child: None,
                log: Arc::default(),
            }
        });
        let mut cluster = Self { nodes: nodes.collect(), folder, log_level };
        for id in 1..=count {
            cluster.launch(id);
        }
        cluster.connected(count).await;
        cluster
    }

    pub fn node(&self, id: u8) -> &NodeProcess {
        &self.nodes[usize::from(id) - 1]
    }

    /// Starts a node; returns when it listens.
    pub fn launch(&mut self, id: u8) {
        let log_level = self.log_level;
        let node = &mut self.nodes[usize::from(id) - 1];
        let (secrets, arguments) = node.arguments.split_at(2);
        let mut command = Command::new(program());
        command.args(arguments).env_clear().env("RUST_LOG", log_level).current_dir(self.folder.path());
        // As long as may be: the machine is busy with other tests.
        command.env("USE_AA_DAN_SIGNING_TIMEOUT", "60");
        command.env("USE_AA_DAN_SERVER_KEY", SERVER_KEY.as_str());
        command.env("USE_AA_DAN_OPERATOR_KEY", OPERATOR_KEY.as_str());
        command.env("USE_AA_DAN_SPONSORS", OWN_SPONSOR.to_string());
        command.envs(secrets.iter().map(|secret| secret.split_once('=').unwrap()));
        // The pipe ends with this process, and the node with the pipe.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let log = node.log.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                log.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            std::thread::sleep(Duration::from_millis(100));
            panic!("node {id} does not start: {}", String::from_utf8_lossy(&node.log.lock().unwrap()))
        });
        assert_eq!(said["url"], node.url);
        assert_eq!(said["identity"], node.identity.to_string());
        node.child = Some(child);
    }

    /// Ends a node as the kernel would: at once, wherever it is.
    pub fn kill(&mut self, id: u8) {
        if let Some(mut child) = self.nodes[usize::from(id) - 1].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal.
    pub fn signal(&self, id: u8, signal: nix::sys::signal::Signal) {
        let process = i32::try_from(self.node(id).child.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).unwrap();
    }

    /// Process id.
    pub fn process(&self, id: u8) -> u32 {
        self.node(id).child.as_ref().unwrap().id()
    }

    /// Waits until `count` nodes see each other.
    pub async fn connected(&self, count: u8) {
        let deadline = Instant::now() + PATIENCE;
        'nodes: for node in self.nodes.iter().filter(|node| node.child.is_some()) {
            loop {
                let status: StatusAnswer = get(&node.url, "/v1/status").await;
                let connected = status.peers.iter().filter(|peer| peer.connected).count();
                if connected + 1 == usize::from(count) {
                    continue 'nodes;
                }
                assert!(Instant::now() < deadline, "{status:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Nonces of these nodes.
    pub async fn nonces(&self, kind: RunKind, ids: &[u8]) -> Vec<NodeNonce> {
        let mut nonces = Vec::new();
        for id in ids {
            let request = json!({ "kind": kind });
            let answer: NonceAnswer = self.ask(*id, "/v1/nonce", &request).await.unwrap();
            nonces.push(NodeNonce { node: answer.node, nonce: answer.nonce });
        }
        nonces
    }

    /// Asks one node.
    pub async fn ask<A: DeserializeOwned>(&self, id: u8, path: &str, body: &impl Serialize) -> Result<A, NodeRefusal> {
        post(&self.node(id).url, path, body).await
    }

    /// Asks several nodes at the same time.
    pub async fn ask_all<A: DeserializeOwned>(
        &self,
        ids: &[u8],
        path: &str,
        body: &impl Serialize,
    ) -> Vec<Result<A, NodeRefusal>> {
        futures::future::join_all(ids.iter().map(|id| self.ask(*id, path, body))).await
    }

    /// All ids.
    pub fn ids(&self) -> Vec<u8> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    /// Makes keys; all nodes must say the same.
    pub async fn pool(&self, count: u8, threshold: u8) -> Vec<PooledKey> {
        let ids = self.ids();
        let nonces = self.nonces(RunKind::Pool, &ids).await;
        let body = json!({ "count": count, "threshold": threshold, "nonces": nonces });
        let answers = self.ask_all::<PoolAnswer>(&ids, "/v1/pool", &body).await;
        let keys: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().keys).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "all nodes made the same keys");
        keys[0].clone()
    }

    /// A key with an owner: made, granted, attested by all.
    pub async fn granted(&self, threshold: u8) -> Session {
        let key = self.pool(1, threshold).await.remove(0);
        self.grant(Session::new(key, self.nodes.len())).await
    }

    /// Binds the session's key to its grant at every node.
    pub async fn grant(&self, mut session: Session) -> Session {
        let ids = self.ids();
        let nonces = self.nonces(RunKind::KeyGeneration, &ids).await;
        session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
        let request = KeygenRequest { grant: session.signed(), nonces };
        for (id, answer) in ids.iter().zip(self.ask_all::<KeyAttestation>(&ids, "/v1/keygen", &request).await) {
            let attestation = answer.unwrap();
            let address = attestation.verify(&self.node(*id).identity.to_bytes()).unwrap();
            assert_eq!(address, session.key.address);
            assert_eq!((attestation.node, attestation.key_id), (*id, session.key.key_id));
            assert_eq!(attestation.grant_digest, request.grant.digest().unwrap());
        }
        session
    }

    /// A request for these signers over fresh nonces.
    pub async fn request(&self, session: &Session, signers: &[u8], operation: UserOperation) -> SignBody {
        session.request(self.nonces(RunKind::Signing, signers).await, operation)
    }

    /// Has an operation signed, checks that every signer has the same signature and that it is the key's.
    pub async fn sign(
        &self,
        session: &Session,
        signers: &[u8],
        operation: UserOperation,
    ) -> Result<Bytes, Vec<NodeRefusal>> {
        let body = self.request(session, signers, operation).await;
        self.send(session, signers, &body).await
    }

    /// Sends a request to its signers; see [`Self::sign`].
    pub async fn send(&self, session: &Session, signers: &[u8], body: &SignBody) -> Result<Bytes, Vec<NodeRefusal>> {
        let (answers, refusals): (Vec<_>, Vec<_>) =
            self.ask_all::<SignAnswer>(signers, "/v1/sign", body).await.into_iter().partition(Result::is_ok);
        if !refusals.is_empty() {
            assert!(answers.is_empty(), "some signed, some refused: {refusals:?}");
            return Err(refusals.into_iter().filter_map(Result::err).collect());
        }
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let user_op_hash = body.request.user_operation.hash(CHAIN_ID);
        for answer in &answers {
            assert_eq!((answer.user_op_hash, &answer.signature), (user_op_hash, &answers[0].signature));
        }
        let signature = Signature::from_raw(&answers[0].signature).unwrap();
        assert!(signature.normalize_s().is_none(), "s is in the lower half");
        let recovered = signature.recover_address_from_prehash(&personal_digest(user_op_hash)).unwrap();
        assert_eq!(recovered, session.key.address);
        Ok(answers[0].signature.clone())
    }
}

/// `USE_AA_DAN_NODES` for these nodes.
pub fn nodes_variable(cluster: &Cluster, ids: &[u8]) -> String {
    let entry = |id: &u8| format!("{}#{}", cluster.node(*id).url, cluster.node(*id).identity);
    ids.iter().map(entry).collect::<Vec<_>>().join(",")
}

/// What a command says over these nodes: exit code, standard output, standard error.
pub fn run_command(nodes: &str, words: &[&str]) -> (i32, String, String) {
    let keys = [("USE_AA_DAN_SERVER_KEY", SERVER_KEY.as_str()), ("USE_AA_DAN_OPERATOR_KEY", &OPERATOR_KEY)];
    run_command_as(nodes, &keys, words)
}

/// The same with other keys.
pub fn run_command_as(nodes: &str, keys: &[(&str, &str)], words: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(words).env_clear().env("USE_AA_DAN_NODES", nodes).current_dir(folder.path());
    let output = command.envs(keys.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A key, its owner, and the page that uses it.
#[derive(Clone)]
pub struct Session {
    pub key: PooledKey,
    pub grant: Grant,
    pub leaves: Vec<GrantedLeaf>,
    pub owner: PrivateKeySigner,
    pub page: SigningKey,
    /// Of a Nexus account ([`nexus`]).
    pub nexus: Option<NexusProof>,
}

/// `safeMint(address)` of the demo NFT, to the account only.
pub fn policy(account: Address) -> Policy {
    Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, account)
}

impl Session {
    /// For the lab's owner and its first account.
    pub fn new(key: PooledKey, nodes: usize) -> Self {
        Self::of(key, nodes, use_aa::lab::ACCOUNTS[0].private_key)
    }

    /// For another owner.
    pub fn of(key: PooledKey, nodes: usize, owner: B256) -> Self {
        let owner = PrivateKeySigner::from_bytes(&owner).unwrap();
        let account = counterfactual_address(owner.address(), U256::ZERO);
        let leaf = SessionLeaf::from_policy(&policy(account), key.address, "dan").unwrap();
        let leaves = vec![GrantedLeaf::from(&leaf)];
        let page = SigningKey::from_bytes(&rand::random());
        let grant = Grant {
            version: GRANT_VERSION,
            owner: owner.address(),
            account,
            account_index: 0,
            chain_id: CHAIN_ID,
            entry_point: ENTRY_POINT,
            session_key_address: key.address,
            key_id: key.key_id,
            ephemeral_key: page.verifying_key().to_bytes().into(),
            valid_until: now() + 3600,
            policy_hash: policy_hash(&leaves),
            max_operation_cost: Some(DEFAULT_MAX_OPERATION_COST),
            threshold: key.threshold,
            nodes: u8::try_from(nodes).unwrap(),
            challenge: B256::ZERO,
            nexus: None,
        };
        Self { key, grant, leaves, owner, page, nexus: None }
    }

    /// With an end of its session, unix seconds; the grant lasts a little longer, as pages make it.
    pub fn ending(mut self, end: u64) -> Self {
        self.leaves.iter_mut().for_each(|leaf| leaf.valid_until = end);
        self.grant.policy_hash = policy_hash(&self.leaves);
        self.grant.valid_until = end + 300;
        self
    }

    /// As the owner signs it.
    pub fn signed(&self) -> SignedGrant {
        let mut signed = SignedGrant {
            grant: self.grant.clone(),
            leaves: self.leaves.clone(),
            signature: Bytes::new(),
            nexus: self.nexus.clone(),
        };
        let digest = signed.digest().unwrap();
        signed.signature = self.owner.sign_hash_sync(&digest).unwrap().as_bytes().to_vec().into();
        signed
    }

    /// As the page signs it.
    pub fn authenticated(&self, mut request: SignRequest) -> SignRequest {
        request.ephemeral_signature = self.page.sign(request.signed_text().as_bytes()).to_bytes().to_vec().into();
        request
    }

    /// A request for the nodes of these nonces.
    pub fn request(&self, nonces: Vec<NodeNonce>, operation: UserOperation) -> SignBody {
        let request = SignRequest {
            key_id: self.key.key_id,
            user_operation: operation,
            entry_point: self.grant.entry_point,
            chain_id: CHAIN_ID,
            challenge: joint_challenge(RunKind::Signing, &nonces).unwrap(),
            signers: nonces.iter().map(|nonce| nonce.node).collect(),
            ephemeral_signature: Bytes::new(),
        };
        SignBody { request: self.authenticated(request), nonces }
    }

    /// A mint to `to`; `number` tells operations apart.
    pub fn mint(&self, to: Address, number: u64) -> UserOperation {
        let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
        UserOperation {
            sender: self.grant.account,
            nonce: U256::from(number),
            call_data: encode_calls(&[Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }], false).unwrap(),
            call_gas_limit: U256::from(200_000),
            verification_gas_limit: U256::from(400_000),
            pre_verification_gas: U256::from(60_000),
            max_fee_per_gas: U256::from(2_000_000_000u64),
            max_priority_fee_per_gas: U256::from(1_000_000_000),
            ..UserOperation::default()
        }
    }

    /// What the policy allows.
    pub fn operation(&self, number: u64) -> UserOperation {
        self.mint(self.grant.account, number)
    }
}

/// One for each test: each has a runtime of its own, and a connection dies with the one that opened it. (A client that is
/// shared hands a connection that becomes free to whoever waits for one, in another test, too.)
fn client() -> reqwest::Client {
    static CLIENTS: LazyLock<Mutex<HashMap<tokio::runtime::Id, reqwest::Client>>> = LazyLock::new(Mutex::default);
    let new = || reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap();
    CLIENTS.lock().unwrap().entry(tokio::runtime::Handle::current().id()).or_insert_with(new).clone()
}

/// A request that must succeed.
pub async fn get<A: DeserializeOwned>(url: &str, path: &str) -> A {
    client().get(format!("{url}{path}")).bearer_auth(key_for(path)).send().await.unwrap().json().await.unwrap()
}

/// A request and its typed answer. A connection that breaks off is a refusal, too.
pub async fn post<A: DeserializeOwned>(url: &str, path: &str, body: &impl Serialize) -> Result<A, NodeRefusal> {
    ask_as(key_for(path), url, path, body).await
}

/// The same with another key.
pub async fn ask_as<A: DeserializeOwned>(
    key: &str,
    url: &str,
    path: &str,
    body: &impl Serialize,
) -> Result<A, NodeRefusal> {
    let gone =
        |error: reqwest::Error| NodeRefusal { code: "gone".into(), message: format!("{error:?}"), node: 0, peer: None };
    let response = client().post(format!("{url}{path}")).bearer_auth(key).json(body).send().await.map_err(gone)?;
    match response.status().is_success() {
        true => Ok(response.json().await.unwrap()),
        false => Err(response.json().await.unwrap()),
    }
}

/// The codes of refusals.
pub fn codes(refusals: &[NodeRefusal]) -> Vec<&str> {
    refusals.iter().map(|refusal| refusal.code.as_str()).collect()
}
