//! The same steps over both pairs of account kind and session scheme: what a verb asks of them is enough.

use std::{rc::Rc, time::Duration};

use alloy::{
    primitives::{Address, B256, Bytes, U256, eip191_hash_message},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use serde_json::json;
use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{
            connect, create_batch_session, create_session, send_with_batch_session, send_with_session,
        },
        create_batch_session::CreateBatchSessionVariables,
        create_session::CreateSessionVariables,
        fee_funds::read_native_funds_at,
        options::{BuildUserOpOptions, Options},
        ports::{Relay, SessionStore},
        scheme_sessions::{SchemeSessions, SessionGrant, SessionListing},
        send_transaction::send_transaction,
        send_with_batch_session::SendWithBatchSessionRequest,
        send_with_session::SendWithSessionRequest,
    },
    client::{session_store::memory::MemorySessionStore, wallet::local::LocalWallet},
    error::AppError,
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        call::Call,
        nexus::{NexusAccount, NexusRelease, NexusSetup},
        policy::{Condition, Erc20Policy, Policy},
        session::{KeyManagerSessions, SessionLeaf, SessionStatus},
        session_scheme::{ActionLimits, Counted, SessionLimits, SessionScheme},
        smart_sessions::{SmartSessions, addresses::SMART_SESSION},
        user_op_response::UserOpResponse,
    },
};

use super::{
    actions_support::{Person, common, server},
    balance,
};

sol! { function isValidSignature(bytes32 hash, bytes signature) returns (bytes4); }

/// Until the bundler has a receipt; it must say that the call did not fail.
pub async fn mined(sent: &UserOpResponse) {
    let url = common::lab().await.info().bundler_url.expose().as_str();
    for _ in 0..400 {
        let receipt = common::rpc(url, "eth_getUserOperationReceipt", json!([sent.user_op_hash])).await;
        if !receipt.is_null() {
            assert_eq!(receipt["success"], true, "{receipt}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} is not mined", sent.user_op_hash);
}

pub async fn fund(account: Address) {
    let url = common::lab().await.info().rpc_url.expose().as_str();
    common::rpc(url, "anvil_setBalance", json!([account, U256::from(10).pow(U256::from(18))])).await;
}

pub async fn minted(account: Address) -> u64 {
    balance(account, DEMO_NFT).await.to()
}

fn grant(to: Address, limits: ActionLimits) -> SessionGrant {
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, to);
    SessionGrant { policies: vec![(mint.into(), limits)], ..SessionGrant::default() }
}

/// Two sessions, each used by its key alone; one is ended, the other goes on.
async fn whole_way<S: SessionScheme>(
    owner: &SmartAccountClient,
    limits: ActionLimits,
    sponsored: bool,
) -> (SchemeSessions<S>, B256, Address) {
    let (me, other) = (owner.account, PrivateKeySigner::random().address());
    let none = if sponsored { Options::sponsored() } else { BuildUserOpOptions::default() };
    if !sponsored {
        fund(me).await;
    }
    let grant = |to, limits| SessionGrant {
        limits: SessionLimits { sponsored, ..SessionLimits::default() },
        options: none.clone(),
        ..grant(to, limits)
    };
    let store: Rc<dyn SessionStore> = Rc::new(MemorySessionStore::new());
    let sessions = SchemeSessions::<S>::new(owner.shared_kind(), Rc::clone(&owner.relay), store);
    assert_eq!(sessions.list().await.unwrap(), []);

    let (first, granted) = sessions.grant(owner, grant(me, limits.clone())).await.unwrap();
    mined(&granted).await;
    let (second, granted) = sessions.grant(owner, grant(other, limits)).await.unwrap();
    mined(&granted).await;
    let listed = sessions.list().await.unwrap();
    assert_eq!(listed.iter().map(|one| (one.id, one.on_chain)).collect::<Vec<_>>(), [(first, true), (second, true)]);

    for (session, to) in [(first, me), (second, other)] {
        mined(&sessions.use_session(session, &[Person::mint_call(to)], &none).await.unwrap()).await;
        assert_eq!(minted(to).await, 1, "{}", S::NAME);
    }
    // What one session may do, the other may not.
    let crossed = sessions.use_session(second, &[Person::mint_call(me)], &none).await.unwrap_err();
    assert!(matches!(crossed, AppError::PolicyViolation { .. }), "{crossed}");

    let kept = sessions.forget(first).await.unwrap_err();
    assert!(matches!(kept, AppError::InvalidInput { .. }), "{kept}");
    mined(&sessions.revoke(owner, &[first], &none).await.unwrap()).await;
    let ended = sessions.use_session(first, &[Person::mint_call(me)], &none).await.unwrap_err();
    assert!(matches!(ended, AppError::SessionNotFound { .. }), "{ended}");
    sessions.forget(first).await.unwrap();
    assert_eq!(sessions.list().await.unwrap().iter().map(|one| one.id).collect::<Vec<_>>(), [second]);
    // The owner goes on, too, whichever the kind.
    mined(&send_transaction(owner, &[Person::mint_call(me), Person::mint_call(me)], &none).await.unwrap()).await;
    assert_eq!(minted(me).await, 3);
    (sessions, second, other)
}

#[tokio::test]
async fn a_v2_account_goes_the_whole_way() {
    let person = Person::at(server().await);
    let (sessions, ..) = whole_way::<KeyManagerSessions>(&person.client, ActionLimits::default(), false).await;
    // Nothing can be counted there, and nobody is told otherwise.
    let limits = ActionLimits { uses: Some(1), ..ActionLimits::default() };
    let refused = sessions.grant(&person.client, grant(person.client.owner, limits)).await.unwrap_err();
    assert!(matches!(&refused, AppError::PolicyRefused { reason } if reason.contains("count")), "{refused:?}");
}

/// What the owner does without sessions.
#[tokio::test]
async fn the_owner_of_a_nexus_account_deploys_signs_messages_and_takes_everything_out() {
    let owner = nexus().await.0;
    assert!(!owner.is_account_deployed().await.unwrap());
    fund(owner.account).await;
    let none = BuildUserOpOptions::default();
    let itself = BuildUserOpOptions { paymaster_service_data: Some(Default::default()), ..none.clone() };
    mined(&owner.deploy(&itself).await.unwrap()).await;
    assert!(owner.is_account_deployed().await.unwrap());
    let again = owner.deploy(&itself).await.unwrap_err();
    assert!(matches!(again, AppError::AccountAlreadyDeployed { .. }), "{again}");

    let signature = owner.sign_message(b"hello").await.unwrap();
    let asked = isValidSignatureCall { hash: eip191_hash_message(b"hello"), signature };
    let answer = owner.relay.read("eth_call", json!([{"to": owner.account, "data": Bytes::from(asked.abi_encode())}]));
    assert!(answer.await.unwrap().as_str().unwrap().starts_with("0x1626ba7e"));
    let asked = isValidSignatureCall { hash: eip191_hash_message(b"other"), ..asked };
    let answer = owner.relay.read("eth_call", json!([{"to": owner.account, "data": Bytes::from(asked.abi_encode())}]));
    assert!(answer.await.is_ok_and(|answer| !answer.as_str().unwrap().starts_with("0x1626ba7e")));

    // What the deposit holds goes with it; what is left is less than the gas that was reckoned with.
    let entry_point = owner.kind().entry_point();
    let before = read_native_funds_at(owner.relay.as_ref(), entry_point, owner.account).await.unwrap();
    assert!(!before.deposit.is_zero());
    mined(&owner.withdraw(&[], None, &none).await.unwrap()).await;
    let after = read_native_funds_at(owner.relay.as_ref(), entry_point, owner.account).await.unwrap();
    assert!(after.total() < before.total() / U256::from(20), "{before:?} {after:?}");
}

/// Neither account nor owner ever has ether; a session that was not granted so is not paid for.
#[tokio::test]
async fn a_nexus_account_goes_the_whole_way_at_the_apps_expense() {
    let owner = nexus().await.0;
    let (sessions, second, other) = whole_way::<SmartSessions>(&owner, ActionLimits::default(), true).await;
    fund(owner.account).await;
    let (alone, granted) = sessions.grant(&owner, grant(other, ActionLimits::default())).await.unwrap();
    mined(&granted).await;
    let refused = sessions.use_session(alone, &[Person::mint_call(other)], &Options::sponsored()).await.unwrap_err();
    assert!(matches!(refused, AppError::PolicyViolation { .. }), "{refused:?}");
    for (session, options) in [(alone, BuildUserOpOptions::default()), (second, Options::sponsored())] {
        mined(&sessions.use_session(session, &[Person::mint_call(other)], &options).await.unwrap()).await;
    }
}

pub async fn nexus() -> (SmartAccountClient, NexusAccount, Rc<LocalWallet>, NexusSetup) {
    let relay: Rc<dyn Relay> = server().await;
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
    let setup = NexusSetup::new(NexusRelease::Modulekit0_5_9).with_validator(SMART_SESSION);
    let (owner, stored) = connect(wallet.clone(), relay, None, &setup).await.unwrap();
    (owner, stored, wallet, setup)
}

#[tokio::test]
async fn a_nexus_account_goes_the_whole_way_and_is_held_to_what_is_counted() {
    let (owner, stored, wallet, setup) = nexus().await;
    let relay = Rc::clone(&owner.relay);
    let limits = ActionLimits { uses: Some(2), ..ActionLimits::default() };
    let (sessions, second, to) = whole_way::<SmartSessions>(&owner, limits, false).await;
    // It was used once. Once more, and then the chain says no, with the reason in words.
    let none = BuildUserOpOptions::default();
    mined(&sessions.use_session(second, &[Person::mint_call(to)], &none).await.unwrap()).await;
    let used_up = sessions.use_session(second, &[Person::mint_call(to)], &none).await.unwrap_err();
    assert!(
        matches!(&used_up, AppError::PolicyViolation { rule, .. } if rule == "SessionPolicyViolationError"),
        "{used_up:?}"
    );
    // A page asks what is left before.
    let newest = SendWithSessionRequest {
        account: owner.account,
        calls: vec![Person::mint_call(to)],
        session_id: None,
        corresponding_index: None,
        options: none.clone(),
    };
    let used_up = send_with_session(&sessions, newest).await.unwrap_err();
    assert!(
        matches!(&used_up, AppError::PolicyViolation { rule, reason } if rule == "uses" && reason.ends_with("only 0 is left")),
        "{used_up:?}"
    );
    // The list says so, from the chain; a session of two calls is listed call by call.
    let listing = sessions.listing().await.unwrap();
    let left = listing.left.iter().map(|limit| (limit.session_id.clone(), limit.what, limit.left.to::<u64>()));
    assert_eq!(left.collect::<Vec<_>>(), [(second.to_string(), Counted::Uses, 0)]);
    assert_eq!(listing.leaves.iter().map(|leaf| leaf.status).collect::<Vec<_>>(), [SessionStatus::Active]);
    assert!(listing.is_deployed && listing.pending.is_empty());
    let send = Erc20Policy::new(DEMO_TOKEN, to, U256::from(5));
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, to);
    let variables = CreateBatchSessionVariables { policy: vec![mint.into(), send.into()], ..Default::default() };
    let variables = variables.with_uses(3).with_total(U256::from(20)).unwrap();
    let granted = create_batch_session(&sessions, &owner, variables).await.unwrap();
    let before = sessions.listing().await.unwrap();
    mined(&granted).await;
    let after = sessions.listing().await.unwrap();
    let id = granted.session.unwrap().session_ids[0].clone();
    let statuses = |listing: &SessionListing| {
        let of_it = listing.leaves.iter().filter(|leaf| leaf.session_id.starts_with(&id));
        of_it.map(|leaf| (leaf.session_id.len() - id.len(), leaf.status)).collect::<Vec<_>>()
    };
    if before.pending == [granted.user_op_hash] {
        assert_eq!(statuses(&before), [(0, SessionStatus::Pending), (2, SessionStatus::Pending)]);
    }
    assert_eq!(statuses(&after), [(0, SessionStatus::Active), (2, SessionStatus::Active)]);
    assert!(after.leaves.last().unwrap().transfers().is_some_and(|said| said.max_amount == U256::from(5)));
    let left = after.left.iter().filter(|limit| limit.session_id.starts_with(&id));
    let left = left.map(|limit| (limit.session_id.len() - id.len(), limit.what, limit.left.to::<u64>()));
    let token = Counted::Token(DEMO_TOKEN);
    assert_eq!(left.collect::<Vec<_>>(), [(0, Counted::Uses, 3), (2, token, 20), (2, Counted::Uses, 3)]);
    // By either of its listed ids it is one session, which takes what it was granted for and no more.
    let both = |ids: [String; 2]| SendWithBatchSessionRequest {
        account: owner.account,
        calls: vec![Person::mint_call(to), Person::mint_call(to)],
        session_ids: Some(ids.into()),
        corresponding_indexes: None,
        options: BuildUserOpOptions::default(),
    };
    mined(&send_with_batch_session(&sessions, both([id.clone(), format!("{id}-1")])).await.unwrap()).await;
    let apart = send_with_batch_session(&sessions, both([id.clone(), second.to_string()])).await.unwrap_err();
    assert!(matches!(&apart, AppError::InvalidInput { field, .. } if field == "sessionIds"), "{apart}");
    // Another device, which has stored none of them, takes all of them back.
    let elsewhere: Rc<dyn SessionStore> = Rc::new(MemorySessionStore::new());
    let elsewhere = SchemeSessions::<SmartSessions>::new(owner.shared_kind(), Rc::clone(&relay), elsewhere);
    let of_others = elsewhere.listing().await.unwrap().leaves;
    assert!(!of_others.is_empty() && of_others.iter().all(SessionLeaf::is_on_other_device));
    let all = use_aa::actions::revoke_sessions::SessionsToRevoke::All;
    let all = use_aa::actions::revoke_sessions::RevokeSessionsVariables { sessions: all, ..Default::default() };
    mined(&use_aa::actions::account_kind::nexus::revoke_sessions(&elsewhere, &owner, all).await.unwrap()).await;
    assert!(sessions.ids_on_chain().await.unwrap().is_empty());
    assert!(sessions.listing().await.unwrap().leaves.iter().all(|leaf| leaf.status == SessionStatus::Revoked));
    let cannot = CreateSessionVariables { max_operation_cost: Some(U256::ONE), ..Default::default() };
    let cannot = CreateSessionVariables { policy: vec![Policy::new(DEMO_NFT, "safeMint(address to)")], ..cannot };
    let cannot = create_session(&sessions, &owner, cannot).await.unwrap_err();
    assert!(cannot.to_string().contains("kind nexus; those of kind biconomy-v2 can"), "{cannot}");
    // The account is found again as it is stored, and by nobody else.
    let (again, _) = connect(wallet, Rc::clone(&relay), Some(stored.clone()), &setup).await.unwrap();
    assert_eq!(again.account, owner.account);
    let stranger = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
    let refused = connect(stranger, relay, Some(stored), &setup).await.unwrap_err();
    assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "account.owner"), "{refused}");
    let call = Call { to: DEMO_NFT, ..Call::default() };
    let (kind, none) = (owner.kind(), &[][..]);
    assert_eq!(kind.decode_calls(&kind.encode_calls(std::slice::from_ref(&call), true).unwrap()).unwrap(), [call]);
    assert!(kind.encode_calls(none, false).is_err());
}
