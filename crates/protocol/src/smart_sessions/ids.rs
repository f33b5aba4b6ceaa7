//! Ids of sessions, actions, and of what policies count for. Policies are no part of a session's id: the same
//! validator, data and salt *is* the same session, and enabling it again adds to it and sets its counters back.

use alloy::{
    primitives::{Address, B256, keccak256},
    sol_types::SolValue,
};

use super::session::{ActionData, Session};

/// Id of a session: `keccak(abi(sessionValidator, sessionValidatorInitData, salt))`.
pub fn permission_id(session: &Session) -> B256 {
    let parts = (session.session_validator, session.session_validator_init_data.clone(), session.salt);
    keccak256(parts.abi_encode_params())
}

/// Id of an action: `keccak(target ‖ selector)`.
pub fn action_id(target: Address, selector: [u8; 4]) -> B256 {
    keccak256([target.as_slice(), &selector].concat())
}

/// [`action_id`] of an action.
pub fn id_of_action(action: &ActionData) -> B256 {
    action_id(action.action_target, action.action_target_selector.0)
}

/// What the policies of an action count for.
pub fn action_config_id(account: Address, permission_id: B256, action_id: B256) -> B256 {
    let policy_id = keccak256([permission_id, action_id].concat());
    keccak256([account.as_slice(), policy_id.as_slice()].concat())
}

/// What the policies of whole operations count for.
pub fn user_op_config_id(account: Address, permission_id: B256) -> B256 {
    keccak256([account.as_slice(), permission_id.as_slice()].concat())
}

/// What the policies of message signatures count for.
pub fn erc1271_config_id(account: Address, permission_id: B256) -> B256 {
    let policy_id = keccak256([&b"ERC1271: "[..], permission_id.as_slice()].concat());
    keccak256([account.as_slice(), policy_id.as_slice()].concat())
}
