//! Sessions of a Nexus account that the owner grants by a signature: no transaction, and the first use enables them.

use std::rc::Rc;

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::json;
use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{
            NexusSessions, connect, create_session, owner_setup, revoke_sessions, send_with_session,
        },
        create_session::CreateSessionVariables,
        enable_mode::EnableMode,
        ports::{Relay, SessionStore},
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
        send_with_session::SendWithSessionRequest,
    },
    client::session_store::memory::MemorySessionStore,
    error::AppError,
    protocol::{
        addresses::DEMO_NFT,
        entry_point::{EntryPoint, UserOperation},
        policy::{Condition, Policy},
        session::{SessionLeaf, SessionStatus},
        session_scheme::SessionScheme,
        smart_sessions::{SmartSessions, StoredSession},
        user_op_response::UserOpResponse,
    },
};

use super::{
    actions_support::{Person, common, server},
    pairs::{mined, minted},
};

/// An owner's device: its store, and what it does there.
pub struct Device {
    pub store: Rc<MemorySessionStore>,
    pub sessions: NexusSessions,
}

impl Device {
    pub fn of(owner: &SmartAccountClient) -> Self {
        let store = Rc::new(MemorySessionStore::new());
        let sessions = NexusSessions::new(owner.shared_kind(), Rc::clone(&owner.relay), store.clone());
        Self { store, sessions }
    }

    /// What the other device has stored now comes here, with its keys.
    pub async fn take_over(&self, other: &Self, account: Address) {
        for record in other.store.records(account, SmartSessions::NAME).await.unwrap() {
            let session: StoredSession = serde_json::from_value(record["session"].clone()).unwrap();
            let key = other.store.signer(account, SmartSessions::session_key(&session)).await.unwrap();
            self.store.put_signer(account, &key).await.unwrap();
            let id = SmartSessions::id(&session);
            self.store.put_record(account, SmartSessions::NAME, id, Some(record)).await.unwrap();
        }
    }

    pub async fn mint(&self, account: Address, session_id: Option<&str>) -> Result<UserOpResponse, AppError> {
        let (calls, session_id) = (vec![Person::mint_call(account)], session_id.map(str::to_owned));
        send_with_session(&self.sessions, SendWithSessionRequest { account, calls, session_id, ..Default::default() })
            .await
    }

    pub async fn revoke(&self, owner: &SmartAccountClient, sessions: SessionsToRevoke) {
        let variables = RevokeSessionsVariables { sessions, ..Default::default() };
        mined(&revoke_sessions(&self.sessions, owner, variables).await.unwrap()).await;
    }

    pub async fn leaf(&self, id: &str) -> SessionLeaf {
        let leaves = self.sessions.listing().await.unwrap().leaves;
        leaves.into_iter().find(|leaf| leaf.session_id == id).unwrap()
    }
}

pub fn by_signature(policy: Vec<Policy>) -> CreateSessionVariables {
    CreateSessionVariables { policy, enable: EnableMode::WithFirstUse, ..Default::default() }
}

pub fn mint_to(to: Address) -> Policy {
    Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, to)
}

async fn grant(device: &Device, owner: &SmartAccountClient, variables: CreateSessionVariables) -> Vec<String> {
    let granted = create_session(&device.sessions, owner, variables).await.unwrap();
    assert!(!granted.has_operation(), "{granted:?}");
    granted.session.unwrap().session_ids
}

/// The mode byte of an operation's signature.
pub async fn mode(sent: &UserOpResponse) -> u8 {
    let url = common::lab().await.info().bundler_url.expose().as_str();
    let told = common::rpc(url, "eth_getUserOperationByHash", json!([sent.user_op_hash])).await;
    serde_json::from_value::<Bytes>(told["userOperation"]["signature"].clone()).unwrap()[0]
}

/// What whoever holds signature and key gets from the chain, past all that is known here.
async fn replayed(owner: &SmartAccountClient, session: &StoredSession) -> Result<(), AppError> {
    let relay = &owner.relay;
    let nonce_key = SmartSessions::nonce_key(U256::from(77)).unwrap();
    let call = EntryPoint::get_nonce(owner.account, nonce_key);
    let nonce = relay.read("eth_call", json!([{"to": EntryPoint::V07.address(), "data": call}, "latest"])).await?;
    let nonce: Bytes = serde_json::from_value(nonce).unwrap();
    let grant = session.consent.as_ref().unwrap().with(session.session.clone());
    let operation = UserOperation {
        entry_point: EntryPoint::V07,
        sender: owner.account,
        nonce: U256::from_be_slice(&nonce),
        call_data: owner.kind().encode_calls(&[Person::mint_call(owner.account)], false).unwrap(),
        max_fee_per_gas: U256::from(10_000_000_000_u64),
        max_priority_fee_per_gas: U256::from(1_000_000_000_u64),
        signature: use_aa::protocol::smart_sessions::stub_enable(&grant).unwrap(),
        ..UserOperation::default()
    };
    let rich = json!({ owner.account.to_string(): { "balance": U256::from(1) << 96 } });
    relay.estimate(&operation, Some(rich)).await.map(drop)
}

async fn stored(device: &Device, id: &str) -> StoredSession {
    let id: B256 = id.parse().unwrap();
    let listed = device.sessions.list().await.unwrap();
    listed.into_iter().find(|one| one.id == id).unwrap().session
}

pub async fn owner() -> (Rc<super::actions_support::MoodyWallet>, SmartAccountClient) {
    let relay = server().await;
    let wallet = Person::at(relay.clone()).wallet;
    let relay: Rc<dyn Relay> = relay;
    (wallet.clone(), connect(wallet, relay, None, &owner_setup()).await.unwrap().0)
}

#[tokio::test]
async fn a_signature_grants_the_first_use_enables_and_the_next_ones_use() {
    let (wallet, owner) = owner().await;
    let (me, here) = (owner.account, Device::of(&owner));
    // Who does not sign has granted nothing.
    wallet.refuses.set(true);
    let refused = create_session(&here.sessions, &owner, by_signature(vec![mint_to(me)])).await.unwrap_err();
    assert!(matches!(refused, AppError::WalletRejected), "{refused:?}");
    assert_eq!(here.sessions.list().await.unwrap(), []);
    wallet.refuses.set(false);

    let ids = grant(&here, &owner, by_signature(vec![mint_to(me)]).with_uses(3)).await;
    assert_eq!(wallet.signed.get(), 1);
    assert!(!owner.is_account_deployed().await.unwrap(), "nothing was sent");
    assert!(here.sessions.ids_on_chain().await.unwrap().is_empty());
    let leaf = here.leaf(&ids[0]).await;
    assert_eq!((leaf.status, leaf.waits_for_first_use()), (SessionStatus::Active, true));
    let left = here.sessions.listing().await.unwrap().left;
    assert_eq!(left.iter().map(|limit| limit.left).collect::<Vec<_>>(), [U256::from(3)]);
    let kept = here.sessions.forget(ids[0].parse().unwrap()).await.unwrap_err();
    assert!(matches!(kept, AppError::InvalidInput { .. }), "what can be used is not forgotten: {kept}");
    let nothing = owner.wait(&UserOpResponse { user_op_hash: B256::ZERO, session: None }).await.unwrap_err();
    assert!(matches!(nothing, AppError::InvalidInput { .. }), "{nothing:?}");

    // Sponsored, and it creates the account on the way. The owner is not asked again.
    let granted = stored(&here, &ids[0]).await;
    let first = here.mint(me, None).await.unwrap();
    // Another one meanwhile would carry a signature that is used up by then.
    if here.sessions.ids_on_chain().await.unwrap().is_empty() {
        let second = here.mint(me, None).await;
        if !second.as_ref().is_err_and(|error| matches!(error, AppError::SessionPending { .. })) {
            let on_chain = here.sessions.ids_on_chain().await.unwrap();
            assert!(!on_chain.is_empty(), "only where the first one was mined in between: {second:?}");
        }
        if let Ok(second) = second {
            mined(&second).await;
            assert_eq!(mode(&second).await, 0, "it was mined in between");
        }
    }
    mined(&first).await;
    here.sessions.settle(first.user_op_hash, true).await.unwrap();
    assert_eq!((mode(&first).await, wallet.signed.get()), (1, 1));
    let leaf = here.leaf(&ids[0]).await;
    assert_eq!((leaf.status, leaf.waits_for_first_use()), (SessionStatus::Active, false));
    let next = here.mint(me, Some(&ids[0])).await.unwrap();
    mined(&next).await;
    assert_eq!((mode(&next).await, minted(me).await >= 2), (0, true));

    // Taken back, the old signature brings nothing back.
    here.revoke(&owner, SessionsToRevoke::These(ids.clone())).await;
    assert!(here.sessions.ids_on_chain().await.unwrap().is_empty());
    let refused = here.mint(me, Some(&ids[0])).await.unwrap_err();
    assert!(matches!(refused, AppError::SessionRevoked { .. }), "{refused:?}");
    let replayed = replayed(&owner, &granted).await.unwrap_err().to_string();
    assert!(replayed.contains("0b08d5be") || replayed.contains("HashMismatch"), "{replayed}");
    here.sessions.forget(ids[0].parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_grant_by_signature_is_taken_back_before_its_use_on_every_device() {
    let (wallet, owner) = owner().await;
    let (me, here, there) = (owner.account, Device::of(&owner), Device::of(&owner));
    // One signature for both.
    let other = Address::repeat_byte(0x77);
    let ids = grant(&here, &owner, by_signature(vec![mint_to(me), mint_to(other)])).await;
    assert_eq!((ids.len(), wallet.signed.get()), (2, 1));
    there.take_over(&here, me).await;
    let granted = stored(&here, &ids[0]).await;

    here.revoke(&owner, SessionsToRevoke::These(vec![ids[0].clone()])).await;
    for device in [&here, &there] {
        let refused = device.mint(me, Some(&ids[0])).await.unwrap_err();
        assert!(matches!(refused, AppError::SessionRevoked { .. }), "{refused:?}");
        assert_eq!(device.leaf(&ids[0]).await.status, SessionStatus::Revoked);
        assert!(device.leaf(&ids[1]).await.waits_for_first_use(), "the other one is as it was");
    }
    assert!(replayed(&owner, &granted).await.is_err());
    assert_eq!(minted(me).await, 0);

    // The honest one is used on one device and then on the other, which knew nothing of it.
    let to_other = |device: &Device| {
        let calls = vec![Person::mint_call(other)];
        let request = SendWithSessionRequest {
            account: me,
            calls,
            session_id: Some(ids[1].clone()),
            ..SendWithSessionRequest::default()
        };
        let sessions = NexusSessions::new(owner.shared_kind(), Rc::clone(&owner.relay), device.store.clone());
        async move { send_with_session(&sessions, request).await }
    };
    let before = minted(other).await;
    for (device, expected) in [(&there, 1), (&here, 0)] {
        let used = to_other(device).await.unwrap();
        mined(&used).await;
        assert_eq!(mode(&used).await, expected);
    }
    assert_eq!(minted(other).await, before + 2);
    // All that can be used ends at once: what is on chain, and what was only signed.
    let late = grant(&here, &owner, by_signature(vec![mint_to(me)])).await;
    here.revoke(&owner, SessionsToRevoke::All).await;
    for id in [&late[0], &ids[1]] {
        assert_eq!(here.leaf(id).await.status, SessionStatus::Revoked);
    }
    assert!(matches!(to_other(&there).await.unwrap_err(), AppError::SessionRevoked { .. }));
    assert!(matches!(here.mint(me, Some(&late[0])).await.unwrap_err(), AppError::SessionRevoked { .. }));
}

#[tokio::test]
async fn other_kinds_say_which_one_can() {
    let person = Person::at(server().await);
    let refused = person.grant(by_signature(vec![person.mint_policy()])).await.unwrap_err();
    assert!(matches!(refused, AppError::AccountKindCannot { .. }), "{refused:?}");
    assert!(refused.to_string().contains("kind biconomy-v2; those of kind nexus can"), "{refused}");
    assert_eq!(person.wallet.signed.get(), 0);
}
