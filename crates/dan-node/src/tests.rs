//! The protocols among nodes in one process: no sockets, the same runs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use alloy::primitives::{B256, Signature};
use tokio::sync::watch;

use super::{
    key_generation::generate,
    laps::Laps,
    message::Message,
    refresh::{be_helped, help, refresh},
    run::{Losses, Network, Run, RunError, RunName, Runs},
    share::KeyShare,
    signing::sign,
    workers::Workers,
};

const LIMIT: Duration = Duration::from_secs(120);

/// Delivers at once, through the bytes.
struct Local {
    me: u8,
    nodes: Arc<OnceLock<Vec<Weak<Runs>>>>,
    losses: watch::Sender<Losses>,
}

impl Network for Local {
    fn send(&self, to: u8, message: &Message) -> bool {
        let node = self.nodes.get().and_then(|nodes| nodes[usize::from(to) - 1].upgrade());
        let Some(node) = node else { return false };
        let Ok(message) = Message::decode(&message.encode()) else { panic!("a message that is none") };
        node.deliver(self.me, message);
        true
    }

    fn is_connected(&self, _node: u8) -> bool {
        true
    }

    fn losses(&self) -> watch::Receiver<Losses> {
        self.losses.subscribe()
    }
}

fn network(nodes: u8) -> Vec<Arc<Runs>> {
    let all = Arc::new(OnceLock::new());
    let runs: Vec<_> = (1..=nodes)
        .map(|me| {
            let losses = watch::Sender::new([0; 17]);
            Runs::new(me, Arc::new(Local { me, nodes: all.clone(), losses }))
        })
        .collect();
    let _ = all.set(runs.iter().map(Arc::downgrade).collect());
    runs
}

fn name(kind: &str, byte: u8, participants: &[u8]) -> RunName {
    RunName::new(kind, B256::repeat_byte(byte), 0, B256::ZERO, B256::ZERO, participants)
}

async fn all<T: Send + 'static, F: Future<Output = T> + Send + 'static>(each: impl Iterator<Item = F>) -> Vec<T> {
    let tasks: Vec<_> = each.map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn opened(runs: &[Arc<Runs>], name: &RunName) -> Vec<Run> {
    let me = |node: &u8| runs[usize::from(*node) - 1].open(name.clone(), LIMIT).unwrap();
    name.participants.iter().map(me).collect()
}

async fn keys(runs: &[Arc<Runs>], workers: &Arc<Workers>, threshold: u8) -> Vec<Arc<KeyShare>> {
    let everybody: Vec<u8> = (1..=u8::try_from(runs.len()).unwrap()).collect();
    let generating = opened(runs, &name("pool", 1, &everybody)).into_iter().map(|mut run| {
        let workers = workers.clone();
        async move {
            let share = generate(&mut run, &workers, threshold).await.unwrap();
            (Arc::new(share), run.sent())
        }
    });
    let shares = all(generating).await;
    println!("key generation: {} bytes sent by each node", shares[0].1);
    shares.into_iter().map(|(share, _)| share).collect()
}

async fn signature(
    runs: &[Arc<Runs>],
    workers: &Arc<Workers>,
    shares: &[Arc<KeyShare>],
    byte: u8,
    signers: &[u8],
) -> Result<B256, RunError> {
    let digest = B256::repeat_byte(byte);
    let signing = opened(runs, &name("signing", byte, signers)).into_iter().map(|mut run| {
        let (workers, share) = (workers.clone(), shares[usize::from(run.me()) - 1].clone());
        async move {
            let made = sign(&mut run, &mut Laps::begin(), &workers, share, digest, async { Ok(()) }).await;
            made.map(|made| (made, run.sent())).inspect_err(|error| run.tell(error))
        }
    });
    let mut last = None;
    for made in all(signing).await {
        let (made, sent) = made?;
        let recovered = Signature::from_raw(&made).unwrap().recover_address_from_prehash(&digest).unwrap();
        assert_eq!(Some(recovered), shares[0].address());
        assert!(last.is_none_or(|(other, _)| other == made), "all signers have the same signature");
        last = Some((made, sent));
    }
    println!("signature: {} bytes sent by each node", last.unwrap().1);
    Ok(digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_five_sign_refresh_and_repair() {
    let (runs, workers) = (network(5), Arc::new(Workers::default()));
    let start = Instant::now();
    let shares = keys(&runs, &workers, 3).await;
    println!("key generation: {:?}", start.elapsed());
    assert!(shares.iter().all(|share| share.fingerprint() == shares[0].fingerprint()));
    let encoded = shares[0].encode().unwrap();
    println!("a share: {} bytes", encoded.len());
    let again = KeyShare::decode(&encoded).unwrap();
    assert_eq!((again.fingerprint(), again.encode().unwrap()), (shares[0].fingerprint(), encoded));

    let start = Instant::now();
    for (byte, signers) in [[1, 2, 3], [1, 3, 5], [2, 4, 5]].iter().enumerate() {
        signature(&runs, &workers, &shares, 10 + u8::try_from(byte).unwrap(), signers).await.unwrap();
    }
    println!("three signatures: {:?}", start.elapsed());

    // Node 4 loses its share.
    let participants = [1, 2, 3, 4, 5];
    let renewing = opened(&runs, &name("repair", 20, &participants)).into_iter().map(|mut run| {
        let (workers, share) = (workers.clone(), shares[usize::from(run.me()) - 1].clone());
        async move {
            let share = if run.me() == 4 {
                let (share, records) = be_helped(&mut run, &workers).await.unwrap();
                assert!(records.len() == 4 && records.values().all(|record| record[..] == b"grant"[..]));
                Arc::new(share)
            } else {
                help(&mut run, &workers, share.clone(), 4, b"grant").await.unwrap();
                share
            };
            Arc::new(refresh(&mut run, &workers, share).await.unwrap())
        }
    });
    let renewed = all(renewing).await;
    assert!(renewed.iter().all(|share| share.fingerprint() == renewed[0].fingerprint() && share.epoch == 1));
    assert_eq!(renewed[0].address(), shares[0].address());
    signature(&runs, &workers, &renewed, 30, &[2, 4, 5]).await.unwrap();

    // Old and new shares do not sign together, and nobody is banned for it.
    let mixed: Vec<_> = renewed[..4].iter().chain(&shares[4..]).cloned().collect();
    let error = signature(&runs, &workers, &mixed, 31, &[1, 4, 5]).await.unwrap_err();
    assert!(matches!(error, RunError::ShareEpoch(_)), "{error}");
}
