//! EIP-1193: requests to a wallet's provider, its events, and [`Eip1193Wallet`].

use std::cell::RefCell;

use alloy::primitives::{Address, Bytes};
use async_trait::async_trait;
use js_sys::{Array, Function, Object, Promise, Reflect};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

use super::{answers, registry};
use crate::{
    actions::ports::Wallet,
    error::AppError,
    protocol::{distributed_key::TypedData, rpc::ChainInfo},
};

/// One request. `Err` holds what the wallet threw, as JSON.
async fn request(provider: &Object, method: &str, params: &Value) -> Result<Value, Value> {
    let argument = Object::new();
    let parsed = js_sys::JSON::parse(&params.to_string()).map_err(|thrown| as_json(&thrown))?;
    Reflect::set(&argument, &"method".into(), &method.into()).ok();
    Reflect::set(&argument, &"params".into(), &parsed).ok();
    let function: Function = Reflect::get(provider, &"request".into())
        .and_then(|function| function.dyn_into())
        .map_err(|thrown| as_json(&thrown))?;
    let answer = function.call1(provider, &argument).map_err(|thrown| as_json(&thrown))?;
    JsFuture::from(Promise::resolve(&answer)).await.map(|value| as_json(&value)).map_err(|thrown| as_json(&thrown))
}

/// A JavaScript value as JSON; of an `Error` code, message and data are kept (they are not enumerable).
fn as_json(value: &JsValue) -> Value {
    let plain = |value: &JsValue| {
        js_sys::JSON::stringify(value)
            .ok()
            .and_then(|text| text.as_string())
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(Value::Null)
    };
    if !value.is_instance_of::<js_sys::Error>() {
        return plain(value);
    }
    let field = |name: &str| Reflect::get(value, &name.into()).map_or(Value::Null, |field| plain(&field));
    json!({ "code": field("code"), "message": field("message"), "data": field("data") })
}

/// Asks for accounts; `silent` does not open the wallet (`eth_accounts`) and answers `None` when none is shared.
pub async fn accounts(provider: &Object, silent: bool) -> Result<Option<Address>, AppError> {
    let method = if silent { "eth_accounts" } else { "eth_requestAccounts" };
    let answer = request(provider, method, &json!([])).await.map_err(|thrown| answers::error(&thrown, 0, 0))?;
    answers::first_account(method, &answer)
}

/// The chain that the wallet is on.
pub async fn chain_id(provider: &Object) -> Result<u64, AppError> {
    let answer = request(provider, "eth_chainId", &json!([])).await.map_err(|thrown| answers::error(&thrown, 0, 0))?;
    answers::chain_id(&answer)
}

/// Brings the wallet to our chain, and tells it about the chain when it does not know it and we may say how.
pub async fn switch_chain(provider: &Object, chain: &ChainInfo) -> Result<(), AppError> {
    let id = format!("{:#x}", chain.chain_id);
    let actual = chain_id(provider).await.unwrap_or_default();
    let failed = |thrown: &Value| answers::error(thrown, chain.chain_id, actual);
    let switch = json!([{ "chainId": id }]);
    let Err(thrown) = request(provider, "wallet_switchEthereumChain", &switch).await else { return Ok(()) };
    let (true, Some(url)) = (answers::error_code(&thrown) == Some(answers::UNRECOGNIZED_CHAIN), &chain.public_rpc_url)
    else {
        return Err(failed(&thrown));
    };
    let add = json!([{
        "chainId": id,
        "chainName": chain.name,
        "rpcUrls": [url],
        "nativeCurrency": chain.native_currency,
        "blockExplorerUrls": chain.explorer_url.as_ref().map(|url| vec![url]),
    }]);
    request(provider, "wallet_addEthereumChain", &add).await.map_err(|thrown| failed(&thrown))?;
    // Adding does not switch in every wallet.
    request(provider, "wallet_switchEthereumChain", &switch).await.map_err(|thrown| failed(&thrown))?;
    Ok(())
}

/// What a wallet tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEvent {
    /// `accountsChanged`: the account now shared; `None` when the person took all back.
    Account(Option<Address>),
    /// `chainChanged`.
    Chain(u64),
    /// `disconnect`: the wallet lost its connection to every chain.
    Disconnected,
}

thread_local! {
    static FOLLOWED: RefCell<Option<WalletEvents>> = const { RefCell::new(None) };
}

/// Listens to the events of one wallet, and no longer to those of the one before. Malformed events are left out.
pub fn follow(rdns: &str, on_event: impl Fn(WalletEvent) + Clone + 'static) {
    let events = registry::provider(rdns).map(|provider| listen(&provider, on_event));
    unfollow();
    FOLLOWED.set(events);
}

/// Listens to no wallet any more. May be called by a listener: the subscription goes when that one has returned.
pub fn unfollow() {
    if let Some(events) = FOLLOWED.take() {
        wasm_bindgen_futures::spawn_local(async move { drop(events) });
    }
}

type Listener = Closure<dyn Fn(JsValue)>;
type Parser = fn(Value) -> Option<WalletEvent>;

/// A subscription to a provider's events; ends when dropped.
struct WalletEvents {
    provider: Object,
    listeners: Vec<(&'static str, Listener)>,
}

fn listen(provider: &Object, on_event: impl Fn(WalletEvent) + Clone + 'static) -> WalletEvents {
    let parsers: [(&'static str, Parser); 3] = [
        ("accountsChanged", |payload| {
            answers::first_account("accountsChanged", &payload).ok().map(WalletEvent::Account)
        }),
        ("chainChanged", |payload| answers::chain_id(&payload).ok().map(WalletEvent::Chain)),
        ("disconnect", |_| Some(WalletEvent::Disconnected)),
    ];
    let listeners = parsers
        .into_iter()
        .map(|(event, parse)| {
            let on_event = on_event.clone();
            let listener = Listener::new(move |payload: JsValue| {
                if let Some(event) = parse(as_json(&payload)) {
                    on_event(event);
                }
            });
            call(provider, "on", event, &listener);
            (event, listener)
        })
        .collect();
    WalletEvents { provider: provider.clone(), listeners }
}

impl Drop for WalletEvents {
    fn drop(&mut self) {
        for (event, listener) in &self.listeners {
            call(&self.provider, "removeListener", event, listener);
        }
    }
}

fn call(provider: &Object, method: &str, event: &str, listener: &Listener) {
    if let Ok(function) = Reflect::get(provider, &method.into()).and_then(|found| found.dyn_into::<Function>()) {
        function.apply(provider, &Array::of2(&event.into(), listener.as_ref())).ok();
    }
}

/// The port [`Wallet`] over a connected provider.
pub struct Eip1193Wallet {
    provider: Object,
    address: Address,
}

impl Eip1193Wallet {
    /// A wallet that shared `address`.
    pub fn new(provider: Object, address: Address) -> Self {
        Self { provider, address }
    }
}

#[async_trait(?Send)]
impl Wallet for Eip1193Wallet {
    fn address(&self) -> Address {
        self.address
    }

    async fn chain_id(&self) -> Result<u64, AppError> {
        chain_id(&self.provider).await
    }

    async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        let params = json!([format!("0x{}", hex::encode(message)), self.address.to_string()]);
        let answer =
            request(&self.provider, "personal_sign", &params).await.map_err(|thrown| answers::error(&thrown, 0, 0))?;
        answers::signature("personal_sign", &answer)
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError> {
        // The second parameter is text in every wallet; some take no object.
        let params = json!([self.address.to_string(), typed_data.json.to_string()]);
        let answer = request(&self.provider, "eth_signTypedData_v4", &params).await;
        let answer = answer.map_err(|thrown| answers::error(&thrown, 0, 0))?;
        answers::signature("eth_signTypedData_v4", &answer)
    }
}
