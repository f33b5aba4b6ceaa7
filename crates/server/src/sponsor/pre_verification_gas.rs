//! How much `preVerificationGas` is paid for when the policy names no limit.
//!
//! Whoever bundles an operation keeps all of it, used or not, and may well be who asked: what is paid for beyond the
//! real cost is money for the asking.

use alloy::primitives::U256;

use super::{
    super::{bundler::Bundler, node::ChainNode},
    calls::calls_of,
};
use use_aa_protocol::user_operation::UserOperation;

/// Gas of a bundle's transaction and of what the entry point does for an operation without measuring it: 21,000 and
/// 18,300 in ERC-4337's reference, 21,000 and 17,090 in alto; the rest is tolerance.
const OVERHEAD: u64 = 42_000;
/// Gas of one byte of call data.
const ZERO_BYTE: u64 = 4;
const OTHER_BYTE: u64 = 16;
/// Paymaster data and an owner's signature are not final when gas is estimated: bundlers count them without zeros, alto
/// twice.
const UNFINISHED_BYTE: u64 = 2 * OTHER_BYTE;
/// Length of an owner's signature with its wrapper: some ask before there is any.
const LEAST_SIGNATURE: usize = 224;
/// The longest signature that is counted: a session with its proof; for each further call of a batch its session; and all
/// together. The paymaster does not sign the signature, so a long one may be shown and a short one used: what is counted
/// beyond an owner's, 16 gas a byte, is what may be taken.
const MOST_SIGNATURE: usize = 1_024;
const SESSION_OF_A_CALL: usize = 512;
const MOST_OF_A_BATCH: usize = 4_096;
/// What our bundler asks, and what data costs on the chain below, may rise by so much until the operation is sent, and cautious apps add a tenth, per cent.
const RISE: u64 = 115;

/// The most for this operation as it is signed: the overhead and the cost of its bytes as call data.
pub(in super::super) fn usual(operation: &UserOperation) -> U256 {
    let head = UserOperation {
        paymaster_and_data: Default::default(),
        signature: Default::default(),
        // Limits and fees may be anything until the end.
        call_gas_limit: U256::MAX,
        verification_gas_limit: U256::MAX,
        pre_verification_gas: U256::MAX,
        max_fee_per_gas: U256::MAX,
        max_priority_fee_per_gas: U256::MAX,
        ..operation.clone()
    };
    let gas_of = |byte: &u8| if *byte == 0 { ZERO_BYTE } else { OTHER_BYTE };
    let head: u64 = head.abi_encoded().iter().map(gas_of).sum();
    let signature = operation.signature.len().clamp(LEAST_SIGNATURE, most_signature(operation));
    let gas = |bytes: usize, each: u64| u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(each);
    let unfinished = gas(operation.paymaster_and_data.len().saturating_add(LEAST_SIGNATURE), UNFINISHED_BYTE);
    let session = gas(signature.saturating_sub(LEAST_SIGNATURE), OTHER_BYTE);
    [OVERHEAD, head, unfinished, session].into_iter().map(U256::from).fold(U256::ZERO, U256::saturating_add)
}

/// Is it usual, with the fee of the chain below for the operation's bytes where there is one, or what our bundler asks for
/// this very operation? Of some rollups only bundlers know what their data costs.
pub(super) async fn check(node: &ChainNode, bundler: &Bundler, operation: &UserOperation) -> Result<(), String> {
    let (asked, usual) = (operation.pre_verification_gas, usual(operation));
    if asked <= usual {
        return Ok(());
    }
    let risen = |gas: U256| gas.saturating_mul(U256::from(RISE)) / U256::from(100);
    let mut most = usual.saturating_add(risen(node.data_gas(&as_counted(operation)).await));
    if asked <= most {
        return Ok(());
    }
    // Of a longer signature nobody pays the rest: it may be there for the estimate only.
    if operation.signature.len() <= most_signature(operation)
        && let Ok(estimate) = bundler.estimate(operation, None).await
    {
        most = most.max(risen(estimate.pre_verification_gas));
    }
    if asked <= most {
        return Ok(());
    }
    Err(format!("preVerificationGas {asked}; at most {most} is paid for (caps.pre_verification_gas of the policy)"))
}

/// With as much of the signature as is counted.
fn as_counted(operation: &UserOperation) -> UserOperation {
    let signature = operation.signature.slice(..operation.signature.len().min(most_signature(operation)));
    UserOperation { signature, ..operation.clone() }
}

fn most_signature(operation: &UserOperation) -> usize {
    let further = calls_of(operation).map_or(0, |calls| calls.len().saturating_sub(1));
    MOST_SIGNATURE.saturating_add(further.saturating_mul(SESSION_OF_A_CALL)).min(MOST_OF_A_BATCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;

    use super::*;
    use use_aa_protocol::smart_account::{Call, encode_calls};

    fn operation(call_data: usize, signature: usize) -> UserOperation {
        let call = Call { to: Address::repeat_byte(5), data: vec![1; call_data].into(), ..Default::default() };
        UserOperation {
            call_data: encode_calls(&[call], false).unwrap(),
            paymaster_and_data: vec![1; 340].into(),
            signature: vec![1; signature].into(),
            ..Default::default()
        }
    }

    fn usual_of(call_data: usize, signature: usize) -> u64 {
        usual(&operation(call_data, signature)).to()
    }

    #[test]
    fn it_is_the_overhead_and_the_bytes() {
        let small = usual_of(36, 224);
        assert!((62_000..72_000).contains(&small), "{small}: alto asks 57,000 to 62,000");
        assert_eq!(usual_of(36 + 32_000, 224) - small, 32_000 * 16 + 2 * (16 - 4), "and longer lengths");
        assert_eq!(usual_of(36, 0), small, "whoever asks before there is a signature");
    }

    /// A million bytes may be shown and 65 used.
    #[test]
    fn a_long_signature_earns_little() {
        assert_eq!(usual_of(36, 1_000_000), usual_of(36, MOST_SIGNATURE));
        assert!(usual_of(36, 1_000_000) - usual_of(36, 224) < 13_000);
        let call = Call { to: Address::repeat_byte(5), ..Default::default() };
        let batch = UserOperation {
            call_data: encode_calls(&[call.clone(), call], false).unwrap(),
            signature: vec![1; 10_000].into(),
            ..Default::default()
        };
        assert_eq!(most_signature(&batch), MOST_SIGNATURE + SESSION_OF_A_CALL);
        let shown = UserOperation {
            call_data: encode_calls(&vec![Call { to: Address::repeat_byte(5), ..Default::default() }; 64], false)
                .unwrap(),
            signature: vec![1; 66_560].into(),
            ..Default::default()
        };
        let used = UserOperation { signature: vec![1; 224].into(), ..shown.clone() };
        assert!(usual(&shown) - usual(&used) < U256::from(62_000), "however many calls there are");
        let endless = UserOperation { call_data: vec![1; 7].into(), ..batch };
        assert_eq!(most_signature(&endless), MOST_SIGNATURE);
    }
}
