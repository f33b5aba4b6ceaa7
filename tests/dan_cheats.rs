//! A node that cheats. It is this very process: in the place of a node that was ended, with its identity and its real
//! share, it speaks the mesh's protocol and sends wrong messages in the middle of signatures.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;
#[path = "dan_support/key_server.rs"]
mod key_server;
mod server_support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use alloy::primitives::{B256, Bytes, Signature};
use dan_support::{Cluster, PATIENCE, Session, codes, nodes_variable, run_command};
use dkls23::protocols::signing::TransmitPhase2to3;
use k256::{Scalar, Secp256k1};
use key_server::KeyServer;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use use_aa::dan::{
    api::{
        BansAnswer, NodeNonce, NodeRefusal, RefreshAnswer, RefreshRequest, RunKind, SignAnswer, SignBody, StatusAnswer,
    },
    identity::Identity,
    key_generation::confirm,
    laps::Laps,
    mesh::{Mesh, Peer},
    message::Message,
    refresh::refresh,
    run::{Losses, Network, Run, RunError, RunName, Runs},
    share::{KeyShare, SecretBytes},
    signing::sign,
    vault::{Slot, Vault},
    workers::Workers,
};
use use_aa::protocol::distributed_key::joint_challenge;

/// The node that cheats.
const CHEAT: u8 = 3;

/// Changes the body of a message to a node in a round.
type Change = fn(to: u8, round: u8, body: &mut SecretBytes);

/// The mesh, with changed messages.
struct Changing {
    mesh: Arc<Mesh>,
    change: Mutex<Change>,
    /// What is for these nodes in these rounds is not sent yet.
    hold: Mutex<Vec<(u8, u8)>>,
    held: Mutex<Vec<(u8, Message)>>,
    /// What it says of its shares when it is asked; nothing otherwise.
    says: Mutex<Option<B256>>,
}

impl Changing {
    fn release(&self) {
        self.hold.lock().unwrap().clear();
        for (to, message) in self.held.lock().unwrap().drain(..) {
            assert!(self.mesh.send(to, &message));
        }
    }
}

impl Network for Changing {
    fn send(&self, to: u8, message: &Message) -> bool {
        let mut message = message.clone();
        if let Message::Round { round, body, .. } = &mut message {
            (self.change.lock().unwrap())(to, *round, body);
            if self.hold.lock().unwrap().contains(&(to, *round)) {
                self.held.lock().unwrap().push((to, message));
                return true;
            }
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
        let liar: Arc<OnceLock<Arc<Changing>>> = Arc::default();
        let asked = liar.clone();
        let (mesh, tasks) =
            Mesh::start(id, Identity::from_seed(&node.seed), peers.collect(), listener, move |_, from, message| {
                if let (Message::ShareQuery { key }, Some(liar)) = (&message, asked.get())
                    && let Some(current) = *liar.says.lock().unwrap()
                {
                    liar.send(from, &Message::ShareReport { key: *key, current, other: B256::ZERO });
                }
                if let Some(sessions) = sessions.get() {
                    sessions.deliver(from, message);
                }
            });
        let network = Arc::new(Changing {
            mesh,
            change: Mutex::new(|_, _, _| {}),
            hold: Mutex::default(),
            held: Mutex::default(),
            says: Mutex::default(),
        });
        assert!(liar.set(network.clone()).is_ok());
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

    /// Has all others begin with new shares, and begins itself.
    async fn begin(&self, cluster: &Cluster, session: &Session) -> (Vec<JoinHandle<Renewed>>, Run) {
        let honest: Vec<u8> = cluster.ids().into_iter().filter(|id| *id != CHEAT).collect();
        let mut nonces = cluster.nonces(RunKind::Refresh, &honest).await;
        nonces.push(NodeNonce { node: CHEAT, nonce: rand::random::<[u8; 32]>().into() });
        let challenge = joint_challenge(RunKind::Refresh, &nonces).unwrap();
        let key_id = session.key.key_id;
        let request = RefreshRequest { key_id, repair: None, nonces };
        let asked = honest
            .iter()
            .map(|id| {
                let (url, request) = (cluster.node(*id).url.clone(), request.clone());
                tokio::spawn(async move { dan_support::post::<RefreshAnswer>(&url, "/v1/refresh", &request).await })
            })
            .collect();
        let name = RunName::new(RunKind::Refresh.name(), challenge, 0, key_id, B256::ZERO, &cluster.ids());
        (asked, self.sessions.open(name, PATIENCE).unwrap())
    }

    /// New shares, together with all others, of which `told` are waited for. Takes its own over.
    async fn renew(&mut self, cluster: &Cluster, session: &Session, told: &[u8]) -> Vec<JoinHandle<Renewed>> {
        let honest: Vec<u8> = cluster.ids().into_iter().filter(|id| *id != CHEAT).collect();
        let (mut asked, mut run) = self.begin(cluster, session).await;
        let new = refresh(&mut run, &self.workers, self.share.clone()).await.unwrap();
        confirm(&mut run, new.fingerprint()).await.unwrap();
        self.share = Arc::new(new);
        for (id, task) in honest.iter().zip(&mut asked).filter(|(id, _)| told.contains(id)) {
            assert_eq!(task.await.unwrap().unwrap().epoch, 1, "node {id}");
        }
        asked
    }

    async fn take_part(&self, body: &SignBody) -> Result<Bytes, RunError> {
        let (request, kind) = (&body.request, RunKind::Signing.name());
        let (key_id, digest) = (request.key_id, request.digest());
        let name = RunName::new(kind, request.challenge, 0, key_id, digest, &request.signers);
        let mut session = self.sessions.open(name, PATIENCE)?;
        sign(&mut session, &mut Laps::begin(), &self.workers, self.share.clone(), digest, async { Ok(()) }).await
    }
}

type Renewed = Result<RefreshAnswer, NodeRefusal>;

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
    status.peers.iter().filter(|peer| peer.banned == Some(true)).map(|peer| peer.node).collect()
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
    an_operator_looks_at_bans_and_lifts_them(&mut cluster, &session).await;
}

/// Nodes 1 and 2 banned node 3, which is honest by now.
async fn an_operator_looks_at_bans_and_lifts_them(cluster: &mut Cluster, session: &Session) {
    let all = nodes_variable(cluster, &cluster.ids());
    let bans: BansAnswer = dan_support::get(&cluster.node(1).url, "/v1/bans").await;
    let [ban] = &bans.bans[..] else { panic!("{bans:?}") };
    let evidence = ban.evidence.clone().unwrap();
    assert_eq!((ban.node, evidence.kind, evidence.key_id), (CHEAT, RunKind::Signing, session.key.key_id));
    assert_eq!((evidence.epoch, evidence.round, &evidence.participants[..]), (0, 1, &[1, 2, 3][..]));
    let (code, said, errors) = run_command(&all, &["dan-bans"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(said.contains("node 1 banned node 3 (since 20") && said.contains(&ban.reason), "{said}");
    let run = format!("signing, round 1, nodes 1, 2, 3; key {}, epoch 0; run {}", evidence.key_id, evidence.run);
    assert!(said.contains(&run) && said.contains("signing, round 2, nodes 2, 3, 4; key"), "{said}");
    assert!(said.contains("node 2 banned node 3") && said.contains("node 4: no bans\nnode 5: no bans"), "{said}");

    // At one of them first, and what is wrong is said.
    for (words, complaint) in [
        (&["dan-unban", "--node", "6"][..], "--node: expected the id of a node, 1 to 5, got 6"),
        (&["dan-unban", "--node", "3", "--at", "0"], "--at: expected the id of a node, 1 to 5, got 0"),
    ] {
        let (code, said, errors) = run_command(&all, words);
        assert!(code == 1 && said.is_empty() && errors.contains(complaint), "{said}{errors}");
    }
    let (code, said, _) = run_command(&all, &["dan-unban", "--node", "3", "--at", "1"]);
    assert!(code == 0 && said.starts_with("node 1 works again with node 3 (since 20"), "{said}");
    assert_eq!((banned(cluster, 1).await, banned(cluster, 2).await), (vec![], vec![CHEAT]));
    cluster.sign(session, &[1, CHEAT, 4], session.operation(200)).await.unwrap();
    let found = cluster.sign(session, &[1, 2, CHEAT], session.operation(201)).await.unwrap_err();
    assert!(codes(&found).contains(&"peer-banned"), "{found:?}");
    // Then everywhere; a node that is not there is named, and the others do it.
    cluster.kill(5);
    let (code, said, errors) = run_command(&all, &["dan-unban", "--node", "3"]);
    assert!(code == 1 && said.contains("node 2 works again with node 3") && said.contains("node 5: "), "{said}");
    assert!(said.contains("node 1: node 3 was not banned"), "{said}");
    assert_eq!(errors, "use-aa: 1 of 4 nodes did not do it\n");
    // After a restart, too.
    for id in [1, 2] {
        cluster.kill(id);
    }
    for id in [1, 2, 5] {
        cluster.launch(id);
    }
    cluster.connected(5).await;
    assert_eq!((banned(cluster, 1).await, banned(cluster, 2).await), (vec![], vec![]));
    cluster.sign(session, &[1, 2, CHEAT], session.operation(202)).await.unwrap();
}

/// Node 2's commit of new shares is held back: what would tell it that all have prepared does not come. Meanwhile the
/// others use the new shares. (Before epochs were bound into signatures, the cryptographic library alone stood between such
/// a mix and a ban: it stopped, with nobody named, and all three signers were avoided.)
#[tokio::test(flavor = "multi_thread")]
async fn new_shares_beside_signatures_never_look_like_cheating() {
    const IN_DOUBT: u8 = 2;
    /// In which all say what came out of a refresh.
    const CONFIRMING: u8 = 6;
    let mut cluster = Cluster::start().await;
    let session = cluster.granted(3).await;
    cluster.kill(CHEAT);
    let mut slow = Cheat::in_place_of(CHEAT, &cluster, &session).await;
    let old = slow.share.clone();
    slow.network.hold.lock().unwrap().push((IN_DOUBT, CONFIRMING));
    let mut renewing = slow.renew(&cluster, &session, &[1, 4, 5]).await;
    assert!(!renewing[1].is_finished(), "node 2 waits");
    let nobody_is_banned = async || {
        for id in [1, 2, 4, 5] {
            assert!(banned(&cluster, id).await.is_empty(), "node {id}");
        }
    };

    // It does not know how it was decided, and signs with the shares that the others have, too.
    for (number, signers) in (1..).zip([[1, 2, 4], [2, 4, 5], [1, 4, 5]]) {
        cluster.sign(&session, &signers, session.operation(number)).await.unwrap();
    }
    // And a node that does sign with the shares of the epoch before is told so, and not banned.
    let new = std::mem::replace(&mut slow.share, old);
    let found = refusals(slow.attempt(&cluster, &session, [1, 4], 4, |_, _, _| {}).await);
    for refusal in &found {
        assert!(["share-epoch", "peer-refused"].contains(&refusal.code.as_str()), "{found:?}");
        assert!(refusal.message.contains("shares of another epoch"), "{found:?}");
    }
    nobody_is_banned().await;
    slow.share = new;
    let answers = slow.attempt(&cluster, &session, [1, 4], 5, |_, _, _| {}).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    // A page's server finds those that can.
    let server = KeyServer::over(&cluster, |config| config.key_pool = 0).await;
    server.sign(&session, 6).await.unwrap();

    // It hears of it, commits, and signs. (On a very busy machine it asked the others by itself before that.)
    slow.network.release();
    let answer = (&mut renewing[1]).await.unwrap();
    assert!(answer.map_or_else(|refusal| refusal.code == "timeout", |done| done.epoch == 1));
    cluster.sign(&session, &[1, 2, 4], session.operation(7)).await.unwrap();
    let answers = slow.attempt(&cluster, &session, [2, 5], 8, |_, _, _| {}).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    nobody_is_banned().await;
}

/// One node ends no key: it has two nodes prepare new shares and the two others not, and tells the two that it uses
/// them. They believe it, and still have the shares that the others have.
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_about_its_shares_sets_no_honest_nodes_apart() {
    const OPENING: u8 = 5;
    let honest_sets = [[1, 2, 4], [1, 2, 5], [1, 4, 5], [2, 4, 5]];
    let mut cluster = Cluster::start().await;
    let session = cluster.granted(3).await;
    cluster.kill(CHEAT);
    let liar = Cheat::in_place_of(CHEAT, &cluster, &session).await;
    liar.network.hold.lock().unwrap().extend([(4, OPENING), (5, OPENING)]);
    let (asked, mut run) = liar.begin(&cluster, &session).await;
    let new = refresh(&mut run, &liar.workers, liar.share.clone()).await.unwrap();
    run.send(BTreeMap::new()).unwrap();
    run.receive(&[1, 2]).await.unwrap();
    *liar.network.says.lock().unwrap() = Some(new.fingerprint());
    for id in [4, 5, 1, 2] {
        let (code, message) = ("timeout".into(), "no answer in time from node 4".into());
        assert!(liar.network.send(id, &Message::Abort { run: run.id(), code, message }));
    }
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap_err().code, "peer-refused");
    }
    let with = |cluster: &Cluster, end: &str| -> Vec<u8> {
        let has = |id: &u8| {
            let mut files = std::fs::read_dir(&cluster.node(*id).vault).unwrap().flatten();
            files.any(|file| file.path().extension().is_some_and(|found| found == end))
        };
        cluster.ids().into_iter().filter(has).collect()
    };
    assert_eq!((with(&cluster, "staged"), with(&cluster, "previous")), (vec![], vec![1, 2]), "they were lied to");
    for (number, signers) in (1..).zip(honest_sets) {
        cluster.sign(&session, &signers, session.operation(number)).await.unwrap();
    }
    // After restarts, too; and with an honest node in its place all get new shares, and drop what is before.
    drop((liar, run));
    for id in [1, 4] {
        cluster.kill(id);
    }
    for id in [1, CHEAT, 4] {
        cluster.launch(id);
    }
    cluster.connected(5).await;
    for (number, signers) in (10..).zip(honest_sets.into_iter().chain([[1, 2, CHEAT], [CHEAT, 4, 5]])) {
        cluster.sign(&session, &signers, session.operation(number)).await.unwrap();
    }
    let nonces = cluster.nonces(RunKind::Refresh, &cluster.ids()).await;
    let request = RefreshRequest { key_id: session.key.key_id, repair: None, nonces };
    for answer in cluster.ask_all::<RefreshAnswer>(&cluster.ids(), "/v1/refresh", &request).await {
        assert_eq!(answer.unwrap().epoch, 1);
    }
    let deadline = Instant::now() + PATIENCE;
    while !with(&cluster, "previous").is_empty() {
        assert!(Instant::now() < deadline, "old shares stay at {:?}", with(&cluster, "previous"));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for (number, signers) in (20..).zip(honest_sets.into_iter().chain([[1, 2, CHEAT]])) {
        cluster.sign(&session, &signers, session.operation(number)).await.unwrap();
    }
    for id in cluster.ids() {
        assert!(banned(&cluster, id).await.is_empty(), "node {id}");
    }
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
