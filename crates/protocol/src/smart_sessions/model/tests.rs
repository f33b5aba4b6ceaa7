//! What the real contracts do with a person's trust, so that nobody is told otherwise: each trap with its way out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::{
    primitives::{FixedBytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};

use super::*;
use crate::{
    abi::smart_sessions::ISmartSession,
    accounts::nexus::{GrantSigning, ModuleType, encode_calls, install_module},
    addresses::DEMO_TOKEN,
    entry_point::{EntryPoint, UserOperation, v07::pack},
    smart_account::Call,
    smart_sessions::{
        ActionData, EnableGrant, EnableMode, ParamRule, PolicyConfig, Session, UniversalAction, addresses::*, calls,
        grant, ids, smart_session_error,
    },
};
use alloy::sol_types::SolError;

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const VALIDATOR: Address = Address::repeat_byte(0x0f);
const TARGET: Address = Address::repeat_byte(0x7f);

fn key(byte: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap()
}

fn session(actions: Vec<ActionData>) -> Session {
    Session {
        session_validator: SIMPLE_SIGNER,
        session_validator_init_data: key(7).address().to_vec().into(),
        salt: B256::repeat_byte(9),
        actions,
        ..Session::default()
    }
}

fn action(target: Address, selector: [u8; 4], configs: &[PolicyConfig]) -> ActionData {
    ActionData {
        action_target_selector: FixedBytes(selector),
        action_target: target,
        action_policies: configs.iter().map(|config| config.policy_data().unwrap()).collect(),
    }
}

fn call(to: Address, data: Vec<u8>) -> Vec<u8> {
    encode_calls(&[Call { to, value: U256::ZERO, data: data.into() }]).unwrap().to_vec()
}

fn around<T>(then: impl FnOnce(Surroundings<'_>) -> T) -> T {
    let owner = key(1).address();
    let is_valid_signature = |hash: B256, signature: &[u8]| owner_validator(VALIDATOR, owner, hash, signature);
    then(Surroundings {
        account: ACCOUNT,
        chain_id: 1,
        simple_signers: &[SIMPLE_SIGNER],
        is_valid_signature: &is_valid_signature,
    })
}

fn selector_of(refusal: Refusal) -> [u8; 4] {
    let Refusal::Reverted(data) = refusal else { panic!("{refusal}") };
    assert!(smart_session_error(&data).is_some(), "{refusal}", refusal = Refusal::Reverted(data.clone()));
    *data.first_chunk().unwrap()
}

#[test]
fn an_unused_grant_brings_a_removed_session_back_unless_it_is_revoked() {
    let session = session(vec![action(TARGET, [1; 4], &[PolicyConfig::UsageLimit(1)])]);
    let id = ids::permission_id(&session);
    let session_digest = grant::session_digest(&session, ACCOUNT, U256::ZERO, EnableMode::Enable);
    let digests = vec![grant::ChainDigest { chain_id: 1, session_digest }];
    let consent = key(1).sign_hash_sync(&grant::enable_hash(&digests)).unwrap().as_bytes();
    let permission_enable_sig =
        grant::permission_enable_sig(&digests, GrantSigning::Plain, VALIDATOR, &consent).unwrap();
    let grant = EnableGrant { chain_digest_index: 0, digests, session: session.clone(), permission_enable_sig };
    around(|around| {
        let mut state = ModuleState::with_session(&session, around).unwrap();
        let mut op = UserOperation {
            entry_point: EntryPoint::V07,
            sender: ACCOUNT,
            call_data: call(TARGET, vec![1; 4]).into(),
            ..Default::default()
        };
        let hash = B256::repeat_byte(5);
        let signed = key(7).sign_message_sync(hash.as_slice()).unwrap().as_bytes();
        op.signature = grant.signature(&signed).unwrap();
        let op = pack(&op).unwrap();
        state.call(&calls::remove_session(id).data, around).unwrap();
        assert!(state.session(id).is_none());
        let mut revoked = state.clone();
        assert!(state.validate_user_op(&op, hash, ACCOUNT, around).unwrap().is_accepted(), "it is back");
        assert!(state.session(id).is_some());
        for ending in calls::revoke(id, true) {
            revoked.call(&ending.data, around).unwrap();
        }
        let refusal = revoked.validate_user_op(&op, hash, ACCOUNT, around).unwrap_err();
        assert_eq!(selector_of(refusal), ISmartSession::HashMismatch::SELECTOR);
        assert!(revoked.session(id).is_none());
        // The grant is one session's and one account's: nobody else may send it.
        let refusal = revoked.validate_user_op(&op, hash, TARGET, around).unwrap_err();
        assert_eq!(selector_of(refusal), ISmartSession::InvalidUserOpSender::SELECTOR);
    });
}

#[test]
fn the_generic_fallback_lets_a_session_install_modules_and_others_do_not() {
    let takeover = encode_calls(&[install_module(ACCOUNT, ModuleType::Validator, TARGET, Bytes::new())]).unwrap();
    for (actions, passes) in [
        (vec![action(FALLBACK_TARGET, FALLBACK_GENERIC, &[PolicyConfig::Sudo])], true),
        (vec![action(FALLBACK_TARGET, FALLBACK_ADMINISTRATION, &[PolicyConfig::Sudo])], false),
        (vec![action(TARGET, [1; 4], &[PolicyConfig::Sudo])], false),
    ] {
        let session = session(actions);
        around(|around| {
            let mut state = ModuleState::with_session(&session, around).unwrap();
            let answer = state.judge(ids::permission_id(&session), &takeover, false, ACCOUNT);
            assert_eq!(answer.is_ok(), passes);
        });
    }
}

#[test]
fn a_spending_limit_in_two_actions_is_twice_the_limit() {
    let limit = [PolicyConfig::SpendingLimit(vec![(DEMO_TOKEN, U256::from(100))])];
    let (transfer, approve) = ([0xa9, 0x05, 0x9c, 0xbb], [0x09, 0x5e, 0xa7, 0xb3]);
    let session = session(vec![action(DEMO_TOKEN, transfer, &limit), action(DEMO_TOKEN, approve, &limit)]);
    let id = ids::permission_id(&session);
    let spend = |selector: [u8; 4], amount: u64| {
        let amount = U256::from(amount).to_be_bytes::<32>();
        call(DEMO_TOKEN, [&selector[..], B256::ZERO.as_slice(), &amount].concat())
    };
    around(|around| {
        let mut state = ModuleState::with_session(&session, around).unwrap();
        let mut passes = |data: Vec<u8>| state.judge(id, &data, false, ACCOUNT).is_ok();
        assert!(passes(spend(transfer, 100)) && passes(spend(approve, 100)), "200 of 100");
        assert!(!passes(spend(transfer, 1)) && !passes(spend(approve, 1)));
    });
}

#[test]
fn no_rules_cannot_be_said_and_a_function_without_arguments_cannot_be_called() {
    let always = UniversalAction { rules: vec![ParamRule::always()], ..Default::default() };
    let session = session(vec![action(TARGET, [1; 4], &[PolicyConfig::UniversalAction(always)])]);
    let id = ids::permission_id(&session);
    around(|around| {
        let mut state = ModuleState::with_session(&session, around).unwrap();
        let refusal = state.judge(id, &call(TARGET, vec![1; 4]), false, ACCOUNT).unwrap_err();
        assert_eq!(selector_of(refusal), ISmartSession::PolicyCheckReverted::SELECTOR);
        // The way out: a word behind, which most callees do not look at.
        let longer = [&[1; 4][..], &[0; 32]].concat();
        assert!(state.judge(id, &call(TARGET, longer), false, ACCOUNT).is_ok());
    });
}

#[test]
fn what_was_read_from_the_chain_counts() {
    let session = session(vec![action(TARGET, [1; 4], &[PolicyConfig::UsageLimit(3)])]);
    let id = ids::permission_id(&session);
    around(|around| {
        let mut state = ModuleState::with_session(&session, around).unwrap();
        let policies = state.policies_mut(id, Some(ids::id_of_action(&session.actions[0]))).unwrap();
        policies[0].1 = PolicyState::UsageLimit { limit: 3, used: 2 };
        assert!(state.judge(id, &call(TARGET, vec![1; 4]), false, ACCOUNT).is_ok());
        let refusal = state.judge(id, &call(TARGET, vec![1; 4]), false, ACCOUNT).unwrap_err();
        assert_eq!(selector_of(refusal), ISmartSession::PolicyViolation::SELECTOR);
    });
}

#[test]
fn what_is_not_known_here_is_said_to_be() {
    let mut session = session(vec![action(TARGET, [1; 4], &[PolicyConfig::Sudo])]);
    session.actions[0].action_policies[0].policy = TARGET;
    around(|around| {
        assert_eq!(ModuleState::with_session(&session, around), Err(Refusal::Unknown(TARGET)));
        let mut state = ModuleState::default();
        assert_eq!(state.call(&[1, 2, 3, 4], around), Err(Refusal::Unknown(SMART_SESSION)));
        assert_eq!(state.call(&[], around), Err(Refusal::Reverted(Bytes::new())));
    });
}
