//! On a real chain that takes a fee for data, as rollups do: own contracts stand where the OP stack and Arbitrum have theirs.
//! Nothing is configured for it.

use alloy::{
    primitives::{Bytes, address},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::{SolCall, SolValue},
};
use use_aa::{
    actions::fee_funds::read_fee_funds,
    client::relay_native::HttpRelay,
    lab::{Lab, LabOptions},
    protocol::{
        abi::IEntryPoint,
        addresses::{DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, TOKEN_PAYMASTER},
        paymaster::approve_call,
        signature::{DUMMY_ECDSA, wrap},
        smart_account::{counterfactual_address, init_code},
        user_operation::UserOperation,
    },
};

use super::*;

const ORACLE: Address = address!("420000000000000000000000000000000000000F");
const NODE_INTERFACE: Address = address!("00000000000000000000000000000000000000C8");
/// Account 1 of the test mnemonic, which anvil signs for.
const HELPER: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// Some 1,300 bytes of an operation take ten million gas and more, at a gwei.
const GAS_PER_BYTE: u64 = 12_000;
const GWEI: u64 = 1_000_000_000;
const TARGETS: &str =
    "modes = [\"SPONSORED\", \"ERC20\"]\n[[targets]]\naddress = \"*\"\n[budgets]\nglobal_per_day = \"10 ether\"\n";

sol! {
    function mint(address to, uint256 value);
}

struct World {
    lab: Lab,
    rpc: String,
}

impl World {
    async fn place(&self, name: &str, at: Address, price: u64) {
        common::place(&self.rpc, name, at).await;
        common::rpc(&self.rpc, "anvil_setStorageAt", json!([at, "0x0", B256::from(U256::from(price))])).await;
    }

    /// A server that was never asked before.
    async fn server(&self, caps: &str) -> (Server, tempfile::TempDir) {
        let (folder, url) = sqlite();
        let args = use_aa::server::config::ServeArgs { database_url: Some(url.parse().unwrap()), ..Default::default() };
        let mut config = Config::from_args(&args).unwrap();
        self.lab.fill(&mut config);
        config.sponsor_policy = Some(policy(&format!("{TARGETS}{caps}")));
        (Server::start_with(ServerState::new(config).unwrap()).await, folder)
    }

    async fn transact(&self, to: Address, data: Vec<u8>) -> Value {
        let sent = json!([{"from": HELPER, "to": to, "data": Bytes::from(data), "gas": "0x1000000"}]);
        let hash = common::rpc(&self.rpc, "eth_sendTransaction", sent).await;
        loop {
            let receipt = common::rpc(&self.rpc, "eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                assert_eq!(receipt["status"], "0x1", "{receipt}");
                return receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// A mint of a new account, at a gwei and a little more.
fn operation(calls: &[Call]) -> (PrivateKeySigner, UserOperation) {
    let key = PrivateKeySigner::random();
    let sender = counterfactual_address(key.address(), U256::ZERO);
    let mut mint = vec![0x40, 0xd0, 0x97, 0xc3];
    mint.extend(sender.into_word());
    let mint = Call { to: DEMO_NFT, value: U256::ZERO, data: mint.into() };
    let operation = UserOperation {
        sender,
        init_code: init_code(key.address(), U256::ZERO),
        call_data: encode_calls(&[calls, &[mint]].concat(), true).unwrap(),
        max_fee_per_gas: U256::from(GWEI + GWEI / 5),
        max_priority_fee_per_gas: U256::from(GWEI),
        signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
        ..Default::default()
    };
    (key, operation)
}

fn bytes_of(operation: &UserOperation) -> u64 {
    let operations = vec![operation.clone().into()];
    let call = IEntryPoint::handleOpsCall { operations, beneficiary: HELPER };
    call.abi_encode().len() as u64
}

async fn estimated(server: &Server, operation: &UserOperation) -> U256 {
    let rich = json!({operation.sender.to_string(): {"balance": "0xde0b6b3a7640000"}});
    let question = json!({"user_operation": operation, "state_override": rich});
    let (status, gas) = server.call("estimate_user_operation_gas", &question).await;
    assert_eq!(status, 200, "{gas}");
    number(&gas["preVerificationGas"])
}

fn number(value: &Value) -> U256 {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| panic!("{value}"))
}

async fn sponsor(server: &Server, operation: &UserOperation, calculate: bool, token: bool) -> (u16, Value) {
    let mut context = json!({"mode": "SPONSORED", "calculateGasLimits": calculate});
    if token {
        context =
            json!({"mode": "ERC20", "calculateGasLimits": calculate, "tokenInfo": {"feeTokenAddress": DEMO_TOKEN}});
    }
    server.call("sponsor_user_operation", &json!({"user_operation": operation, "context": context})).await
}

fn with_answer(operation: &UserOperation, answer: &Value) -> UserOperation {
    UserOperation {
        call_gas_limit: number(&answer["callGasLimit"]),
        verification_gas_limit: number(&answer["verificationGasLimit"]),
        pre_verification_gas: number(&answer["preVerificationGas"]),
        paymaster_and_data: serde_json::from_value(answer["paymasterAndData"].clone()).unwrap(),
        ..operation.clone()
    }
}

async fn bundled(world: &World, key: &PrivateKeySigner, operation: UserOperation) {
    let hash = operation.hash(CHAIN);
    let signature = wrap(ECDSA_MODULE, &key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
    let operation = UserOperation { signature, ..operation };
    let bundle =
        IEntryPoint::handleOpsCall { operations: vec![operation.into()], beneficiary: Address::repeat_byte(7) };
    let receipt = world.transact(ENTRY_POINT, bundle.abi_encode()).await;
    let topic = B256::from(alloy::primitives::hex!("49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f"));
    let logs = receipt["logs"].as_array().unwrap();
    let done = logs.iter().find(|log| log["topics"][0] == json!(topic)).unwrap();
    let data: Bytes = serde_json::from_value(done["data"].clone()).unwrap();
    let (_, success, ..) = <(U256, bool, U256, U256)>::abi_decode(&data).unwrap();
    assert!(success, "{receipt}");
}

fn reason((status, answer): (u16, Value)) -> String {
    assert_eq!(status, 403, "{answer}");
    answer["reason"].as_str().unwrap().to_owned()
}

/// What quotes, the review and limits say of an operation on this chain.
async fn quote(server: &Server, operation: &UserOperation) -> f64 {
    let question = json!({"user_operation": operation, "request": {"preferredToken": DEMO_TOKEN}});
    let (status, answer) = server.call("fee_quotes", &question).await;
    assert_eq!(status, 200, "{answer}");
    let amount = &answer["feeQuotes"][0]["maxGasFee"];
    amount.as_f64().or_else(|| amount.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_data_costs_on_the_chain_below_is_part_of_every_price() {
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    let rpc = lab.info().rpc_url.expose().to_string();
    let world = World { lab, rpc };
    let (key, asked) = operation(&[]);
    let (plain, _folder) = world.server("").await;
    let (before, quoted) = (estimated(&plain, &asked).await, quote(&plain, &asked).await);
    let relay = HttpRelay::new(&plain.url).unwrap();
    assert_eq!(read_fee_funds(&relay, asked.sender).await.unwrap().data_fee, U256::ZERO);
    assert!(before < U256::from(100_000), "{before}");

    for (name, at, price) in
        [("GasPriceOracle", ORACLE, GAS_PER_BYTE * GWEI), ("NodeInterface", NODE_INTERFACE, GAS_PER_BYTE)]
    {
        world.place(name, at, price).await;
        let (server, _folder) = world.server("").await;
        let (key, asked) = operation(&[]);

        // Advice: what the chain's own contract says of the operation's bytes, though the lab's bundler does not know of it.
        let gas = estimated(&server, &asked).await;
        let data = U256::from(GAS_PER_BYTE * bytes_of(&asked));
        assert!(
            gas > data * U256::from(8) / U256::from(10) && gas < data * U256::from(12) / U256::from(10),
            "{name}: {gas}"
        );

        // Sponsored: more gas than a block of the main chain would be paid for, and cheap.
        let (status, answer) = sponsor(&server, &asked, true, false).await;
        assert_eq!(status, 200, "{name}: {answer}");
        let signed = with_answer(&asked, &answer);
        let total = signed.pre_verification_gas + signed.call_gas_limit + signed.verification_gas_limit;
        assert!(total > U256::from(15_000_000), "{name}: {total}");
        // Whoever bundles would keep what is more than that.
        let greedy = UserOperation {
            pre_verification_gas: signed.pre_verification_gas * U256::from(3) / U256::from(2),
            ..signed.clone()
        };
        let told = reason(sponsor(&server, &greedy, false, false).await);
        assert!(told.contains("preVerificationGas"), "{name}: {told}");
        // So many units of gas for more money than a modest operation costs.
        let dear = UserOperation { call_gas_limit: U256::from(60_000_000), ..signed.clone() };
        let told = reason(sponsor(&server, &dear, false, false).await);
        assert!(told.contains("caps.total_gas and caps.cost"), "{name}: {told}");
        // A policy that names limits is kept to the letter, above what is built in and below.
        let (wide, _folder) = world.server("[caps]\ntotal_gas = 90_000_000\n").await;
        assert_eq!(sponsor(&wide, &dear, false, false).await.0, 200, "{name}");
        let (rich, _folder) = world.server("[caps]\ncost = \"0.2 ether\"\n").await;
        assert_eq!(sponsor(&rich, &dear, false, false).await.0, 200, "{name}");
        for (caps, word) in [("total_gas = 10_000_000", "total gas"), ("cost = \"0.01 ether\"", "cost")] {
            let (narrow, _folder) = world.server(&format!("[caps]\n{caps}\n")).await;
            let told = reason(sponsor(&narrow, &signed, false, false).await);
            assert!(told.contains(word), "{name}: {told}");
        }
        bundled(&world, &key, signed).await;

        // In tokens: a quote holds it, and so does what is signed, with the paymaster's own bytes.
        let (key, asked) = operation(&[approve_call(DEMO_TOKEN, TOKEN_PAYMASTER, U256::MAX)]);
        let dollars = mintCall { to: asked.sender, value: U256::from(1_000_000_000_u64) };
        world.transact(DEMO_TOKEN, dollars.abi_encode()).await;
        let with_data = quote(&server, &asked).await;
        let in_dollars = (GAS_PER_BYTE * bytes_of(&asked)) as f64 * 1e-9 * 2_500.0 * 1.05;
        assert!(with_data - quoted > in_dollars * 0.9, "{name}: {quoted} and {in_dollars} are {with_data}");
        let limits = UserOperation {
            call_gas_limit: U256::from(300_000),
            verification_gas_limit: U256::from(500_000),
            pre_verification_gas: estimated(&server, &asked).await,
            ..asked.clone()
        };
        let (status, answer) = sponsor(&server, &asked, true, true).await;
        assert_eq!(status, 200, "{name}: {answer}");
        let signed = with_answer(&asked, &answer);
        let stub = GAS_PER_BYTE * 278;
        assert!(signed.pre_verification_gas > limits.pre_verification_gas + U256::from(stub * 8 / 10), "{name}");
        // Whoever asked with limits of his own, found without the paymaster, was quoted as much.
        let (found, given) = (quote(&server, &asked).await, quote(&server, &limits).await);
        assert!(given > found * 0.95, "{name}: {given} for {found}");
        bundled(&world, &key, signed).await;

        // What a page says an operation may cost.
        let relay = HttpRelay::new(&server.url).unwrap();
        let funds = read_fee_funds(&relay, asked.sender).await.unwrap();
        let words = GAS_PER_BYTE * 2_000;
        assert!(funds.data_fee > U256::from(words) * U256::from(GWEI), "{name}: {}", funds.data_fee);
        common::rpc(&world.rpc, "anvil_setCode", json!([at, "0x"])).await;
    }
    // Nothing of it is left on a chain that takes no such fee.
    let (server, _folder) = world.server("").await;
    assert!(estimated(&server, &asked).await < U256::from(100_000));
    let (status, answer) = sponsor(&server, &asked, true, false).await;
    assert_eq!(status, 200, "{answer}");
    bundled(&world, &key, with_answer(&asked, &answer)).await;
    world.lab.stop().await;
}
