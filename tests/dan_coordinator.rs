//! The app server over nodes that hang.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;
#[path = "dan_support/key_server.rs"]
mod key_server;
mod server_support;

use std::time::{Duration, Instant};

use dan_support::{Cluster, PATIENCE, Session};
use key_server::KeyServer;
use nix::sys::signal::Signal;
use use_aa::{
    actions::ports::DistributedKeys,
    dan::{
        api::{RunKind, SignAnswer, StatusAnswer},
        caller_key::CallerKey,
    },
    error::AppError,
    protocol::distributed_key::SignOutcome,
    server::config::Config,
};

/// How long a signature may take here.
const SIGNING_TIMEOUT: Duration = Duration::from_secs(4);
/// The server waits so long for a nonce.
const QUICK: Duration = Duration::from_secs(2);
/// What a busy machine needs beside what is measured.
const SLACK: Duration = Duration::from_secs(4);

/// Does node 1 think that it has a connection to `peer`?
async fn connected(cluster: &Cluster, peer: u8) -> bool {
    let status: StatusAnswer = dan_support::get(&cluster.node(1).url, "/v1/status").await;
    status.peers.iter().any(|found| found.node == peer && found.connected)
}

async fn signed_within(server: &KeyServer, session: &Session, number: u64, limit: Duration) -> usize {
    let began = Instant::now();
    let failed = server.sign(session, number).await.unwrap();
    assert!(began.elapsed() < limit, "signed after {:?}, {failed} attempts failed", began.elapsed());
    failed
}

/// A node that is stopped (SIGSTOP) keeps its connections and takes in what is sent, but says nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_holds_nobody_up_and_comes_back() {
    let cluster = Cluster::with(5, &["--signing-timeout", &SIGNING_TIMEOUT.as_secs().to_string()], "info").await;
    let session = cluster.granted(3).await;
    let server = KeyServer::over(&cluster, |_| {}).await;
    // Nobody has made a key for this server yet: whoever asks for one waits, and can see how far it is.
    let asked = Instant::now();
    let seen = async {
        loop {
            let network = server.relay.network().await.unwrap();
            match network.progress {
                Some(progress) if network.making && progress.waiting == 1 => break (network.pooled, progress),
                _ => assert!(asked.elapsed() < PATIENCE, "{network:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (offer, (pooled, progress)) = futures::join!(server.relay.offer(), seen);
    offer.unwrap();
    assert_eq!((pooled, progress.usual_ms), (0, None));
    assert!(u128::from(progress.elapsed_ms) <= asked.elapsed().as_millis());
    server.pooled().await;
    signed_within(&server, &session, 1, SIGNING_TIMEOUT).await;
    // A server whose key the nodes do not know: nothing is signed, and it says what is to be set.
    let unknown = CallerKey::parse("abcdefghijklmnopqrstuvwxyz").unwrap();
    let change = |config: &mut Config| config.dan_nodes.iter_mut().for_each(|node| node.key = unknown.clone());
    let stranger = KeyServer::over(&cluster, change).await;
    for error in [stranger.sign(&session, 1).await.unwrap_err(), stranger.relay.offer().await.unwrap_err()] {
        let AppError::NodeRefused { code, reason, .. } = &error else { panic!("{error:?}") };
        assert!(code == "unauthorized" && reason.contains("USE_AA_DAN_SERVER_KEY"), "{error:?}");
    }

    // It hangs in the middle of a signature: the nodes are already named.
    let nonces = cluster.nonces(RunKind::Signing, &[1, 2, 3]).await;
    let body = session.request(nonces, session.operation(2));
    cluster.signal(3, Signal::SIGSTOP);
    let began = Instant::now();
    let outcome = server.relay.sign(&body.request, &body.nonces, session.key.address).await.unwrap();
    let SignOutcome::Again { reason } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("node 3"), "{reason}");
    let took = began.elapsed();
    assert!(took >= SIGNING_TIMEOUT && took < SIGNING_TIMEOUT + SLACK, "{took:?}");

    // From then on it is not among the signers; nobody waits for it.
    for number in 3..8 {
        assert_eq!(signed_within(&server, &session, number, SIGNING_TIMEOUT).await, 0);
    }

    // Three hang: a clear error, soon.
    cluster.signal(1, Signal::SIGSTOP);
    cluster.signal(2, Signal::SIGSTOP);
    let began = Instant::now();
    let error = server.sign(&session, 8).await.unwrap_err();
    assert_eq!(error, AppError::TooFewNodes { live: 2, needed: 3 });
    assert!(began.elapsed() < 3 * QUICK + SLACK, "{:?}", began.elapsed());
    let error = server.relay.offer().await.unwrap_err();
    assert_eq!(error, AppError::TooFewNodes { live: 2, needed: 5 });

    // Two go on at once.
    cluster.signal(1, Signal::SIGCONT);
    cluster.signal(2, Signal::SIGCONT);
    signed_within(&server, &session, 9, 2 * SIGNING_TIMEOUT + SLACK).await;

    // The third hangs for so long that the others give its connections up.
    let deadline = Instant::now() + PATIENCE;
    while connected(&cluster, 3).await {
        assert!(Instant::now() < deadline, "node 1 does not see that node 3 hangs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    signed_within(&server, &session, 10, SIGNING_TIMEOUT).await;
    let nonces = cluster.nonces(RunKind::Signing, &[1, 2]).await;
    let nonces = nonces.into_iter().chain(body.nonces.iter().copied().filter(|nonce| nonce.node == 3)).collect();
    let gone = session.request(nonces, session.operation(11));
    let began = Instant::now();
    let refusal = cluster.ask::<SignAnswer>(1, "/v1/sign", &gone).await.unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.peer), ("peer-down", Some(3)), "{refusal}");
    assert!(began.elapsed() < SIGNING_TIMEOUT, "known to be gone: refused at once");

    // It goes on, and takes part again.
    cluster.signal(3, Signal::SIGCONT);
    let deadline = Instant::now() + PATIENCE;
    let mut number = 12;
    while let Err(refusals) = cluster.sign(&session, &[1, 2, 3], session.operation(number)).await {
        assert!(Instant::now() < deadline, "{refusals:?}");
        number += 1;
    }
    cluster.connected(5).await;
    cluster.sign(&session, &[2, 3, 5], session.operation(number + 1)).await.unwrap();
    signed_within(&server, &session, number + 2, SIGNING_TIMEOUT).await;
}
