#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
use alloy::sol_types::{SolCall, SolValue};

use super::{
    super::{
        ActionLimits, PolicyConfig, SessionLimits, SmartSessions, StoredSession,
        addresses::{FALLBACK_GENERIC, FALLBACK_TARGET, OWNABLE_VALIDATOR, SUDO_POLICY, UNIVERSAL_ACTION_POLICY},
        session::{ActionData, PolicyData},
        session_of,
    },
    *,
};
use crate::{
    abi::smart_sessions::{ISessionPolicy, ISmartSession},
    addresses::{DEMO_NFT, DEMO_TOKEN},
    policy::{Condition, Erc20Policy, Policy},
    session_scheme::{Candidates, Counted, SessionNote, SessionScheme},
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const KEY: Address = Address::repeat_byte(7);
const ELSEWHERE: Address = Address::repeat_byte(0x99);

fn granted() -> Session {
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, ACCOUNT);
    let mint = mint.with_valid_until(2_000_000_000);
    let send = Erc20Policy::new(DEMO_TOKEN, KEY, U256::from(5));
    let policies = [
        (mint.into(), ActionLimits { uses: Some(3), ..Default::default() }),
        (send.into(), ActionLimits { totals: vec![(32, U256::from(50))], ..Default::default() }),
    ];
    let limits = SessionLimits { operations: Some(9), ..Default::default() };
    session_of(&policies, KEY, B256::repeat_byte(1), &limits, ACCOUNT, 1).unwrap()
}

/// What module and policies answer that have this session, where each count stands at 2.
fn chain(session: &Session, call: &Call) -> Option<Bytes> {
    let selector = *call.data.first_chunk::<4>().unwrap();
    let addresses = |policies: &[PolicyData]| {
        let list = policies.iter().map(|policy| policy.policy).collect::<Vec<_>>();
        (list,).abi_encode_params()
    };
    let word = |number: u64| U256::from(number).to_be_bytes::<32>().to_vec();
    let everywhere = session.actions.iter().flat_map(|action| &action.action_policies);
    let mut of_contract = everywhere.chain(&session.user_op_policies).filter(|policy| policy.policy == call.to);
    let answer = match selector {
        ISmartSession::getSessionValidatorAndConfigCall::SELECTOR => {
            (session.session_validator, session.session_validator_init_data.clone()).abi_encode_params()
        }
        ISmartSession::getUserOpPoliciesCall::SELECTOR => addresses(&session.user_op_policies),
        ISmartSession::getERC1271PoliciesCall::SELECTOR => addresses(&session.erc7739_policies.erc1271_policies),
        ISmartSession::getEnabledActionsCall::SELECTOR => {
            (session.actions.iter().map(ids::id_of_action).collect::<Vec<_>>(),).abi_encode_params()
        }
        ISmartSession::getActionPoliciesCall::SELECTOR => {
            let asked = ISmartSession::getActionPoliciesCall::abi_decode(&call.data).unwrap().actionId;
            let action = session.actions.iter().find(|action| ids::id_of_action(action) == asked).unwrap();
            addresses(&action.action_policies)
        }
        ISessionPolicy::getUsedCall::SELECTOR => word(2),
        ISessionPolicy::getUsageLimitCall::SELECTOR => word(if is_of_operations(session, call) { 9 } else { 3 }),
        ISessionPolicy::getTimeFrameConfigCall::SELECTOR => {
            (U256::from(2_000_000_000_u64) << 48_usize).to_be_bytes::<32>().to_vec()
        }
        ISessionPolicy::actionConfigsCall::SELECTOR => {
            let config = ISessionPolicy::actionConfigsCall::abi_decode(&call.data).unwrap().id;
            let permission = ids::permission_id(session);
            let of_action =
                |action: &&ActionData| ids::action_config_id(ACCOUNT, permission, ids::id_of_action(action)) == config;
            let action = session.actions.iter().find(of_action)?;
            let universal = action.action_policies.iter().find(|policy| policy.policy == call.to)?;
            universal.init_data.to_vec()
        }
        _ => of_contract.next()?.init_data.to_vec(),
    };
    Some(answer.into())
}

fn is_of_operations(session: &Session, call: &Call) -> bool {
    let asked = ISessionPolicy::getUsageLimitCall::abi_decode(&call.data).unwrap().id;
    asked == ids::user_op_config_id(ACCOUNT, ids::permission_id(session))
}

fn drive(
    mut reading: Box<dyn SessionReading>,
    chain: impl Fn(&Call) -> Option<Bytes>,
) -> Result<ReadSession, ProtocolError> {
    for round in 0.. {
        let calls = reading.calls();
        if calls.is_empty() {
            break;
        }
        assert!(round < 4, "it comes to an end");
        reading.answered(&calls.iter().map(&chain).collect::<Vec<_>>())?;
    }
    Ok(reading.told())
}

fn one(unknown: &[B256], stored: &[&Session], contracts: &[Address]) -> Box<dyn SessionReading> {
    let candidates = Candidates { contracts: contracts.to_vec(), functions: Vec::new() };
    readings(ACCOUNT, unknown, stored, &candidates).pop().unwrap()
}

/// With nothing stored, of nothing but its id.
fn read(session: &Session, contracts: &[Address]) -> ReadSession {
    drive(one(&[ids::permission_id(session)], &[], contracts), |call| chain(session, call)).unwrap()
}

fn texts(notes: &[SessionNote]) -> Vec<(Option<usize>, bool, &str)> {
    notes.iter().map(|note| (note.place, note.is_unreadable, note.text.as_str())).collect()
}

#[test]
fn an_unknown_session_says_what_the_device_that_granted_it_says() {
    let session = granted();
    let told = read(&session, &[]);
    assert_eq!(told.notes, []);
    assert_eq!(told.leaves, SmartSessions::leaves(&StoredSession::from(session)));
    assert!(told.leaves.iter().all(|leaf| leaf.session_key_address == KEY));
    let left = told.left.iter().map(|limit| (limit.place, limit.what, limit.left.to::<u64>())).collect::<Vec<_>>();
    assert_eq!(left, [(0, Counted::Uses, 1), (1, Counted::Token(DEMO_TOKEN), 50), (0, Counted::Uses, 7)]);
}

/// Trap: whatever is not known is said to be, in the place of words that would sound harmless.
#[test]
fn what_nothing_explains_is_unreadable_and_what_is_known_of_it_is_said() {
    let mut elsewhere = granted();
    elsewhere.actions[0].action_target = ELSEWHERE;
    let hidden = read(&elsewhere, &[]);
    assert!(hidden.notes[0].is_unreadable && hidden.notes[0].text.contains("keeps a hash"), "{hidden:?}");
    assert_eq!((hidden.notes.len(), hidden.leaves[0].session_key_data.len()), (1, 0));
    assert_eq!((hidden.leaves[0].valid_until, hidden.left[0].left), (2_000_000_000, U256::ONE), "the rest is read");
    // The same once somebody names the contract: the hash proves it.
    let named = read(&elsewhere, &[ELSEWHERE]);
    assert_eq!((named.notes.len(), named.leaves[0].contract()), (0, Some(ELSEWHERE)));
    assert_eq!((hidden.unexplained, named.unexplained), (1, 0));
    let function = (ELSEWHERE, elsewhere.actions[0].action_target_selector.0);
    let candidates = Candidates { functions: vec![function], ..Candidates::default() };
    let reading = readings(ACCOUNT, &[ids::permission_id(&elsewhere)], &[], &candidates).pop().unwrap();
    assert_eq!(drive(reading, |call| chain(&elsewhere, call)).unwrap(), named);

    let unknown = PolicyData { policy: ELSEWHERE, ..PolicyData::default() };
    let mut judged = granted();
    judged.actions[1].action_policies.push(unknown.clone());
    let told = read(&judged, &[]);
    let text = format!(
        "Cannot be read here: transfer on {DEMO_TOKEN}; policy {ELSEWHERE} is not known here, or does not tell"
    );
    assert_eq!(texts(&told.notes), [(Some(1), true, text.as_str())]);
    assert_eq!(told.leaves[1].session_key_data.len(), 0);
    let mut whole = granted();
    whole.user_op_policies.push(unknown);
    let told = read(&whole, &[]);
    assert!(told.notes.len() == 2 && told.notes.iter().all(|note| note.text.contains("all its operations")));

    let open = |selector| ActionData {
        action_target: FALLBACK_TARGET,
        action_target_selector: selector,
        action_policies: vec![PolicyConfig::Sudo.policy_data().unwrap()],
    };
    let anything = Session { actions: vec![open(FALLBACK_GENERIC.into())], ..granted() };
    let told = read(&anything, &[]);
    assert!(told.notes[0].is_unreadable && told.notes[0].text.starts_with("May make any call"), "{told:?}");
    assert_eq!(told.leaves[0].session_key_data.len(), 0);
}

#[test]
fn a_policy_that_does_not_tell_who_signs_and_many_functions_are_said() {
    let session = granted();
    let id = ids::permission_id(&session);
    let silent = |call: &Call| chain(&session, call).filter(|_| call.to != UNIVERSAL_ACTION_POLICY);
    let told = drive(one(&[id], &[], &[]), silent).unwrap();
    assert!(told.notes.len() == 2 && told.notes.iter().all(|note| note.is_unreadable), "{told:?}");

    let sudo = PolicyData { policy: SUDO_POLICY, ..PolicyData::default() };
    let mut signing = Session { session_validator: OWNABLE_VALIDATOR, ..granted() };
    signing.erc7739_policies.erc1271_policies.push(sudo.clone());
    let told = read(&signing, &[]);
    assert!(
        told.notes[0].text.contains("sign messages") && told.notes[1].text.contains(&OWNABLE_VALIDATOR.to_string())
    );
    assert!(told.leaves.iter().all(|leaf| leaf.session_key_address.is_zero()));
    assert!(told.notes.iter().all(|note| note.place.is_none()), "they are about every function");
    // Anybody's app may enable such a session: it must not keep the others from being listed.
    let long = Session { session_validator_init_data: vec![1; 5_000].into(), ..granted() };
    assert!(read(&long, &[]).notes[0].text.contains("Who may use it"));

    let many = |count: u8| {
        let action = |number| ActionData {
            action_target: Address::repeat_byte(number),
            action_policies: vec![sudo.clone()],
            ..ActionData::default()
        };
        Session { actions: (1..=count).map(action).collect(), ..granted() }
    };
    let told = read(&many(20), &[]);
    assert_eq!(told.leaves.len(), MOST_ACTIONS + 1);
    assert!(told.notes.last().unwrap().text.contains("4 more functions"), "{told:?}");
    let told = read(&many(0), &[]);
    assert_eq!(texts(&told.notes).len(), 1);
    assert!(told.leaves.len() == 1 && told.notes[0].text.contains("No function is open"));
    let crowded = vec![sudo; MOST_POLICIES + 1];
    let mut crowd = granted();
    crowd.actions[0].action_policies = crowded;
    assert!(read(&crowd, &[]).notes[0].text.contains("more policies than are looked at"));
}

#[test]
fn a_stored_session_is_compared_with_what_the_chain_has() {
    let stored = granted();
    let compare = |on_chain: &Session| drive(one(&[], &[&stored], &[]), |call| chain(on_chain, call)).unwrap();
    assert_eq!(compare(&stored), ReadSession::default(), "nothing to say");
    let mut wider = granted();
    wider.actions[0].action_target = ELSEWHERE;
    wider.actions[1].action_policies.pop();
    wider.erc7739_policies.erc1271_policies.push(PolicyData::default());
    let told = compare(&wider);
    let expected = ["1 function more", "no longer lets it call 1 function", "Other policies", "sign messages"];
    assert_eq!(told.notes.len(), 4, "{told:?}");
    assert!(told.notes.iter().zip(expected).all(|(note, part)| note.text.contains(part)), "{told:?}");
}

/// Trap: a node that answers something else, or nothing.
#[test]
fn answers_of_the_module_that_cannot_be_read_name_the_getter() {
    let session = granted();
    let id = ids::permission_id(&session);
    for (selector, getter) in [
        (ISmartSession::getSessionValidatorAndConfigCall::SELECTOR, "getSessionValidatorAndConfig"),
        (ISmartSession::getUserOpPoliciesCall::SELECTOR, "getUserOpPolicies"),
        (ISmartSession::getERC1271PoliciesCall::SELECTOR, "getERC1271Policies"),
        (ISmartSession::getEnabledActionsCall::SELECTOR, "getEnabledActions"),
        (ISmartSession::getActionPoliciesCall::SELECTOR, "getActionPolicies"),
    ] {
        for lie in [None, Some(Bytes::new()), Some(vec![0xff; 64].into()), Some(vec![0xff; 97].into())] {
            let lying = |call: &Call| if call.data[..4] == selector { lie.clone() } else { chain(&session, call) };
            let error = drive(one(&[id], &[], &[]), lying).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{getter}: expected")), "{error}");
        }
    }
    let mut reading = one(&[id], &[], &[]);
    assert!(reading.answered(&[]).unwrap_err().to_string().starts_with("answers"));
    let listed = SmartSessions::unknown(&[], &[1, 2, 3]).unwrap_err().to_string();
    assert!(listed.starts_with("getPermissionIDs: expected"), "{listed}");
}
