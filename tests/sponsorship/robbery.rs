//! On a real chain of its own: somebody bundles his own sponsored operations, and wants to be paid for it.

use alloy::{
    primitives::{Bytes, FixedBytes},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolValue},
};
use use_aa::{
    lab::{Lab, LabOptions},
    protocol::{
        abi::{IEntryPoint, ISmartAccountFactory},
        addresses::{ACCOUNT_FACTORY, DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, SESSION_KEY_MANAGER},
        signature::{DUMMY_ECDSA, wrap},
        smart_account::{counterfactual_address, enable_module, init_code, set_merkle_root},
        user_operation::UserOperation,
    },
};

use super::*;

const GWEI: u64 = 1_000_000_000;
/// Of the blocks in which the robber asks and bundles: with a base fee of nothing, a tip is all that there is.
const BASE_GWEI: u64 = 20;
/// As without a file on a public network, but for the amounts: gas is dear here.
const POLICY: &str = "targets = [{address = \"*\"}]\nsession_setup = true\n[budgets]\naccount_per_day = \"0.5 ether\"\n\
    global_per_day = \"10 ether\"";

struct World {
    lab: Lab,
    server: Server,
    url: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let lab = Lab::start(LabOptions::default()).await.unwrap();
        let (folder, url) = sqlite();
        let args = use_aa::server::config::ServeArgs { database_url: Some(url.parse().unwrap()), ..Default::default() };
        let mut config = Config::from_args(&args).unwrap();
        lab.fill(&mut config);
        config.sponsor_policy = Some(policy(POLICY));
        let server = Server::start_with(ServerState::new(config).unwrap()).await;
        Self { lab, server, url, _folder: folder }
    }

    async fn rpc(&self, method: &str, params: Value) -> Value {
        common::rpc(self.lab.info().rpc_url.expose().as_str(), method, params).await
    }

    /// The next block has this base fee, and so has the one that is mined for it.
    async fn base_fee(&self, mine: bool) {
        self.rpc("anvil_setNextBlockBaseFeePerGas", json!([format!("{:#x}", BASE_GWEI * GWEI)])).await;
        if mine {
            self.rpc("anvil_mine", json!(["0x1"])).await;
            // Advice on fees may be a second old.
            tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        }
    }

    async fn ask(&self, operation: &UserOperation) -> (u16, Value) {
        let context = json!({"mode": "SPONSORED", "calculateGasLimits": false});
        self.server.call("sponsor_user_operation", &json!({"user_operation": operation, "context": context})).await
    }

    /// Limits by the bundler, as everybody gets them; paymaster data of the right length.
    async fn estimated(&self, operation: &UserOperation) -> UserOperation {
        let context = json!({"mode": "SPONSORED", "calculateGasLimits": true});
        let arguments = json!({"user_operation": operation, "context": context});
        let (status, answer) = self.server.call("sponsor_user_operation", &arguments).await;
        assert_eq!(status, 200, "{answer}");
        with_answer(operation, &answer)
    }
}

fn with_answer(operation: &UserOperation, answer: &Value) -> UserOperation {
    let gas = |name: &str| serde_json::from_value(answer[name].clone()).unwrap();
    UserOperation {
        call_gas_limit: gas("callGasLimit"),
        verification_gas_limit: gas("verificationGasLimit"),
        pre_verification_gas: gas("preVerificationGas"),
        paymaster_and_data: serde_json::from_value::<Bytes>(answer["paymasterAndData"].clone()).unwrap(),
        ..operation.clone()
    }
}

/// A new account of a new owner with these calls, offering these fees in gwei; no call = only deployed.
fn operation(calls: impl Fn(Address) -> Vec<Call>, max_gwei: u64, tip_gwei: u64) -> (PrivateKeySigner, UserOperation) {
    let key = PrivateKeySigner::random();
    let sender = counterfactual_address(key.address(), U256::ZERO);
    let calls = calls(sender);
    let operation = UserOperation {
        sender,
        init_code: init_code(key.address(), U256::ZERO),
        call_data: if calls.is_empty() { Bytes::new() } else { encode_calls(&calls, false).unwrap() },
        max_fee_per_gas: U256::from(max_gwei * GWEI),
        max_priority_fee_per_gas: U256::from(tip_gwei * GWEI),
        signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
        ..Default::default()
    };
    (key, operation)
}

fn mint(account: Address) -> Vec<Call> {
    let mut data = vec![0x40, 0xd0, 0x97, 0xc3];
    data.extend(FixedBytes::<32>::left_padding_from(account.as_slice()));
    vec![Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }]
}

fn sign(key: &PrivateKeySigner, mut operation: UserOperation) -> UserOperation {
    let hash = operation.hash(CHAIN);
    operation.signature = wrap(ECDSA_MODULE, &key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
    operation
}

fn reason(answer: &(u16, Value)) -> &str {
    assert_eq!(answer.0, 403, "{}", answer.1);
    answer.1["reason"].as_str().unwrap()
}

fn number(value: &Value) -> U256 {
    serde_json::from_value(value.clone()).unwrap()
}

/// The robber takes all that he is given: highest tip, highest `preVerificationGas`, his own account; and pays what every
/// bundler must, the base fee and the tip that the node wants.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_bundles_his_own_operations_earns_next_to_nothing() {
    let world = World::new().await;
    let robber = PrivateKeySigner::random().address();
    world.rpc("anvil_setBalance", json!([robber, "0x8ac7230489e80000"])).await;
    world.rpc("anvil_impersonateAccount", json!([robber])).await;
    world.base_fee(true).await;

    // Three times the tip, ten times the fee: what was paid for before.
    for (max, tip, field) in [(60, 3, "maxPriorityFeePerGas"), (200, 2, "maxFeePerGas")] {
        let (_, greedy) = operation(mint, max, tip);
        let greedy = UserOperation {
            call_gas_limit: U256::from(100_000),
            verification_gas_limit: U256::from(400_000),
            pre_verification_gas: U256::from(60_000),
            ..greedy
        };
        let answer = world.ask(&greedy).await;
        assert!(reason(&answer).contains(field) && reason(&answer).contains("caps.fee_factor"), "{}", answer.1);
    }

    let (key, asked) = operation(mint, 60, 2);
    let honest = world.estimated(&asked).await;
    // As much preVerificationGas as the server is ready to pay, which it says itself; a long signature buys little.
    let most = |answer: (u16, Value)| -> U256 {
        let text = reason(&answer);
        assert!(text.contains("preVerificationGas"), "{text}");
        text.split("at most ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    let inflated = UserOperation { pre_verification_gas: U256::from(5_000_000), ..honest.clone() };
    let paid_for = most(world.ask(&inflated).await);
    let long = UserOperation { signature: vec![1; 100_000].into(), ..inflated };
    let paid_for_long = most(world.ask(&long).await);
    println!("preVerificationGas: alto {}, paid up to {paid_for}, {paid_for_long}", honest.pre_verification_gas);
    assert!(paid_for >= honest.pre_verification_gas && paid_for < honest.pre_verification_gas + U256::from(20_000));
    assert!(paid_for_long - paid_for < U256::from(60_000));

    let (status, answer) = world.ask(&UserOperation { pre_verification_gas: paid_for, ..honest }).await;
    assert_eq!(status, 200, "{answer}");
    let taken = sign(&key, with_answer(&asked, &answer));
    let bundle = IEntryPoint::handleOpsCall { operations: vec![taken.clone().into()], beneficiary: robber };
    let before = number(&world.rpc("eth_getBalance", json!([robber, "latest"])).await);
    world.base_fee(false).await;
    let transaction = json!({"from": robber, "to": ENTRY_POINT, "data": Bytes::from(bundle.abi_encode()),
        "gas": "0x2dc6c0", "maxFeePerGas": format!("{:#x}", 100 * GWEI), "maxPriorityFeePerGas": format!("{GWEI:#x}")});
    world.rpc("eth_sendTransaction", json!([transaction])).await;
    let hash = json!(taken.hash(CHAIN));
    let settled = settling::row(&world.url, &hash, "settled").await;
    let after = number(&world.rpc("eth_getBalance", json!([robber, "latest"])).await);
    let paid: U256 = settled.actual_cost.unwrap().parse().unwrap();
    let earned = after.saturating_sub(before);
    println!("paid {paid} wei, earned {earned} wei");
    assert!(paid > U256::from(BASE_GWEI * GWEI * 100_000), "it was mined at the dear base fee");
    assert!(earned < paid / U256::from(8), "he earned {earned} of {paid}");

    // Not deployed any more, it has nothing to do: that was paid for as well.
    let nothing =
        UserOperation { init_code: Bytes::new(), call_data: Bytes::new(), nonce: U256::from(1), ..taken.clone() };
    assert!(reason(&world.ask(&nothing).await).contains("does nothing"));
    // The factory as a way to run anything: another set-up, other data, another function.
    let told = |module: Address, data: &[u8]| {
        let call = ISmartAccountFactory::deployCounterFactualAccountCall {
            module,
            setupData: data.to_vec().into(),
            index: U256::ZERO,
        };
        [ACCOUNT_FACTORY.as_slice(), &call.abi_encode()].concat()
    };
    let anything = [&[0x40, 0xd0, 0x97, 0xc3][..], &robber.abi_encode()].concat();
    for init_code in [
        told(DEMO_TOKEN, &anything),
        told(ECDSA_MODULE, &anything),
        [ACCOUNT_FACTORY.as_slice(), &[1, 2, 3, 4]].concat(),
    ] {
        let (_, other) = operation(mint, 42, 1);
        let other = UserOperation { init_code: init_code.into(), ..other };
        let answer = world.ask(&other).await;
        assert!(reason(&answer).contains("initCode") || reason(&answer).contains("set up by"), "{}", answer.1);
    }

    // The honest: deployed alone, and the whole first grant, by the fees and limits that everybody gets.
    let grant =
        |account: Address| vec![enable_module(account, SESSION_KEY_MANAGER), set_merkle_root(B256::repeat_byte(1))];
    let (_, fees) = world.server.call("gas_fees", &json!({})).await;
    for calls in [&(|_| Vec::new()) as &dyn Fn(Address) -> Vec<Call>, &grant] {
        let (key, honest) = operation(calls, 0, 0);
        let honest = UserOperation {
            max_fee_per_gas: number(&fees["maxFeePerGas"]),
            max_priority_fee_per_gas: number(&fees["maxPriorityFeePerGas"]),
            ..honest
        };
        let honest = sign(&key, world.estimated(&honest).await);
        println!("most gas: {}", honest.required_prefund() / honest.max_fee_per_gas);
        let (status, hash) = world.server.call("send_user_operation", &json!({"user_operation": honest})).await;
        assert_eq!(status, 200, "{hash}");
        settling::row(&world.url, &hash, "settled").await;
    }
    let World { lab, server, .. } = world;
    drop(server);
    lab.stop().await;
}

/// A bundler whose advice is a thousand times what the node says.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundlers_advice_is_held_against_the_nodes() {
    let node = upstream().await;
    let advising = async |times: u64| {
        Upstream::start(move |call| match call["method"].as_str().unwrap() {
            "pimlico_getUserOperationGasPrice" => {
                let (fee, tip) = (format!("{:#x}", FEE * times), format!("{:#x}", FEE * times / 50));
                Reply::Result(json!({"standard": {"maxFeePerGas": fee, "maxPriorityFeePerGas": tip}}))
            }
            other => Reply::Error { code: -32601, message: format!("no {other}"), data: Value::Null },
        })
        .await
    };
    let (_folder, url) = sqlite();
    let with = async |bundler: &Upstream, factor: u64| {
        let mut config = config(&node, policy(POLICY), &url);
        config.bundler_urls = vec![bundler.url().parse().unwrap()];
        config.bundler_fee_factor = factor;
        Server::start_with(ServerState::new(config).unwrap()).await
    };
    let (honest, thousand) = (advising(1).await, advising(1_000).await);
    let server = with(&thousand, 5).await;
    for (function, arguments) in [("gas_fees", json!({})), ("sponsor_user_operation", asking(account(1), 0))] {
        let (status, answer) = server.call(function, &arguments).await;
        assert_eq!(
            (status, &answer["error"], &answer["upstream"]),
            (502, &json!("UpstreamMalformed"), &json!("bundler"))
        );
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains("USE_AA_BUNDLER_FEE_FACTOR") && reason.contains("1000000000000;"), "{reason}");
    }
    // Who says so believes it, and an honest one is believed.
    for (bundler, factor, fee) in [(&thousand, 1_000, FEE * 1_000), (&honest, 5, FEE)] {
        let (status, fees) = with(bundler, factor).await.call("gas_fees", &json!({})).await;
        assert_eq!((status, number(&fees["maxFeePerGas"])), (200, U256::from(fee)), "{fees}");
    }
}
