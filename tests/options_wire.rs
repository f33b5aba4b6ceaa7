//! Every option of a user operation, followed down to what bundler and paymaster are asked over HTTP.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod server_support;

use std::rc::Rc;

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use async_trait::async_trait;
use futures::stream::LocalBoxStream;
use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, fees};
use use_aa::{
    actions::{
        account::SmartAccountClient,
        options::{BuildUserOpOptions, GasOffset, NonceOptions, Options, PaymasterServiceData, merge_options},
        ports::Relay,
        send_transaction::send_transaction,
    },
    client::{relay_native::HttpRelay, wallet::local::LocalWallet},
    error::AppError,
    protocol::{
        addresses::{DEMO_NFT, ENTRY_POINT},
        paymaster::{FeeQuotes, FeeQuotesRequest},
        rpc::{
            AccountState, ChainInfo, GasEstimate, GasFees, PaymasterMode, SimulationType, SponsorContext, Sponsorship,
            UserOpUpdate,
        },
        session::PublishedLeaves,
        smart_account::Call,
        user_operation::UserOperation,
    },
    server::config::{PaymasterConfig, PaymasterDialect},
};

/// Our server, over HTTP; only the chain is made up.
struct Wire(HttpRelay);

#[async_trait(?Send)]
impl Relay for Wire {
    async fn chain_info(&self) -> Result<ChainInfo, AppError> {
        self.0.chain_info().await
    }

    async fn account_state(&self, _: Address, nonce_key: U256) -> Result<AccountState, AppError> {
        Ok(AccountState {
            deployed: true,
            nonce: (nonce_key << 64) | U256::from(5),
            merkle_root: B256::ZERO,
            session_key_manager_enabled: false,
            batched_session_router_enabled: false,
            modules: Vec::new(),
            older_merkle_root: B256::ZERO,
            older_session_key_manager_enabled: false,
            roots_disputed: None,
            owner_kind: None,
            balance: U256::ZERO,
            block_timestamp: 0,
            clocks: Default::default(),
        })
    }

    async fn read(&self, method: &str, params: Value) -> Result<Value, AppError> {
        self.0.read(method, params).await
    }

    async fn gas_fees(&self) -> Result<GasFees, AppError> {
        Ok(GasFees { max_fee_per_gas: U256::from(1_000), max_priority_fee_per_gas: U256::from(100) })
    }

    async fn estimate(&self, operation: &UserOperation, state: Option<Value>) -> Result<GasEstimate, AppError> {
        self.0.estimate(operation, state).await
    }

    async fn sponsor(&self, operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError> {
        self.0.sponsor(operation, context).await
    }

    async fn fee_quotes(&self, operation: &UserOperation, request: &FeeQuotesRequest) -> Result<FeeQuotes, AppError> {
        self.0.fee_quotes(operation, request).await
    }

    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
        self.0.publish_sessions(account, leaves).await
    }

    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
        self.0.published_sessions(account, root).await
    }

    async fn send(&self, operation: &UserOperation, simulation: Option<SimulationType>) -> Result<B256, AppError> {
        self.0.send(operation, simulation).await
    }

    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
        self.0.watch(user_op_hash)
    }
}

/// Bundler and paymaster in one.
async fn upstream() -> Upstream {
    Upstream::start(|call| match call["method"].as_str() {
        Some("eth_estimateUserOperationGas") => Reply::Result(
            json!({"callGasLimit": "0x2710", "verificationGasLimit": "0x4e20", "preVerificationGas": "0x7530"}),
        ),
        Some("eth_sendUserOperation") => {
            let operation: UserOperation = serde_json::from_value(call["params"][0].clone()).unwrap();
            Reply::Result(json!(operation.hash(31_337)))
        }
        Some("pm_sponsorUserOperation") => Reply::Result(json!({
            "paymasterAndData": format!("0x{}", "ab".repeat(200)),
            "callGasLimit": "0x2711", "verificationGasLimit": "0x4e21", "preVerificationGas": "0x7531",
        })),
        _ => fees(call).unwrap_or(Reply::Result(Value::Null)),
    })
    .await
}

/// What bundler and paymaster were asked.
struct Asked(Upstream, Address);

impl Asked {
    async fn for_options(options: BuildUserOpOptions) -> Self {
        let upstream = upstream().await;
        let mut config = config(&upstream.url(), &upstream.url());
        let (url, dialect) = (upstream.url().parse().unwrap(), PaymasterDialect::Biconomy);
        config.paymaster = Some(PaymasterConfig::Remote { urls: vec![url], dialect, api_key: None });
        let server = Server::start(config).await;
        let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
        let client = SmartAccountClient::new(wallet, Rc::new(Wire(HttpRelay::new(&server.url).unwrap())));
        let call = Call { to: DEMO_NFT, value: U256::ZERO, data: vec![1, 2, 3, 4].into() };
        send_transaction(&client, &[call], &options).await.unwrap();
        Self(upstream, client.account)
    }

    fn estimate(&self) -> Value {
        self.0.params("eth_estimateUserOperationGas")
    }

    fn sent(&self) -> Value {
        self.0.params("eth_sendUserOperation")
    }

    fn sponsor(&self) -> Value {
        self.0.params("pm_sponsorUserOperation")
    }
}

#[tokio::test]
async fn without_options_nothing_is_added() {
    let asked = Asked::for_options(BuildUserOpOptions::default()).await;
    assert_eq!(asked.estimate().as_array().unwrap().len(), 2, "no state override");
    let sent = asked.sent();
    assert_eq!(sent.as_array().unwrap().len(), 2, "no simulation type");
    assert_eq!(sent[1].as_str().unwrap().to_lowercase(), ENTRY_POINT.to_string().to_lowercase());
    assert_eq!(sent[0]["nonce"], "0x5");
    assert_eq!(sent[0]["paymasterAndData"], "0x");
    assert!(sent[0]["callData"].as_str().unwrap().starts_with("0x0000189a"), "execute_ncC");
    assert_eq!(asked.0.count("pm_sponsorUserOperation"), 0);
    for (field, value) in [
        ("callGasLimit", "0x2710"),
        ("verificationGasLimit", "0x4e20"),
        ("preVerificationGas", "0x7530"),
        ("maxFeePerGas", "0x3e8"),
        ("maxPriorityFeePerGas", "0x64"),
    ] {
        assert_eq!(sent[0][field], value, "{field}");
    }
}

#[tokio::test]
async fn gas_offset() {
    let gas_offset = GasOffset {
        call_gas_limit_offset_pct: Some(10),
        verification_gas_limit_offset_pct: Some(20),
        pre_verification_gas_offset_pct: Some(30),
        max_fee_per_gas_offset_pct: Some(40),
        max_priority_fee_per_gas_offset_pct: Some(50),
    };
    let options = BuildUserOpOptions { gas_offset: Some(gas_offset), ..Default::default() };
    let sent = Asked::for_options(options.clone()).await.sent();
    let raised = [
        ("callGasLimit", 11_000),
        ("verificationGasLimit", 24_000),
        ("preVerificationGas", 39_000),
        ("maxFeePerGas", 1_400),
        ("maxPriorityFeePerGas", 150),
    ];
    for (field, value) in raised {
        assert_eq!(sent[0][field], format!("{value:#x}"), "{field}");
    }
    // With a sponsor the raised values are what is signed.
    let asked = Asked::for_options(merge_options([Options::sponsored(), options])).await;
    assert_eq!(asked.sponsor()[1]["calculateGasLimits"], false);
    assert_eq!(asked.sponsor()[0]["maxFeePerGas"].as_str().map(str::to_owned), Some(format!("{:#x}", 1_400)));
}

#[tokio::test]
async fn nonce_options() {
    let of = |nonce_key: Option<u64>, nonce_override: Option<u64>| BuildUserOpOptions {
        nonce_options: Some(NonceOptions {
            nonce_key: nonce_key.map(U256::from),
            nonce_override: nonce_override.map(U256::from),
        }),
        ..Default::default()
    };
    for (options, nonce) in [
        (of(Some(7), None), "0x70000000000000005"),
        (of(None, Some(9)), "0x9"),
        (of(Some(7), Some(0)), "0x0"),
        (of(Some(0), None), "0x5"),
    ] {
        let asked = Asked::for_options(options.clone()).await;
        assert_eq!(asked.sent()[0]["nonce"], nonce, "{options:?}");
        assert_eq!(asked.estimate()[0]["nonce"], nonce, "{options:?}");
    }
}

#[tokio::test]
async fn force_encode_for_batch_and_empty_deploy_call_data() {
    let batch = BuildUserOpOptions { force_encode_for_batch: Some(true), ..Default::default() };
    let sent = Asked::for_options(batch).await.sent();
    assert!(sent[0]["callData"].as_str().unwrap().starts_with("0x00004680"), "executeBatch_y6U");
    let empty = BuildUserOpOptions { use_empty_deploy_call_data: Some(true), ..Default::default() };
    assert_eq!(Asked::for_options(empty).await.sent()[0]["callData"], "0x");
}

#[tokio::test]
async fn simulation_type() {
    for (simulation_type, name) in [
        (SimulationType::Validation, "validation"),
        (SimulationType::ValidationAndExecution, "validation_and_execution"),
    ] {
        let options = BuildUserOpOptions { simulation_type: Some(simulation_type), ..Default::default() };
        assert_eq!(serde_json::to_value(&options).unwrap(), json!({"simulationType": name}));
        for options in [options.clone(), merge_options([Options::sponsored(), options])] {
            assert_eq!(Asked::for_options(options).await.sent()[2], json!({"simulation_type": name}));
        }
    }
}

#[tokio::test]
async fn state_override_set() {
    let whom = Address::repeat_byte(7).to_string();
    let set = json!({whom.clone(): {"balance": "0xde0b6b3a7640000", "nonce": "0x2"}});
    let options = BuildUserOpOptions { state_override_set: Some(set.clone()), ..Default::default() };
    let asked = Asked::for_options(options.clone()).await;
    let lower = |value: &Value| value.to_string().to_lowercase();
    assert_eq!(lower(&asked.estimate()[2]), lower(&set));
    // With a sponsor, too; the account itself is made rich enough for the estimate.
    let asked = Asked::for_options(merge_options([Options::sponsored(), options])).await;
    let given = lower(&asked.estimate()[2]);
    assert!(given.contains(&lower(&set[&whom])) && given.contains(&asked.1.to_string().to_lowercase()), "{given}");
    assert_eq!(asked.sponsor()[0]["callGasLimit"], "10000", "what was estimated is what is signed");
    assert_eq!(asked.sponsor()[1]["calculateGasLimits"], false);
}

#[tokio::test]
async fn dummy_pnd_override() {
    let dummy = vec![0xcd; 40];
    let options = BuildUserOpOptions { dummy_pnd_override: Some(dummy.clone().into()), ..Default::default() };
    for options in [options.clone(), merge_options([Options::sponsored(), options])] {
        let asked = Asked::for_options(options).await;
        assert_eq!(asked.estimate()[0]["paymasterAndData"], format!("0x{}", hex::encode(&dummy)));
        assert_ne!(asked.sent()[0]["paymasterAndData"], asked.estimate()[0]["paymasterAndData"], "never sent");
    }
}

#[tokio::test]
async fn paymaster_service_data() {
    let data = PaymasterServiceData {
        mode: Some(PaymasterMode::Sponsored),
        calculate_gas_limits: Some(false),
        expiry_duration: Some(77),
        webhook_data: Some(json!({"order": 12})),
        ..Default::default()
    };
    let options = BuildUserOpOptions { paymaster_service_data: Some(data), ..Default::default() };
    let asked = Asked::for_options(options).await;
    let context = &asked.sponsor()[1];
    assert_eq!(context["mode"], "SPONSORED");
    assert_eq!(context["calculateGasLimits"], false);
    assert_eq!(context["expiryDuration"], 77);
    assert_eq!(context["sponsorshipInfo"]["webhookData"], json!({"order": 12}));
    assert_eq!(asked.sent()[0]["paymasterAndData"], format!("0x{}", "ab".repeat(200)));
    assert_eq!(asked.sent()[0]["callGasLimit"], "0x2711", "what the paymaster signed");

    let asked = Asked::for_options(Options::sponsored()).await;
    assert_eq!(asked.sponsor()[1]["calculateGasLimits"], true);
    assert_eq!(asked.0.count("eth_estimateUserOperationGas"), 0, "the paymaster reckons the limits");
}
