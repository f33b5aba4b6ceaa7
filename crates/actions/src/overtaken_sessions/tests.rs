//! Whatever becomes of an operation that was sped up, and of the first one: the book explains the root on chain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::rc::Rc;

use alloy::primitives::U256;
use futures::executor::block_on;

use super::*;
use crate::{
    account::SmartAccountClient,
    clock::unix_seconds,
    create_session::{CreateSessionVariables, create_session},
    fake::{Ending, Fake, Step, rejected},
    revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke, revoke_sessions},
    settle_revocation::settle_revocation,
    settle_session::settle_session,
    speed_up_user_operation::{check_speed_up, speed_up_session_change, speed_up_user_operation},
};
use use_aa_protocol::{
    addresses::DEMO_NFT,
    policy::{Condition, Policy},
    rpc::GasFees,
    session::SessionStatus::{self, Active, Pending, Revoked},
    user_op_response::UserOpResponse,
};

struct World {
    fake: Fake,
    client: SmartAccountClient,
}

impl World {
    /// With so many confirmed sessions.
    fn with(sessions: usize) -> Self {
        let fake = Fake::new();
        let client = SmartAccountClient::new(Rc::new(fake.clone()), Rc::new(fake.clone()));
        let world = Self { fake, client };
        for _ in 0..sessions {
            let granted = world.grant();
            world.settle(granted.user_op_hash).unwrap();
        }
        world
    }

    fn grant(&self) -> UserOpResponse {
        let me = self.client.account;
        let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, me);
        let request = CreateSessionVariables { policy: vec![mint], ..Default::default() };
        block_on(create_session(&self.client, &self.fake, request)).unwrap()
    }

    fn revoke(&self, index: usize) -> UserOpResponse {
        let id = self.fake.book(self.client.account).leaf_nodes[index].session_id.clone();
        let sessions = SessionsToRevoke::These(vec![id]);
        let request = RevokeSessionsVariables { sessions, ..Default::default() };
        block_on(revoke_sessions(&self.client, &self.fake, request)).unwrap()
    }

    fn settle(&self, user_op_hash: B256) -> Result<(), AppError> {
        block_on(settle_session(&self.fake, &self.fake, self.client.account, user_op_hash, |_| {})).map(drop)
    }

    fn settle_revocation(&self, user_op_hash: B256) -> Result<(), AppError> {
        block_on(settle_revocation(&self.fake, &self.fake, self.client.account, user_op_hash, |_| {})).map(drop)
    }

    fn speed_up(&self, stuck: &UserOperation) -> Result<B256, AppError> {
        let fees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
        let sent = block_on(speed_up_session_change(&self.client, &self.fake, stuck, &fees));
        sent.map(|response| response.user_op_hash)
    }

    /// Past the end of what sponsors have signed until now.
    fn outlive_sponsorships(&self) {
        self.fake.move_clock(4_000_000_000 - unix_seconds() + 100);
    }

    fn in_sync(&self) -> bool {
        let synced = block_on(sync_sessions(&self.fake, &self.fake, self.client.account)).unwrap();
        synced.in_sync && synced.book.root() == self.fake.root()
    }

    fn statuses(&self) -> Vec<SessionStatus> {
        self.fake.book(self.client.account).leaf_nodes.iter().map(|leaf| leaf.status).collect()
    }

    /// Nothing is sent, and nobody is asked to sign.
    fn refuses(&self, stuck: &UserOperation) {
        self.fake.fail(Step::WalletSign, AppError::WalletRejected);
        let sent = self.fake.sent();
        let refused = self.speed_up(stuck).unwrap_err();
        assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "stuck.userOpHash"), "{refused}");
        let hash = stuck.hash(31_337);
        assert_eq!(block_on(check_speed_up(&self.fake, stuck, hash)), Err(refused));
        assert_eq!(self.fake.sent(), sent);
        self.fake.fail(Step::WalletSign, None);
    }
}

fn is_dropped(outcome: Result<(), AppError>) -> bool {
    matches!(outcome, Err(AppError::UserOpDropped { .. }))
}

#[test]
fn a_grant_that_was_given_up_is_not_sent_again() {
    let world = World::with(1);
    world.fake.end_with(Ending::Dropped);
    let first = world.grant().user_op_hash;
    let stuck = world.fake.last_sent();
    assert!(is_dropped(world.settle(first)));
    assert_eq!(world.statuses(), [Active, Pending]);
    assert_eq!(block_on(check_speed_up(&world.fake, &stuck, first)), Ok(()));
    world.outlive_sponsorships();
    assert!(is_dropped(world.settle(first)));
    assert_eq!((world.statuses(), world.fake.keys().len()), (vec![Active], 1), "leaf and key are gone");
    world.refuses(&stuck);
    assert!(world.in_sync());
}

#[test]
fn sped_up_grants_are_granted_whichever_of_the_two_is_mined() {
    for first_is_mined in [false, true] {
        let world = World::with(1);
        world.fake.end_with(Ending::Dropped);
        let first = world.grant().user_op_hash;
        let stuck = world.fake.last_sent();
        world.outlive_sponsorships();
        // The first follower, and a second tab, hear of the first one's end before the chain has either.
        let faster = world.speed_up(&stuck).unwrap();
        assert_ne!(first, faster);
        assert!(is_dropped(world.settle(first)));
        assert!(world.in_sync());
        assert_eq!((world.statuses(), world.fake.keys().len()), (vec![Active, Pending], 2));
        assert_eq!(world.fake.book(world.client.account).grants(), [faster]);

        world.fake.end_with(Ending::Confirmed);
        match first_is_mined {
            true => world.fake.include_sent(1),
            false => world.fake.include_dropped(),
        }
        let (ended, replaced) = if first_is_mined { (first, faster) } else { (faster, first) };
        world.settle(ended).unwrap();
        assert!(is_dropped(world.settle(replaced)));
        assert_eq!((world.statuses(), world.fake.keys().len()), (vec![Active; 2], 2), "{first_is_mined}");
        assert!(world.in_sync());
    }
}

#[test]
fn a_speed_up_that_is_refused_leaves_the_first_one_waited_for() {
    let world = World::with(1);
    world.fake.end_with(Ending::Dropped);
    let first = world.grant().user_op_hash;
    let stuck = world.fake.last_sent();
    let before = world.fake.book(world.client.account);
    world.fake.fail(Step::Send, rejected("AA24"));
    world.speed_up(&stuck).unwrap_err();
    assert_eq!(world.fake.book(world.client.account), before);
    world.fake.fail(Step::Send, None);
    world.fake.fail(Step::WalletSign, AppError::WalletRejected);
    assert_eq!(world.speed_up(&stuck), Err(AppError::WalletRejected));
    world.fake.fail(Step::WalletSign, None);
    assert_eq!(world.fake.book(world.client.account), before);
    world.fake.fail(Step::StoreUpdate, AppError::StorageFull { place: "the store".into() });
    let sent = world.fake.sent();
    world.speed_up(&stuck).unwrap_err();
    assert_eq!(world.fake.sent(), sent, "nothing is sent that the book does not know");
    world.fake.fail(Step::StoreUpdate, None);
    // Its answer is lost: either may be included.
    world.fake.fail(Step::SendAnswer, AppError::Network { reason: "cut".into() });
    world.speed_up(&stuck).unwrap_err();
    assert_eq!(world.statuses(), [Active, Pending]);
    world.fake.end_with(Ending::Confirmed);
    world.fake.include_sent(1);
    assert!(world.in_sync());
    assert_eq!((world.statuses(), world.fake.keys().len()), (vec![Active; 2], 2));
    assert!(is_dropped(world.settle(first)) || world.settle(first).is_ok());
    world.refuses(&stuck);
}

#[test]
fn sped_up_revocations_take_the_session_out_whichever_of_the_two_is_mined() {
    for first_is_mined in [false, true] {
        let world = World::with(3);
        world.fake.end_with(Ending::Dropped);
        let first = world.revoke(1).user_op_hash;
        let stuck = world.fake.last_sent();
        assert!(is_dropped(world.settle_revocation(first)));
        assert_eq!(world.statuses(), [Active; 3]);
        let faster = world.speed_up(&stuck).unwrap();
        assert!(is_dropped(world.settle_revocation(first)));
        assert_eq!(world.fake.book(world.client.account).revocations(), [faster]);

        world.fake.end_with(Ending::Confirmed);
        match first_is_mined {
            true => world.fake.include_sent(3),
            false => world.fake.include_dropped(),
        }
        let (ended, replaced) = if first_is_mined { (first, faster) } else { (faster, first) };
        world.settle_revocation(ended).unwrap();
        assert!(is_dropped(world.settle_revocation(replaced)));
        assert_eq!(world.statuses(), [Active, Revoked, Active], "{first_is_mined}");
        assert!(world.in_sync());
    }
}

#[test]
fn a_dropped_revocation_is_remembered_until_it_can_never_be_included() {
    let world = World::with(3);
    world.fake.end_with(Ending::Dropped);
    let dropped = world.revoke(1).user_op_hash;
    let stuck = world.fake.last_sent();
    assert!(is_dropped(world.settle_revocation(dropped)));
    let book = world.fake.book(world.client.account);
    assert!(book.revocations() == [dropped] && !book.leaf_nodes[1].is_leaving(), "in nobody's way");
    assert_eq!(book.change_in_flight(true, |_| false), None);
    let later = World { fake: world.fake.clone(), client: world.client.clone() };
    later.outlive_sponsorships();
    assert!(later.in_sync());
    assert_eq!(later.fake.book(later.client.account).revocations(), [B256::ZERO; 0]);
    later.refuses(&stuck);

    // One that the bundler dropped comes all the same.
    let dropped = world.revoke(1).user_op_hash;
    assert!(is_dropped(world.settle_revocation(dropped)));
    world.fake.end_with(Ending::Confirmed);
    world.fake.include_dropped();
    assert!(world.in_sync());
    assert_eq!(world.statuses(), [Active, Revoked, Active]);
}

#[test]
fn without_the_store_no_change_of_sessions_is_sped_up() {
    let world = World::with(0);
    world.fake.end_with(Ending::Dropped);
    world.grant();
    let stuck = world.fake.last_sent();
    let fees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
    let refused = block_on(speed_up_user_operation(&world.client, &stuck, &fees)).unwrap_err();
    assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "stuck.callData"), "{refused}");
    assert_eq!(world.fake.sent(), 1);
}
