//! Distributed session keys among five real processes: what signs, and what every node refuses.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;

use std::time::Instant;

use dan_support::{Cluster, Session};
use tokio::sync::OnceCell;

static CLUSTER: OnceCell<(Cluster, Session)> = OnceCell::const_new();

/// One cluster and one granted key for all tests that leave them as they are.
async fn shared() -> &'static (Cluster, Session) {
    CLUSTER
        .get_or_init(|| async {
            let start = Instant::now();
            let cluster = Cluster::with(5, &["--signatures-per-minute", "1000"], "info").await;
            println!("five nodes: {:?}", start.elapsed());
            let start = Instant::now();
            let session = cluster.granted(3).await;
            println!("a key: {:?}", start.elapsed());
            (cluster, session)
        })
        .await
}

/// All ten subsets of three.
fn subsets() -> Vec<[u8; 3]> {
    let all = 1..=5u8;
    let pairs = all.clone().flat_map(|a| (a + 1..=5).map(move |b| (a, b)));
    pairs.flat_map(|(a, b)| (b + 1..=5).map(move |c| [a, b, c])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_three_of_five_sign() {
    let (cluster, session) = shared().await;
    assert_eq!(subsets().len(), 10);
    for (number, signers) in (0..).zip(subsets()) {
        let start = Instant::now();
        cluster.sign(session, &signers, session.operation(number)).await.unwrap();
        println!("{signers:?}: {:?}", start.elapsed());
    }
}
