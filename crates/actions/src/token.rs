//! What a token says of an account, read through the relay.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use serde_json::json;

use super::ports::Relay;
use crate::error::{AppError, Upstream};
use use_aa_protocol::{abi::IErc20, smart_account::Call};

/// What `account` holds of `token`, smallest units.
///
/// # Errors
/// Those of the [`Relay`]; `UpstreamMalformed` when there is no token at the address.
pub async fn balance_of(relay: &dyn Relay, token: Address, account: Address) -> Result<U256, AppError> {
    read(relay, token, IErc20::balanceOfCall { account }.abi_encode()).await
}

/// What `spender` may take of `owner`'s tokens, smallest units.
///
/// # Errors
/// As [`balance_of`].
pub async fn allowance(relay: &dyn Relay, token: Address, owner: Address, spender: Address) -> Result<U256, AppError> {
    read(relay, token, IErc20::allowanceCall { owner, spender }.abi_encode()).await
}

/// Would `account` get through with this call to a token? Tried out, not sent. No answer at all counts as yes, as for
/// tokens that were made before answers were usual.
///
/// # Errors
/// Those of the [`Relay`], but for a refusal, which is a no.
pub(super) async fn takes_call(relay: &dyn Relay, account: Address, call: &Call) -> Result<bool, AppError> {
    let asked = json!([{"from": account, "to": call.to, "data": call.data}, "latest"]);
    match relay.read("eth_call", asked).await {
        Ok(answer) => {
            let says_yes = |answer: &Bytes| U256::try_from_be_slice(answer).is_some_and(|answer| !answer.is_zero());
            let answer = serde_json::from_value::<Bytes>(answer);
            Ok(answer.is_ok_and(|answer| answer.is_empty() || says_yes(&answer)))
        }
        Err(AppError::UpstreamRejected { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn read(relay: &dyn Relay, token: Address, data: Vec<u8>) -> Result<U256, AppError> {
    let answer = relay.read("eth_call", json!([{"to": token, "data": Bytes::from(data)}, "latest"])).await?;
    let word = serde_json::from_value::<Bytes>(answer).ok().filter(|word| word.len() == 32);
    word.and_then(|word| U256::try_from_be_slice(&word)).ok_or_else(|| AppError::UpstreamMalformed {
        upstream: Upstream::Node,
        reason: format!("no amount from {token}: is it a token?"),
    })
}
