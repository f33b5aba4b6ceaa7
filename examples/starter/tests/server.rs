//! What the server says of its configuration.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// What it says, and that it ends with, when these variables are set.
fn complaint(variables: &[(&str, &str)]) -> String {
    let mut server = Command::new(env!("CARGO_BIN_EXE_starter"));
    for name in ["USE_AA_RPC_URL", "USE_AA_BUNDLER_URL", "USE_AA_LAB_JSON", "USE_AA_CHAIN_ID"] {
        server.env_remove(name);
    }
    let output = server.envs(variables.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_reads_the_environment_and_names_what_is_wrong() {
    let nothing = complaint(&[]);
    assert!(nothing.starts_with("starter: USE_AA_RPC_URL: expected"), "{nothing}");
    assert!(nothing.contains("USE_AA_LAB_JSON"), "{nothing}");
    let half = complaint(&[("USE_AA_RPC_URL", "http://127.0.0.1:1")]);
    assert!(half.contains("USE_AA_BUNDLER_URL"), "{half}");
    let no_number = complaint(&[("USE_AA_CHAIN_ID", "one")]);
    assert!(no_number.starts_with("starter: USE_AA_CHAIN_ID"), "{no_number}");
    let no_lab = complaint(&[("USE_AA_LAB_JSON", "/nowhere/lab.json")]);
    assert!(no_lab.starts_with("starter: USE_AA_LAB_JSON"), "{no_lab}");
}
