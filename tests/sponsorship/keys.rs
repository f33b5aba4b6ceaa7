//! API keys: issued by the program itself, in PostgreSQL, seen by servers.

use std::process::{Command, Output};

use use_aa::server::api_keys::{KeyError, Scope};

use super::*;

fn key(url: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_use-aa")).arg("key").args(words).env("USE_AA_DATABASE_URL", url).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_issues_lists_and_revokes() {
    let url = postgres_support::database().await;
    let issued = key(&url, &["issue", "--chain-id", "31337", "--label", "shop", "--budget-per-day", "0.5 ether"]);
    assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
    let issued = String::from_utf8(issued.stdout).unwrap();
    let secret = issued.lines().next().unwrap();
    let id = secret.split('.').next().unwrap();
    let server = Database::at(&url).unwrap();
    let found = server.verify_key(CHAIN, secret).await.unwrap();
    assert_eq!(
        (found.label.as_str(), found.allows(Scope::Bundler), found.allows(Scope::Paymaster)),
        ("shop", true, true)
    );
    assert_eq!(found.budget_per_day, Some(U256::from(500_000_000_000_000_000u64)));
    let listed = String::from_utf8(key(&url, &["list"]).stdout).unwrap();
    assert!(listed.contains(id) && !listed.contains(secret), "{listed}");
    assert!(key(&url, &["revoke", id]).status.success());
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    assert_eq!(server.verify_key(CHAIN, secret).await, Err(KeyError::Revoked));
    let again = key(&url, &["revoke", id]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_is_told_without_its_password() {
    let wrong = key("postgres://me:pass-word@127.0.0.1:1/keys", &["list"]);
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(!wrong.status.success() && told.contains("does not answer") && !told.contains("pass-word"), "{told}");
}
