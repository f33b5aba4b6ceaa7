//! What can be asked of module and policies: call data, and what the answers say. Mind the order of arguments: some
//! functions take session and account, some account and session.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};

use super::{addresses::SMART_SESSION, session::Session, universal::UniversalAction};
use crate::{
    ProtocolError,
    abi::{
        decode,
        smart_sessions::{ActionConfig, ISessionPolicy, ISmartSession},
    },
    policy::{SessionEpoch, UINT48_END},
};

/// Most ids in a list that is read.
pub const MAX_LISTED: usize = 4_096;

/// Call data that asks for an account's sessions.
pub fn permission_ids_call(account: Address) -> Bytes {
    ISmartSession::getPermissionIDsCall { account }.abi_encode().into()
}

/// Call data that asks whether a session is enabled; to be asked before a grant, as a second one sets counters back.
pub fn is_permission_enabled_call(permission_id: B256, account: Address) -> Bytes {
    ISmartSession::isPermissionEnabledCall { permissionId: permission_id, account }.abi_encode().into()
}

/// Call data that asks for the nonce that the next grant of a session must name.
pub fn nonce_call(permission_id: B256, account: Address) -> Bytes {
    ISmartSession::getNonceCall { permissionId: permission_id, account }.abi_encode().into()
}

/// Call data that asks for the ids of a session's actions.
pub fn enabled_actions_call(account: Address, permission_id: B256) -> Bytes {
    ISmartSession::getEnabledActionsCall { account, permissionId: permission_id }.abi_encode().into()
}

/// Call data that asks for the policies of an action.
pub fn action_policies_call(account: Address, permission_id: B256, action_id: B256) -> Bytes {
    let call = ISmartSession::getActionPoliciesCall { account, permissionId: permission_id, actionId: action_id };
    call.abi_encode().into()
}

/// Call data that asks for the policies of whole operations.
pub fn user_op_policies_call(account: Address, permission_id: B256) -> Bytes {
    ISmartSession::getUserOpPoliciesCall { account, permissionId: permission_id }.abi_encode().into()
}

/// Call data that asks for the policies of messages that a session signs; it signs none without one.
pub fn erc1271_policies_call(account: Address, permission_id: B256) -> Bytes {
    ISmartSession::getERC1271PoliciesCall { account, permissionId: permission_id }.abi_encode().into()
}

/// Call data that asks for a session's validator and what it judges by.
pub fn session_validator_call(account: Address, permission_id: B256) -> Bytes {
    ISmartSession::getSessionValidatorAndConfigCall { account, permissionId: permission_id }.abi_encode().into()
}

/// Call data by which the build is told: an older one at the same address, with another session struct, has no function
/// with this selector. A chain that does not answer with a session's id is refused.
pub fn probe_call(session: &Session) -> Bytes {
    ISmartSession::getPermissionIdCall { session: session.into() }.abi_encode().into()
}

/// The answer to [`probe_call`] must be this session's id.
///
/// # Errors
/// `Invalid` for any other.
pub fn check_probe(session: &Session, answer: &[u8]) -> Result<(), ProtocolError> {
    let expected = super::ids::permission_id(session);
    match decode_word(answer) {
        Ok(id) if id == expected => Ok(()),
        _ => Err(ProtocolError::invalid("getPermissionId", "the id of this build of Smart Sessions", short(answer))),
    }
}

/// The same with the getter as the field: whoever asks several must hear which one answered so.
///
/// # Errors
/// Those of `decoded`.
pub fn answer_of<T>(getter: &str, decoded: Result<T, ProtocolError>) -> Result<T, ProtocolError> {
    decoded.map_err(|error| match error {
        ProtocolError::Invalid { expected, got, .. } => {
            ProtocolError::Invalid { field: getter.to_owned(), expected, got }
        }
        other => other,
    })
}

fn short(answer: &[u8]) -> String {
    format!("0x{}", hex::encode(answer.get(..32).unwrap_or(answer)))
}

fn decode_word(answer: &[u8]) -> Result<B256, ProtocolError> {
    decode::params::<(B256,)>(answer)
        .map(|(word,)| word)
        .map_err(|_| ProtocolError::invalid("answer", "one word", short(answer)))
}

/// A yes or no.
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_bool(answer: &[u8]) -> Result<bool, ProtocolError> {
    decode::params::<(bool,)>(answer)
        .map(|(yes,)| yes)
        .map_err(|_| ProtocolError::invalid("answer", "yes or no", short(answer)))
}

/// A number: a nonce, how often or how much was used, a limit.
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_number(answer: &[u8]) -> Result<U256, ProtocolError> {
    decode_word(answer).map(|word| U256::from_be_bytes(word.0))
}

/// A list of ids, of sessions or actions.
///
/// # Errors
/// `Invalid` for anything else, and for a list longer than [`MAX_LISTED`].
pub fn decode_ids(answer: &[u8]) -> Result<Vec<B256>, ProtocolError> {
    let (ids,) = decode::params::<(Vec<B256>,)>(answer)
        .map_err(|_| ProtocolError::invalid("answer", "a list of ids", short(answer)))?;
    if ids.len() > MAX_LISTED { Err(ProtocolError::invalid("answer", "at most 4096 ids", ids.len())) } else { Ok(ids) }
}

/// A list of policies.
///
/// # Errors
/// As [`decode_ids`].
pub fn decode_addresses(answer: &[u8]) -> Result<Vec<Address>, ProtocolError> {
    let (list,) = decode::params::<(Vec<Address>,)>(answer)
        .map_err(|_| ProtocolError::invalid("answer", "a list of addresses", short(answer)))?;
    if list.len() > MAX_LISTED { Err(ProtocolError::invalid("answer", "at most 4096", list.len())) } else { Ok(list) }
}

/// The answer to [`session_validator_call`].
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_session_validator(answer: &[u8]) -> Result<(Address, Bytes), ProtocolError> {
    decode::params::<(Address, Bytes)>(answer)
        .map_err(|_| ProtocolError::invalid("answer", "a validator and its data", short(answer)))
}

/// Call data that asks the use limit or the value limit how much was used.
pub fn used_call(config_id: B256, account: Address) -> Bytes {
    ISessionPolicy::getUsedCall { id: config_id, multiplexer: SMART_SESSION, account }.abi_encode().into()
}

/// Call data that asks the use limit for its limit.
pub fn usage_limit_call(config_id: B256, account: Address) -> Bytes {
    ISessionPolicy::getUsageLimitCall { id: config_id, multiplexer: SMART_SESSION, account }.abi_encode().into()
}

/// Call data that asks the value limit for its limit.
pub fn value_limit_call(config_id: B256, account: Address) -> Bytes {
    ISessionPolicy::getValueLimitCall { id: config_id, multiplexer: SMART_SESSION, account }.abi_encode().into()
}

/// Call data that asks the time frame.
pub fn time_frame_call(config_id: B256, account: Address) -> Bytes {
    ISessionPolicy::getTimeFrameConfigCall { id: config_id, multiplexer: SMART_SESSION, account }.abi_encode().into()
}

/// The answer to [`time_frame_call`]: `until << 48 | after`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_time_frame(answer: &[u8]) -> Result<SessionEpoch, ProtocolError> {
    let word = decode_number(answer)?;
    let time = |bits: usize| -> u64 { (word >> bits).as_limbs()[0] & (UINT48_END - 1) };
    if word.bit_len() > 96 {
        return Err(ProtocolError::invalid("answer", "two times of 48 bits", short(answer)));
    }
    Ok(SessionEpoch { valid_until: time(48), valid_after: time(0) })
}

/// What the spending limit knows of one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Most in all, in the token's smallest unit.
    pub limit: U256,
    /// Transferred so far.
    pub spent: U256,
    /// Approved so far: allowances that were not used, or were taken back, count for ever.
    pub approved: U256,
}

impl Spending {
    /// What is left.
    pub fn remaining(self) -> U256 {
        self.limit.saturating_sub(self.spent).saturating_sub(self.approved)
    }
}

/// Call data that asks the spending limit. It reverts for a token that is not in its list.
pub fn spending_call(config_id: B256, token: Address, account: Address) -> Bytes {
    ISessionPolicy::getPolicyDataCall { id: config_id, multiplexer: SMART_SESSION, token, account }.abi_encode().into()
}

/// The answer to [`spending_call`].
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_spending(answer: &[u8]) -> Result<Spending, ProtocolError> {
    let (limit, spent, approved) = decode::params::<(U256, U256, U256)>(answer)
        .map_err(|_| ProtocolError::invalid("answer", "limit, spent and approved", short(answer)))?;
    Ok(Spending { limit, spent, approved })
}

/// Call data that asks the universal policy for its rules and what they counted.
pub fn universal_action_call(config_id: B256, account: Address) -> Bytes {
    ISessionPolicy::actionConfigsCall { id: config_id, multiplexer: SMART_SESSION, account }.abi_encode().into()
}

/// The answer to [`universal_action_call`]: what is left of a rule's limit is `limit − used`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode_universal_action(answer: &[u8]) -> Result<UniversalAction, ProtocolError> {
    let config = decode::params::<ActionConfig>(answer)
        .map_err(|_| ProtocolError::invalid("answer", "98 words of the universal policy", short(answer)))?;
    UniversalAction::of(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::sol_types::SolValue;

    use super::*;
    use crate::smart_sessions::ParamRule;

    #[test]
    fn answers_are_read_and_others_are_told() {
        let number = |number: u64| U256::from(number).to_be_bytes::<32>();
        assert!(decode_bool(&number(1)).unwrap() && !decode_bool(&number(0)).unwrap());
        assert_eq!(decode_number(&number(7)).unwrap(), U256::from(7));
        let ids = vec![B256::repeat_byte(1), B256::repeat_byte(2)];
        assert_eq!(decode_ids(&(ids.clone(),).abi_encode_params()).unwrap(), ids);
        let frame = (U256::from(1_900_003_600_u64) << 48_usize) | U256::from(1_899_999_000_u64);
        let told = decode_time_frame(&frame.to_be_bytes::<32>()).unwrap();
        assert_eq!(told, SessionEpoch { valid_until: 1_900_003_600, valid_after: 1_899_999_000 });
        let spending = decode_spending(&[number(10), number(3), number(4)].concat()).unwrap();
        assert_eq!(spending.remaining(), U256::from(3));
        let action = UniversalAction { rules: vec![ParamRule::always()], value_limit_per_use: U256::from(5) };
        assert_eq!(decode_universal_action(&action.encode().unwrap()).unwrap(), action);
        assert!(decode_bool(&number(2)).is_err());
        assert!(decode_time_frame(&[0xff; 32]).is_err());
        for bad in [&[][..], &[0; 31], &[0; 33]] {
            assert!(decode_bool(bad).is_err() && decode_number(bad).is_err() && decode_ids(bad).is_err());
            assert!(decode_spending(bad).is_err() && decode_universal_action(bad).is_err());
            assert!(decode_time_frame(bad).is_err() && decode_addresses(bad).is_err());
            assert!(decode_session_validator(bad).is_err());
        }
    }

    /// Trap: an older build at the same address answers nothing, or something else.
    #[test]
    fn another_build_is_refused() {
        let session = Session { salt: B256::repeat_byte(3), ..Session::default() };
        let id = super::super::ids::permission_id(&session);
        assert_eq!(check_probe(&session, id.as_slice()), Ok(()));
        for answer in [&[][..], &[0; 32], &[id.as_slice(), &[0; 32]].concat()] {
            assert!(check_probe(&session, answer).unwrap_err().to_string().starts_with("getPermissionId"));
        }
        assert_eq!(probe_call(&session)[..4], [0x1b, 0xe1, 0xff, 0xfb]);
    }
}
