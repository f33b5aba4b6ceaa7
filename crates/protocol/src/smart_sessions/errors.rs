//! What module and policies revert with, typed and in words.

use alloy::primitives::B256;

use crate::{
    abi::{
        decode,
        smart_sessions::{ISessionPolicy::ISessionPolicyErrors, ISmartSession::ISmartSessionErrors},
    },
    accounts::nexus::nexus_error_words,
    entry_point::v07::failed_op,
    revert::decode_revert,
};

/// The module's error; `None` for revert data of others.
pub fn smart_session_error(revert_data: &[u8]) -> Option<ISmartSessionErrors> {
    decode::loose_errors::<ISmartSessionErrors>(revert_data).ok()
}

/// A policy's error; `None` for revert data of others.
pub fn policy_error(revert_data: &[u8]) -> Option<ISessionPolicyErrors> {
    decode::loose_errors::<ISessionPolicyErrors>(revert_data).ok()
}

/// What `PolicyCheckReverted` tells: the first 32 bytes of what the policy reverted with. Its selector is whole, its
/// first argument lacks four bytes. `None`: it reverted with nothing, as for arguments that the call does not have.
pub fn policy_check_reason(reason: B256) -> Option<String> {
    let selector = reason.first_chunk::<4>()?;
    Some(match hex::encode(selector).as_str() {
        "00000000" => return None,
        "6d3a33ce" => "the policy is not set up, or can never be used".to_owned(),
        "8a8a722d" => "the call sends more native currency than one call may".to_owned(),
        "4e487b71" => "a number in the policy overflows".to_owned(),
        other => format!("the policy reverted with 0x{other}"),
    })
}

/// Revert data in words: of entry point, account, module and policies, the innermost reason first; else as
/// [`decode_revert`] has it. Never panics.
pub fn revert_words(revert_data: &[u8]) -> String {
    words(revert_data, 0)
}

/// Reverts inside reverts are opened so often.
const DEEPEST: u8 = 4;

fn words(revert_data: &[u8], depth: u8) -> String {
    if let Some(failed) = failed_op(revert_data) {
        return match failed.inner {
            Some(inner) if !inner.is_empty() && depth < DEEPEST => {
                format!("{} ({})", words(&inner, depth + 1), failed.reason)
            }
            _ => failed.reason,
        };
    }
    smart_session_error(revert_data)
        .map(|error| module_words(&error))
        .or_else(|| policy_error(revert_data).map(|error| policy_words(&error)))
        .or_else(|| nexus_error_words(revert_data))
        .unwrap_or_else(|| decode_revert(revert_data))
}

fn policy_words(error: &ISessionPolicyErrors) -> String {
    use ISessionPolicyErrors as E;
    match error {
        E::PolicyNotInitialized(e) => format!("PolicyNotInitialized({}, {}, {})", e.id, e.multiplexer, e.account),
        E::ValueLimitExceeded(e) => format!("ValueLimitExceeded({}, {}, {})", e.id, e.value, e.limit),
        E::InvalidLimit(e) => format!("InvalidLimit({})", e.limit),
        E::InvalidTokenAddress(e) => format!("InvalidTokenAddress({})", e.token),
        E::InvalidInitDataLength(_) => "InvalidInitDataLength()".into(),
    }
}

fn module_words(error: &ISmartSessionErrors) -> String {
    use ISmartSessionErrors as E;
    match error {
        E::InvalidUserOpSender(e) => format!("InvalidUserOpSender({})", e.sender),
        E::InvalidPermissionId(e) => format!("InvalidPermissionId({})", e.permissionId),
        E::InvalidSession(e) => format!("InvalidSession({})", e.permissionId),
        E::NoPoliciesSet(e) => format!("NoPoliciesSet({})", e.permissionId),
        E::PolicyViolation(e) => format!("PolicyViolation({}, {})", e.permissionId, e.policy),
        E::PolicyCheckReverted(e) => {
            let reason = policy_check_reason(e.reason).map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("PolicyCheckReverted({}){reason}", e.reason)
        }
        E::PaymasterValidationNotEnabled(e) => format!("PaymasterValidationNotEnabled({})", e.permissionId),
        E::UnsupportedExecutionType(_) => "UnsupportedExecutionType()".into(),
        E::UnsupportedCallType(e) => format!("UnsupportedCallType({})", e.callType),
        E::NoExecutionsInBatch(_) => "NoExecutionsInBatch()".into(),
        E::InvalidSelfCall(_) => "InvalidSelfCall()".into(),
        E::InvalidTarget(_) => "InvalidTarget()".into(),
        E::InvalidCallTarget(_) => "InvalidCallTarget()".into(),
        E::InvalidActionId(_) => "InvalidActionId()".into(),
        E::InvalidData(_) => "InvalidData()".into(),
        E::InvalidMode(_) => "InvalidMode()".into(),
        E::InvalidISessionValidator(e) => format!("InvalidISessionValidator({})", e.sessionValidator),
        E::UnsupportedPolicy(e) => format!("UnsupportedPolicy({})", e.policy),
        E::InvalidEnableSignature(e) => format!("InvalidEnableSignature({}, {})", e.account, e.hash),
        E::InvalidSessionKeySignature(e) => format!("InvalidSessionKeySignature({})", e.permissionId),
        E::HashMismatch(e) => format!("HashMismatch({}, {})", e.providedHash, e.computedHash),
        E::HashIndexOutOfBounds(e) => format!("HashIndexOutOfBounds({})", e.index),
        E::ChainIdMismatch(e) => format!("ChainIdMismatch({})", e.providedChainId),
        E::SmartSessionModuleAlreadyInstalled(e) => format!("SmartSessionModuleAlreadyInstalled({})", e.account),
        E::DecodingError(_) => "DecodingError()".into(),
        E::UnsupportedSmartSessionMode(e) => format!("UnsupportedSmartSessionMode({})", e.mode),
        E::SignerNotFound(e) => format!("SignerNotFound({}, {})", e.permissionId, e.account),
        E::ForbiddenValidationData(_) => "ForbiddenValidationData()".into(),
        E::AssociatedArray_OutOfBounds(e) => format!("AssociatedArray_OutOfBounds({})", e.index),
        E::PartlyEnabledActions(_) => "PartlyEnabledActions()".into(),
        E::PartlyEnabledPolicies(_) => "PartlyEnabledPolicies()".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::{Address, Bytes, U256},
        sol_types::SolError,
    };

    use super::*;
    use crate::{abi::smart_sessions::ISmartSession, entry_point::v07::abi::IEntryPointV07};

    #[test]
    fn the_innermost_reason_comes_first() {
        let id = B256::repeat_byte(1);
        let inner = ISmartSession::PolicyViolation { permissionId: id, policy: Address::ZERO }.abi_encode();
        let wrap = |inner: Vec<u8>| {
            let (reason, inner) = ("AA23 reverted".to_owned(), Bytes::from(inner));
            IEntryPointV07::FailedOpWithRevert { opIndex: U256::ZERO, reason, inner }.abi_encode()
        };
        let said = revert_words(&wrap(inner.clone()));
        assert!(said.starts_with("PolicyViolation(0x0101") && said.ends_with("(AA23 reverted)"), "{said}");
        assert_eq!(revert_words(&wrap(Vec::new())), "AA23 reverted");
        let nested = (0..100).fold(inner, |data, _| wrap(data));
        assert!(revert_words(&nested).len() < 200, "opened a few times only");
        let mut reason = B256::ZERO;
        reason[..4].copy_from_slice(&[0x8a, 0x8a, 0x72, 0x2d]);
        let checked = ISmartSession::PolicyCheckReverted { reason }.abi_encode();
        assert!(revert_words(&checked).ends_with("more native currency than one call may"));
        assert_eq!(policy_check_reason(B256::ZERO), None);
        assert_eq!(revert_words(&[]), "reverted without a reason");
        assert_eq!(revert_words(&[1, 2, 3, 4]), "unknown error 0x01020304");
    }
}
