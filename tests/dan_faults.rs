//! Distributed session keys when nodes go: killed, restarted, hung, emptied, in the middle of things.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use dan_support::{Cluster, PATIENCE, Session, codes, now};
use nix::sys::signal::Signal;
use serde_json::json;
use use_aa::dan::{
    api::{KeysAnswer, NodeRefusal, PoolAnswer, RefreshAnswer, RefreshRequest, RunKind, SignAnswer, StatusAnswer},
    keys::KeyRecord,
    share::KeyShare,
    vault::{Slot, Vault},
};

/// Far below every time-out: what is said by then was said at once.
const AT_ONCE: Duration = Duration::from_secs(8);

async fn renew(cluster: &Cluster, session: &Session, repair: Option<u8>) -> Vec<Result<RefreshAnswer, NodeRefusal>> {
    let ids = cluster.ids();
    let kind = if repair.is_some() { RunKind::Repair } else { RunKind::Refresh };
    let nonces = cluster.nonces(kind, &ids).await;
    let request = RefreshRequest { key_id: session.key.key_id, repair, nonces };
    cluster.ask_all(&ids, "/v1/refresh", &request).await
}

/// Five nodes: two go, a third goes, all come back; one goes in the middle of a signature and of making a key.
#[tokio::test(flavor = "multi_thread")]
async fn any_three_are_enough_and_two_are_not() {
    let mut cluster = Cluster::start().await;
    let session = cluster.granted(3).await;
    cluster.kill(4);
    cluster.kill(5);
    cluster.sign(&session, &[1, 2, 3], session.operation(1)).await.unwrap();

    let start = Instant::now();
    let mut body = cluster.request(&session, &[1, 2, 3], session.operation(2)).await;
    cluster.kill(3);
    for id in [1, 2] {
        let refusal = cluster.ask::<SignAnswer>(id, "/v1/sign", &body).await.unwrap_err();
        assert!(["peer-down", "peer-refused"].contains(&refusal.code.as_str()), "{refusal}");
        assert!(refusal.message.contains("node 3 cannot be reached"), "{refusal}");
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    let status: StatusAnswer = dan_support::get(&cluster.node(1).url, "/v1/status").await;
    assert!(!status.ready && status.sessions == 0, "{status:?}");

    for id in [3, 4, 5] {
        cluster.launch(id);
    }
    cluster.connected(5).await;
    cluster.sign(&session, &[1, 3, 5], session.operation(3)).await.unwrap();
    // The nonces of a process die with it.
    body.nonces.truncate(3);
    let refusal = cluster.ask::<SignAnswer>(3, "/v1/sign", &body).await.unwrap_err();
    assert_eq!(refusal.code, "nonce");

    // In the middle of a signature: node 2 hangs, the others have begun, then it dies.
    let body = cluster.request(&session, &[1, 2, 3], session.operation(4)).await;
    cluster.signal(2, Signal::SIGSTOP);
    let url = |id: u8| cluster.node(id).url.clone();
    let signing: Vec<_> = [1, 3]
        .map(|id| {
            let (url, body) = (url(id), body.clone());
            tokio::spawn(async move { dan_support::post::<SignAnswer>(&url, "/v1/sign", &body).await })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(signing.iter().all(|task| !task.is_finished()), "both wait for node 2");
    let start = Instant::now();
    cluster.kill(2);
    for task in signing {
        let refusal = task.await.unwrap().unwrap_err();
        assert!(["peer-down", "peer-refused"].contains(&refusal.code.as_str()), "{refusal}");
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    cluster.sign(&session, &[1, 3, 4], session.operation(5)).await.unwrap();

    // In the middle of making a key.
    cluster.launch(2);
    cluster.connected(5).await;
    let nonces = cluster.nonces(RunKind::Pool, &cluster.ids()).await;
    let request = json!({ "count": 1, "threshold": 3, "nonces": nonces });
    let making: Vec<_> = [1, 2, 3, 5]
        .map(|id| {
            let (url, request) = (cluster.node(id).url.clone(), request.clone());
            tokio::spawn(async move { dan_support::post::<PoolAnswer>(&url, "/v1/pool", &request).await })
        })
        .into();
    let fourth = {
        let (url, request) = (cluster.node(4).url.clone(), request.clone());
        tokio::spawn(async move { dan_support::post::<PoolAnswer>(&url, "/v1/pool", &request).await })
    };
    tokio::time::sleep(Duration::from_millis(800)).await;
    let start = Instant::now();
    cluster.kill(4);
    assert!(fourth.await.unwrap().is_err());
    for task in making {
        let refusal = task.await.unwrap().unwrap_err();
        assert!(["peer-down", "peer-refused"].contains(&refusal.code.as_str()), "{refusal}");
    }
    // A phase that was being computed is finished first.
    assert!(start.elapsed() < PATIENCE / 3, "{:?}", start.elapsed());
    for id in [1, 2, 3, 5] {
        let pool: PoolAnswer = dan_support::get(&cluster.node(id).url, "/v1/pool").await;
        assert!(pool.keys.is_empty(), "half a key at node {id}");
    }
    cluster.launch(4);
    cluster.connected(5).await;
    let second = cluster.granted(3).await;
    cluster.sign(&second, &[2, 4, 5], second.operation(1)).await.unwrap();
    // All of them from the disk.
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.launch(id);
    }
    cluster.connected(5).await;
    cluster.sign(&session, &[3, 4, 5], session.operation(6)).await.unwrap();
    cluster.sign(&second, &[1, 2, 3], second.operation(2)).await.unwrap();

    // Strangers that say nothing, more than there is room for at either listener of a node: neither app servers nor
    // nodes that come back are kept out.
    let http = cluster.node(1).url.trim_start_matches("http://").to_owned();
    let mesh = format!("127.0.0.1:{}", cluster.node(1).mesh_port);
    let mut silent = Vec::new();
    for _ in 0..1_100 {
        silent.push(tokio::net::TcpStream::connect(&http).await.unwrap());
        silent.push(tokio::net::TcpStream::connect(&mesh).await.unwrap());
    }
    let start = Instant::now();
    let status: StatusAnswer = dan_support::get(&cluster.node(1).url, "/v1/status").await;
    assert!(status.ready && start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    cluster.kill(2);
    cluster.launch(2);
    cluster.connected(5).await;
    cluster.sign(&session, &[1, 2, 3], session.operation(7)).await.unwrap();
    // A body that does not arrive is not waited for.
    let mut slow = tokio::net::TcpStream::connect(&http).await.unwrap();
    let head = format!(
        "POST /v1/nonce HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 60\r\n\r\n{{",
        dan_support::SERVER_KEY.as_str()
    );
    tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    let answered = tokio::io::AsyncReadExt::read_exact(&mut slow, &mut answer);
    tokio::time::timeout(AT_ONCE, answered).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 400");
}

/// Three nodes, two of which sign: new shares, a lost node, crashes in between.
#[tokio::test(flavor = "multi_thread")]
async fn shares_are_renewed_and_rebuilt_by_all_or_not_at_all() {
    let mut cluster = Cluster::with(3, &["--threshold", "2"], "info").await;
    let session = cluster.granted(2).await;
    let every_pair = async |cluster: &Cluster, number: u64| {
        for (index, signers) in [[1, 2], [1, 3], [2, 3]].iter().enumerate() {
            let operation = session.operation(number + u64::try_from(index).unwrap());
            cluster.sign(&session, signers, operation).await.unwrap();
        }
    };
    for answer in renew(&cluster, &session, None).await {
        assert_eq!(answer.unwrap().epoch, 1);
    }
    every_pair(&cluster, 10).await;
    // Nobody can be left out.
    let nonces = cluster.nonces(RunKind::Refresh, &[1, 2]).await;
    let request = RefreshRequest { key_id: session.key.key_id, repair: None, nonces };
    let refusal = cluster.ask::<RefreshAnswer>(1, "/v1/refresh", &request).await.unwrap_err();
    assert_eq!(refusal.code, "participants");

    // Node 2 loses everything.
    cluster.kill(2);
    std::fs::remove_dir_all(&cluster.node(2).vault).unwrap();
    cluster.launch(2);
    cluster.connected(3).await;
    let refusals = cluster.sign(&session, &[1, 2], session.operation(20)).await.unwrap_err();
    assert!(codes(&refusals).contains(&"unknown-key"), "{refusals:?}");
    let refusals: Vec<_> = renew(&cluster, &session, None).await.into_iter().map(Result::unwrap_err).collect();
    assert!(codes(&refusals).contains(&"unknown-key"), "{refusals:?}");
    for answer in renew(&cluster, &session, Some(2)).await {
        assert_eq!(answer.unwrap().epoch, 2);
    }
    every_pair(&cluster, 30).await;
    // It knows the policy again, too.
    let elsewhere = session.mint(alloy::primitives::Address::repeat_byte(7), 40);
    let refusals = cluster.sign(&session, &[2, 3], elsewhere).await.unwrap_err();
    assert_eq!(codes(&refusals), ["policy-violation"; 2]);
    // A node that has its share is not given another.
    let refusals: Vec<_> = renew(&cluster, &session, Some(3)).await.into_iter().map(Result::unwrap_err).collect();
    assert!(codes(&refusals).contains(&"malformed"), "{refusals:?}");

    // Node 3 comes back with a vault of before a refresh: it is repaired as if it had lost the share.
    let share = cluster.node(3).vault.join(format!("{}.share", hex::encode(session.key.key_id)));
    let backup = std::fs::read(&share).unwrap();
    for answer in renew(&cluster, &session, None).await {
        assert_eq!(answer.unwrap().epoch, 3);
    }
    let undecided = |cluster: &Cluster| cluster.nodes.iter().any(|node| has(&node.vault, "previous"));
    let deadline = Instant::now() + PATIENCE;
    while undecided(&cluster) {
        assert!(Instant::now() < deadline, "the old shares stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.kill(3);
    std::fs::write(&share, backup).unwrap();
    cluster.launch(3);
    cluster.connected(3).await;
    let refusals = cluster.sign(&session, &[1, 3], session.operation(50)).await.unwrap_err();
    assert!(codes(&refusals).contains(&"share-epoch"), "{refusals:?}");
    let refusals: Vec<_> = renew(&cluster, &session, None).await.into_iter().map(Result::unwrap_err).collect();
    assert!(codes(&refusals).contains(&"share-epoch"), "{refusals:?}");
    for answer in renew(&cluster, &session, Some(3)).await {
        assert_eq!(answer.unwrap().epoch, 4);
    }
    every_pair(&cluster, 60).await;

    // One dies at some moment of a refresh. Afterwards all have the old shares or all have the new ones.
    for pause in [0, 150, 400, 800, 1500, 2500] {
        let victim = u8::try_from(pause % 3 + 1).unwrap();
        let nonces = cluster.nonces(RunKind::Refresh, &cluster.ids()).await;
        let request = RefreshRequest { key_id: session.key.key_id, repair: None, nonces };
        let renewing: Vec<_> = (1..=3u8)
            .map(|id| {
                let (url, request) = (cluster.node(id).url.clone(), request.clone());
                tokio::spawn(async move { dan_support::post::<RefreshAnswer>(&url, "/v1/refresh", &request).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        cluster.kill(victim);
        for task in renewing {
            let _ = task.await.unwrap();
        }
        cluster.launch(victim);
        cluster.connected(3).await;
        let deadline = Instant::now() + PATIENCE;
        while cluster.nodes.iter().any(|node| has(&node.vault, "staged")) {
            assert!(Instant::now() < deadline, "a refresh stays undecided");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        every_pair(&cluster, 100 * (pause + 1)).await;
    }
}

fn has(vault: &std::path::Path, end: &str) -> bool {
    let files = std::fs::read_dir(vault).unwrap().flatten();
    files.into_iter().any(|file| file.path().extension().is_some_and(|found| found == end))
}

/// Signatures per minute survive a restart; nothing secret is ever in a log; what is long over is removed.
#[tokio::test(flavor = "multi_thread")]
async fn limits_survive_and_logs_say_nothing_secret() {
    let mut cluster = Cluster::with(3, &["--threshold", "2", "--signatures-per-minute", "4"], "trace").await;
    let session = cluster.granted(2).await;
    let other = cluster.granted(2).await;
    for answer in renew(&cluster, &session, None).await {
        answer.unwrap();
    }
    // Within one minute of the clock, however busy the machine is.
    let mut number = 0;
    loop {
        let minute = now() / 60;
        let mut signed = 0;
        let refusals = loop {
            number += 1;
            match cluster.sign(&session, &[1, 2], session.operation(number)).await {
                Ok(_) => signed += 1,
                Err(refusals) => break refusals,
            }
        };
        assert!(codes(&refusals).contains(&"rate-limited"), "{refusals:?}");
        for id in cluster.ids() {
            cluster.kill(id);
        }
        for id in cluster.ids() {
            cluster.launch(id);
        }
        cluster.connected(3).await;
        let after = cluster.sign(&session, &[1, 2], session.operation(0)).await;
        if now() / 60 == minute {
            assert_eq!(signed, 4);
            assert!(codes(&after.unwrap_err()).contains(&"rate-limited"));
            break;
        }
        // The last signature may have been one of the minute that has begun: the next one is whole.
        tokio::time::sleep(Duration::from_secs(60 - now() % 60)).await;
    }
    // A key's limit is its own, and so is a pair's.
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for node in &cluster.nodes {
        let vault = Vault::open(&node.vault, &node.vault_key, node.id).unwrap();
        let bytes = vault.read(Slot::Share, session.key.key_id).unwrap().unwrap();
        let share = KeyShare::decode(&bytes).unwrap();
        assert_eq!(format!("{share:?}"), format!("KeyShare(of {}, epoch 1)", node.id));
        let log = node.log.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains("DEBUG") && text.contains("a key was granted"), "everything is logged: {text}");
        let secret = windows(&bytes);
        // Key id and public key are no secret; they are in the share, too.
        let public = [session.key.key_id.as_slice(), &session.key.public_key].concat();
        let secret: HashSet<_> = secret.difference(&windows(&public)).copied().collect();
        let found: Vec<_> = said(&log).intersection(&secret).map(hex::encode).collect();
        assert!(found.is_empty(), "node {} logs {found:?}", node.id);
        for own in [&bytes[..], &node.vault_key[..]] {
            // The search does find what is there.
            for leak in [format!("{:?}", &own[..32]), hex::encode(&own[..32]), hex::encode_upper(&own[8..32])] {
                let leaks = [&log[..], leak.as_bytes()].concat();
                assert!(!said(&leaks).is_disjoint(&windows(own)), "{leak}");
            }
        }
        assert!(said(&log).is_disjoint(&windows(&node.vault_key)));
        for key in [dan_support::SERVER_KEY.as_str(), dan_support::OPERATOR_KEY.as_str()] {
            assert!(!text.contains(key), "node {} logs a caller's key", node.id);
        }
    }
    keys_that_are_long_over_are_removed(&mut cluster, &session, &other).await;
}

/// All nodes are down. One key ended 25 hours ago (and was revoked, somewhere), another one 23 hours ago.
async fn keys_that_are_long_over_are_removed(cluster: &mut Cluster, long_over: &Session, over: &Session) {
    const HOUR: u64 = 3600;
    let half_made = alloy::primitives::B256::repeat_byte(7);
    for node in &cluster.nodes {
        let vault = Vault::open(&node.vault, &node.vault_key, node.id).unwrap();
        for (session, hours) in [(long_over, 25), (over, 23)] {
            let bytes = vault.read(Slot::Record, session.key.key_id).unwrap().unwrap();
            let mut record: KeyRecord = serde_json::from_slice(&bytes).unwrap();
            record.grant.as_mut().unwrap().grant.valid_until = now() - hours * HOUR;
            record.revoked |= node.id == 2;
            vault.write(Slot::Record, session.key.key_id, &serde_json::to_vec(&record).unwrap()).unwrap();
        }
        // What a crash leaves of a key that is being made.
        vault.write(Slot::Share, half_made, b"half").unwrap();
    }
    for id in cluster.ids() {
        cluster.launch(id);
    }
    cluster.connected(3).await;
    let files = |cluster: &Cluster, key: alloy::primitives::B256| {
        let name = hex::encode(key);
        let of_node = |id: u8| std::fs::read_dir(&cluster.node(id).vault).unwrap().flatten().collect::<Vec<_>>();
        let all = cluster.ids().into_iter().flat_map(of_node);
        all.filter(|file| file.file_name().to_string_lossy().starts_with(&name)).count()
    };
    let deadline = Instant::now() + PATIENCE;
    while files(cluster, long_over.key.key_id) + files(cluster, half_made) > 0 {
        assert!(Instant::now() < deadline, "what is long over is not removed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Node 2 was told that it is revoked: there the share is gone at once.
    assert!(files(cluster, over.key.key_id) >= 5, "a record at each node, and two shares");
    for id in cluster.ids() {
        let keys: KeysAnswer = dan_support::get(&cluster.node(id).url, "/v1/keys").await;
        let kept = keys.keys.iter().map(|key| (key.key_id, key.share, key.revoked)).collect::<Vec<_>>();
        assert_eq!(kept, [(over.key.key_id, id != 2, id == 2)]);
    }
    let refusals = cluster.sign(long_over, &[1, 3], long_over.operation(1)).await.unwrap_err();
    assert_eq!(codes(&refusals), ["unknown-key"; 2]);
    let refusals = cluster.sign(over, &[1, 3], over.operation(1)).await.unwrap_err();
    assert_eq!(codes(&refusals), ["grant-expired"; 2]);
}

/// All runs of eight bytes that are not mostly the same byte.
fn windows(bytes: &[u8]) -> HashSet<[u8; 8]> {
    let all = bytes.windows(8).map(|window| <[u8; 8]>::try_from(window).unwrap());
    all.filter(|window| window.iter().collect::<HashSet<_>>().len() > 5).collect()
}

/// Runs of bytes that a log gives away: as they are, in hexadecimal, as a list of numbers.
fn said(log: &[u8]) -> HashSet<[u8; 8]> {
    let mut found = windows(log);
    for run in log.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 16) {
        for start in [0, 1] {
            let digits = &run[start..];
            let even = &digits[..digits.len() / 2 * 2];
            found.extend(windows(&hex::decode(even).unwrap()));
        }
    }
    let text = String::from_utf8_lossy(log);
    for list in text.split('[').filter_map(|rest| rest.split(']').next()) {
        let numbers: Option<Vec<u8>> = list.split(',').map(|number| number.trim().parse().ok()).collect();
        found.extend(windows(&numbers.unwrap_or_default()));
    }
    found
}
