//! Two devices of one owner, who share nothing but the chain: each knows the other's Smart Sessions by the module's getters.

use std::{cell::RefCell, rc::Rc};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};
use async_trait::async_trait;
use futures::stream::LocalBoxStream;
use serde_json::{Value, json};
use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{NexusSessions, create_batch_session, revoke_sessions},
        create_batch_session::CreateBatchSessionVariables,
        options::BuildUserOpOptions,
        ports::{Relay, SessionStore},
        prove_revocation::RevocationProof,
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
        scheme_sessions::SessionListing,
        send_transaction::send_transaction,
    },
    client::session_store::memory::MemorySessionStore,
    error::AppError,
    protocol::{
        abi::smart_sessions::ISmartSession,
        addresses::{DEMO_NFT, DEMO_TOKEN},
        call::Call,
        paymaster::{FeeQuotes, FeeQuotesRequest},
        policy::{Condition, Erc20Policy, Policy},
        rpc::{
            AccountState, ChainInfo, GasEstimate, GasFees, SimulationType, SponsorContext, Sponsorship, UserOpUpdate,
        },
        session::{ListedStatus, PublishedLeaves, SessionStatus},
        session_scheme::{ActionLimits, Counted, SessionLimits},
        smart_sessions::{
            PolicyData,
            addresses::{SMART_SESSION, USAGE_LIMIT_POLICY},
            calls::enable_sessions,
            ids::permission_id,
            session_of,
        },
        user_operation::UserOperation,
    },
};

use super::{
    actions_support::{Person, common},
    pairs::{fund, mined, nexus},
};

fn device(owner: &SmartAccountClient, relay: Rc<dyn Relay>) -> (NexusSessions, Rc<MemorySessionStore>) {
    let store = Rc::new(MemorySessionStore::new());
    (NexusSessions::new(owner.shared_kind(), relay, Rc::clone(&store) as Rc<dyn SessionStore>), store)
}

async fn revoke(device: &NexusSessions, owner: &SmartAccountClient, listed: &str) {
    let sessions = SessionsToRevoke::These(vec![listed.to_owned()]);
    let variables = RevokeSessionsVariables { sessions, ..Default::default() };
    mined(&revoke_sessions(device, owner, variables).await.unwrap()).await;
}

fn left(listing: &SessionListing) -> Vec<(&str, Counted, u64)> {
    listing.left.iter().map(|limit| (limit.session_id.as_str(), limit.what, limit.left.to())).collect()
}

/// No browser, no server tells the one of the other: the list is true from an empty store, and so is the proof that a
/// session is over.
#[tokio::test]
async fn two_devices_of_one_owner_list_use_and_end_each_others_sessions() {
    let owner = nexus().await.0;
    fund(owner.account).await;
    let (here, _) = device(&owner, Rc::clone(&owner.relay));
    let (there, there_store) = device(&owner, Rc::clone(&owner.relay));
    let to = Address::repeat_byte(0x77);
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, to);
    let send = Erc20Policy::new(DEMO_TOKEN, to, U256::from(5));
    let variables = CreateBatchSessionVariables { policy: vec![mint.into(), send.into()], ..Default::default() };
    let variables = CreateBatchSessionVariables { label: Some("Secret".into()), ..variables };
    let variables = variables.with_uses(3).with_total(U256::from(20)).unwrap();
    let granted = create_batch_session(&here, &owner, variables).await.unwrap();
    mined(&granted).await;
    let id = granted.session.unwrap().session_ids[0].clone();

    let (own, told) = (here.listing().await.unwrap(), there.listing().await.unwrap());
    assert_eq!((own.notes.len(), told.notes.len()), (0, 0), "{:?} {:?}", own.notes, told.notes);
    assert_eq!((left(&told), own.leaves.len()), (left(&own), 2));
    for (own, told) in own.leaves.iter().zip(&told.leaves) {
        assert_eq!((&told.session_id, told.hash()), (&own.session_id, own.hash()));
        assert_eq!(told.session_key_address, own.session_key_address);
        assert_eq!((told.listed_at(1), own.listed_at(1)), (ListedStatus::OtherDevice, ListedStatus::Active));
        assert_eq!((told.label.as_deref(), own.label.as_deref()), (None, Some("Secret")), "names stay private");
    }
    let none = BuildUserOpOptions::default();
    let parsed: B256 = id.parse().unwrap();
    mined(&here.use_session(parsed, &[Person::mint_call(to)], &none).await.unwrap()).await;
    assert_eq!(left(&there.listing().await.unwrap())[0], (id.as_str(), Counted::Uses, 2));
    let refused = there.use_session(parsed, &[Person::mint_call(to)], &none).await.unwrap_err();
    assert!(matches!(refused, AppError::SessionNotFound { .. }), "its key is not here: {refused}");
    assert_eq!(
        there.prove_revocation(&id).await.unwrap(),
        RevocationProof::NotProven { answer: "the chain still has the session".into() }
    );

    revoke(&there, &owner, &format!("{id}-1")).await;
    assert!(there.listing().await.unwrap().leaves.is_empty());
    let own = here.listing().await.unwrap();
    assert!(own.leaves.len() == 2 && own.leaves.iter().all(|leaf| leaf.status == SessionStatus::Revoked));
    // By whom it was granted with its own key, by the other with none: the chain looks at the session first.
    for device in [&here, &there] {
        let proof = device.prove_revocation(&id).await.unwrap();
        assert_eq!(proof, RevocationProof::Refused { reason: "AA23 reverted: InvalidPermissionId".into() });
    }
    assert!(matches!(here.prove_revocation("none").await, Err(AppError::SessionNotFound { .. })));
    assert!(there_store.records(owner.account, "smart-sessions").await.unwrap().is_empty());
}

/// Sessions of nobody's page: under a policy that nobody here knows, and about a contract that nothing here names. And a
/// node that lies about all of this.
#[tokio::test]
async fn what_cannot_be_read_is_listed_and_revocable_and_a_lying_node_is_found_out() {
    let owner = nexus().await.0;
    fund(owner.account).await;
    let none = BuildUserOpOptions::default();
    let url = common::lab().await.info().rpc_url.expose().as_str();
    let [unknown_policy, elsewhere, hidden] =
        [0, 1, 2].map(|_| alloy::signers::local::PrivateKeySigner::random().address());
    let code = common::rpc(url, "eth_getCode", json!([USAGE_LIMIT_POLICY, "latest"])).await;
    common::rpc(url, "anvil_setCode", json!([unknown_policy, code])).await;
    let session = |contract, salt| {
        let mint = Policy::new(contract, "safeMint(address to)");
        let limits = ActionLimits { uses: Some(4), ..ActionLimits::default() };
        let (key, salt) = (Address::repeat_byte(8), B256::repeat_byte(salt));
        session_of(&[(mint.into(), limits)], key, salt, &SessionLimits::default(), owner.account, 1).unwrap()
    };
    let (mut judged, told, about_hidden) = (session(DEMO_NFT, 1), session(elsewhere, 3), session(hidden, 2));
    let init_data = Bytes::from(vec![1; 16]);
    judged.actions[0].action_policies.push(PolicyData { policy: unknown_policy, init_data });
    let enable: Call = enable_sessions(&[judged.clone(), told.clone()]).unwrap();
    mined(&send_transaction(&owner, &[enable], &none).await.unwrap()).await;
    // And one without an operation: nothing on the chain but its hashes.
    let enable = enable_sessions(std::slice::from_ref(&about_hidden)).unwrap();
    common::rpc(url, "anvil_impersonateAccount", json!([owner.account])).await;
    let transaction = json!([{"from": owner.account, "to": enable.to, "data": enable.data, "gas": "0x1e8480"}]);
    common::rpc(url, "eth_sendTransaction", transaction).await;

    let lying = Rc::new(Lying { inner: Rc::clone(&owner.relay), lie: RefCell::new(None) });
    let (device, store) = device(&owner, lying.clone());
    let listing = device.listing().await.unwrap();
    let ids = [&judged, &told, &about_hidden].map(|session| permission_id(session).to_string());
    let notes = listing.notes.iter().map(|note| (note.session_id.clone(), note.is_unreadable)).collect::<Vec<_>>();
    assert_eq!(notes, [(ids[0].clone(), true), (ids[2].clone(), true)]);
    assert_eq!(listing.leaves[1].contract(), Some(elsewhere), "by the call data of the operation that enabled it");
    assert!(listing.notes[0].text.contains(&unknown_policy.to_string()), "{:?}", listing.notes);
    assert!(listing.notes[1].text.contains("keeps a hash"), "{:?}", listing.notes);
    assert!([0, 2].iter().all(|place: &usize| listing.leaves[*place].session_key_data.is_empty()));
    assert!(listing.leaves.iter().all(|leaf| leaf.is_on_other_device()));
    assert_eq!(left(&listing), ids.each_ref().map(|id| (id.as_str(), Counted::Uses, 4)));
    // Who knows the contract believes the hash.
    let (knowing, _) = self::device(&owner, Rc::clone(&owner.relay));
    let listing = knowing.knowing(vec![hidden]).listing().await.unwrap();
    assert_eq!((listing.notes.len(), listing.leaves[2].contract()), (1, Some(hidden)));

    let own = CreateBatchSessionVariables {
        policy: vec![Policy::new(DEMO_NFT, "safeMint(address to)").into()],
        ..Default::default()
    };
    let own = create_batch_session(&device, &owner, own).await.unwrap();
    mined(&own).await;
    let kept = store.records(owner.account, "smart-sessions").await.unwrap();
    for (selector, getter) in [
        (ISmartSession::getPermissionIDsCall::SELECTOR, "getPermissionIDs"),
        (ISmartSession::getSessionValidatorAndConfigCall::SELECTOR, "getSessionValidatorAndConfig"),
        (ISmartSession::getEnabledActionsCall::SELECTOR, "getEnabledActions"),
        (ISmartSession::getActionPoliciesCall::SELECTOR, "getActionPolicies"),
        (ISmartSession::getUserOpPoliciesCall::SELECTOR, "getUserOpPolicies"),
    ] {
        for answer in ["0x", "0x00ff", "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"] {
            *lying.lie.borrow_mut() = Some((selector, answer));
            let error = device.listing().await.unwrap_err();
            assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == getter), "{error:?}");
        }
    }
    *lying.lie.borrow_mut() = None;
    assert_eq!(store.records(owner.account, "smart-sessions").await.unwrap().len(), kept.len(), "nothing is lost");
    assert_eq!(store.session_key_addresses(owner.account).len(), 1);
    for id in &ids {
        revoke(&device, &owner, id).await;
    }
    let listing = device.listing().await.unwrap();
    assert_eq!(listing.leaves.iter().map(|leaf| leaf.status).collect::<Vec<_>>(), [SessionStatus::Active]);

    // A stored session that another device made wider.
    let wider = ISmartSession::enableActionPoliciesCall {
        permissionId: own.session.unwrap().session_ids[0].parse().unwrap(),
        actionPolicies: enabled_actions(&about_hidden),
    };
    let wider = Call { to: SMART_SESSION, value: U256::ZERO, data: wider.abi_encode().into() };
    mined(&send_transaction(&owner, &[wider], &none).await.unwrap()).await;
    let notes = device.listing().await.unwrap().notes;
    assert!(notes.len() == 1 && notes[0].text.contains("1 function more than this browser granted"), "{notes:?}");
}

fn enabled_actions(
    session: &use_aa::protocol::smart_sessions::Session,
) -> Vec<use_aa::protocol::abi::smart_sessions::ActionData> {
    use_aa::protocol::abi::smart_sessions::Session::from(session).actions
}

/// A relay whose node answers one getter otherwise.
struct Lying {
    inner: Rc<dyn Relay>,
    lie: RefCell<Option<([u8; 4], &'static str)>>,
}

#[async_trait(?Send)]
impl Relay for Lying {
    async fn read(&self, method: &str, params: Value) -> Result<Value, AppError> {
        let data = params[0]["data"].as_str().and_then(|data| data.parse::<Bytes>().ok()).unwrap_or_default();
        let lie = *self.lie.borrow();
        match lie.filter(|(selector, _)| data.starts_with(selector)) {
            Some((_, answer)) => Ok(json!(answer)),
            None => self.inner.read(method, params).await,
        }
    }

    async fn chain_info(&self) -> Result<ChainInfo, AppError> {
        self.inner.chain_info().await
    }

    async fn account_state(&self, account: Address, nonce_key: U256) -> Result<AccountState, AppError> {
        self.inner.account_state(account, nonce_key).await
    }

    async fn gas_fees(&self) -> Result<GasFees, AppError> {
        self.inner.gas_fees().await
    }

    async fn estimate(&self, operation: &UserOperation, over: Option<Value>) -> Result<GasEstimate, AppError> {
        self.inner.estimate(operation, over).await
    }

    async fn sponsor(&self, operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError> {
        self.inner.sponsor(operation, context).await
    }

    async fn fee_quotes(&self, operation: &UserOperation, request: &FeeQuotesRequest) -> Result<FeeQuotes, AppError> {
        self.inner.fee_quotes(operation, request).await
    }

    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
        self.inner.publish_sessions(account, leaves).await
    }

    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
        self.inner.published_sessions(account, root).await
    }

    async fn send(&self, operation: &UserOperation, simulation: Option<SimulationType>) -> Result<B256, AppError> {
        self.inner.send(operation, simulation).await
    }

    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
        self.inner.watch(user_op_hash)
    }
}
