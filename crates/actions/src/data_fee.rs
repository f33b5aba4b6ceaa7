//! What a rollup takes for the data of an operation, read from the chain's own contracts: the OP stack's gas price oracle, or
//! Arbitrum's node. Other chains have neither.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolCall,
};
use futures::future::join;
use serde_json::json;

use super::ports::Relay;
use use_aa_protocol::{
    abi::{IGasPriceOracle::getL1FeeCall, INodeInterface::gasEstimateL1ComponentCall},
    addresses::{GAS_PRICE_ORACLE, NODE_INTERFACE},
    entry_point::EntryPoint,
};

/// Words of a bundle with an operation of a session: more than most.
const MODEST_WORDS: u64 = 64;

/// What the data of a modest operation costs at most, wei; zero where nothing tells of a fee for it.
pub(super) async fn modest_data_fee(relay: &dyn Relay, max_fee_per_gas: U256) -> U256 {
    // Bytes that no rollup can press.
    let words = (0..MODEST_WORDS).flat_map(|word| keccak256(B256::from(U256::from(word))));
    let data = Bytes::from_iter(words);
    let oracle = getL1FeeCall { data: data.clone() }.abi_encode();
    let arbitrum =
        gasEstimateL1ComponentCall { to: EntryPoint::default().address(), contractCreation: false, data }.abi_encode();
    let (wei, gas) = join(told(relay, GAS_PRICE_ORACLE, oracle, 1), told(relay, NODE_INTERFACE, arbitrum, 3)).await;
    wei.or_else(|| gas.map(|gas| gas.saturating_mul(max_fee_per_gas))).unwrap_or_default()
}

/// The first of so many words, if the contract is there.
async fn told(relay: &dyn Relay, to: Address, data: Vec<u8>, words: usize) -> Option<U256> {
    let answer = relay.read("eth_call", json!([{"to": to, "data": Bytes::from(data)}, "latest"])).await.ok()?;
    let answer = serde_json::from_value::<Bytes>(answer).ok().filter(|answer| answer.len() == words * 32)?;
    answer.get(..32).and_then(U256::try_from_be_slice)
}
