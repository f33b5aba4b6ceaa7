//! The chain node: chain facts, account state, reads that the allow-list passes on.

use alloy::primitives::{Address, U256};
use leptos::server;
use serde_json::Value;

use super::call::FunctionCall;
use crate::{
    error::AppError,
    protocol::rpc::{AccountState, ChainInfo},
};

/// What the page must know of the chain and the services behind this server.
#[server(name = GetChainInfo, protocol = FunctionCall, prefix = "/api/fn", endpoint = "chain_info")]
pub async fn chain_info() -> Result<ChainInfo, AppError> {
    Ok(use_aa_server::chains::chain_info_of(super::server_state()?.config()))
}

/// The state of a smart account, all of it at one block: the latest.
/// `nonce_key` is the 192-bit lane of the nonce that is asked for; whether `owner` is a key or a contract comes with it.
#[server(name = GetAccountState, protocol = FunctionCall, prefix = "/api/fn", endpoint = "account_state")]
pub async fn account_state(
    account: Address,
    nonce_key: U256,
    owner: Option<Address>,
) -> Result<AccountState, AppError> {
    super::server_state()?.node().account_state(account, nonce_key, owner).await
}

/// A read-only JSON-RPC call; only the methods and shapes of the allow-list are passed on.
#[server(protocol = FunctionCall, prefix = "/api/fn", endpoint = "read_chain")]
pub async fn read_chain(method: String, params: Value) -> Result<Value, AppError> {
    super::server_state()?.node().read(&method, params).await
}
