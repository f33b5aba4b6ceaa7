//! What the nodes sign for a Nexus account: an operation that uses a granted session within its policies.

use crate::{
    distributed_key::{Refusal, sign_request::CLOCK_TOLERANCE},
    nexus::{NonceKey, ValidationMode, decode_calls},
    smart_sessions::{OperationSignature, Session, addresses::SMART_SESSION, ids, window_of_calls},
    user_operation::UserOperation,
};

/// Is it judged by Smart Sessions, as a use of a granted session, and does this session let every call through? Sessions of
/// one key are not told apart by its signature, so what is signed for one can be used with another of the grant: that one's
/// policies the chain checks.
pub(in crate::distributed_key) fn check_operation(
    sessions: &[Session],
    operation: &UserOperation,
    now: u64,
) -> Result<(), Refusal> {
    check_lane(operation)?;
    let session = used_session(sessions, operation)?;
    decode_calls(&operation.call_data).map_err(|error| Refusal::ExecutionRefused { reason: error.to_string() })?;
    let sponsored = !operation.paymaster_and_data.is_empty();
    let window = window_of_calls(session, operation.sender, &operation.call_data, sponsored)?;
    let (begin, end) = (window.valid_after, window.valid_until);
    if now.saturating_add(CLOCK_TOLERANCE) < begin || (end != 0 && now > end) {
        let reason = format!("the session works from {begin} to {end} (unix seconds)");
        return Err(Refusal::PolicyViolation { rule: "window".into(), reason });
    }
    Ok(())
}

fn check_lane(operation: &UserOperation) -> Result<(), Refusal> {
    let refused = |reason: String| Err(Refusal::NonceLane { reason });
    match NonceKey::of_nonce(operation.nonce) {
        Ok((NonceKey { mode: ValidationMode::Validate, validator: SMART_SESSION, .. }, _)) => Ok(()),
        Ok((NonceKey { mode: ValidationMode::Validate, validator, .. }, _)) => {
            refused(format!("validator {validator} instead of Smart Sessions at {SMART_SESSION}"))
        }
        Ok(_) => refused("it does more than have a validator judge the operation".to_owned()),
        Err(error) => refused(error.to_string()),
    }
}

fn used_session<'a>(sessions: &'a [Session], operation: &UserOperation) -> Result<&'a Session, Refusal> {
    let signature = OperationSignature::decode(&operation.signature)
        .map_err(|error| Refusal::malformed("signature", error.to_string()))?;
    let OperationSignature::Use { permission_id, .. } = signature else { return Err(Refusal::SignatureMode) };
    let found = sessions.iter().find(|session| ids::permission_id(session) == permission_id);
    found.ok_or(Refusal::OtherPermission { got: permission_id })
}
