//! What sessions were granted for, by the operations that enabled them.

use alloy::primitives::Address;

use super::{
    super::{
        OperationSignature,
        addresses::SMART_SESSION,
        calls::decode_enable_sessions,
        session::{ActionData, Session, actions_from},
    },
    known::Plain,
};
use crate::{
    abi::{decode, smart_sessions::ISmartSession::enableActionPoliciesCall},
    accounts::nexus::{ENTRY_POINT, decode_calls},
};

/// Most functions of one bundle.
const MOST_FUNCTIONS: usize = 1_024;

/// Contracts and functions of the sessions that the account's operations in this bundle enable, by their call data or their
/// signature. What cannot be read tells nothing; nobody believes any of it before it is hashed.
pub(in super::super) fn granted_in(account: Address, input: &[u8]) -> Vec<Plain> {
    let operations = ENTRY_POINT.operations_in(input).unwrap_or_default();
    let own = operations.into_iter().filter(|operation| operation.sender == account);
    let actions = own.flat_map(|operation| {
        let signed = match OperationSignature::decode(&operation.signature) {
            Ok(OperationSignature::Enable { grant, .. }) => grant.session.actions,
            _ => Vec::new(),
        };
        let calls = decode_calls(&operation.call_data).unwrap_or_default();
        let called = calls.into_iter().filter(|call| call.to == SMART_SESSION);
        signed.into_iter().chain(called.flat_map(|call| enabled_by(&call.data)))
    });
    actions.take(MOST_FUNCTIONS).map(|action| (action.action_target, action.action_target_selector.0)).collect()
}

fn enabled_by(call_data: &[u8]) -> Vec<ActionData> {
    let of_sessions = |sessions: Vec<Session>| sessions.into_iter().flat_map(|session| session.actions).collect();
    decode_enable_sessions(call_data).map(of_sessions).unwrap_or_else(|_| {
        let more = decode::call::<enableActionPoliciesCall>(call_data);
        more.map(|call| actions_from(call.actionPolicies)).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, U256};

    use super::*;
    use crate::{
        accounts::nexus::encode_calls,
        call::Call,
        entry_point::UserOperation,
        smart_sessions::{
            EnableGrant,
            calls::{enable_action_policies, enable_sessions},
            grant::ChainDigest,
        },
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn action(number: u8) -> ActionData {
        ActionData { action_target: Address::repeat_byte(number), ..ActionData::default() }
    }

    fn session(number: u8) -> Session {
        Session { actions: vec![action(number)], ..Session::default() }
    }

    /// By call data in each of its forms and by the signature; another account's and what is garbled tell nothing.
    #[test]
    fn the_operations_that_enable_tell_what_they_enable() {
        let operation = |calls: &[Call]| UserOperation {
            entry_point: ENTRY_POINT,
            sender: ACCOUNT,
            call_data: encode_calls(calls).unwrap(),
            ..UserOperation::default()
        };
        let sessions = enable_sessions(&[session(1), session(2)]).unwrap();
        let more = enable_action_policies(B256::ZERO, &[action(3)]);
        let elsewhere = Call { to: ACCOUNT, value: U256::ZERO, data: sessions.data.clone() };
        let digests = vec![ChainDigest { chain_id: 1, session_digest: B256::ZERO }];
        let grant = EnableGrant {
            chain_digest_index: 0,
            digests,
            session: session(4),
            permission_enable_sig: Default::default(),
        };
        let signed = UserOperation { signature: grant.signature(&[1; 65]).unwrap(), ..operation(&[Call::default()]) };
        let foreign = UserOperation { sender: Address::ZERO, ..operation(std::slice::from_ref(&sessions)) };
        let operations = vec![operation(&[sessions, more]), operation(&[elsewhere]), signed, foreign];
        let input = ENTRY_POINT.handle_ops(operations, ACCOUNT).unwrap();
        let targets = granted_in(ACCOUNT, &input).into_iter().map(|(target, _)| target);
        assert_eq!(targets.collect::<Vec<_>>(), [1, 2, 3, 4].map(Address::repeat_byte));
        assert_eq!(granted_in(ACCOUNT, &input[..input.len() - 32]), []);
        assert_eq!(granted_in(ACCOUNT, &[]), []);
    }
}
