//! What an operation does: the calls in the call data of either kind of account. Who takes operations of an entry point
//! tells the kind: V2 accounts are on v0.6, Nexus accounts on v0.7.

use use_aa_protocol::{
    entry_point::EntryPoint,
    nexus::{self, NonceKey, ValidationMode},
    smart_account::{self, Call},
    user_operation::UserOperation,
};

/// The calls, all of which are undone when one fails. The error is the reason, for the person who asked.
pub(super) fn calls_of(operation: &UserOperation) -> Result<Vec<Call>, String> {
    let calls = match operation.entry_point {
        EntryPoint::V06 => smart_account::decode_calls(&operation.call_data),
        EntryPoint::V07 => nexus::decode_calls(&operation.call_data),
    };
    calls.map_err(|error| error.to_string())
}

/// Does the account do something beside its calls? A Nexus account can be had to install a module while it is validated:
/// what, stands in the signature, which nobody knows who pays.
pub(super) fn check_nonce(operation: &UserOperation) -> Result<(), String> {
    if operation.entry_point == EntryPoint::V06 {
        return Ok(());
    }
    match NonceKey::of_nonce(operation.nonce) {
        Ok((NonceKey { mode: ValidationMode::Validate, .. }, _)) => Ok(()),
        _ => Err("the nonce asks the account for more than to validate a signature; only that is paid for".into()),
    }
}
