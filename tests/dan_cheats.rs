//! A node that cheats. It is this very process: in the place of a node that was ended, with its identity and its real
//! share, it speaks the mesh's protocol and sends wrong messages in the middle of signatures.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;
#[path = "dan_support/key_server.rs"]
mod key_server;
mod server_support;

use std::sync::{Arc, Mutex, OnceLock};

use alloy::primitives::{Bytes, Signature};
use dan_support::{Cluster, PATIENCE, Session, codes};
use dkls23::protocols::signing::TransmitPhase2to3;
use k256::{Scalar, Secp256k1};
use key_server::KeyServer;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use use_aa::dan::{
    api::{NodeNonce, NodeRefusal, RunKind, SignAnswer, SignBody, StatusAnswer},
    identity::Identity,
    mesh::{Mesh, Peer},
    message::Message,
    run::{Losses, Network, RunError, RunName, Runs},
    share::{KeyShare, SecretBytes},
    signing::sign,
    vault::{Slot, Vault},
    workers::Workers,
};

/// The node that cheats.
const CHEAT: u8 = 3;

/// Changes the body of a message to a node in a round.
type Change = fn(to: u8, round: u8, body: &mut SecretBytes);

/// The mesh, with changed messages.
struct Changing {
    mesh: Arc<Mesh>,
    change: Mutex<Change>,
}

impl Network for Changing {
    fn send(&self, to: u8, message: &Message) -> bool {
        let mut message = message.clone();
        if let Message::Round { round, body, .. } = &mut message {
            (self.change.lock().unwrap())(to, *round, body);
        }
        self.mesh.send(to, &message)
    }

    fn is_connected(&self, node: u8) -> bool {
        self.mesh.is_connected(node)
    }

    fn losses(&self) -> watch::Receiver<Losses> {
        self.mesh.losses()
    }
}

/// A node without any rules.
struct Cheat {
    network: Arc<Changing>,
    sessions: Arc<Runs>,
    workers: Arc<Workers>,
    share: Arc<KeyShare>,
    _tasks: JoinSet<()>,
}

impl Cheat {
    /// Takes the place of a node that was ended.
    async fn in_place_of(id: u8, cluster: &Cluster, session: &Session) -> Self {
        let node = cluster.node(id);
        let vault = Vault::open(&node.vault, &node.vault_key, id).unwrap();
        let share = vault.read(Slot::Share, session.key.key_id).unwrap().unwrap();
        let share = Arc::new(KeyShare::decode(&share).unwrap());
        let peers = cluster.nodes.iter().filter(|peer| peer.id != id).map(|peer| Peer {
            id: peer.id,
            address: format!("127.0.0.1:{}", peer.mesh_port),
            identity: peer.identity,
        });
        let listener = TcpListener::bind(("127.0.0.1", node.mesh_port)).await.unwrap();
        let receiver: Arc<OnceLock<Arc<Runs>>> = Arc::default();
        let sessions = receiver.clone();
        let (mesh, tasks) =
            Mesh::start(id, Identity::from_seed(&node.seed), peers.collect(), listener, move |_, from, message| {
                if let Some(sessions) = sessions.get() {
                    sessions.deliver(from, message);
                }
            });
        let network = Arc::new(Changing { mesh, change: Mutex::new(|_, _, _| {}) });
        let sessions = Runs::new(id, network.clone());
        assert!(receiver.set(sessions.clone()).is_ok());
        while !cluster.ids().iter().all(|peer| *peer == id || network.is_connected(*peer)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cluster.connected(5).await;
        Self { network, sessions, workers: Arc::default(), share, _tasks: tasks }
    }

    /// A signature of two honest nodes and this one: what the honest ones answer.
    async fn attempt(
        &self,
        cluster: &Cluster,
        session: &Session,
        honest: [u8; 2],
        number: u64,
        change: Change,
    ) -> Vec<Result<SignAnswer, NodeRefusal>> {
        *self.network.change.lock().unwrap() = change;
        let mut nonces = cluster.nonces(RunKind::Signing, &honest).await;
        nonces.push(NodeNonce { node: CHEAT, nonce: rand::random::<[u8; 32]>().into() });
        let body = session.request(nonces, session.operation(number));
        let own = self.take_part(&body);
        let (answers, _) = tokio::join!(cluster.ask_all::<SignAnswer>(&honest, "/v1/sign", &body), own);
        for answer in answers.iter().flatten() {
            let signature = Signature::from_raw(&answer.signature).unwrap();
            let signer = signature.recover_address_from_prehash(&body.request.digest()).unwrap();
            assert_eq!(signer, session.key.address, "a bad signature");
        }
        answers
    }

    async fn take_part(&self, body: &SignBody) -> Result<Bytes, RunError> {
        let (request, kind) = (&body.request, RunKind::Signing.name());
        let (key_id, digest) = (request.key_id, request.digest());
        let name = RunName::new(kind, request.challenge, 0, key_id, digest, &request.signers);
        let mut session = self.sessions.open(name, PATIENCE)?;
        sign(&mut session, &self.workers, self.share.clone(), digest, async { Ok(()) }).await
    }
}

/// Another last bit.
fn spoil(body: &mut SecretBytes) {
    if let Some(last) = body.last_mut() {
        *last ^= 1;
    }
}

fn refusals(answers: Vec<Result<SignAnswer, NodeRefusal>>) -> Vec<NodeRefusal> {
    answers.into_iter().map(|answer| answer.expect_err("a signature in spite of a wrong message")).collect()
}

async fn banned(cluster: &Cluster, id: u8) -> Vec<u8> {
    let status: StatusAnswer = dan_support::get(&cluster.node(id).url, "/v1/status").await;
    status.peers.iter().filter(|peer| peer.banned).map(|peer| peer.node).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheat_is_named_and_banned_and_the_others_sign() {
    let mut cluster = Cluster::start().await;
    let session = cluster.granted(3).await;
    cluster.kill(CHEAT);
    let cheat = Cheat::in_place_of(CHEAT, &cluster, &session).await;

    // As long as it does not cheat it is a node like any other.
    let answers = cheat.attempt(&cluster, &session, [1, 2], 1, |_, _, _| {}).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");

    // Round 1, to node 1 only: the check of the oblivious transfers fails, which leaks a little each time.
    let spoilt: Change = |to, round, body| {
        if (to, round) == (1, 1) {
            spoil(body);
        }
    };
    let found = refusals(cheat.attempt(&cluster, &session, [1, 2], 2, spoilt).await);
    assert_eq!(codes(&found), ["peer-banned", "peer-refused"], "{found:?}");
    assert!(found.iter().all(|refusal| refusal.message.contains("node 3 cheated and is banned")), "{found:?}");
    assert_eq!((found[0].peer, found[1].peer), (Some(CHEAT), None));
    assert_eq!((banned(&cluster, 1).await, banned(&cluster, 2).await), (vec![CHEAT], vec![]), "no ban by hearsay");
    // It is not forgiven: node 1 does not even begin.
    let found = cluster.sign(&session, &[1, 2, 4], session.operation(3)).await;
    assert!(found.is_ok(), "{found:?}");
    let found = refusals(cheat.attempt(&cluster, &session, [1, 2], 4, |_, _, _| {}).await);
    assert_eq!((codes(&found)[0], found[0].peer), ("peer-banned", Some(CHEAT)), "{found:?}");

    // Round 2, to node 2 only: the multiplication does not come out.
    let spoilt: Change = |to, round, body| {
        if (to, round) == (2, 2) {
            spoil(body);
        }
    };
    let found = refusals(cheat.attempt(&cluster, &session, [2, 4], 5, spoilt).await);
    assert_eq!(codes(&found), ["peer-banned", "peer-refused"], "{found:?}");
    assert!(found.iter().all(|refusal| refusal.message.contains("node 3 cheated and is banned")), "{found:?}");

    // What leaks nothing is named, and no ban: an opening that is not what was committed to, half a message.
    let reopened: Change = |_, round, body| {
        if round == 2 {
            let mut message: TransmitPhase2to3<Secp256k1> = postcard::from_bytes(body).unwrap();
            message.psi += Scalar::ONE;
            *body = postcard::to_allocvec(&message).unwrap().into();
        }
    };
    let cut: Change = |_, _, body| {
        let half = body.len() / 2;
        body.truncate(half);
    };
    for (number, change, what) in
        [(6, reopened, "an opening that does not fit its commitment"), (7, cut, "a message that cannot be read")]
    {
        let found = refusals(cheat.attempt(&cluster, &session, [4, 5], number, change).await);
        assert!(found.iter().any(|refusal| refusal.peer == Some(CHEAT)), "{found:?}");
        for refusal in &found {
            assert!(["aborted", "peer-refused"].contains(&refusal.code.as_str()), "{refusal}");
            assert!(refusal.message.contains(&format!("node 3 sent {what}")), "{refusal}");
        }
    }
    // Round 3: each sees that the signature is wrong, nobody whose part of it was.
    let spoilt: Change = |_, round, body| {
        if round == 3 {
            spoil(body);
        }
    };
    let found = refusals(cheat.attempt(&cluster, &session, [4, 5], 8, spoilt).await);
    assert!(codes(&found).contains(&"aborted"), "{found:?}");
    assert!(found.iter().all(|refusal| refusal.peer.is_none()), "{found:?}");
    assert_eq!((banned(&cluster, 4).await, banned(&cluster, 5).await), (vec![], vec![]));
    cluster.sign(&session, &[1, 4, 5], session.operation(9)).await.unwrap();

    // It turns honest again, and those that banned it start again: they have not forgotten.
    drop(cheat);
    for id in [1, 2] {
        cluster.kill(id);
    }
    for id in [1, 2, CHEAT] {
        cluster.launch(id);
    }
    cluster.connected(5).await;
    assert_eq!((banned(&cluster, 1).await, banned(&cluster, 2).await), (vec![CHEAT], vec![CHEAT]));
    let found = cluster.sign(&session, &[1, 2, CHEAT], session.operation(10)).await.unwrap_err();
    assert_eq!(codes(&found), ["peer-banned", "peer-banned", "peer-refused"]);
    assert!(found[2].message.contains("node 3 cheated before and is banned"), "{found:?}");
    for (number, signers) in (11..).zip([[1, 2, 4], [1, 2, 5], [2, 4, 5], [CHEAT, 4, 5]]) {
        cluster.sign(&session, &signers, session.operation(number)).await.unwrap();
    }
    a_server_finds_signers_that_work_together(&cluster, &session).await;
}

/// A page that asks a server need not know who banned whom.
async fn a_server_finds_signers_that_work_together(cluster: &Cluster, session: &Session) {
    let server = KeyServer::over(cluster, |_| {}).await;
    let mut failed = 0;
    for number in 100..120 {
        failed += server.sign(session, number).await.unwrap();
    }
    // It learns from a failure.
    assert!(failed <= 2, "{failed} attempts failed");
}
