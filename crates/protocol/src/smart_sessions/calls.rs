//! What the account calls of the module: enabling, disabling, removing (vectors 17).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolValue},
};

use super::{
    addresses::SMART_SESSION,
    session::{ActionData, MAX_SESSIONS, PolicyData, Session, actions_to, policies_to},
};
use crate::{
    ProtocolError,
    abi::{
        decode,
        smart_sessions::{self as abi, ISmartSession, InstalledSessions},
    },
    call::Call,
};

fn to_module(data: Vec<u8>) -> Call {
    Call { to: SMART_SESSION, value: U256::ZERO, data: data.into() }
}

/// Enables sessions. Of one that is enabled already it adds what is new and **sets the counters back**: the caller
/// asks [`is_permission_enabled`](super::reads::is_permission_enabled_call) first.
///
/// # Errors
/// `Invalid` for none, which the module refuses, and for sizes that nobody means.
pub fn enable_sessions(sessions: &[Session]) -> Result<Call, ProtocolError> {
    check_sessions(sessions)?;
    Ok(to_module(
        ISmartSession::enableSessionsCall { sessions: sessions.iter().map(Into::into).collect() }.abi_encode(),
    ))
}

fn check_sessions(sessions: &[Session]) -> Result<(), ProtocolError> {
    if sessions.is_empty() || sessions.len() > MAX_SESSIONS {
        return Err(ProtocolError::invalid("sessions", "1 to 64 sessions", sessions.len()));
    }
    sessions.iter().try_for_each(Session::check_size)
}

/// The sessions that call data of the module enables.
///
/// # Errors
/// `Invalid` for other call data, and for sizes that nobody means.
pub fn decode_enable_sessions(call_data: &[u8]) -> Result<Vec<Session>, ProtocolError> {
    let call = decode::call::<ISmartSession::enableSessionsCall>(call_data)
        .map_err(|error| ProtocolError::invalid("callData", "enableSessions(Session[])", error))?;
    let sessions = call.sessions.into_iter().map(Session::from).collect::<Vec<_>>();
    check_sessions(&sessions)?;
    Ok(sessions)
}

/// Removes a session. It does not end a grant that was signed and not used: see [`revoke`].
pub fn remove_session(permission_id: B256) -> Call {
    to_module(ISmartSession::removeSessionCall { permissionId: permission_id }.abi_encode())
}

/// The session that call data of the module removes; `None` for other call data.
pub fn removed_session(call_data: &[u8]) -> Option<B256> {
    let id = call_data.strip_prefix(ISmartSession::removeSessionCall::SELECTOR.as_slice())?;
    B256::try_from(id).ok()
}

/// Ends every grant that was signed for a session and not used.
pub fn revoke_enable_signature(permission_id: B256) -> Call {
    to_module(ISmartSession::revokeEnableSignatureCall { permissionId: permission_id }.abi_encode())
}

/// Ends a session: removes it and, where a grant was ever signed for it, ends that, too. Without the second the grant
/// brings the session back.
pub fn revoke(permission_id: B256, grant_was_signed: bool) -> Vec<Call> {
    let mut calls = vec![remove_session(permission_id)];
    calls.extend(grant_was_signed.then(|| revoke_enable_signature(permission_id)));
    calls
}

/// Disables one action of a session, with all its policies.
pub fn disable_action(permission_id: B256, action_id: B256) -> Call {
    to_module(ISmartSession::disableActionIdCall { permissionId: permission_id, actionId: action_id }.abi_encode())
}

/// Takes policies of an action away, where that cannot make the session wider.
///
/// # Errors
/// `PolicyRefused` unless all policies that the action has go: of what stays, nobody here knows that it limits as
/// much. Then [`disable_action`] says the same. `Invalid` without policies.
pub fn disable_action_policies(
    permission_id: B256,
    action_id: B256,
    policies: &[Address],
    enabled: &[Address],
) -> Result<Call, ProtocolError> {
    all_go(policies, enabled)?;
    let (permission, action) = (permission_id, action_id);
    let call = ISmartSession::disableActionPoliciesCall {
        permissionId: permission,
        actionId: action,
        policies: policies.to_vec(),
    };
    Ok(to_module(call.abi_encode()))
}

fn all_go(policies: &[Address], enabled: &[Address]) -> Result<(), ProtocolError> {
    if policies.is_empty() {
        return Err(ProtocolError::invalid("policies", "at least one", "none"));
    }
    match enabled.iter().find(|policy| !policies.contains(policy)) {
        Some(kept) => {
            let reason = format!("without them, and with {kept} left, the session could do more than before");
            Err(ProtocolError::refused("policies", reason))
        }
        None => Ok(()),
    }
}

/// Takes policies of whole operations away. What is left may allow more than before: whoever calls this has shown it.
pub fn disable_user_op_policies(permission_id: B256, policies: Vec<Address>) -> Call {
    to_module(ISmartSession::disableUserOpPoliciesCall { permissionId: permission_id, policies }.abi_encode())
}

/// Adds actions to a session.
pub fn enable_action_policies(permission_id: B256, actions: &[ActionData]) -> Call {
    let (id, actions) = (permission_id, actions_to(actions));
    to_module(ISmartSession::enableActionPoliciesCall { permissionId: id, actionPolicies: actions }.abi_encode())
}

/// Adds policies of whole operations to a session.
pub fn enable_user_op_policies(permission_id: B256, policies: &[PolicyData]) -> Call {
    let (id, policies) = (permission_id, policies_to(policies));
    to_module(ISmartSession::enableUserOpPoliciesCall { permissionId: id, userOpPolicies: policies }.abi_encode())
}

/// Lets others pay for a session's operations, or no longer.
pub fn set_permit_paymaster(permission_id: B256, enabled: bool) -> Call {
    to_module(ISmartSession::setPermit4337PaymasterCall { permissionId: permission_id, enabled }.abi_encode())
}

/// `initData` of the module with sessions that are enabled when it is installed. Not at an account's creation: its
/// address would depend on them.
///
/// # Errors
/// As [`enable_sessions`].
pub fn install_data(sessions: &[Session]) -> Result<Bytes, ProtocolError> {
    check_sessions(sessions)?;
    let sessions = InstalledSessions { sessions: sessions.iter().map(abi::Session::from).collect() };
    Ok([&[1][..], &sessions.abi_encode_params()].concat().into())
}

/// The sessions in the module's `initData`; none in empty data.
///
/// # Errors
/// `Invalid` for another mode, and for what is no list of sessions.
pub fn decode_install_data(init_data: &[u8]) -> Result<Vec<Session>, ProtocolError> {
    let rest = match init_data.split_first() {
        None => return Ok(Vec::new()),
        Some((1 | 2, rest)) => rest,
        Some((mode, _)) => return Err(ProtocolError::invalid("initData", "mode 1 or 2", mode)),
    };
    let read = decode::params::<InstalledSessions>(rest)
        .map_err(|error| ProtocolError::invalid("initData", "canonical abi(Session[])", error))?;
    let sessions = read.sessions.into_iter().map(Session::from).collect::<Vec<_>>();
    sessions.iter().try_for_each(Session::check_size)?;
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::smart_sessions::addresses::{SUDO_POLICY, USAGE_LIMIT_POLICY};

    /// Trap: an unused grant brings a removed session back.
    #[test]
    fn revoking_ends_a_signed_grant_too() {
        let id = B256::repeat_byte(5);
        assert_eq!(revoke(id, false), [remove_session(id)]);
        assert_eq!(revoke(id, true), [remove_session(id), revoke_enable_signature(id)]);
        assert_eq!(removed_session(&remove_session(id).data), Some(id));
        assert_eq!(removed_session(&revoke_enable_signature(id).data), None);
        assert_eq!(removed_session(&remove_session(id).data[..35]), None);
    }

    /// Trap: the limiting policy goes, the open one stays.
    #[test]
    fn a_session_is_not_made_wider() {
        let (id, both) = (B256::repeat_byte(5), [SUDO_POLICY, USAGE_LIMIT_POLICY]);
        let error = disable_action_policies(id, id, &[USAGE_LIMIT_POLICY], &both).unwrap_err().to_string();
        assert!(error.contains("policies") && error.contains("more than before"), "{error}");
        assert!(disable_action_policies(id, id, &[], &both).is_err());
        let all = disable_action_policies(id, id, &both, &both).unwrap();
        assert_eq!(all.data[..4], ISmartSession::disableActionPoliciesCall::SELECTOR);
    }

    #[test]
    fn none_and_too_many_sessions_are_refused() {
        for count in [0, MAX_SESSIONS + 1] {
            let error = enable_sessions(&vec![Session::default(); count]).unwrap_err().to_string();
            assert!(error.starts_with("sessions"), "{error}");
        }
        let many = vec![Session::default(); MAX_SESSIONS];
        assert_eq!(decode_enable_sessions(&enable_sessions(&many).unwrap().data).unwrap(), many);
        assert_eq!(decode_install_data(&install_data(&many).unwrap()).unwrap(), many);
        assert_eq!(decode_install_data(&[]).unwrap(), []);
        for bad in [&[0][..], &[1], &[1, 2, 3]] {
            assert!(decode_install_data(bad).unwrap_err().to_string().starts_with("initData"));
        }
        assert!(decode_enable_sessions(&[0x21, 0x71, 0x24, 0x07]).is_err());
    }
}
