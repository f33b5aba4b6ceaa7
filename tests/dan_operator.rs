//! `use-aa dan-refresh`, `use-aa dan-repair` and `use-aa serve --check` as an operator runs them, against real nodes.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;

use dan_support::{
    Cluster, OPERATOR_KEY, SERVER_KEY, Session, nodes_variable as nodes, now, run_command as run, run_command_as,
};
use use_aa::{
    dan::api::{KeyAttestation, KeygenRequest, RunKind},
    protocol::distributed_key::joint_challenge,
};

async fn every_pair_signs(cluster: &Cluster, session: &Session, number: u64) {
    for (index, signers) in (0..).zip([[1, 2], [1, 3], [2, 3]]) {
        cluster.sign(session, &signers, session.operation(number + index)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_renewed_and_a_lost_node_is_repaired() {
    let mut cluster = Cluster::with(3, &["--threshold", "2"], "info").await;
    let session = cluster.granted(2).await;
    let [pooled, ends, torn] = &cluster.pool(3, 2).await[..] else { panic!("three keys") };
    let ending = cluster.grant(Session::new(ends.clone(), 3).ending(now() + 10)).await;
    bound_to_different_grants(&cluster, [Session::new(torn.clone(), 3), Session::new(torn.clone(), 3)]).await;
    let [pooled, ends, torn] = [pooled, ends, torn].map(|key| key.key_id.to_string());
    let key = session.key.key_id.to_string();
    let all = nodes(&cluster, &[1, 2, 3]);

    let (code, said, errors) = run(&all, &["dan-refresh", &key]);
    assert_eq!(said, format!("key {key}: new shares at all 3 nodes (epoch 1)\n"), "{errors}");
    assert_eq!((code, errors.as_str()), (0, ""));
    every_pair_signs(&cluster, &session, 10).await;
    // Without 0x, too; and all of them.
    let (code, said, _) = run(&all, &["dan-refresh", key.trim_start_matches("0x")]);
    assert_eq!((code, said), (0, format!("key {key}: new shares at all 3 nodes (epoch 2)\n")));
    let (code, said, _) = run(&all, &["dan-refresh", "--all"]);
    assert_eq!((code, said.lines().count()), (0, 4), "{said}");
    assert!(said.contains(&format!("key {key}: new shares at all 3 nodes (epoch 3)")), "{said}");
    assert!(said.contains(&format!("key {pooled}: new shares at all 3 nodes (epoch 1)")), "{said}");

    // What is wrong is said, and where.
    let unknown = format!("0x{}", "77".repeat(32));
    let (code, said, errors) = run(&all, &["dan-refresh", &unknown]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("key {unknown}: no new shares\n  node 1 refuses (unknown-key)")), "{said}");
    assert_eq!(errors, "use-aa: 1 of 1 keys have no new shares\n");
    let swapped = nodes(&cluster, &[2, 1, 3]);
    let usage = [
        (&all, &["dan-refresh"][..], 2, "--all"),
        (&all, &["dan-refresh", &key, "--all"], 2, "cannot be used with"),
        (&all, &["dan-refresh", "0x12"], 2, "invalid value '0x12'"),
        (&all, &["dan-repair", &key], 2, "--node"),
        (&all, &["dan-repair", "--node", "4", &key], 1, "--node: expected the id of a node, 1 to 3, got 4"),
        (&all, &["dan-repair", "--node", "0", &key], 1, "--node: expected the id of a node, 1 to 3, got 0"),
        (&String::new(), &["dan-refresh", &key], 1, "USE_AA_DAN_NODES: expected all nodes"),
        (&"http://127.0.0.1:1".to_owned(), &["dan-refresh", &key], 1, "USE_AA_DAN_NODES: expected"),
        (&swapped, &["dan-refresh", &key], 1, "node 1: has id 2"),
    ];
    for (nodes, words, expected, complaint) in usage {
        let (code, said, errors) = run(nodes, words);
        assert_eq!((code, said.as_str()), (expected, ""), "{words:?}: {errors}");
        assert!(errors.contains(complaint), "{words:?}: {errors}");
    }
    // Whoever is not the operator begins nothing.
    for (key, complaint) in [
        ("", "USE_AA_DAN_OPERATOR_KEY: expected the key that the nodes"),
        ("short", "USE_AA_DAN_OPERATOR_KEY: expected the key that the nodes"),
        (
            SERVER_KEY.as_str(),
            "node 1 refuses (forbidden): only the operator may ask for this (USE_AA_DAN_OPERATOR_KEY)",
        ),
        (&OPERATOR_KEY.to_uppercase(), "node 1 refuses (unauthorized): only the operator may ask for this"),
    ] {
        for words in [&["dan-refresh", "--all"][..], &["dan-bans"], &["dan-unban", "--node", "1"]] {
            let (code, said, errors) = run_command_as(&all, &[("USE_AA_DAN_OPERATOR_KEY", key)], words);
            let both = format!("{said}{errors}").replace("node 2 refuses", "node 1 refuses");
            assert!(code == 1 && both.contains(complaint), "{words:?}: {both}");
            assert!(key.len() < 10 || !both.contains(key), "{both}");
        }
    }
    // A key of its own for each node.
    let each = [OPERATOR_KEY.as_str(); 3].join(",");
    let (code, said, _) = run_command_as(&all, &[("USE_AA_DAN_OPERATOR_KEY", &each)], &["dan-bans"]);
    assert_eq!((code, said.as_str()), (0, "node 1: no bans\nnode 2: no bans\nnode 3: no bans\n"));
    // A server is checked before it is started.
    let (_, said, errors) = run(&all, &["serve", "--check"]);
    assert!((1..=3).all(|id| said.contains(&format!("ok    key node {id} of 3"))), "{said}{errors}");
    let (_, said, errors) = run_command_as(&all, &[("USE_AA_DAN_SERVER_KEY", &OPERATOR_KEY)], &["serve", "--check"]);
    assert!(said.contains("WRONG key node 2 of 3") && said.contains("(USE_AA_DAN_SERVER_KEY)"), "{said}{errors}");
    let (code, _, errors) = run_command_as(&all, &[], &["serve", "--check"]);
    assert!(code == 1 && errors.contains("USE_AA_DAN_SERVER_KEY: expected"), "{errors}");

    let (code, said, _) = run(&all, &["dan-repair", "--help"]);
    assert!(code == 0 && said.contains("--node <NUMBER>") && said.contains("USE_AA_DAN_NODES"), "{said}");

    // A node is gone: nothing is begun. It comes back without its vault: it is repaired.
    cluster.kill(3);
    let (code, said, errors) = run(&all, &["dan-refresh", &key]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(errors.starts_with("use-aa: all 3 nodes must be there; nothing was changed\n  node 3: "), "{errors}");
    std::fs::remove_dir_all(&cluster.node(3).vault).unwrap();
    cluster.launch(3);
    cluster.connected(3).await;
    let (code, said, _) = run(&all, &["dan-refresh", "--all"]);
    assert!(code == 1 && said.contains("node 3 refuses (unknown-key)"), "{said}");
    assert!(cluster.sign(&session, &[1, 3], session.operation(20)).await.is_err());
    // A grant whose sessions are over by now is what the owner signed as much as any other.
    while now() <= ending.leaves[0].valid_until {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (code, said, errors) = run(&all, &["dan-repair", "--node", "3", &key, &ends]);
    let repaired = format!("key {key}: node 3 has its share again, new shares at all 3 nodes (epoch 4)\n");
    let and = format!("key {ends}: node 3 has its share again, new shares at all 3 nodes (epoch 2)\n");
    assert_eq!((code, said), (0, repaired + &and), "{errors}");
    let over = cluster.sign(&ending, &[1, 3], ending.operation(1)).await.unwrap_err();
    assert_eq!(dan_support::codes(&over), ["policy-violation"; 2], "{over:?}");
    // Nodes that bound a key to different grants, as two requests at the same time can have it: nobody cheated.
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", &torn]);
    assert!(code == 1 && said.contains("bound this key to another grant than other nodes"), "{said}");
    let (_, said, _) = run(&all, &["dan-bans"]);
    assert_eq!(said, "node 1: no bans\nnode 2: no bans\nnode 3: no bans\n");
    every_pair_signs(&cluster, &session, 30).await;
    // What is still missing, and then nothing.
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", "--all"]);
    let repaired = format!("key {pooled}: node 3 has its share again, new shares at all 3 nodes (epoch 2)\n");
    assert!(code == 1 && said.contains(&repaired) && said.contains(&format!("key {torn}: no new shares")), "{said}");
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", "--all"]);
    assert!(code == 1 && !said.contains(&pooled), "only what cannot be: {said}");
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", &key]);
    assert!(code == 1 && said.contains("node 3 refuses (malformed): this node has its share"), "{said}");
    every_pair_signs(&cluster, &session, 40).await;
}

/// A key that node 1 bound to one grant and node 2 to another one.
async fn bound_to_different_grants(cluster: &Cluster, sessions: [Session; 2]) {
    for (id, mut session) in (1..).zip(sessions) {
        let nonces = cluster.nonces(RunKind::KeyGeneration, &cluster.ids()).await;
        session.grant.challenge = joint_challenge(RunKind::KeyGeneration, &nonces).unwrap();
        let request = KeygenRequest { grant: session.signed(), nonces };
        cluster.ask::<KeyAttestation>(id, "/v1/keygen", &request).await.unwrap();
    }
}
