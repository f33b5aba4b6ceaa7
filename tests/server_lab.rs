//! The relay on the real lab: sponsored, self-paid, reverted and refused operations, and their streams.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "server_lab/nexus.rs"]
mod nexus;
mod server_support;

use std::time::{Duration, Instant};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::SolCall,
};
use common::manners::{Cap, Manners, Proxy, Shape};
use serde_json::{Value, json};
use server_support::{Server, states};
use use_aa::{
    protocol::{
        addresses::{DEMO_NFT, ECDSA_MODULE},
        signature::{DUMMY_ECDSA, wrap},
        smart_account::{Call, counterfactual_address, encode_calls, init_code},
        user_operation::UserOperation,
    },
    server::{config::Config, state::ServerState},
};

sol! {
    function safeMint(address to) external;
    function balanceOf(address owner) external view returns (uint256);
    function noSuchFunction() external;
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Our server in front of the shared lab.
async fn server() -> Server {
    Server::start_with(state(|_| ()).await).await
}

async fn state(change: impl FnOnce(&mut Config)) -> ServerState {
    let mut config = Config::from_args(&Default::default()).unwrap();
    common::lab().await.fill(&mut config);
    change(&mut config);
    ServerState::new(config).unwrap()
}

/// The lab's node with other manners.
async fn node(manners: Manners) -> Proxy {
    Proxy::start(common::lab().await.info().rpc_url.expose().to_string(), manners).await
}

/// Our server in front of the shared lab, with these nodes.
async fn server_on(nodes: &[&Proxy], confirmations: u64) -> (Server, ServerState) {
    let urls = nodes.iter().map(|node| node.url.parse().unwrap()).collect();
    let state = state(|config| (config.rpc_urls, config.confirmations) = (urls, confirmations)).await;
    (Server::start_with(state.clone()).await, state)
}

/// An account that nobody used before, and what it does.
struct Person {
    key: PrivateKeySigner,
    account: Address,
}

impl Person {
    fn new() -> Self {
        let key = PrivateKeySigner::random();
        let account = counterfactual_address(key.address(), U256::ZERO);
        Self { key, account }
    }

    /// An operation with fees and a dummy signature, without limits; deploys the account when it must.
    async fn prepare(&self, server: &Server, call: Call) -> UserOperation {
        let (status, state) = server.call("account_state", &json!({"account": self.account, "nonce_key": "0x0"})).await;
        assert_eq!(status, 200, "{state}");
        let (_, fees) = server.call("gas_fees", &json!({})).await;
        UserOperation {
            sender: self.account,
            nonce: serde_json::from_value(state["nonce"].clone()).unwrap(),
            init_code: if state["deployed"] == true { Bytes::new() } else { init_code(self.key.address(), U256::ZERO) },
            call_data: encode_calls(&[call], false).unwrap(),
            max_fee_per_gas: serde_json::from_value(fees["maxFeePerGas"].clone()).unwrap(),
            max_priority_fee_per_gas: serde_json::from_value(fees["maxPriorityFeePerGas"].clone()).unwrap(),
            signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
            ..Default::default()
        }
    }

    fn sign(&self, operation: &mut UserOperation) -> B256 {
        let hash = operation.hash(31337);
        operation.signature = wrap(ECDSA_MODULE, &self.key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
        hash
    }

    /// Prepared, sponsored and signed.
    async fn sponsored(&self, server: &Server, call: Call) -> (UserOperation, B256) {
        let mut operation = self.prepare(server, call).await;
        let arguments = json!({"user_operation": operation, "context": server_support::sponsor_context()});
        let (status, sponsorship) = server.call("sponsor_user_operation", &arguments).await;
        assert_eq!(status, 200, "{sponsorship}");
        put(&mut operation, &sponsorship);
        let hash = self.sign(&mut operation);
        (operation, hash)
    }

    fn mint(&self) -> Call {
        Call { to: DEMO_NFT, value: U256::ZERO, data: safeMintCall { to: self.account }.abi_encode().into() }
    }

    async fn nfts(&self, server: &Server) -> Value {
        let data = Bytes::from(balanceOfCall { owner: self.account }.abi_encode());
        let params = json!([{"to": DEMO_NFT, "data": data}, "latest"]);
        server.call("read_chain", &json!({"method": "eth_call", "params": params})).await.1
    }
}

/// Limits, and paymaster data when there are any.
fn put(operation: &mut UserOperation, answer: &Value) {
    let gas = |name: &str| serde_json::from_value(answer[name].clone()).unwrap();
    operation.call_gas_limit = gas("callGasLimit");
    operation.verification_gas_limit = gas("verificationGasLimit");
    operation.pre_verification_gas = gas("preVerificationGas");
    if let Some(data) = answer.get("paymasterAndData") {
        operation.paymaster_and_data = serde_json::from_value(data.clone()).unwrap();
    }
}

async fn send(server: &Server, operation: &UserOperation) -> (u16, Value) {
    server.call("send_user_operation", &json!({"user_operation": operation})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_far_above_what_is_due_are_not_sponsored() {
    let server = server().await;
    let person = Person::new();
    let mut greedy = person.prepare(&server, person.mint()).await;
    greedy.max_fee_per_gas *= U256::from(10);
    let arguments = json!({"user_operation": greedy, "context": server_support::sponsor_context()});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sponsored_operation_deploys_and_mints_then_mints_again() {
    let server = server().await;
    let person = Person::new();
    for (deployed, nfts) in [(false, 1), (true, 2)] {
        let (_, before) = server.call("account_state", &json!({"account": person.account, "nonce_key": "0x0"})).await;
        assert_eq!(before["deployed"], deployed);
        assert_eq!(before["sessionKeyManagerEnabled"], false);
        let begun = Instant::now();
        let (operation, hash) = person.sponsored(&server, person.mint()).await;
        println!("prepared and sponsored after {:?}", begun.elapsed());
        let begun = Instant::now();
        let (status, sent) = send(&server, &operation).await;
        assert_eq!((status, &sent), (200, &json!(hash)), "{sent}");
        let accepted = begun.elapsed();
        let lines = server.follow(&sent, PATIENCE).await;
        assert_eq!(states(&lines), ["submitted", "bundled", "included", "confirmed"]);
        println!("accepted after {accepted:?}, told confirmed after {:?}", lines[3].0 - begun);
        let receipt = &lines[3].1["receipt"];
        assert_eq!((&receipt["success"], &receipt["sender"]), (&json!(true), &json!(person.account)));
        let transaction = receipt["transactionHash"].clone();
        let read = json!({"method": "eth_getTransactionReceipt", "params": [transaction]});
        assert_eq!(server.call("read_chain", &read).await.1["status"], "0x1");
        assert_eq!(person.nfts(&server).await, json!(format!("0x{nfts:064x}")));
    }
    let (_, after) = server.call("account_state", &json!({"account": person.account, "nonce_key": "0x0"})).await;
    assert_eq!((&after["deployed"], &after["nonce"]), (&json!(true), &json!("0x2")));
    assert_eq!(after["merkleRoot"], json!(B256::ZERO));
    // Another lane of nonces begins at zero.
    let (_, lane) = server.call("account_state", &json!({"account": person.account, "nonce_key": "0x7"})).await;
    assert_eq!(lane["nonce"], json!(U256::from(7) << 64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_reverts_is_told_as_reverted() {
    let server = server().await;
    let person = Person::new();
    // Minting to nobody: the token's own words are in the reason.
    let data = safeMintCall { to: Address::ZERO }.abi_encode().into();
    let (mut operation, _) = {
        let mut operation = person.prepare(&server, Call { to: DEMO_NFT, value: U256::ZERO, data }).await;
        // An estimate would refuse; the limits are given instead.
        operation.call_gas_limit = U256::from(300_000);
        operation.verification_gas_limit = U256::from(1_000_000);
        operation.pre_verification_gas = U256::from(60_000);
        let context = json!({"mode": "SPONSORED", "calculateGasLimits": false});
        let arguments = json!({"user_operation": operation, "context": context});
        let (status, sponsorship) = server.call("sponsor_user_operation", &arguments).await;
        assert_eq!(status, 200, "{sponsorship}");
        assert_eq!(sponsorship["callGasLimit"], "0x493e0", "limits that are given are kept");
        put(&mut operation, &sponsorship);
        (operation, sponsorship)
    };
    person.sign(&mut operation);
    let (status, sent) = send(&server, &operation).await;
    assert_eq!(status, 200, "{sent}");
    let lines = server.follow(&sent, PATIENCE).await;
    let last = &lines.last().unwrap().1;
    assert_eq!(last["status"], "reverted", "{last}");
    println!("reason: {}", last["receipt"]["reason"]);
    assert_eq!(last["receipt"]["success"], false);
    assert!(last["receipt"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_pay_itself() {
    let server = server().await;
    let person = Person::new();
    let rpc = common::lab().await.info().rpc_url.expose().to_string();
    common::rpc(&rpc, "anvil_setBalance", json!([person.account, "0xde0b6b3a7640000"])).await;
    let mut operation = person.prepare(&server, person.mint()).await;
    let arguments = json!({"user_operation": operation, "state_override": null});
    let (status, estimate) = server.call("estimate_user_operation_gas", &arguments).await;
    assert_eq!(status, 200, "{estimate}");
    put(&mut operation, &estimate);
    person.sign(&mut operation);
    let (status, sent) = send(&server, &operation).await;
    assert_eq!(status, 200, "{sent}");
    assert_eq!(states(&server.follow(&sent, PATIENCE).await).last().unwrap(), "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_signature_is_refused_with_the_bundlers_words() {
    let server = server().await;
    let person = Person::new();
    let (mut operation, _) = person.sponsored(&server, person.mint()).await;
    Person::new().sign(&mut operation);
    let (status, answer) = send(&server, &operation).await;
    assert_eq!((status, &answer["error"], &answer["upstream"]), (502, &json!("UpstreamRejected"), &json!("bundler")));
    // ERC-7769: invalid signature.
    assert_eq!(answer["code"], -32507, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("signature"), "{answer}");
    // Limits that the paymaster did not sign: its signature does not fit any more.
    let (mut operation, _) = person.sponsored(&server, person.mint()).await;
    operation.call_gas_limit += U256::from(1);
    person.sign(&mut operation);
    let (_, answer) = send(&server, &operation).await;
    assert_eq!(answer["code"], -32507, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_people_at_once() {
    let server = server().await;
    let begun = Instant::now();
    let people = (0..12).map(|_| async {
        let person = Person::new();
        let (operation, _) = person.sponsored(&server, person.mint()).await;
        let (status, sent) = send(&server, &operation).await;
        assert_eq!(status, 200, "{sent}");
        // Two tabs each.
        let (a, b) = tokio::join!(server.follow(&sent, PATIENCE), server.follow(&sent, PATIENCE));
        assert_eq!(states(&a).last().unwrap(), "confirmed");
        assert_eq!(states(&b).last().unwrap(), "confirmed");
    });
    futures::future::join_all(people).await;
    println!("12 operations after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_finds_an_old_operation() {
    let first = server().await;
    let person = Person::new();
    let (operation, hash) = person.sponsored(&first, person.mint()).await;
    send(&first, &operation).await;
    assert_eq!(states(&first.follow(&json!(hash), PATIENCE).await).last().unwrap(), "confirmed");
    drop(first);
    let second = server().await;
    let lines = second.follow(&json!(hash), PATIENCE).await;
    assert_eq!(states(&lines).last().unwrap(), "confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_upstreams_are_ready() {
    let server = server().await;
    let response = server.client.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let report: Value = response.json().await.unwrap();
    let names: Vec<_> = report["upstreams"].as_array().unwrap().iter().map(|u| u["name"].clone()).collect();
    assert_eq!(names, ["node", "bundler", "paymaster", "database"]);
    let (_, info) = server.call("chain_info", &json!({})).await;
    assert_eq!((&info["chainId"], &info["lab"], &info["sponsored"]), (&json!(31337), &json!(true), &json!(true)));
}

/// Some nodes take three calls in a request, some one, and say so in their own ways.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_read_whatever_batches_a_node_takes() {
    let person = Person::new();
    let honest = server().await;
    let question = json!({"account": person.account, "nonce_key": "0x0"});
    let read = async |server: &Server| {
        let (status, mut state) = server.call("account_state", &question).await;
        assert_eq!(status, 200, "{state}");
        // Other tests make blocks meanwhile.
        state
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.to_lowercase().contains("clock") && name != "blockTimestamp");
        state
    };
    let expected = read(&honest).await;
    let manners = [
        (3, Shape::Object),
        (3, Shape::List),
        (3, Shape::Each),
        (3, Shape::Cut),
        (1, Shape::Object),
        (1, Shape::Each),
        (1, Shape::Status(400)),
        (3, Shape::Status(413)),
        (1, Shape::Status(500)),
        (1, Shape::Status(503)),
    ];
    for (most, shape) in manners {
        let node = node(Manners { batch: Some((most, shape)), ..Default::default() }).await;
        let (server, state) = server_on(&[&node], 1).await;
        assert_eq!(read(&server).await, expected, "{most} {shape:?}");
        node.forget();
        assert_eq!(read(&server).await, expected, "{most} {shape:?}");
        let batches = node.batches.lock().unwrap().clone();
        assert!(batches.iter().all(|calls| *calls <= most), "{most} {shape:?}: learned, {batches:?}");
        assert!(most == 1 || !batches.is_empty(), "{most} {shape:?}: in batches as long as it takes");
        let health = &state.health()[0];
        assert!(health.is_usable() && health.failures_in_row == 0, "{most} {shape:?}: {health:?}");
    }
    // Who takes all is asked once.
    let node = node(Manners::default()).await;
    let (server, _) = server_on(&[&node], 1).await;
    assert_eq!(read(&server).await, expected);
    assert_eq!(*node.batches.lock().unwrap(), [10]);
}

/// One refused method, block or range is asked of the next node, and the first one goes on with everything else.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_refuses_another_one_is_asked_and_nobody_rests() {
    let person = Person::new();
    let question = json!({"account": person.account, "nonce_key": "0x0"});
    let balance = json!({"method": "eth_getBalance", "params": [person.account, "latest"]});
    let height = json!({"method": "eth_blockNumber", "params": []});
    for manners in [
        Manners { without_hashes: true, ..Default::default() },
        Manners { refused: Some(("eth_getBalance", -32005, "limit exceeded")), ..Default::default() },
        Manners { refused: Some(("eth_getBalance", -32005, "rate limit exceeded")), ..Default::default() },
        Manners { refused: Some(("eth_getBalance", -32000, "header not found")), ..Default::default() },
        Manners { refused: Some(("eth_getBalance", -32601, "the method is not available")), ..Default::default() },
    ] {
        let (first, second) = (node(manners.clone()).await, node(Manners::default()).await);
        let (server, state) = server_on(&[&first, &second], 1).await;
        for _ in 0..3 {
            assert_eq!(server.call("account_state", &question).await.0, 200, "{:?}", manners.refused);
            assert_eq!(server.call("read_chain", &balance).await, (200, json!("0x0")), "{:?}", manners.refused);
            let health = &state.health()[0];
            assert!(health.is_usable(), "{:?}: {health:?}", manners.refused);
            let before = first.count("eth_blockNumber");
            assert_eq!(server.call("read_chain", &height).await.0, 200);
            assert_eq!(first.count("eth_blockNumber"), before + 1, "{:?}: asked as before", manners.refused);
        }
    }
    // With no other node it is said as it is, and everything else goes on.
    let alone =
        node(Manners { refused: Some(("eth_getBalance", -32005, "limit exceeded")), ..Default::default() }).await;
    let (server, _) = server_on(&[&alone], 1).await;
    let (status, answer) = server.call("read_chain", &balance).await;
    assert_eq!((status, &answer["error"], &answer["code"]), (502, &json!("UpstreamRejected"), &json!(-32005)));
    let begun = Instant::now();
    assert_eq!(server.call("read_chain", &height).await.0, 200);
    assert!(begun.elapsed() < Duration::from_millis(900), "nothing is waited for");
}

/// An operation is told straight through, on a node of which one in three answers is old, receipts come late, logs and
/// batches are short.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_neither_flaps_nor_hangs_on_a_node_that_lags() {
    let cap = Cap { blocks: 5, status: 400, code: -32600, words: |most| format!("up to a {most} block range") };
    let node = node(Manners {
        lag: 2,
        null_receipts: 3,
        logs: Some(cap),
        batch: Some((3, Shape::Object)),
        ..Default::default()
    })
    .await;
    let rpc = common::lab().await.info().rpc_url.expose().to_string();
    for confirmations in [3, 1] {
        let (server, _) = server_on(&[&node], confirmations).await;
        let person = Person::new();
        let (operation, hash) = person.sponsored(&self::server().await, person.mint()).await;
        let (status, sent) = send(&server, &operation).await;
        assert_eq!((status, &sent), (200, &json!(hash)), "{sent}");
        let blocks = async {
            loop {
                tokio::time::sleep(Duration::from_millis(400)).await;
                common::rpc(&rpc, "anvil_mine", json!(["0x1"])).await;
            }
        };
        let lines = tokio::select! {
            lines = server.follow(&sent, PATIENCE) => lines,
            () = blocks => unreachable!(),
        };
        // Who begins to follow late misses what was before; nothing comes twice or is taken back.
        let told = states(&lines);
        let all = ["submitted", "bundled", "included", "confirmed"];
        assert!(told.len() >= 2 && all.map(String::from).ends_with(&told), "{confirmations}: {told:?}");
        assert_eq!(states(&server.follow(&sent, PATIENCE).await), ["confirmed"]);
    }
}

/// `--check` asks what pages will ask, and says what it found.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_a_node_takes() {
    let cap = Cap { blocks: 4, status: 200, code: -32600, words: |most| format!("up to a {most} block range") };
    let narrow = node(Manners { logs: Some(cap), batch: Some((3, Shape::Object)), ..Default::default() }).await;
    let wide = node(Manners::default()).await;
    let without =
        node(Manners { refused: Some(("eth_getLogs", -32601, "no such method")), ..Default::default() }).await;
    let nodes = [&narrow, &wide, &without];
    let urls = nodes.map(|node| node.url.parse().unwrap()).to_vec();
    let mut config = Config::from_args(&Default::default()).unwrap();
    common::lab().await.fill(&mut config);
    config.rpc_urls = urls;
    let (lines, good) = use_aa::server::check::check(config).await;
    let text = lines.join("\n");
    let line = |number: usize| lines.iter().find(|line| line.contains(&format!("chain node {number} of 3:"))).unwrap();
    assert!(line(1).starts_with("ok") && line(1).contains("3 calls in one request, logs of 4 blocks"), "{text}");
    assert!(line(2).starts_with("ok") && line(2).contains("10 calls in one request"), "{text}");
    assert!(line(3).starts_with("WRONG") && line(3).contains("-32601") && !good, "{text}");
}
