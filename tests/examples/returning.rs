//! Sessions of a Nexus account that were taken back, and are brought back.

use alloy::primitives::{Address, B256, U256};
use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{create_session, restore_sessions},
        create_session::CreateSessionVariables,
        ports::SessionStore,
        restore_sessions::RestoreSessionsVariables,
        revoke_sessions::SessionsToRevoke,
    },
    error::AppError,
    protocol::{
        session::SessionStatus,
        session_scheme::{AboutSession, ActionLimits, SessionLimits, SessionScheme, SessionTerms, Stored},
        smart_sessions::SmartSessions,
        user_op_response::UserOpResponse,
    },
};

use super::{
    first_use::{Device, by_signature, mint_to, mode, owner},
    pairs::{mined, minted},
};

async fn bring_back(device: &Device, owner: &SmartAccountClient, ids: &[String]) -> Result<UserOpResponse, AppError> {
    let variables = RestoreSessionsVariables { session_ids: ids.to_vec(), ..Default::default() };
    restore_sessions(&device.sessions, owner, variables).await
}

async fn left(device: &Device) -> Vec<u64> {
    let left = device.sessions.listing().await.unwrap().left;
    left.into_iter().map(|limit| limit.left.to()).collect()
}

#[tokio::test]
async fn a_session_comes_back_with_its_key_and_is_counted_anew() {
    let (wallet, owner) = owner().await;
    let (me, here) = (owner.account, Device::of(&owner));
    let granting =
        CreateSessionVariables { policy: vec![mint_to(me)], label: Some("Game".into()), ..Default::default() };
    let granted = create_session(&here.sessions, &owner, granting.with_uses(2)).await.unwrap();
    mined(&granted).await;
    here.sessions.settle(granted.user_op_hash, true).await.unwrap();
    let ids = granted.session.unwrap().session_ids;
    for _ in 0..2 {
        mined(&here.mint(me, None).await.unwrap()).await;
    }
    assert_eq!(left(&here).await, [0]);
    let key = here.leaf(&ids[0]).await.session_key_address;
    // Another device of the owner has it, too.
    let there = Device::of(&owner);
    there.take_over(&here, me).await;

    let active = bring_back(&here, &owner, &ids).await.unwrap_err();
    assert!(matches!(&active, AppError::InvalidInput { field, .. } if field == "sessionIds"), "{active}");
    here.revoke(&owner, SessionsToRevoke::These(ids.clone())).await;
    assert_eq!(here.leaf(&ids[0]).await.status, SessionStatus::Revoked);
    assert_eq!(there.leaf(&ids[0]).await.status, SessionStatus::Revoked);
    wallet.refuses.set(true);
    assert_eq!(bring_back(&here, &owner, &ids).await.unwrap_err(), AppError::WalletRejected);
    assert_eq!(here.leaf(&ids[0]).await.status, SessionStatus::Revoked);
    wallet.refuses.set(false);

    let returned = bring_back(&here, &owner, &ids).await.unwrap();
    assert_eq!(returned.session.as_ref().unwrap().session_ids, ids);
    let before = here.sessions.listing().await.unwrap();
    if before.pending == [returned.user_op_hash] {
        assert_eq!(before.leaves[0].status, SessionStatus::Pending);
        assert_eq!(before.leaves[0].user_op_hash, Some(returned.user_op_hash));
    }
    mined(&returned).await;
    here.sessions.settle(returned.user_op_hash, true).await.unwrap();
    for device in [&here, &there] {
        let leaf = device.leaf(&ids[0]).await;
        assert_eq!((leaf.status, leaf.session_key_address, leaf.is_leaving()), (SessionStatus::Active, key, false));
        assert_eq!((leaf.label.as_deref(), left(device).await), (Some("Game"), vec![2]));
        assert!(device.sessions.listing().await.unwrap().pending.is_empty());
    }
    for device in [&here, &there] {
        mined(&device.mint(me, Some(&ids[0])).await.unwrap()).await;
    }
    let used_up = here.mint(me, Some(&ids[0])).await.unwrap_err();
    assert!(matches!(&used_up, AppError::PolicyViolation { rule, .. } if rule == "uses"), "{used_up}");
    assert_eq!(minted(me).await, 4);
    // And goes again, with what was counted.
    here.revoke(&owner, SessionsToRevoke::All).await;
    assert_eq!(here.leaf(&ids[0]).await.status, SessionStatus::Revoked);
    assert!(matches!(here.mint(me, Some(&ids[0])).await.unwrap_err(), AppError::SessionRevoked { .. }));
}

/// No operation ever enabled it: this one does.
#[tokio::test]
async fn what_was_only_signed_for_comes_back_by_an_operation() {
    let (_, owner) = owner().await;
    let (me, here) = (owner.account, Device::of(&owner));
    let granted = create_session(&here.sessions, &owner, by_signature(vec![mint_to(me)])).await.unwrap();
    let ids = granted.session.unwrap().session_ids;
    here.revoke(&owner, SessionsToRevoke::These(ids.clone())).await;
    assert_eq!(here.leaf(&ids[0]).await.status, SessionStatus::Revoked);
    let returned = bring_back(&here, &owner, &ids).await.unwrap();
    mined(&returned).await;
    here.sessions.settle(returned.user_op_hash, true).await.unwrap();
    let leaf = here.leaf(&ids[0]).await;
    assert_eq!((leaf.status, leaf.waits_for_first_use()), (SessionStatus::Active, false));
    let used = here.mint(me, Some(&ids[0])).await.unwrap();
    mined(&used).await;
    assert_eq!((mode(&used).await, minted(me).await), (0, 1));
}

#[tokio::test]
async fn what_cannot_come_back_is_said_before_anybody_signs_and_what_came_to_nothing_is_over_as_before() {
    let (wallet, owner) = owner().await;
    let (me, here) = (owner.account, Device::of(&owner));
    let granting = CreateSessionVariables { policy: vec![mint_to(me)], ..Default::default() };
    let granted = create_session(&here.sessions, &owner, granting).await.unwrap();
    mined(&granted).await;
    here.sessions.settle(granted.user_op_hash, true).await.unwrap();
    let ids = granted.session.unwrap().session_ids;
    here.revoke(&owner, SessionsToRevoke::All).await;
    let signed = wallet.signed.get();

    assert!(matches!(bring_back(&here, &owner, &[]).await, Err(AppError::InvalidInput { .. })));
    let unknown = [B256::repeat_byte(5).to_string()];
    assert!(matches!(bring_back(&here, &owner, &unknown).await, Err(AppError::SessionNotFound { .. })));
    // Its key is on the other device.
    let elsewhere = Device::of(&owner);
    let record = here.store.records(me, SmartSessions::NAME).await.unwrap().remove(0);
    let id: B256 = ids[0].parse().unwrap();
    elsewhere.store.put_record(me, SmartSessions::NAME, id, Some(record)).await.unwrap();
    let keyless = bring_back(&elsewhere, &owner, &ids).await.unwrap_err();
    assert!(matches!(keyless, AppError::SessionNotFound { .. }), "{keyless}");
    // One whose time is over.
    let session = SmartSessions::session(&SessionTerms {
        account: me,
        policies: &[(mint_to(me).with_valid_until(2_000).into(), ActionLimits::default())],
        limits: SessionLimits::default(),
        session_key: Address::repeat_byte(7),
        salt: B256::repeat_byte(8),
        now: 1_000,
    });
    let session = session.unwrap();
    let old = SmartSessions::id(&session);
    let about = AboutSession { was_on_chain: true, ..AboutSession::default() };
    let record = serde_json::to_value(Stored { session, ending: false, about }).unwrap();
    here.store.put_record(me, SmartSessions::NAME, old, Some(record)).await.unwrap();
    let over = bring_back(&here, &owner, &[old.to_string()]).await.unwrap_err();
    assert!(matches!(over, AppError::SessionExpired { valid_until: 2_000, .. }), "{over}");
    assert_eq!(wallet.signed.get(), signed);

    // It was sent and did not happen, by all that is known: nothing is lost.
    let returned = bring_back(&here, &owner, &ids).await.unwrap();
    here.sessions.ends_no_more(returned.user_op_hash).await.unwrap();
    mined(&returned).await;
    // It did after all: the chain tells.
    let leaf = here.leaf(&ids[0]).await;
    assert_eq!((leaf.status, leaf.is_leaving()), (SessionStatus::Active, false));
    mined(&here.mint(me, Some(&ids[0])).await.unwrap()).await;
    assert_eq!(U256::from(minted(me).await), U256::ONE);
}
