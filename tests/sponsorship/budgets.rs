//! Budgets: two servers, one database, everybody at once.

use std::time::Instant;

use alloy::primitives::Bytes;
use futures::future::join_all;
use serde_json::json;
use use_aa::{
    protocol::paymaster::VerifyingPaymasterData,
    server::config::{PaymasterConfig, PaymasterDialect},
};

use super::*;

/// 200 requests at once, half to each of two servers, a budget for fifty.
async fn two_hundred_at_once(database_url: &str) {
    let upstream = upstream().await;
    let limit = 50 * COST_GWEI + COST_GWEI / 2;
    let open = "[open]\ncaller_amount = \"unlimited\"\nunproven_amount = \"unlimited\"";
    let policy =
        policy(&format!("targets = [{{address = \"*\"}}]\n[budgets]\nglobal_per_day = \"{limit} gwei\"\n{open}"));
    let servers =
        [server(&upstream, policy.clone(), database_url).await, server(&upstream, policy, database_url).await];
    let begun = Instant::now();
    let answers = join_all((0..200u64).map(|number| {
        let server = &servers[usize::try_from(number % 2).unwrap()];
        async move { server.call("sponsor_user_operation", &asking(account(number), 0)).await }
    }));
    let answers = answers.await;
    println!("200 requests after {:?}", begun.elapsed());
    let granted = answers.iter().filter(|(status, _)| *status == 200).count();
    for (status, answer) in &answers {
        match status {
            200 => assert!(answer["paymasterAndData"].as_str().unwrap().len() > 300),
            403 => assert!(answer["reason"].as_str().unwrap().contains("budget"), "{answer}"),
            other => panic!("{other}: {answer}"),
        }
    }
    assert_eq!(granted, 50);
    assert_eq!(used_gwei(database_url).await, 50 * COST_GWEI);
    let ledger = ledger(database_url).await;
    assert_eq!(ledger.len(), 200, "every decision is written");
    assert_eq!(ledger.iter().filter(|entry| entry.outcome == "granted" && entry.state == "reserved").count(), 50);
    assert!(ledger.iter().all(|entry| entry.max_cost == (u128::from(COST_GWEI) * 1_000_000_000).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_hold_across_servers_over_postgresql() {
    two_hundred_at_once(&postgres_support::database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_hold_across_servers_over_one_sqlite_file() {
    let (_folder, url) = sqlite();
    two_hundred_at_once(&url).await;
}

/// One account asks forty times at once; the account's budget is for seven.
#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_budget_holds_and_others_have_their_own() {
    let upstream = upstream().await;
    let url = postgres_support::database().await;
    let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"\n";
    let policy = policy(&format!("{text}account_per_day = \"{} gwei\"", 7 * COST_GWEI));
    let servers = [server(&upstream, policy.clone(), &url).await, server(&upstream, policy, &url).await];
    let answers = join_all((0..40u64).map(|nonce| {
        let server = &servers[usize::try_from(nonce % 2).unwrap()];
        async move { server.call("sponsor_user_operation", &asking(account(1), nonce)).await }
    }));
    let statuses: Vec<u16> = answers.await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
    let (status, answer) = servers[0].call("sponsor_user_operation", &asking(account(2), 0)).await;
    assert_eq!(status, 200, "{answer}");
    // Asked again, in this second or a later one, it is the same operation.
    for _ in 0..3 {
        assert_eq!(servers[1].call("sponsor_user_operation", &asking(account(2), 0)).await.0, 200);
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
    assert_eq!(used_gwei(&url).await, 8 * COST_GWEI);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_refuses_is_written_with_its_reason() {
    let upstream = upstream().await;
    let (_folder, url) = sqlite();
    let text = "version = \"v7\"\ntargets = []\n[budgets]\nglobal_per_day = \"1 ether\"";
    let server = server(&upstream, policy(text), &url).await;
    let (status, answer) = server.call("sponsor_user_operation", &asking(account(1), 0)).await;
    assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{answer}");
    let entry = ledger(&url).await.remove(0);
    assert_eq!((entry.outcome.as_str(), entry.account), ("refused", format!("{:#x}", account(1))));
    assert!(entry.reason.unwrap().contains("targets") && entry.policy_version.starts_with("v7 "));
    assert_eq!(used_gwei(&url).await, 0);
}

/// The known hole: preVerificationGas, which the bundler keeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundler_cannot_name_its_own_price() {
    let upstream = upstream().await;
    let (_folder, url) = sqlite();
    let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"";
    let server = server(&upstream, policy(text), &url).await;
    let mut asking = asking(account(1), 0);
    asking["user_operation"]["preVerificationGas"] = json!("14000000");
    let (status, answer) = server.call("sponsor_user_operation", &asking).await;
    assert_eq!(status, 403, "{answer}");
    assert!(answer["reason"].as_str().unwrap().contains("preVerificationGas"), "{answer}");
}

/// Fail closed: nothing is signed that cannot be written down.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_nothing_is_sponsored() {
    let upstream = upstream().await;
    let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"";
    let gone = format!("postgres://me:{}@127.0.0.1:1/ledger", server_support::SECRET);
    let server = server(&upstream, policy(text), &gone).await;
    let (status, answer) = server.call("sponsor_user_operation", &asking(account(1), 0)).await;
    assert_eq!((status, &answer["upstream"]), (503, &json!("database")), "{answer}");
    let text = answer.to_string();
    assert!(!text.contains(server_support::SECRET) && !text.contains("paymasterAndData"), "{text}");
}

/// A remote paymaster is not even asked when our own policy refuses.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_stands_before_a_remote_paymaster_too() {
    let upstream = upstream().await;
    let data = format!("0x{}", "ab".repeat(200));
    let remote = Upstream::always(Reply::Result(json!({"mode": "SPONSORED", "paymasterAndData": data}))).await;
    let (_folder, url) = sqlite();
    let with = |text: &str| {
        let mut config = config(&upstream, policy(text), &url);
        let dialect = PaymasterDialect::Biconomy;
        config.paymaster =
            Some(PaymasterConfig::Remote { urls: vec![remote.url().parse().unwrap()], dialect, api_key: None });
        Server::start_with(ServerState::new(config).unwrap())
    };
    let refusing = with("targets = []\n[budgets]\nglobal_per_day = \"unlimited\"").await;
    assert_eq!(refusing.call("sponsor_user_operation", &asking(account(1), 0)).await.0, 403);
    assert_eq!(remote.count("pm_sponsorUserOperation"), 0);
    let allowing = with("targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"").await;
    let (status, answer) = allowing.call("sponsor_user_operation", &asking(account(1), 0)).await;
    assert_eq!((status, &answer["paymasterAndData"]), (200, &json!(data)), "{answer}");
    assert_eq!((remote.count("pm_sponsorUserOperation"), used_gwei(&url).await), (1, COST_GWEI));
}

/// Forty requests for forty accounts from one address, half to each of two servers; ten may be open.
async fn forty_from_one_address(database_url: &str) {
    let upstream = upstream().await;
    let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"\n[open]\nper_caller = 10";
    let policy = policy(text);
    let servers =
        [server(&upstream, policy.clone(), database_url).await, server(&upstream, policy, database_url).await];
    let answers = join_all((0..40u64).map(|number| {
        let server = &servers[usize::try_from(number % 2).unwrap()];
        async move { server.call("sponsor_user_operation", &asking(account(number), 0)).await }
    }));
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 10);
    let refused = answers.iter().find(|(status, _)| *status != 200).unwrap();
    assert_eq!(refused.0, 403);
    assert!(refused.1["reason"].as_str().unwrap().contains("you have 10 sponsorships"), "{}", refused.1);
    assert_eq!(used_gwei(database_url).await, 10 * COST_GWEI, "those that were refused hold nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_budgets_up_by_asking_alone_over_postgresql() {
    forty_from_one_address(&postgres_support::database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_budgets_up_by_asking_alone_over_sqlite() {
    let (_folder, url) = sqlite();
    forty_from_one_address(&url).await;
}

/// What a first grant may cost at most, gwei: 1,860,000 gas.
fn first_grant(number: u64) -> Value {
    let mut asking = asking(account(number), 0);
    for (name, gas) in [("callGasLimit", 300_000), ("verificationGasLimit", 500_000), ("preVerificationGas", 60_000)] {
        asking["user_operation"][name] = json!(gas);
    }
    asking
}

/// Twenty questions with an hour's life reserved the whole day, and one locked a stranger's account out.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_proven_nothing_stops_nobody_by_asking() {
    let upstream = upstream().await;
    let (_folder, url) = sqlite();
    let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"0.02 ether\"\n\
        account_per_day = \"0.003 ether\"\n[open]\nper_account = 2\nunproven_seconds = 60";
    let mut config = config(&upstream, policy(text), &url);
    config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::start_with(ServerState::new(config).unwrap()).await;
    let ask = async |from: &str, mut arguments: Value| {
        arguments["context"]["expiryDuration"] = json!(3_600);
        let request = server.post("sponsor_user_operation").header("x-forwarded-for", from).json(&arguments);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let stranger = "203.0.113.6";
    // For the honest one's account, with every nonce that it could need next, and for twenty others.
    for nonce in 0..3 {
        let (status, answer) = ask(stranger, asking(account(1), nonce)).await;
        assert_eq!(status, if nonce < 2 { 200 } else { 403 }, "{answer}");
    }
    let mut refused = None;
    for number in 0..20 {
        let (status, answer) = ask(stranger, asking(account(100 + number), 0)).await;
        refused = (status == 403).then(|| answer["reason"].to_string()).or(refused);
    }
    assert!(refused.as_ref().is_some_and(|reason| reason.contains("your address would have more than")), "{refused:?}");
    assert!(used_gwei(&url).await <= 3_000_000, "as much as one first grant");
    // A whole first grant of that account, from elsewhere, and its next operation; briefly, whatever was asked.
    let (status, answer) = ask("203.0.113.7", first_grant(1)).await;
    assert_eq!(status, 200, "{answer}");
    let data: Bytes = serde_json::from_value(answer["paymasterAndData"].clone()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let life = VerifyingPaymasterData::decode(&data).unwrap().valid_until - now;
    assert!((1..=60).contains(&life), "{life} s");
    let (status, answer) = ask("203.0.113.7", asking(account(1), 1)).await;
    assert_eq!(status, 200, "{answer}");
}
