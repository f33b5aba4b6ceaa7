//! API keys: issued by the program itself, in PostgreSQL, seen by servers; and what they admit to where pages are not
//! sponsored.

use std::{
    process::{Command, Output},
    rc::Rc,
};

use alloy::signers::local::PrivateKeySigner;
use use_aa::{
    actions::{
        account::SmartAccountClient, deploy::deploy_smart_account, options::BuildUserOpOptions,
        send_sponsored_transaction::send_sponsored_transaction, token_fees::get_token_fees,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::{relay_native::HttpRelay, wallet::local::LocalWallet},
    error::AppError,
    protocol::addresses::DEMO_TOKEN,
    server::{
        api_keys::{KeyError, NewKey, Scope},
        biconomy,
    },
};

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

/// Where pages are not sponsored, only a key is, and only until it is taken back. Own gas and quotes are everybody's.
#[tokio::test(flavor = "multi_thread")]
async fn without_page_sponsorship_only_keys_are_paid_for() {
    let (_folder, url, state) = settling::lab_state(|config| config.page_sponsorship = Some(false)).await;
    let database = state.database().clone();
    let new = NewKey {
        chain_id: CHAIN,
        label: "shop".into(),
        scopes: Scope::ALL.to_vec(),
        requests_per_minute: None,
        budget_per_day: None,
        expires_at: None,
    };
    let (secret, key) = database.issue_key(new).await.unwrap();
    let server = Server::start_with(state).await;
    let (_, info) = server.call("chain_info", &json!({})).await;
    assert_eq!((&info["sponsored"], &info["pageSponsorship"]), (&json!(true), &json!(false)));

    // Whatever the operator would pay or advance.
    let (_, operation) = settling::unsponsored_mint(&server).await;
    for context in
        [json!({"mode": "SPONSORED"}), json!({"mode": "ERC20", "tokenInfo": {"feeTokenAddress": DEMO_TOKEN}})]
    {
        let mut context = context;
        context["calculateGasLimits"] = json!(true);
        let asked = json!({"user_operation": operation, "context": context});
        let (status, refused) = server.call("sponsor_user_operation", &asked).await;
        assert_eq!((status, &refused["error"]), (403, &json!("SponsorshipRefused")), "{refused}");
        assert!(refused["reason"].as_str().unwrap().contains("USE_AA_PAGE_SPONSORSHIP"), "{refused}");
    }
    assert!(ledger(&url).await.is_empty(), "nothing was decided, so nothing is reserved");

    // A person who pays goes on without being asked anything: the grant is not tried with a sponsor.
    let relay = Rc::new(HttpRelay::new(&server.url).unwrap());
    let client = SmartAccountClient::new(Rc::new(LocalWallet::new(PrivateKeySigner::random(), CHAIN)), relay.clone());
    let rpc = common::lab().await.info().rpc_url.expose().to_string();
    common::rpc(&rpc, "anvil_setBalance", json!([client.account, "0xde0b6b3a7640000"])).await;
    let none = BuildUserOpOptions::default();
    let sent = deploy_smart_account(&client, &none).await.unwrap();
    let receipt = wait_for_user_operation_receipt(relay.as_ref(), sent.user_op_hash, |_| {}).await.unwrap();
    assert!(receipt.success, "{receipt:?}");
    assert!(ledger(&url).await.is_empty(), "the account paid");
    let mint = Call {
        to: DEMO_NFT,
        value: U256::ZERO,
        data: [&[0x40, 0xd0, 0x97, 0xc3], &client.account.into_word()[..]].concat().into(),
    };
    let quotes = get_token_fees(&client, std::slice::from_ref(&mint), &none).await.unwrap();
    assert!(quotes.of(DEMO_TOKEN).is_some(), "quotes cost nobody anything");
    let refused = send_sponsored_transaction(&client, &[mint], &none).await.unwrap_err();
    assert!(matches!(refused, AppError::SponsorshipRefused { .. }), "who insists is told: {refused}");

    // With a key, until it is revoked: the page's functions are no way around that.
    let ask = async |secret: &str| {
        let params = json!([operation, {"mode": "SPONSORED", "calculateGasLimits": true}]);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "pm_sponsorUserOperation", "params": params});
        let url = format!("{}/api/v1/{CHAIN}/{secret}", server.url);
        server.client.post(url).json(&body).send().await.unwrap().json::<Value>().await.unwrap()
    };
    for secret in [secret.expose(), biconomy::LAB_KEY] {
        let answer = ask(secret).await;
        assert!(answer["result"]["paymasterAndData"].as_str().is_some_and(|data| data.len() > 42), "{answer}");
    }
    assert!(Database::at(&url).unwrap().revoke_key(&key.id).await.unwrap());
    assert_eq!(ask(secret.expose()).await["error"]["code"], json!(-32001));
    let asked = json!({"user_operation": operation, "context": {"mode": "SPONSORED", "calculateGasLimits": true}});
    assert_eq!(server.call("sponsor_user_operation", &asked).await.0, 403);
}
