//! What would become of an operation: tried out on the chain before gas is advanced for it.
//!
//! The contract charges after the operation's calls, and pays whatever they did. So the entry point runs the operation
//! (`simulateHandleOp`, which passes over signatures that do not fit) in two ways:
//!
//! - Without a charge, the paymaster's signature being none. What the account holds and allows then is what can be taken.
//!   An operation that reverts takes the approval in it back, and so must be covered by what was approved before.
//! - With the charge, at the highest price that the operation offers. The paymaster's signature is a true one that ended
//!   in 1970: the chain never takes it, and the node may know it.
//!
//! What is true now may be false in a block; `sponsor::advance` limits what that can cost.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::super::super::{config::FeeToken, node::ChainNode};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    abi::{IEntryPoint, IErc20, decode},
    addresses::{ECDSA_MODULE, ENTRY_POINT},
    paymaster::{POST_OP_GAS, token_amount},
    revert::{decode_revert, revert_data},
    signature::{DUMMY_ECDSA, wrap},
    user_operation::UserOperation,
};

/// An operation in the two ways in which it is tried out.
pub(super) struct Trial {
    /// With data of the paymaster that are signed by nobody.
    pub(super) uncharged: UserOperation,
    /// With expired ones that cover just this operation.
    pub(super) charged: UserOperation,
}

/// One run: gas used before the calls, and an amount that was asked for afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    pre_op_gas: U256,
    amount: U256,
}

/// The operation as it costs most: the whole fee goes to the bundler, whatever the base fee is.
pub(super) fn dearest(operation: &UserOperation) -> UserOperation {
    let mut dearest = operation.clone();
    dearest.max_priority_fee_per_gas = dearest.max_fee_per_gas;
    if dearest.signature.is_empty() {
        // Wallets leave it out when they ask a paymaster (ERC-7677); the account reads one.
        dearest.signature = wrap(ECDSA_MODULE, &DUMMY_ECDSA);
    }
    dearest
}

/// Refuses when up to `most` of the token could not be taken after the operation's calls.
pub(super) async fn check(
    node: &ChainNode,
    Trial { uncharged, charged }: Trial,
    token: &FeeToken,
    paymaster: Address,
    most: U256,
) -> Result<(), AppError> {
    let account = charged.sender;
    let max_fee = charged.max_fee_per_gas;
    let balance = Bytes::from(IErc20::balanceOfCall { account }.abi_encode());
    let allowance = Bytes::from(IErc20::allowanceCall { owner: account, spender: paymaster }.abi_encode());
    let run = |operation: UserOperation, question: Bytes| {
        let call = IEntryPoint::simulateHandleOpCall {
            operation: operation.into(),
            target: token.address,
            targetCallData: question,
        };
        ("eth_call", json!([{"to": ENTRY_POINT, "data": Bytes::from(call.abi_encode())}, "latest"]))
    };
    let calls = [run(uncharged.clone(), balance.clone()), run(uncharged, allowance), run(charged, balance)];
    let runs = node.batch(&calls).await?.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let [held, allowed, left] = <[Run; 3]>::try_from(runs).map_err(|_| malformed("a batch of another length"))?;
    judge(token, max_fee, most, [held, allowed, left])
}

fn judge(token: &FeeToken, max_fee: U256, most: U256, [held, allowed, left]: [Run; 3]) -> Result<(), AppError> {
    let whole = |units: U256| token.words(units);
    if held.amount < most || allowed.amount < most {
        return Err(refused(format!(
            "tried out, the operation's calls leave the account {} of which the paymaster may take {}; up to {} may be \
             charged afterwards (calls that revert take an approval among them back)",
            whole(held.amount),
            whole(allowed.amount),
            whole(most)
        )));
    }
    let gas = left.pre_op_gas.saturating_add(U256::from(POST_OP_GAS));
    let least = token_amount(gas.saturating_mul(max_fee), token.exchange_rate, token.price_markup);
    let taken = held.amount.saturating_sub(left.amount);
    match least {
        Some(least) if taken >= least => Ok(()),
        _ => Err(refused(format!("tried out, the paymaster could take only {}", whole(taken)))),
    }
}

/// A run's result is in the data of a revert.
fn read(answer: Result<Value, AppError>) -> Result<Run, AppError> {
    let data = match answer {
        Err(AppError::UpstreamRejected { data, message, code, .. }) => {
            data.as_deref().and_then(revert_data).filter(|data| data.len() >= 4).ok_or_else(|| {
                tracing::warn!(code, message, "the chain node does not try an operation out (eth_call)");
                refused("the chain node cannot try the operation out, and nothing is advanced without that".into())
            })?
        }
        Err(error) => return Err(error),
        Ok(_) => return Err(malformed("EntryPoint.simulateHandleOp did not revert")),
    };
    let Ok(result) = decode::loose_error::<IEntryPoint::ExecutionResult>(&data) else {
        return Err(refused(format!("the entry point would not take the operation: {}", decode_revert(&data))));
    };
    let amount = U256::try_from_be_slice(&result.targetResult);
    match amount.filter(|_| result.targetSuccess && result.targetResult.len() == 32) {
        Some(amount) => Ok(Run { pre_op_gas: result.preOpGas, amount }),
        None => Err(malformed("no amount from the token")),
    }
}

fn refused(reason: String) -> AppError {
    AppError::GasTokenRefused { reason }
}

fn malformed(reason: &str) -> AppError {
    AppError::UpstreamMalformed { upstream: Upstream::Node, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::aliases::U48,
        sol_types::{SolError, SolValue},
    };

    use super::*;

    fn token() -> FeeToken {
        FeeToken {
            symbol: "T".into(),
            address: Address::repeat_byte(5),
            decimals: 6,
            // One unit per gwei.
            exchange_rate: U256::from(1_000_000_000_u64),
            price_markup: 1_000_000,
        }
    }

    fn run(amount: u64) -> Run {
        Run { pre_op_gas: U256::from(55_000), amount: U256::from(amount) }
    }

    #[test]
    fn what_is_left_after_the_calls_must_reach_and_be_taken() {
        let gwei = U256::from(1_000_000_000_u64);
        let judge = |runs| judge(&token(), gwei, U256::from(500_000), runs);
        // 55,000 gas before the calls and 45,000 for the charge, at a gwei.
        assert_eq!(judge([run(500_000), run(500_000), run(400_000)]), Ok(()));
        let moved = judge([run(499_999), run(u64::MAX), run(0)]).unwrap_err();
        assert!(moved.to_string().contains("leave the account 0.499999 T"), "{moved}");
        let reverted = judge([run(500_000), run(0), run(500_000)]).unwrap_err();
        assert!(reverted.to_string().contains("may take 0 T"), "{reverted}");
        let untaken = judge([run(500_000), run(500_000), run(400_001)]).unwrap_err();
        assert!(untaken.to_string().contains("take only 0.099999 T"), "{untaken}");
    }

    fn reverted(data: impl AsRef<[u8]>) -> Result<Value, AppError> {
        let data = Some(json!(Bytes::copy_from_slice(data.as_ref())).to_string());
        Err(AppError::UpstreamRejected {
            upstream: Upstream::Node,
            code: 3,
            message: "execution reverted".into(),
            data,
        })
    }

    #[test]
    fn answers_are_read_without_trust() {
        let result = |success: bool, answer: Vec<u8>| IEntryPoint::ExecutionResult {
            preOpGas: U256::from(55_000),
            paid: U256::ONE,
            validAfter: U48::ZERO,
            validUntil: U48::ZERO,
            targetSuccess: success,
            targetResult: answer.into(),
        };
        assert_eq!(read(reverted(result(true, U256::from(7).abi_encode()).abi_encode())), Ok(run(7)));
        for wrong in [result(false, U256::from(7).abi_encode()), result(true, vec![7; 31]), result(true, vec![])] {
            assert!(matches!(read(reverted(wrong.abi_encode())), Err(AppError::UpstreamMalformed { .. })));
        }
        let failed = IEntryPoint::FailedOp { opIndex: U256::ZERO, reason: "AA25 invalid account nonce".into() };
        let told = read(reverted(failed.abi_encode())).unwrap_err();
        assert!(matches!(&told, AppError::GasTokenRefused { reason } if reason.contains("AA25")), "{told}");
        let unknown = AppError::UpstreamRejected {
            upstream: Upstream::Node,
            code: -32_601,
            message: "our secret words".into(),
            data: None,
        };
        let told = read(Err(unknown)).unwrap_err();
        assert!(matches!(&told, AppError::GasTokenRefused { reason } if !reason.contains("secret")), "{told}");
        assert!(matches!(read(Ok(json!("0x"))), Err(AppError::UpstreamMalformed { .. })));
        let gone = AppError::UpstreamUnavailable { upstream: Upstream::Node, reason: "no answer".into() };
        assert_eq!(read(Err(gone.clone())), Err(gone), "an upstream's failure stays one");
    }
}
