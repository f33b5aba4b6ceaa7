//! How the chain refuses a session that it has not.

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolError,
};

use super::{addresses::SMART_SESSION, errors::revert_words};
use crate::{
    abi::{nexus::INexus, smart_sessions::ISmartSession},
    entry_point::v07::failed_op,
};

/// In the entry point's words when it refuses because the module, or the account, has no such session; else what it
/// answered.
pub(super) fn refuses_ended(id: B256, revert_data: &[u8]) -> Result<String, String> {
    let answer = || revert_words(revert_data);
    let failed = failed_op(revert_data).ok_or_else(answer)?;
    let inner = failed.inner.unwrap_or_default();
    let named = |name: &str| [&failed.reason, ": ", name].concat();
    let no_session = Bytes::from(ISmartSession::InvalidPermissionId { permissionId: id }.abi_encode());
    let no_module = Bytes::from(INexus::ValidatorNotInstalled { module: SMART_SESSION }.abi_encode());
    match inner {
        inner if inner == no_session => Ok(named("InvalidPermissionId")),
        inner if inner == no_module => Ok(named("ValidatorNotInstalled")),
        _ => Err(answer()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::entry_point::v07::abi::IEntryPointV07;

    /// Trap: another session's refusal, or one for another reason, proves nothing of this one.
    #[test]
    fn only_a_refusal_of_this_very_session_counts() {
        let id = B256::repeat_byte(7);
        let refused = |inner: Vec<u8>| {
            let error = IEntryPointV07::FailedOpWithRevert {
                opIndex: U256::ZERO,
                reason: "AA23 reverted".into(),
                inner: inner.into(),
            };
            refuses_ended(id, &error.abi_encode())
        };
        let no_session = |id| ISmartSession::InvalidPermissionId { permissionId: id }.abi_encode();
        assert_eq!(refused(no_session(id)).unwrap(), "AA23 reverted: InvalidPermissionId");
        let module = INexus::ValidatorNotInstalled { module: SMART_SESSION }.abi_encode();
        assert_eq!(refused(module).unwrap(), "AA23 reverted: ValidatorNotInstalled");
        assert!(refused(no_session(B256::repeat_byte(8))).is_err());
        assert!(refused(Vec::new()).is_err());
        assert!(refuses_ended(id, &no_session(id)).is_err(), "not the entry point's");
        let failed = IEntryPointV07::FailedOp { opIndex: U256::ZERO, reason: "AA24 signature error".into() };
        assert_eq!(refuses_ended(id, &failed.abi_encode()), Err("AA24 signature error".to_owned()));
        assert!(refuses_ended(id, &[]).is_err());
    }
}
