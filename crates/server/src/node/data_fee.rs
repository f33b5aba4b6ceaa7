//! What a rollup takes for putting an operation's bytes on the chain below, as that chain's own contracts tell it.
//!
//! Which kind of chain it is gets detected, never configured: chains of the OP stack have a gas price oracle at an address
//! of its own, Arbitrum's nodes answer for a contract that only they know.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{
    super::json_rpc::{is_of_execution, is_unknown_method},
    ChainNode,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    abi::{IGasPriceOracle::getL1FeeCall, INodeInterface::gasEstimateL1ComponentCall, decode},
    addresses::{GAS_PRICE_ORACLE, NODE_INTERFACE},
    entry_point::EntryPoint,
    user_operation::UserOperation,
};

/// For so long a chain is of the kind that it was.
pub(super) const KIND_IS_FRESH: Duration = Duration::from_secs(600);
/// For so long the same bytes cost the same: the price follows the blocks of the chain below.
pub(super) const FEE_IS_FRESH: Duration = Duration::from_secs(5);
/// Operations whose fee is kept.
pub(super) const MOST_FEES: u64 = 1_000;
/// Words of a call that came to nothing in the chain's own machine, or that found no contract.
const NO_CONTRACT: [&str; 5] = ["invalid opcode", "out of gas", "vm execution error", "no code", "not a contract"];
/// What stands for a limit and a fee that are not known yet: as many bytes as they usually have.
const SOME_LIMIT: U256 = U256::from_limbs([0xff_ffff, 0, 0, 0]);
const SOME_FEE: U256 = U256::from_limbs([0xff_ffff_ffff, 0, 0, 0]);

/// Who tells what data costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataPrice {
    /// Nobody: bytes cost what the chain's own gas says.
    OwnGas,
    /// The OP stack's oracle, in wei.
    OpStack,
    /// Arbitrum's nodes, in gas units.
    Arbitrum,
}

/// What the bytes of an operation cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataFee {
    Wei(U256),
    Gas(U256),
}

impl ChainNode {
    /// Gas units that the chain below takes for the bytes of an operation, on top of this chain's own gas; zero where it
    /// takes none, or where that cannot be learnt now: then only the bundler knows.
    pub(in super::super) async fn data_gas(&self, operation: &UserOperation) -> U256 {
        match self.try_data_gas(operation).await {
            Ok(gas) => gas,
            Err(error) => {
                tracing::debug!(%error, "what data costs on the chain below");
                U256::ZERO
            }
        }
    }

    async fn try_data_gas(&self, operation: &UserOperation) -> Result<U256, AppError> {
        let price = self.known.data_price.get((), self.detect()).await?;
        if price == DataPrice::OwnGas {
            return Ok(U256::ZERO);
        }
        let bytes = bundled(operation);
        match self.known.data_fees.get(keccak256(&bytes), self.data_fee(price, &bytes)).await? {
            DataFee::Gas(gas) => Ok(gas),
            // Paid in gas at the price that the entry point will reckon with.
            DataFee::Wei(wei) => {
                let market = self.market().await?;
                // Many ask for limits before they have fees.
                let (most, tip) = match operation.max_fee_per_gas {
                    U256::ZERO => (U256::MAX, market.tip),
                    most => (most, operation.max_priority_fee_per_gas),
                };
                let price = market.base_fee.saturating_add(tip).min(most);
                Ok(wei.div_ceil(price.max(U256::ONE)))
            }
        }
    }

    async fn detect(&self) -> Result<DataPrice, AppError> {
        let calls = [
            ("eth_getCode", json!([GAS_PRICE_ORACLE, "latest"])),
            question(DataPrice::OpStack, &[1]),
            question(DataPrice::Arbitrum, &[1]),
        ];
        let [code, oracle, arbitrum] = <[_; 3]>::try_from(self.batch(&calls).await?)
            .map_err(|_| self.rpc.malformed("a batch of another length"))?;
        let has_code = told(code)?.is_some_and(|code| !code.is_empty());
        let price = if has_code && told(oracle)?.is_some_and(|fee| fee.len() == 32) {
            DataPrice::OpStack
        } else if told(arbitrum)?.is_some_and(|answer| answer.len() == 96) {
            DataPrice::Arbitrum
        } else {
            DataPrice::OwnGas
        };
        tracing::debug!(?price, "who tells what data costs");
        Ok(price)
    }

    async fn data_fee(&self, price: DataPrice, bytes: &[u8]) -> Result<DataFee, AppError> {
        let (method, params) = question(price, bytes);
        let answer = self.rpc.call_value(method, params).await?;
        let unreadable = || self.rpc.malformed("what data costs on the chain below");
        let answer = serde_json::from_value::<Bytes>(answer).map_err(|_| unreadable())?;
        match price {
            DataPrice::Arbitrum => {
                let (gas, _, _) = decode::loose_params::<(u64, U256, U256)>(&answer).map_err(|_| unreadable())?;
                Ok(DataFee::Gas(U256::from(gas)))
            }
            _ => {
                U256::try_from_be_slice(&answer).filter(|_| answer.len() == 32).map(DataFee::Wei).ok_or_else(unreadable)
            }
        }
    }
}

fn question(price: DataPrice, bytes: &[u8]) -> (&'static str, Value) {
    let data = Bytes::copy_from_slice(bytes);
    let (to, call) = match price {
        DataPrice::Arbitrum => {
            // What it is sent to makes no difference to what the data costs.
            let to = EntryPoint::default().address();
            (NODE_INTERFACE, gasEstimateL1ComponentCall { to, contractCreation: false, data }.abi_encode())
        }
        _ => (GAS_PRICE_ORACLE, getL1FeeCall { data }.abi_encode()),
    };
    ("eth_call", json!([{"to": to, "data": Bytes::from(call)}, "latest"]))
}

/// What a contract told; nothing where there is none. A node that is not there, or cannot answer now, is an error: it may
/// be another kind of chain.
fn told(answer: Result<Value, AppError>) -> Result<Option<Bytes>, AppError> {
    match answer {
        Ok(answer) => Ok(serde_json::from_value(answer).ok()),
        Err(error) if is_none(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A refusal that says that nobody is there who could tell.
fn is_none(error: &AppError) -> bool {
    let AppError::UpstreamRejected { message, .. } = error else { return false };
    let words = message.to_ascii_lowercase();
    is_of_execution(error) || is_unknown_method(error) || NO_CONTRACT.iter().any(|some| words.contains(some))
}

/// The bytes as they are put on the chain below: a bundle of this operation alone.
fn bundled(operation: &UserOperation) -> Vec<u8> {
    let or = |number: U256, some: U256| if number.is_zero() { some } else { number };
    let operation = UserOperation {
        call_gas_limit: or(operation.call_gas_limit, SOME_LIMIT),
        verification_gas_limit: or(operation.verification_gas_limit, SOME_LIMIT),
        pre_verification_gas: or(operation.pre_verification_gas, SOME_LIMIT),
        max_fee_per_gas: or(operation.max_fee_per_gas, SOME_FEE),
        max_priority_fee_per_gas: or(operation.max_priority_fee_per_gas, SOME_FEE),
        ..operation.clone()
    };
    let beneficiary = Address::from_word(B256::repeat_byte(0xff));
    operation.entry_point.handle_ops(vec![operation], beneficiary).map(Into::into).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use use_aa_actions::error::Upstream;

    #[test]
    fn only_a_refusal_that_says_so_means_that_nobody_is_there() {
        let told = |code: i64, message: &str| {
            told(Err(AppError::UpstreamRejected {
                upstream: Upstream::Node,
                code,
                message: message.into(),
                data: None,
            }))
        };
        for (code, message) in [
            (3, "execution reverted"),
            (-32_000, "execution reverted"),
            (-32_603, "VM Exception while processing transaction: reverted"),
            (-32_015, "VM execution error."),
            (-32_000, "invalid opcode: INVALID"),
            (-32_601, "the method is not available"),
            (-32_000, "no code at address"),
        ] {
            assert_eq!(told(code, message), Ok(None), "{code} {message}");
        }
        for (code, message) in [
            (-32_603, "Internal error"),
            (-32_005, "limit exceeded"),
            (-32_000, "header not found"),
            (-32_000, "missing trie node"),
            (-32_002, "resource unavailable"),
        ] {
            assert!(told(code, message).is_err(), "{code} {message}");
        }
    }
}
