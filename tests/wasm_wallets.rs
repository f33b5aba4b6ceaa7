//! Wallets in a real browser: announcement, connection, signature, chain switch, events, refusals.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use alloy::primitives::{Address, B256, address};
use js_sys::{Function, Object, Reflect};
use use_aa::{
    client::{
        time::sleep,
        wallet::{
            Connected, eip1193,
            events::{self, WalletEvent},
            info::{INJECTED_WALLET, LAB_WALLET, WalletInfo},
            lab, port, registry, thrown,
        },
    },
    error::AppError,
    protocol::{
        distributed_key::TypedData,
        rpc::{ChainInfo, NativeCurrency},
    },
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const OWNER: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// A wallet whose `request` runs this JavaScript body over `(method, params, wallet)`; it has `on`,
/// `removeListener`, `emit` and a log of its requests.
fn wallet(body: &str) -> Object {
    let make = Function::new_no_args(&format!(
        "const wallet = {{ log: [], listeners: {{}}, chain: '0x1',
            on(event, listener) {{ (this.listeners[event] ??= []).push(listener); }},
            removeListener(event, listener) {{
                this.listeners[event] = (this.listeners[event] ?? []).filter((known) => known !== listener); }},
            emit(event, payload) {{ for (const listener of this.listeners[event] ?? []) listener(payload); }},
            async request({{ method, params }}) {{ wallet.log.push(method); {body} }} }};
         return wallet;"
    ));
    make.call0(&JsValue::UNDEFINED).unwrap().unchecked_into()
}

const FRIENDLY: &str = r"
    if (method === 'eth_requestAccounts' || method === 'eth_accounts') return ['0x70997970C51812dc3A010C7d01b50e0d17dc79C8'];
    if (method === 'eth_chainId') return wallet.chain;
    if (method === 'personal_sign') return params[0] + '11'.repeat(65 - (params[0].length - 2) / 2 - 1) + '01';
    if (method === 'wallet_switchEthereumChain') {
        if (wallet.added !== params[0].chainId) throw { code: 4902, message: 'Unrecognized chain' };
        wallet.chain = params[0].chainId; return null; }
    if (method === 'wallet_addEthereumChain') { wallet.added = params[0].chainId; return null; }
    throw { code: -32601, message: 'not here: ' + method };";

fn announce(rdns: &str, provider: &Object) {
    thread_local!(static LISTENS: Cell<bool> = const { Cell::new(false) });
    if !LISTENS.replace(true) {
        registry::discover(|_| {});
    }
    let announce = Function::new_with_args(
        "rdns, provider",
        "window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: {
            info: { uuid: rdns, rdns, name: 'Wallet ' + rdns, icon: 'data:image/svg+xml,x' }, provider } }))",
    );
    announce.call2(&JsValue::UNDEFINED, &rdns.into(), provider).unwrap();
}

/// The value of a JavaScript expression.
fn js(expression: &str) -> JsValue {
    Function::new_no_args(&format!("return {expression};")).call0(&JsValue::UNDEFINED).unwrap()
}

fn log(wallet: &Object) -> Vec<String> {
    let log: js_sys::Array = Reflect::get(wallet, &"log".into()).unwrap().unchecked_into();
    log.iter().map(|entry| entry.as_string().unwrap()).collect()
}

fn emit(wallet: &Object, event: &str, payload: &JsValue) {
    let emit: Function = Reflect::get(wallet, &"emit".into()).unwrap().unchecked_into();
    emit.call2(wallet, &event.into(), payload).unwrap();
}

fn chain() -> ChainInfo {
    ChainInfo {
        chain_id: 31337,
        name: "Lab".into(),
        entry_point: Address::ZERO,
        lab: true,
        sponsored: true,
        page_sponsorship: true,
        public_rpc_url: Some("http://127.0.0.1:8545".into()),
        explorer_url: None,
        native_currency: NativeCurrency::new("Test Coin", "TEST"),
        account: Default::default(),
        account_kinds: Vec::new(),
    }
}

#[wasm_bindgen_test]
async fn wallets_announce_themselves_and_connect() {
    let seen = Rc::new(RefCell::new(Vec::<WalletInfo>::new()));
    let list = Rc::clone(&seen);
    registry::discover(move |wallets| *list.borrow_mut() = wallets);
    let provider = wallet(FRIENDLY);
    announce("test.friendly", &provider);
    announce("test.friendly", &provider);
    announce("lab", &provider);
    announce("test.no.provider", &Object::new());
    let names: Vec<_> = seen.borrow().iter().map(|wallet| wallet.rdns.clone()).collect();
    assert_eq!(names.iter().filter(|rdns| *rdns == "test.friendly").count(), 1);
    assert!(!names.iter().any(|rdns| rdns == "lab" || rdns == "test.no.provider" || rdns == INJECTED_WALLET));

    let connected = Connected::open("test.friendly", false, None).await.unwrap().unwrap();
    assert_eq!((connected.address, connected.chain_id), (OWNER, Some(1)));
    Connected::open("test.friendly", true, None).await.unwrap().unwrap();
    assert_eq!(log(&provider), ["eth_requestAccounts", "eth_chainId", "eth_accounts", "eth_chainId"]);

    let signature = port("test.friendly", OWNER, 31337).unwrap().sign_message(b"hi").await.unwrap();
    assert_eq!((signature.len(), &signature[..2], signature[64]), (65, b"hi".as_slice(), 28));

    eip1193::switch_chain(&provider, &chain()).await.unwrap();
    assert_eq!(eip1193::chain_id(&provider).await.unwrap(), 31337);
    assert!(log(&provider).contains(&"wallet_addEthereumChain".to_owned()));
    let unknown = ChainInfo { chain_id: 5, public_rpc_url: None, ..chain() };
    let refused = eip1193::switch_chain(&provider, &unknown).await;
    assert_eq!(refused, Err(AppError::WrongChain { expected: 5, actual: 31337 }));
}

#[wasm_bindgen_test]
async fn refusals_and_nonsense_are_typed() {
    for (body, expected) in [
        ("throw { code: 4001, message: 'no' };", "WalletRejected"),
        ("throw Object.assign(new Error('locked'), { code: 4100 });", "Wallet"),
        ("throw null;", "Wallet"),
        ("return [];", "NoWallet"),
        ("return ['0x12'];", "InvalidInput"),
        ("return { hostile: true };", "InvalidInput"),
        ("return undefined;", "InvalidInput"),
        ("const loop = {}; loop.loop = loop; return loop;", "InvalidInput"),
    ] {
        announce("test.hostile", &wallet(body));
        let error = Connected::open("test.hostile", false, None).await.unwrap_err();
        assert_eq!(error.name(), expected, "{body}");
        let error = port("test.hostile", OWNER, 1).unwrap().sign_message(b"x").await.unwrap_err();
        assert!(matches!(error.name(), "WalletRejected" | "Wallet" | "InvalidInput"), "{body}: {error}");
    }
    announce("test.silent", &wallet("return [];"));
    assert_eq!(Connected::open("test.silent", true, None).await, Ok(None));
    let missing = Connected::open("test.missing", false, None).await;
    assert!(matches!(missing, Err(AppError::NoWallet { .. })));
}

/// What a person hears of each verb when the wallet throws `body`.
async fn heard_of_every_verb(body: &str) -> Vec<AppError> {
    announce("test.thrower", &wallet(&format!("if (method === 'eth_chainId') return '0x1'; {body}")));
    let provider = registry::provider("test.thrower").unwrap();
    let signer = port("test.thrower", OWNER, 1).unwrap();
    let typed = TypedData { json: serde_json::json!({}), digest: B256::ZERO };
    vec![
        Connected::open("test.thrower", false, None).await.unwrap_err(),
        signer.sign_message(b"x").await.unwrap_err(),
        signer.sign_typed_data(&typed).await.unwrap_err(),
        eip1193::switch_chain(&provider, &chain()).await.unwrap_err(),
    ]
}

#[wasm_bindgen_test]
async fn refusals_in_every_shape_are_refusals_of_every_verb() {
    for body in [
        "throw { code: 4001, message: 'no' };",
        "throw Object.assign(new Error('no'), { code: '4001' });",
        "throw 'User rejected';",
        "throw 4001;",
        "throw new Error('User rejected the request.');",
        "throw new Error('wrapped', { cause: Object.assign(new Error('x'), { code: 4001 }) });",
        "throw { code: -32603, message: 'MetaMask Tx Signature: User denied transaction signature.' };",
        "throw Object.assign(new Error('Internal JSON-RPC error.'), { code: -32603, data: { originalError: { code: 4001 } } });",
        "throw Object.assign(new Error('x'), { data: new Error('user cancelled') });",
        "throw { code: 5000, message: 'User rejected.' };",
        "throw Object.assign(new Error('user rejected action'), { code: 'ACTION_REJECTED', info: { error: { code: 4001 } } });",
        "class UserRejectedRequestError extends Error { name = 'UserRejectedRequestError'; } throw new UserRejectedRequestError('x');",
        "throw new Error('{\"code\":4001,\"message\":\"x\"}');",
        "throw new Proxy({}, { get: (_, name) => name === 'code' ? 4001 : undefined });",
        "throw new DOMException('User denied it', 'NotAllowedError');",
        "const frame = document.createElement('iframe'); document.body.append(frame);
         const error = Object.assign(new frame.contentWindow.Error('x'), { code: 4001 }); frame.remove(); throw error;",
        "const round = { code: 4001 }; round.cause = round; throw round;",
        "throw { get message() { throw new Error('trap'); }, code: 4001 };",
    ] {
        assert_eq!(heard_of_every_verb(body).await, vec![AppError::WalletRejected; 4], "{body}");
    }
}

#[wasm_bindgen_test]
async fn who_says_nothing_is_not_said_to_have_refused() {
    for body in [
        "throw {};",
        "throw null;",
        "throw undefined;",
        "throw new Error();",
        "throw '';",
        "throw [];",
        "throw () => {};",
        "throw Symbol('x');",
        "throw { message: {}, data: {} };",
        "const round = {}; round.cause = round; throw round;",
        "throw new Proxy({}, { get() { throw new Error('trap'); } });",
        "return Promise.reject();",
    ] {
        for error in heard_of_every_verb(body).await {
            assert_eq!(error.to_string(), thrown::NO_REASON, "{body}");
            assert_eq!(error.name(), "Wallet", "{body}");
        }
    }
    let said = heard_of_every_verb("throw { code: -32002, message: 'already pending' };").await;
    assert_eq!(said, vec![AppError::Wallet { code: -32002, message: "already pending".into() }; 4]);
}

#[wasm_bindgen_test]
async fn a_contracts_signature_comes_whole() {
    announce("test.contract", &wallet("return '0x' + 'ab'.repeat(600);"));
    let given = port("test.contract", OWNER, 1).unwrap().sign_message(b"x").await.unwrap();
    assert_eq!(given.len(), 600);
}

#[wasm_bindgen_test]
async fn events_are_followed_until_let_go() {
    let provider = wallet(FRIENDLY);
    announce("test.events", &provider);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&seen);
    events::follow("test.events", move |event| {
        if event == WalletEvent::Disconnected {
            // As the provider does: lets go from inside a listener.
            events::unfollow();
        }
        heard.borrow_mut().push(event);
    });
    emit(&provider, "accountsChanged", &js_sys::Array::new());
    emit(&provider, "accountsChanged", &"nonsense".into());
    emit(&provider, "chainChanged", &"0x7a69".into());
    // A hiccup is none of the farewells: an `Error` as well as a plain object says so by its code.
    emit(
        &provider,
        "disconnect",
        &js("Object.assign(new Error('Disconnected from chain. Attempting to connect.'), { code: 1013 })"),
    );
    emit(&provider, "disconnect", &js("({ code: '1013' })"));
    emit(&provider, "connect", &js("({ chainId: '0x7a69' })"));
    emit(&provider, "disconnect", &JsValue::NULL);
    // Let go from now on, though the listeners are still there.
    emit(&provider, "chainChanged", &"0x1".into());
    sleep(10).await;
    emit(&provider, "chainChanged", &"0x1".into());
    let expected = [
        WalletEvent::Account(None),
        WalletEvent::Chain(31337),
        WalletEvent::Reconnecting,
        WalletEvent::Reconnecting,
        WalletEvent::Connected,
        WalletEvent::Disconnected,
    ];
    assert_eq!(*seen.borrow(), expected);
    for payload in
        ["({ code: 1000 })", "({ code: 1011 })", "({ code: 4900 })", "({ code: 4901 })", "undefined", "'bye'"]
    {
        let heard = Rc::new(RefCell::new(None));
        let hears = Rc::clone(&heard);
        events::follow("test.events", move |event| drop(hears.borrow_mut().replace(event)));
        emit(&provider, "disconnect", &js(payload));
        assert_eq!(*heard.borrow(), Some(WalletEvent::Disconnected), "{payload}");
    }
    events::unfollow();
}

#[wasm_bindgen_test]
async fn a_wallet_that_never_answers_a_question_is_asked_the_next_one() {
    let asleep =
        "if (method === 'eth_accounts' && !wallet.woken) { wallet.woken = true; return new Promise(() => {}); }";
    let provider = wallet(&[asleep, FRIENDLY].concat());
    announce("test.asleep", &provider);
    let first = Connected::open_in_time("test.asleep", 50, None).await;
    assert!(matches!(first, Err(AppError::Network { .. })), "{first:?}");
    let next = Connected::open_in_time("test.asleep", 5_000, None).await.unwrap().unwrap();
    assert_eq!((next.address, next.chain_id), (OWNER, Some(1)));
    assert_eq!(log(&provider), ["eth_accounts", "eth_accounts", "eth_chainId"]);
}

#[wasm_bindgen_test]
async fn the_lab_wallet_signs_by_itself() {
    let connected = Connected::open(LAB_WALLET, true, Some(31337)).await.unwrap().unwrap();
    assert_eq!((connected.address, connected.chain_id), (lab::OWNER, Some(31337)));
    let wallet = port(LAB_WALLET, lab::OWNER, 31337).unwrap();
    assert_eq!(wallet.chain_id().await.unwrap(), 31337);
    assert_eq!(wallet.sign_message(b"x").await.unwrap().len(), 65);
}
