//! On the real lab: gas that is paid in tokens is advanced by the token paymaster's deposit, and nobody takes it.
//!
//! The attackers bundle for themselves: they call `handleOps` with whatever was signed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Bytes, address, aliases::U192},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::SolCall,
};
use futures::future::join_all;
use tokio::sync::{Mutex, MutexGuard};
use use_aa::protocol::{
    abi::{IEntryPoint, IErc20},
    addresses::{DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, TOKEN_PAYMASTER},
    signature::{DUMMY_ECDSA, wrap},
    smart_account::{counterfactual_address, init_code},
    user_operation::UserOperation,
};

use super::*;

/// Account 1 of the test mnemonic, which anvil signs for: mints, and bundles for the attackers.
const HELPER: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// Where attackers put what they got.
const LOOT: Address = Address::repeat_byte(0x66);
const DOLLARS: u64 = 1_000_000;

sol! {
    function mint(address to, uint256 value);
    function transferFrom(address from, address to, uint256 value);
}

/// The deposit is everybody's: who looks at it takes turns.
static DEPOSIT: Mutex<()> = Mutex::const_new(());

async fn turn() -> MutexGuard<'static, ()> {
    DEPOSIT.lock().await
}

async fn chain(method: &str, params: Value) -> Value {
    common::rpc(common::lab().await.info().rpc_url.expose().as_str(), method, params).await
}

async fn number(to: Address, data: Vec<u8>) -> U256 {
    let answer = chain("eth_call", json!([{"to": to, "data": Bytes::from(data)}, "latest"])).await;
    serde_json::from_value(answer).unwrap()
}

async fn dollars_of(account: Address) -> U256 {
    number(DEMO_TOKEN, IErc20::balanceOfCall { account }.abi_encode()).await
}

/// What the entry point holds for the token paymaster, wei.
async fn deposit() -> U256 {
    number(ENTRY_POINT, IErc20::balanceOfCall { account: TOKEN_PAYMASTER }.abi_encode()).await
}

/// A transaction of the helper, mined.
async fn transact(to: Address, data: Vec<u8>) -> Value {
    let sent = json!([{"from": HELPER, "to": to, "data": Bytes::from(data), "gas": "0x1000000"}]);
    let hash = chain("eth_sendTransaction", sent).await;
    let begun = Instant::now();
    loop {
        let receipt = chain("eth_getTransactionReceipt", json!([hash])).await;
        if !receipt.is_null() {
            assert_eq!(receipt["status"], "0x1", "{receipt}");
            return receipt;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn give_dollars(to: Address, number: u64) {
    transact(DEMO_TOKEN, mintCall { to, value: U256::from(number * DOLLARS) }.abi_encode()).await;
}

async fn bundle(operations: &[UserOperation]) -> Value {
    let operations = operations.iter().cloned().map(Into::into).collect();
    transact(ENTRY_POINT, IEntryPoint::handleOpsCall { operations, beneficiary: LOOT }.abi_encode()).await
}

/// A server on the lab with a policy of its own (the lab's when none is given), behind this node and this bundler.
async fn serve(policy: Option<&str>, database_url: &str, upstreams: Option<[&Upstream; 2]>) -> Server {
    let mut config = lab_config(database_url).await;
    config.sponsor_policy = policy.map(super::policy);
    if let Some(upstreams) = upstreams {
        let [node, bundler] = upstreams.map(|upstream| vec![upstream.url().parse().unwrap()]);
        (config.rpc_urls, config.bundler_urls) = (node, bundler);
    }
    Server::start_with(ServerState::new(config).unwrap()).await
}

async fn lab_config(database_url: &str) -> Config {
    let args =
        use_aa::server::config::ServeArgs { database_url: Some(database_url.parse().unwrap()), ..Default::default() };
    let mut config = Config::from_args(&args).unwrap();
    common::lab().await.fill(&mut config);
    config
}

struct Person {
    key: PrivateKeySigner,
    account: Address,
    deployed: bool,
}

fn call(to: Address, data: Vec<u8>) -> Call {
    Call { to, value: U256::ZERO, data: data.into() }
}

fn approve(spender: Address) -> Call {
    call(DEMO_TOKEN, IErc20::approveCall { spender, amount: U256::MAX }.abi_encode())
}

fn send(to: Address, amount: U256) -> Call {
    call(DEMO_TOKEN, IErc20::transferCall { to, amount }.abi_encode())
}

impl Person {
    async fn with(dollars: u64) -> Self {
        let key = PrivateKeySigner::random();
        let account = counterfactual_address(key.address(), U256::ZERO);
        give_dollars(account, dollars).await;
        Self { key, account, deployed: false }
    }

    fn mint(&self) -> Call {
        call(DEMO_NFT, [&[0x40, 0xd0, 0x97, 0xc3], self.account.into_word().as_slice()].concat())
    }

    /// An operation in a lane, its limits and fees given.
    async fn operation(&self, server: &Server, lane: u64, calls: &[Call]) -> UserOperation {
        let (_, fees) = server.call("gas_fees", &json!({})).await;
        let fee = |name: &str| serde_json::from_value::<U256>(fees[name].clone()).unwrap();
        let next = IEntryPoint::getNonceCall { sender: self.account, key: U192::from(lane) }.abi_encode();
        UserOperation {
            sender: self.account,
            nonce: number(ENTRY_POINT, next).await,
            init_code: if self.deployed { Bytes::new() } else { init_code(self.key.address(), U256::ZERO) },
            call_data: encode_calls(calls, true).unwrap(),
            call_gas_limit: U256::from(400_000),
            verification_gas_limit: U256::from(if self.deployed { 150_000 } else { 600_000 }),
            pre_verification_gas: U256::from(60_000),
            max_fee_per_gas: fee("maxFeePerGas"),
            max_priority_fee_per_gas: fee("maxPriorityFeePerGas"),
            signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
            ..Default::default()
        }
    }

    fn sign(&self, mut operation: UserOperation) -> UserOperation {
        let hash = operation.hash(CHAIN);
        operation.signature = wrap(ECDSA_MODULE, &self.key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
        operation
    }

    /// Deploys the account, pays for it in tokens, and leaves allowances behind.
    async fn settle_in(&mut self, server: &Server, spenders: &[Address]) {
        let approvals: Vec<Call> = spenders.iter().copied().map(approve).collect();
        let operation = self.operation(server, 0, &approvals).await;
        let operation = self.sign(signed(server, &operation).await);
        let before = dollars_of(self.account).await;
        bundle(&[operation]).await;
        assert!(dollars_of(self.account).await < before, "the first operation was paid for");
        self.deployed = true;
    }
}

async fn ask(server: &Server, operation: &UserOperation) -> (u16, Value) {
    let token = json!({"feeTokenAddress": DEMO_TOKEN});
    let context = json!({"mode": "ERC20", "calculateGasLimits": false, "tokenInfo": token});
    server.call("sponsor_user_operation", &json!({"user_operation": operation, "context": context})).await
}

fn with(operation: &UserOperation, answer: &Value) -> UserOperation {
    let paymaster_and_data = serde_json::from_value(answer["paymasterAndData"].clone()).unwrap();
    UserOperation { paymaster_and_data, ..operation.clone() }
}

async fn signed(server: &Server, operation: &UserOperation) -> UserOperation {
    let (status, answer) = ask(server, operation).await;
    assert_eq!(status, 200, "{answer}");
    with(operation, &answer)
}

/// Why nothing was signed.
async fn refused(server: &Server, operation: &UserOperation) -> String {
    let (status, answer) = ask(server, operation).await;
    assert_eq!((status, answer["paymasterAndData"].clone()), (403, Value::Null), "{answer}");
    answer["reason"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_charged_is_not_signed() {
    let _turn = turn().await;
    let (_folder, url) = sqlite();
    let server = serve(None, &url, None).await;
    let mut person = Person::with(100).await;
    let (before, fee) = (deposit().await, approve(TOKEN_PAYMASTER));
    let all = U256::from(100 * DOLLARS);

    // Approves, and moves the tokens away.
    let away = person.operation(&server, 0, &[fee.clone(), send(LOOT, all)]).await;
    assert!(refused(&server, &away).await.contains("tried out, the operation's calls leave the account 0 DUSD"));
    // Approves, and takes it back.
    let undone = call(DEMO_TOKEN, IErc20::approveCall { spender: TOKEN_PAYMASTER, amount: U256::ZERO }.abi_encode());
    let nothing = person.operation(&server, 0, &[fee.clone(), undone]).await;
    assert!(refused(&server, &nothing).await.contains("may take 0"));
    // Approves, and reverts: the approval is gone, too.
    let reverts = person.operation(&server, 0, &[fee.clone(), send(LOOT, all + U256::ONE)]).await;
    assert!(refused(&server, &reverts).await.contains("of which the paymaster may take 0 DUSD"));
    // Any price: whoever bundles it gets it.
    let mut dear = person.operation(&server, 0, &[fee.clone(), person.mint()]).await;
    dear.max_fee_per_gas *= U256::from(50);
    dear.max_priority_fee_per_gas = dear.max_fee_per_gas;
    assert!(refused(&server, &dear).await.contains("axFeePerGas"));
    // What the entry point would not take.
    let mut late = person.operation(&server, 0, &[fee.clone(), person.mint()]).await;
    late.nonce += U256::ONE;
    assert!(refused(&server, &late).await.contains("AA25"));
    assert_eq!(deposit().await, before);
    assert_eq!(ledger(&url).await.iter().filter(|entry| entry.outcome == "granted").count(), 0);

    // The honest beside them: not deployed, the approval inside; asked twice; without a signature, as ERC-7677 asks.
    let operation = person.operation(&server, 0, &[fee, person.mint()]).await;
    signed(&server, &operation).await;
    signed(&server, &UserOperation { signature: Bytes::new(), ..operation.clone() }).await;
    let first = person.sign(signed(&server, &operation).await);
    bundle(&[first]).await;
    person.deployed = true;
    let left = dollars_of(person.account).await;
    assert!(left < all);
    // Paid for by a standing allowance, an operation may revert: it is charged all the same.
    let reverts = person.operation(&server, 0, &[send(LOOT, all)]).await;
    bundle(&[person.sign(signed(&server, &reverts).await)]).await;
    assert!(dollars_of(person.account).await < left);
    // Moving the tokens away under a standing allowance would be undone by the charge: it is not signed, either.
    let away = person.operation(&server, 0, &[send(LOOT, dollars_of(person.account).await)]).await;
    assert!(refused(&server, &away).await.contains("leave the account 0 DUSD"));
}

/// Eight operations of one account in lanes of their own share one balance; half of them are asked of each of two servers.
#[tokio::test(flavor = "multi_thread")]
async fn one_signature_is_open_at_a_time() {
    let _turn = turn().await;
    let url = postgres_support::database().await;
    let servers = [serve(None, &url, None).await, serve(None, &url, None).await];
    let mut person = Person::with(100).await;
    person.settle_in(&servers[0], &[TOKEN_PAYMASTER]).await;
    let before = deposit().await;
    let operations = join_all((1..=8).map(|lane| {
        let (person, server) = (&person, &servers[0]);
        async move { person.operation(server, lane, &[person.mint()]).await }
    }));
    let operations = operations.await;
    let answers = join_all(operations.iter().enumerate().map(|(at, operation)| ask(&servers[at % 2], operation))).await;
    let granted: Vec<usize> = (0..8).filter(|at| answers[*at].0 == 200).collect();
    assert_eq!(granted.len(), 1, "{answers:?}");
    let nonce = operations[granted[0]].nonce;
    for (_, answer) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!(answer["error"], "GasTokenRefused", "{answer}");
        let told = answer["reason"].as_str().unwrap();
        assert!(told.contains(&format!("the nonce {nonce} waits")), "{told}");
    }
    assert_eq!(deposit().await, before);
    // The open one again, then mined: the next one is signed at once, without a pause.
    let open = &operations[granted[0]];
    let mined = bundle(&[person.sign(signed(&servers[1], open).await)]).await;
    assert!(!mined["logs"].as_array().unwrap().is_empty());
    let next = operations.iter().find(|operation| operation.nonce != nonce).unwrap();
    signed(&servers[0], next).await;
    // Somebody pays for that one's gas otherwise: its nonce is used, and nothing waits for it.
    chain("anvil_setBalance", json!([person.account, "0xde0b6b3a7640000"])).await;
    bundle(&[person.sign(next.clone())]).await;
    let last = operations.iter().rfind(|operation| operation.nonce != nonce && operation.nonce != next.nonce).unwrap();
    signed(&servers[1], last).await;
}

/// The known hole of the contract: everything is validated before anything is charged. It costs one operation.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_charged_gets_nothing_until_it_has_paid() {
    let _turn = turn().await;
    let url = postgres_support::database().await;
    let server = serve(None, &url, None).await;
    let mut attacker = Person::with(50).await;
    let mut second = Person::with(50).await;
    attacker.settle_in(&server, &[TOKEN_PAYMASTER, second.account]).await;
    second.settle_in(&server, &[TOKEN_PAYMASTER]).await;
    let before = deposit().await;

    // The second account, which pays for itself, pulls the tokens before the first one is charged.
    chain("anvil_setBalance", json!([second.account, "0xde0b6b3a7640000"])).await;
    let all = dollars_of(attacker.account).await;
    let pull = transferFromCall { from: attacker.account, to: LOOT, value: all }.abi_encode();
    let pulls = second.sign(second.operation(&server, 0, &[call(DEMO_TOKEN, pull)]).await);
    let advanced = attacker.operation(&server, 0, &[attacker.mint()]).await;
    let advanced = attacker.sign(signed(&server, &advanced).await);
    bundle(&[pulls, advanced.clone()]).await;
    assert_eq!(dollars_of(attacker.account).await, U256::ZERO, "the attack worked");
    let lost = before - deposit().await;
    assert!(!lost.is_zero() && lost <= advanced.required_prefund(), "{lost}");

    // One operation is what it costs: everything else of this account is refused, with the way out.
    let hash = json!(advanced.hash(CHAIN));
    let row = settling::row(&url, &hash, "settled").await;
    assert_eq!((row.actual_cost, row.charged), (Some(lost.to_string()), None));
    give_dollars(attacker.account, 50).await;
    let honest = attacker.operation(&server, 1, &[attacker.mint()]).await;
    let told = refused(&server, &honest).await;
    assert!(told.contains("owes") && told.contains(&TOKEN_PAYMASTER.to_string()), "{told}");
    let owed: U256 = told.split_whitespace().skip_while(|word| *word != "owes").nth(1).unwrap().parse().unwrap();
    let price = lost * U256::from(2_500_000_000_u64) / U256::from(10).pow(U256::from(18));
    assert!(owed >= price && owed < price * U256::from(3), "{owed} for {price}");
    let elsewhere = serve(None, &url, None).await;
    assert!(refused(&elsewhere, &honest).await.contains("owes"), "another server knows it, too");
    assert_eq!(before - deposit().await, lost);

    // It pays, a little less first, with gas of its own.
    chain("anvil_setBalance", json!([attacker.account, "0xde0b6b3a7640000"])).await;
    for (amount, paid) in [(owed - U256::ONE, false), (owed, true)] {
        let pays = attacker.operation(&server, 0, &[send(TOKEN_PAYMASTER, amount)]).await;
        bundle(&[attacker.sign(pays)]).await;
        if paid {
            let honest = attacker.sign(signed(&server, &honest).await);
            let had = dollars_of(attacker.account).await;
            bundle(&[honest]).await;
            assert!(dollars_of(attacker.account).await < had);
        } else {
            assert!(refused(&server, &honest).await.contains("owes"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_targets_hold_for_what_is_advanced() {
    let (_folder, url) = sqlite();
    let only_mint = format!(
        "modes = [\"ERC20\"]\n[[targets]]\naddress = \"{DEMO_NFT}\"\n[budgets]\nglobal_per_day = \"1 ether\"\n\
         [advance]\naccount = \"0.1 ether\"\n"
    );
    let server = serve(Some(&only_mint), &url, None).await;
    let person = Person::with(100).await;
    let approve_on = |to: Address| Call { to, ..approve(TOKEN_PAYMASTER) };
    let elsewhere = person.operation(&server, 0, &[approve_on(LOOT), approve(TOKEN_PAYMASTER), person.mint()]).await;
    assert!(refused(&server, &elsewhere).await.contains("not among the policy's targets"));
    let operation = person.operation(&server, 0, &[approve(TOKEN_PAYMASTER), person.mint()]).await;
    let cost = signed(&server, &operation).await.required_prefund();

    let (_folder, url) = sqlite();
    let tight = serve(Some(&format!("{only_mint}total = {}", cost * U256::from(3) / U256::from(2))), &url, None).await;
    let other = Person::with(100).await;
    signed(&tight, &operation).await;
    let second = other.operation(&tight, 0, &[approve(TOKEN_PAYMASTER), other.mint()]).await;
    assert!(refused(&tight, &second).await.contains("the advance of"));
    signed(&tight, &operation).await;

    // With a token paymaster alone, and no policy: the defaults of a public network.
    let (_folder, url) = sqlite();
    let mut config = lab_config(&url).await;
    (config.lab, config.paymaster, config.page_sponsorship) = (false, None, Some(true));
    let alone = Server::start_with(ServerState::new(config).unwrap()).await;
    signed(&alone, &operation).await;
    let context = json!({"mode": "SPONSORED", "calculateGasLimits": false});
    let question = json!({"user_operation": operation, "context": context});
    assert_eq!(alone.call("sponsor_user_operation", &question).await.0, 403);
    assert_eq!(ledger(&url).await.iter().filter(|entry| entry.outcome == "granted").count(), 1);
}

/// What an upstream does when it is asked to try an operation out.
const WELL: usize = 0;
const CANNOT: usize = 1;
const GONE: usize = 2;

/// Passes everything on to a real upstream, as far as `state` lets it try operations out.
async fn in_front_of(real: String, state: Arc<AtomicUsize>) -> Upstream {
    let simulate = format!("0x{}", alloy::hex::encode(IEntryPoint::simulateHandleOpCall::SELECTOR));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Upstream::start(move |call| {
        let tries = call["params"][0]["data"].as_str().is_some_and(|data| data.starts_with(&simulate));
        match state.load(Ordering::SeqCst) {
            CANNOT if tries => {
                return Reply::Error { code: -32_601, message: "no such thing, says SECRET".into(), data: Value::Null };
            }
            GONE if tries => return Reply::Close,
            _ => {}
        }
        let asked = client.post(&real).json(call).send();
        let answer: Value = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { asked.await.unwrap().json().await.unwrap() })
        });
        match answer.get("error") {
            None => Reply::Result(answer["result"].clone()),
            Some(error) => Reply::Error {
                code: error["code"].as_i64().unwrap(),
                message: error["message"].as_str().unwrap().into(),
                data: error["data"].clone(),
            },
        }
    })
    .await
}

/// A question of mode ERC20 makes so many questions to node and bundler at most, and nothing is signed when the node
/// cannot answer them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_question_asks_of_the_upstreams_is_bounded_and_needed() {
    let state = Arc::new(AtomicUsize::new(WELL));
    let info = common::lab().await.info();
    let node = in_front_of(info.rpc_url.expose().to_string(), state.clone()).await;
    let bundler = in_front_of(info.bundler_url.expose().to_string(), state.clone()).await;
    let (_folder, url) = sqlite();
    let server = serve(None, &url, Some([&node, &bundler])).await;
    let person = Person::with(100).await;
    let operation = person.operation(&server, 0, &[approve(TOKEN_PAYMASTER), person.mint()]).await;
    // Without those of the look at the blocks, which comes by itself.
    let asked = || {
        let counted = |call: &&Value| !["eth_getLogs", "eth_blockNumber"].contains(&call["method"].as_str().unwrap());
        let of = |upstream: &Upstream| upstream.seen.lock().unwrap().iter().filter(counted).count();
        of(&node) + of(&bundler)
    };

    for (how, statuses) in [(CANNOT, [403, 403]), (GONE, [502, 503])] {
        state.store(how, Ordering::SeqCst);
        let (status, answer) = ask(&server, &operation).await;
        let text = answer.to_string();
        assert!(statuses.contains(&status), "{status}: {text}");
        assert!(!text.contains("SECRET") && !text.contains("paymasterAndData"), "{text}");
    }
    state.store(WELL, Ordering::SeqCst);
    let before = asked();
    let token = json!({"feeTokenAddress": DEMO_TOKEN});
    let context = json!({"mode": "ERC20", "calculateGasLimits": true, "tokenInfo": token});
    let question = json!({"user_operation": operation, "context": context});
    let (status, answer) = server.call("sponsor_user_operation", &question).await;
    assert_eq!(status, 200, "{answer}");
    let for_a_signature = asked() - before;
    let before = asked();
    // Refused at once: another one waits. The look at the blocks, and the nonce of the other one.
    let second = person.operation(&server, 1, &[approve(TOKEN_PAYMASTER), person.mint()]).await;
    let asked_for_the_operation = asked() - before;
    assert!(refused(&server, &second).await.contains("waits"));
    let for_a_refusal = asked() - before - asked_for_the_operation;
    let before = asked();
    let tokens: Vec<Address> = (1..=50).map(Address::repeat_byte).collect();
    let question = json!({"user_operation": operation, "request": {"tokenList": tokens}});
    let (status, answer) = server.call("fee_quotes", &question).await;
    assert_eq!((status, answer["unsupportedTokens"].as_array().unwrap().len()), (200, 50), "{answer}");
    let for_quotes = asked() - before;
    println!("{for_a_signature} questions for a signature, {for_a_refusal} for a refusal, {for_quotes} for quotes");
    // The look at the blocks by itself may fall between.
    // Once in ten minutes three more: whether the chain is a rollup.
    assert!(for_a_signature <= 13 + 2 && for_a_refusal <= 5 + 2 && for_quotes <= 3 + 2);
}
