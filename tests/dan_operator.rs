//! `use-aa dan-refresh` and `use-aa dan-repair` as an operator runs them, against real nodes.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dan_support;

use std::process::Command;

use dan_support::{Cluster, Session};

/// `USE_AA_DAN_NODES` for these nodes.
fn nodes(cluster: &Cluster, ids: &[u8]) -> String {
    let entry = |id: &u8| format!("{}#{}", cluster.node(*id).url, cluster.node(*id).identity);
    ids.iter().map(entry).collect::<Vec<_>>().join(",")
}

/// Exit code, standard output, standard error.
fn run(nodes: &str, words: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_use-aa"));
    let command = command.args(words).env_clear().env("USE_AA_DAN_NODES", nodes).current_dir(folder.path());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn every_pair_signs(cluster: &Cluster, session: &Session, number: u64) {
    for (index, signers) in (0..).zip([[1, 2], [1, 3], [2, 3]]) {
        cluster.sign(session, &signers, session.operation(number + index)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_renewed_and_a_lost_node_is_repaired() {
    let mut cluster = Cluster::with(3, &["--threshold", "2"], "info").await;
    let session = cluster.granted(2).await;
    let pooled = cluster.pool(1, 2).await.remove(0).key_id.to_string();
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
    assert_eq!((code, said.lines().count()), (0, 2), "{said}");
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
    let (code, said, errors) = run(&all, &["dan-repair", "--node", "3", &key]);
    let repaired = format!("key {key}: node 3 has its share again, new shares at all 3 nodes (epoch 4)\n");
    assert_eq!((code, said), (0, repaired), "{errors}");
    every_pair_signs(&cluster, &session, 30).await;
    // What is still missing, and then nothing.
    let (code, said, errors) = run(&all, &["dan-repair", "--node", "3", "--all"]);
    let repaired = format!("key {pooled}: node 3 has its share again, new shares at all 3 nodes (epoch 2)\n");
    assert_eq!((code, said), (0, repaired), "{errors}");
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", "--all"]);
    assert_eq!((code, said.as_str()), (0, "no key needs it\n"));
    let (code, said, _) = run(&all, &["dan-repair", "--node", "3", &key]);
    assert!(code == 1 && said.contains("node 3 refuses (malformed): this node has its share"), "{said}");
    every_pair_signs(&cluster, &session, 40).await;
}
