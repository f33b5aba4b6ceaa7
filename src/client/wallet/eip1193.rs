//! EIP-1193: requests to a wallet's provider, and [`Eip1193Wallet`].

use alloy::primitives::{Address, Bytes};
use async_trait::async_trait;
use js_sys::{Function, Object, Promise, Reflect};
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

use super::{answers, js_values, thrown};
use crate::{
    actions::ports::Wallet,
    error::AppError,
    protocol::{distributed_key::TypedData, rpc::ChainInfo},
};

/// One request. `Err` holds what the wallet threw, as JSON.
async fn request(provider: &Object, method: &str, params: &Value) -> Result<Value, Value> {
    let argument = Object::new();
    let parsed = js_sys::JSON::parse(&params.to_string()).map_err(|thrown| js_values::thrown(&thrown))?;
    Reflect::set(&argument, &"method".into(), &method.into()).ok();
    Reflect::set(&argument, &"params".into(), &parsed).ok();
    let function: Function = Reflect::get(provider, &"request".into())
        .and_then(|function| function.dyn_into())
        .map_err(|thrown| js_values::thrown(&thrown))?;
    let answer = function.call1(provider, &argument).map_err(|thrown| js_values::thrown(&thrown))?;
    JsFuture::from(Promise::resolve(&answer))
        .await
        .map(|value| js_values::answer(&value))
        .map_err(|thrown| js_values::thrown(&thrown))
}

/// Asks for accounts; `silent` does not open the wallet (`eth_accounts`) and answers `None` when none is shared.
pub async fn accounts(provider: &Object, silent: bool) -> Result<Option<Address>, AppError> {
    let method = if silent { "eth_accounts" } else { "eth_requestAccounts" };
    let answer = request(provider, method, &json!([])).await.map_err(|thrown| thrown::error(&thrown, None))?;
    answers::first_account(method, &answer)
}

/// The chain that the wallet is on.
pub async fn chain_id(provider: &Object) -> Result<u64, AppError> {
    let answer = request(provider, "eth_chainId", &json!([])).await.map_err(|thrown| thrown::error(&thrown, None))?;
    answers::chain_id(&answer)
}

/// Brings the wallet to our chain, and tells it about the chain when it does not know it and we may say how.
pub async fn switch_chain(provider: &Object, chain: &ChainInfo) -> Result<(), AppError> {
    let id = format!("{:#x}", chain.chain_id);
    let actual = chain_id(provider).await.unwrap_or_default();
    let failed = |thrown: &Value| thrown::error(thrown, Some((chain.chain_id, actual)));
    let switch = json!([{ "chainId": id }]);
    let Err(thrown) = request(provider, "wallet_switchEthereumChain", &switch).await else { return Ok(()) };
    let (true, Some(url)) = (thrown::knows_no_such_chain(&thrown), &chain.public_rpc_url) else {
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
            request(&self.provider, "personal_sign", &params).await.map_err(|thrown| thrown::error(&thrown, None))?;
        answers::signature("personal_sign", &answer)
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError> {
        // The second parameter is text in every wallet; some take no object.
        let params = json!([self.address.to_string(), typed_data.json.to_string()]);
        let answer = request(&self.provider, "eth_signTypedData_v4", &params).await;
        let answer = answer.map_err(|thrown| thrown::error(&thrown, None))?;
        answers::signature("eth_signTypedData_v4", &answer)
    }
}
