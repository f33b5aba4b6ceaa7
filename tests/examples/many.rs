//! More sessions than one operation ends, with the real contracts, bundler and sponsor.

use std::{cell::RefCell, rc::Rc};

use alloy::signers::local::PrivateKeySigner;
use use_aa::{
    actions::{
        account_kind::nexus::revoke_sessions_with,
        ports::SessionStore,
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
        scheme_sessions::{MOST_ENDED_AT_ONCE, RevocationPart, SchemeSessions, SessionGrants},
    },
    client::session_store::memory::MemorySessionStore,
    protocol::{
        addresses::DEMO_NFT,
        policy::{Condition, Policy},
        session::SessionStatus,
        session_scheme::ActionLimits,
        smart_sessions::SmartSessions,
    },
};

use super::pairs::{fund, mined, nexus};

#[tokio::test]
async fn all_of_many_sessions_are_taken_back_in_operations_that_a_sponsor_pays_for() {
    const AT_ONCE: usize = 9;
    let (owner, ..) = nexus().await;
    fund(owner.account).await;
    let store: Rc<dyn SessionStore> = Rc::new(MemorySessionStore::new());
    let sessions = SchemeSessions::<SmartSessions>::new(owner.shared_kind(), Rc::clone(&owner.relay), store);
    let to = PrivateKeySigner::random().address();
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, to);
    while sessions.ids_on_chain().await.unwrap().len() <= MOST_ENDED_AT_ONCE {
        let each = vec![(mint.clone().into(), ActionLimits::default())];
        let grants = SessionGrants { sessions: vec![each; AT_ONCE], ..SessionGrants::default() };
        mined(&sessions.grant_several(&owner, grants).await.unwrap().response).await;
    }
    let granted = sessions.ids_on_chain().await.unwrap().len();

    let heard = RefCell::new(vec![(0, granted)]);
    let note = |part: RevocationPart<'_>| heard.borrow_mut().push((part.ended, part.left));
    let all = RevokeSessionsVariables { sessions: SessionsToRevoke::All, ..RevokeSessionsVariables::default() };
    mined(&revoke_sessions_with(&sessions, &owner, all, &note).await.unwrap()).await;
    let heard = heard.take();
    println!("{granted} sessions: {heard:?}");
    assert!(heard.len() >= 3 && heard.iter().all(|(ended, left)| ended + left == granted), "{heard:?}");
    assert!(heard.windows(2).all(|parts| parts[1].0 - parts[0].0 <= MOST_ENDED_AT_ONCE), "{heard:?}");
    assert!(sessions.ids_in_force().await.unwrap().is_empty());
    let listing = sessions.listing().await.unwrap();
    assert_eq!(listing.leaves.len(), granted);
    assert!(listing.leaves.iter().all(|leaf| leaf.status == SessionStatus::Revoked));
}
