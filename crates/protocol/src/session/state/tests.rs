#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;
use crate::session::{SessionLeaf, SessionStatus};

const BUILT: B256 = B256::repeat_byte(1);
const REBUILT: B256 = B256::repeat_byte(2);
const REVOCATION: B256 = B256::repeat_byte(3);
const NEWER: B256 = B256::repeat_byte(4);
const OLD_ROOT: B256 = B256::repeat_byte(5);
const ROOT: B256 = B256::repeat_byte(6);

fn grant(user_op_hash: B256) -> GrantOperation {
    let (nonce, valid_until) = (Some(U256::from(7)), Some(1_000));
    GrantOperation { user_op_hash: Some(user_op_hash), nonce, valid_until, in_doubt: false }
}

fn doubtful(user_op_hash: B256) -> GrantOperation {
    GrantOperation { in_doubt: true, ..grant(user_op_hash) }
}

/// One that this browser revoked.
fn ended() -> Ending {
    Ending { last_root: Some(OLD_ROOT), operation: Some(REVOCATION), ..Ending::default() }
}

fn returning(grant: GrantOperation, ended: Ending) -> SessionState {
    SessionState::Returning { grant, ended }
}

fn revoking(operation: B256) -> SessionState {
    SessionState::Revoking { operation: operation.into() }
}

fn states() -> [SessionState; 8] {
    use SessionState::{Confirmed, ImportedWhileRevoking, Pending, Revoked};
    [
        Pending(grant(BUILT)),
        Pending(doubtful(BUILT)),
        returning(grant(BUILT), ended()),
        returning(doubtful(BUILT), Ending::default()),
        Confirmed,
        revoking(REVOCATION),
        Revoked(ended()),
        ImportedWhileRevoking { revocation: REVOCATION },
    ]
}

fn events() -> [SessionEvent; 9] {
    use SessionEvent::*;
    [
        GrantPrepared(grant(REBUILT)),
        GrantInDoubt,
        GrantFailed,
        EnteredTree,
        RevocationSent { operation: NEWER.into() },
        RevocationFailed,
        LeftTree { last_root: ROOT, elsewhere: false },
        LeftTree { last_root: ROOT, elsewhere: true },
        Imported,
    ]
}

/// What becomes of each of [`states`] by each of [`events`].
fn table() -> [[Expected; 8]; 9] {
    use Expected::{Forgotten, Refused, To};
    use SessionState::{Confirmed, ImportedWhileRevoking, Pending, Revoked};
    let new = || To(Pending(grant(REBUILT)));
    let comes_back = |ended| To(returning(grant(REBUILT), ended));
    let waits = || To(Pending(doubtful(BUILT)));
    let returns = |ended| To(returning(doubtful(BUILT), ended));
    let inside = || To(Confirmed);
    let (old, newer) = (|| To(revoking(REVOCATION)), || To(revoking(NEWER)));
    let left = |operation, elsewhere| To(Revoked(Ending { last_root: Some(ROOT), operation, elsewhere }));
    let (us, nobody) = (Some(REVOCATION), None);
    let (is_over, unknown) = (|| To(Revoked(ended())), || To(Revoked(Ending::default())));
    let unproven = || To(ImportedWhileRevoking { revocation: REVOCATION });
    let no = || Refused;
    #[rustfmt::skip]
    let table = [
        // pending  in doubt   returning            in doubt                        confirmed             revoking           revoked              unproven
        [new(),     new(),     comes_back(ended()), comes_back(Ending::default()),  no(),                 no(),              comes_back(ended()), comes_back(Ending::default())],
        [waits(),   waits(),   returns(ended()),    returns(Ending::default()),     no(),                 no(),              no(),                no()],
        [Forgotten, Forgotten, is_over(),           unknown(),                      no(),                 no(),              no(),                no()],
        [inside(),  inside(),  inside(),            inside(),                       inside(),             old(),             inside(),            old()],
        [no(),      no(),      no(),                no(),                           newer(),              newer(),           no(),                no()],
        [no(),      no(),      no(),                no(),                           no(),                 inside(),          no(),                no()],
        [no(),      no(),      no(),                no(),                           left(nobody, false),  left(us, false),   no(),                no()],
        [no(),      no(),      no(),                no(),                           left(nobody, true),   left(us, true),    no(),                no()],
        [unknown(), unknown(), is_over(),           unknown(),                      unknown(),            unproven(),        is_over(),           unproven()],
    ];
    table
}

#[derive(Clone, Debug, PartialEq)]
enum Expected {
    To(SessionState),
    Forgotten,
    Refused,
}

fn outcome(outcome: Result<Option<SessionState>, ImpossibleChange>) -> Expected {
    match outcome {
        Ok(Some(state)) => Expected::To(state),
        Ok(None) => Expected::Forgotten,
        Err(_) => Expected::Refused,
    }
}

/// A stored leaf in this state, by way of its fields.
fn leaf_in(state: &SessionState) -> SessionLeaf {
    let mut leaf = SessionLeaf::default();
    let before = leaf.state();
    leaf.write(&before, state);
    leaf
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for (event, row) in events().iter().zip(table()) {
        for (state, expected) in states().iter().zip(row) {
            assert_eq!(outcome(state.clone().after(event)), expected, "{event:?} in {state:?}");
            // The stored leaf goes the same way; what is refused or forgotten leaves no trace.
            let mut leaf = leaf_in(state);
            let stored = leaf.clone();
            assert_eq!(leaf.state(), *state);
            assert_eq!(outcome(leaf.record(event)), expected, "{event:?} in {state:?}");
            match expected {
                Expected::To(next) => assert_eq!(leaf.state(), next, "{event:?} in {state:?}"),
                Expected::Forgotten | Expected::Refused => assert_eq!(leaf, stored, "{event:?} in {state:?}"),
            }
        }
    }
}

#[test]
fn a_refusal_says_what_cannot_happen() {
    let refused = SessionState::Confirmed.after(&SessionEvent::GrantFailed).unwrap_err();
    assert_eq!(refused.to_string(), "a session that is confirmed cannot change by a failed grant");
}

#[test]
fn statuses_that_other_programs_write_stay() {
    for status in [SessionStatus::Active, SessionStatus::Inactive, SessionStatus::Expired] {
        let mut leaf = SessionLeaf { status, ..SessionLeaf::default() };
        for event in [SessionEvent::EnteredTree, SessionEvent::RevocationSent { operation: NEWER.into() }] {
            leaf.record(&event).unwrap();
            assert_eq!(leaf.status, status, "{event:?}");
        }
        assert_eq!(leaf.state(), revoking(NEWER));
    }
}

fn dead(grant: GrantOperation, next_nonce: u64, block: u64) -> bool {
    grant.can_never_be_included(U256::from(next_nonce), Clocks { block, pending: block, wall: 4_000_000_000 })
}

#[test]
fn a_grant_is_dead_once_its_nonce_is_used_or_its_sponsorship_is_over_on_chain() {
    let unsponsored = || GrantOperation { nonce: Some(U256::from(5)), ..GrantOperation::default() };
    let sponsored = || GrantOperation { valid_until: Some(1_000), ..unsponsored() };
    assert!(!dead(unsponsored(), 5, 1_000));
    assert!(dead(unsponsored(), 6, 1_000));
    assert!(!dead(sponsored(), 5, 1_000 + GRACE));
    assert!(dead(sponsored(), 5, 1_001 + GRACE));
    // Decades ago by this device's clock, but the chain has not come so far.
    assert!(!dead(sponsored(), 5, 900));
    // Nobody sent for an hour, and the next block comes too late for it.
    assert!(sponsored().can_never_be_included(U256::from(5), Clocks { block: 900, pending: 4_500, wall: 4_500 }));
    // Nothing is known of a leaf of the SDK, nor of another lane.
    assert!(!dead(GrantOperation::default(), 6, 1_000));
    assert!(!dead(GrantOperation { nonce: Some(U256::from(1) << 64), ..unsponsored() }, 6, 1_000));
    assert!(!dead(GrantOperation { valid_until: Some(0), ..unsponsored() }, 5, 1_000), "no end");
}

const FIELDS: [&str; 12] = [
    "userOpNonce",
    "userOpValidUntil",
    "sendInDoubt",
    "returning",
    "revokedByUserOp",
    "revocationNonce",
    "revocationValidUntil",
    "revocationInDoubt",
    "takenByUserOp",
    "leftTree",
    "endedElsewhere",
    "unknown",
];

fn stored_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(true.into()),
        Just(1_000.into()),
        Just("0x7".into()),
        Just("not hex".into()),
        Just(REVOCATION.to_string().into()),
    ]
}

proptest! {
    /// Whatever fields a stored leaf has: it reads as one state, and goes the way of that state.
    #[test]
    fn odd_stored_fields_read_as_some_state_and_go_its_way(
        status in 0_usize..5,
        fields in prop::collection::vec((0_usize..FIELDS.len(), stored_value()), 0..12),
        event in 0_usize..9,
    ) {
        use SessionStatus::*;
        let mut leaf =
            SessionLeaf { status: [Pending, Active, Inactive, Expired, Revoked][status], ..SessionLeaf::default() };
        leaf.extra.extend(fields.into_iter().map(|(field, value)| (FIELDS[field].to_owned(), value)));
        let (before, unknown) = (leaf.clone(), leaf.extra.get("unknown").cloned());
        let expected = before.state().after(&events()[event]);
        prop_assert_eq!(leaf.record(&events()[event]), expected.clone());
        match expected {
            Ok(Some(next)) => prop_assert_eq!(leaf.state(), next),
            Ok(None) | Err(_) => prop_assert_eq!(&leaf, &before),
        }
        prop_assert_eq!(leaf.extra.get("unknown").cloned(), unknown);
        let text = serde_json::to_string(&leaf).unwrap();
        // Hashes, statuses and our own fields come back; the rest of this leaf is of no concern here.
        prop_assert_eq!(serde_json::from_str::<SessionLeaf>(&text).unwrap().state(), leaf.state());
    }
}
