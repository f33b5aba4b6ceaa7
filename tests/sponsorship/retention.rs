//! Old decisions are deleted in the background, in both databases; what is open stays.

use std::time::{Duration, Instant};

use super::*;

/// Makes everything in the ledger three days older.
async fn age(url: &str) {
    let rows = "UPDATE sponsorships SET decided_at = decided_at - 259200, day = day - 3";
    let budgets = "UPDATE sponsor_budgets SET day = day - 3";
    if url.starts_with("sqlite") {
        let pool = sqlx::SqlitePool::connect(url).await.unwrap();
        for query in [rows, budgets] {
            sqlx::query(query).execute(&pool).await.unwrap();
        }
    } else {
        let pool = sqlx::PgPool::connect(url).await.unwrap();
        for query in [rows, budgets] {
            sqlx::query(query).execute(&pool).await.unwrap();
        }
    }
}

async fn old_decisions_go(url: &str) {
    let upstream = upstream().await;
    let text = format!("targets = [{{address = \"{DEMO_NFT}\"}}]\n[budgets]\nglobal_per_day = \"1 ether\"");
    let mut config = config(&upstream, policy(&text), url);
    config.ledger_days = 2;
    let first = Server::start_with(ServerState::new(config.clone()).unwrap()).await;
    assert_eq!(first.call("sponsor_user_operation", &asking(account(1), 0)).await.0, 200);
    let mut other = asking(account(1), 1);
    other["user_operation"]["callData"] =
        json!(encode_calls(&[Call { to: account(7), ..Default::default() }], false).unwrap());
    assert_eq!(first.call("sponsor_user_operation", &other).await.0, 403);
    drop(first);
    age(url).await;
    let second = Server::start_with(ServerState::new(config).unwrap()).await;
    assert_eq!(second.call("sponsor_user_operation", &other).await.0, 403);
    let begun = Instant::now();
    loop {
        let left = ledger(url).await;
        let left: Vec<_> = left.iter().map(|entry| (entry.outcome.as_str(), entry.state.as_str())).collect();
        if left == [("refused", "none"), ("granted", "reserved")] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_decisions_go_from_sqlite() {
    let (_folder, url) = sqlite();
    old_decisions_go(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_decisions_go_from_postgresql() {
    old_decisions_go(&postgres_support::database().await).await;
}
