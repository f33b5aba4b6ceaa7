//! Whoever pays in the end: without a policy, the default budgets hold.

use use_aa::server::config::{PaymasterConfig, PaymasterDialect};

use super::*;

/// A node, bundler and paymaster in one, where gas is dear: 99 gwei.
async fn dear_upstream() -> Upstream {
    Upstream::start(|call| {
        let fees = json!({"maxFeePerGas": "0x170cdc1e00", "maxPriorityFeePerGas": "0x3b9aca00"});
        match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_blockNumber" => Reply::Result(json!("0x10")),
            "eth_getBlockByNumber" => {
                let block = server_support::block();
                Reply::Result(
                    json!({"number": "0x10", "timestamp": block["timestamp"], "baseFeePerGas": "0xb68a0aa00"}),
                )
            }
            "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x3b9aca00")),
            "eth_gasPrice" => Reply::Result(json!("0xba43b7400")),
            "eth_getLogs" => Reply::Result(json!([])),
            "eth_estimateUserOperationGas" => Reply::Result(
                json!({"callGasLimit": "100000", "verificationGasLimit": "100000", "preVerificationGas": "50000"}),
            ),
            "pimlico_getUserOperationGasPrice" => Reply::Result(json!({"slow": fees, "standard": fees, "fast": fees})),
            "biconomy_getGasFeeValues" => Reply::Result(fees),
            "pm_sponsorUserOperation" | "pm_getPaymasterStubData" | "pm_getPaymasterData" => {
                Reply::Result(json!({"mode": "SPONSORED", "paymasterAndData": format!("0x{}", "ab".repeat(200))}))
            }
            other => Reply::Error { code: -32601, message: format!("no {other}"), data: Value::Null },
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_paymaster_without_a_policy_has_the_default_budgets() {
    for dialect in [PaymasterDialect::Biconomy, PaymasterDialect::Erc7677] {
        let upstream = dear_upstream().await;
        let (_folder, url) = sqlite();
        let args = use_aa::server::config::ServeArgs {
            rpc_url: Some(upstream.url().parse().unwrap()),
            bundler_url: Some(upstream.url().parse().unwrap()),
            database_url: Some(url.parse().unwrap()),
            page_sponsorship: Some("on".into()),
            ..Default::default()
        };
        let mut config = Config::from_args(&args).unwrap();
        assert!(!config.lab && config.sponsor_policy.is_none());
        let urls = vec![upstream.url().parse().unwrap()];
        config.paymaster = Some(PaymasterConfig::Remote { urls, dialect, api_key: None });
        let server = Server::start_with(ServerState::new(config).unwrap()).await;
        let ask = async |nonce: u64| {
            let mut asking = asking(account(1), nonce);
            asking["user_operation"]["maxFeePerGas"] = json!("0x170cdc1e00");
            asking["user_operation"]["maxPriorityFeePerGas"] = json!("0x3b9aca00");
            server.call("sponsor_user_operation", &asking).await
        };
        // 0.045 each: one address without a key gets a first grant's worth, 3,000,000 gas at this fee.
        for nonce in 0..6 {
            let (status, answer) = ask(nonce).await;
            assert_eq!(status, 200, "{answer}");
        }
        let (status, answer) = ask(6).await;
        assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{answer}");
        assert!(answer["reason"].as_str().unwrap().contains("wei reserved"), "{answer}");
        assert_eq!(used_gwei(&url).await, 6 * 450_000 * 99);
        assert_eq!(ledger(&url).await.len(), 7, "all decisions are written");
    }
}
