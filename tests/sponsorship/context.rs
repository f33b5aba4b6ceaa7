//! ERC-7677 services that want a context: a real socket in front of nothing but their manners.

use use_aa::server::config::{PaymasterDialect, ServeArgs};

use super::*;

const CONTEXT: &str = r#"{"policyId":"sp_5ecre7_policy","z":[1,{"deep":true}],"a":null}"#;
const DATA: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

/// Node, bundler and a service that takes no other context than this one.
async fn wanting(context: Option<&'static str>) -> Upstream {
    Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "pm_getPaymasterStubData" | "pm_getPaymasterData" => match context {
            Some(context) if call["params"][3].to_string().as_str() == context => {
                Reply::Result(json!({"paymasterAndData": DATA}))
            }
            _ => {
                let got = &call["params"][3];
                let message = format!("policyId is required in the context, got {got}");
                Reply::Error { code: -32000, message, data: got.clone() }
            }
        },
        "eth_estimateUserOperationGas" => Reply::Result(
            json!({"callGasLimit": "0x100", "verificationGasLimit": "0x200", "preVerificationGas": "0x300"}),
        ),
        _ => server_support::fees(call).unwrap_or_else(|| match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_blockNumber" => Reply::Result(json!("0x10")),
            "eth_getLogs" => Reply::Result(json!([])),
            other => Reply::Error { code: -32601, message: format!("no {other}"), data: Value::Null },
        }),
    })
    .await
}

fn configured(upstream: &Upstream, url: &str, context: Option<&str>) -> Config {
    let args = ServeArgs {
        rpc_url: Some(upstream.url().parse().unwrap()),
        bundler_url: Some(upstream.url().parse().unwrap()),
        database_url: Some(url.parse().unwrap()),
        page_sponsorship: Some("on".into()),
        paymaster_url: Some(upstream.url().parse().unwrap()),
        paymaster_dialect: Some("erc7677".into()),
        paymaster_context: context.map(|context| context.parse().unwrap()),
        ..Default::default()
    };
    Config::from_args(&args).unwrap()
}

fn asking_with_limits(calculate: bool) -> Value {
    let mut asking = asking(account(1), 0);
    asking["user_operation"]["maxFeePerGas"] = json!("0x826299e00");
    asking["context"]["calculateGasLimits"] = json!(calculate);
    // What a page asks for is its own business: nothing of it is merged in.
    asking["context"]["webhookData"] = json!({"policyId": "of-the-page"});
    asking["context"]["expiryDuration"] = json!(60);
    asking
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_gets_the_context_as_it_is_and_nobody_else() {
    let service = wanting(Some(CONTEXT)).await;
    let (_folder, url) = sqlite();
    let server = Server::start_with(ServerState::new(configured(&service, &url, Some(CONTEXT))).unwrap()).await;
    for calculate in [true, false] {
        let (status, answer) = server.call("sponsor_user_operation", &asking_with_limits(calculate)).await;
        assert_eq!((status, &answer["paymasterAndData"]), (200, &json!(DATA)), "{answer}");
        assert!(!answer.to_string().contains("5ecre7"), "{answer}");
    }
    for method in ["pm_getPaymasterStubData", "pm_getPaymasterData"] {
        assert_eq!(service.count(method), 2, "{method}");
        assert_eq!(service.params(method)[3].to_string(), CONTEXT, "{method}");
    }
    let (_, info) = server.call("chain_info", &json!({})).await;
    assert!(!info.to_string().contains("5ecre7"), "{info}");
    let (lines, good) = use_aa::server::check::check(configured(&service, &url, Some(CONTEXT))).await;
    let line = lines.iter().find(|line| line.contains("USE_AA_PAYMASTER_CONTEXT")).unwrap();
    assert!(line.starts_with("ok ") && !line.contains("5ecre7"), "{line}");
    let _ = good;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_misses_is_told_to_the_operator_only() {
    let service = wanting(Some(CONTEXT)).await;
    for wrong in [None, Some(r#"{"policyId":"sp_5ecre7_other"}"#)] {
        let (_folder, url) = sqlite();
        let server = Server::start_with(ServerState::new(configured(&service, &url, wrong)).unwrap()).await;
        let (status, answer) = server.call("sponsor_user_operation", &asking_with_limits(true)).await;
        assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{answer}");
        let text = answer.to_string();
        assert!(text.contains("as it is set up") && !text.contains("5ecre7") && !text.contains("policyId"), "{text}");
        let (lines, good) = use_aa::server::check::check(configured(&service, &url, wrong)).await;
        let line = lines.iter().find(|line| line.contains("USE_AA_PAYMASTER_CONTEXT")).unwrap();
        assert!(!good && line.starts_with("WRONG") && !line.contains("5ecre7"), "{line}");
    }
    // Set where nobody gets it: said, and no fault.
    let (_folder, url) = sqlite();
    let mut unused = configured(&service, &url, Some(CONTEXT));
    if let Some(PaymasterConfig::Remote { dialect, .. }) = &mut unused.paymaster {
        *dialect = PaymasterDialect::Biconomy;
    }
    let (lines, _) = use_aa::server::check::check(unused).await;
    assert!(lines.iter().any(|line| line.contains("no service gets it")), "{lines:?}");
}
