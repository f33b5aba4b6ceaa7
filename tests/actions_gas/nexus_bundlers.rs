//! Operations of a Nexus account that a bundler keeps to itself, or forgets: overtaken by whoever signed them.

use std::rc::Rc;

use use_aa::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{self, NexusSessions, connect},
        create_session::CreateSessionVariables,
        enable_mode::EnableMode,
        ports::SessionStore,
        restore_sessions::RestoreSessionsVariables,
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
    },
    client::{relay_native::HttpRelay, session_store::memory::MemorySessionStore},
    protocol::{
        policy::{Condition, Policy},
        rpc::GasFees,
        session::{SessionLeaf, SessionStatus},
        session_scheme::SessionScheme,
        smart_sessions::{OperationSignature, SmartSessions},
        user_operation::UserOperation,
    },
};

use super::{
    actions_support::{
        MoodyWallet,
        common::bundlers::{Bundler, Habits},
    },
    bundlers::{follow, server},
    *,
};

const ZERO_FEES: GasFees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };

struct Owner {
    bundler: Bundler,
    relay: Rc<HttpRelay>,
    wallet: Rc<MoodyWallet>,
    client: SmartAccountClient,
    store: MemorySessionStore,
    sessions: NexusSessions,
}

impl Owner {
    async fn new() -> Self {
        let bundler = Bundler::start(Habits::default()).await;
        let relay = server(&bundler).await;
        let wallet = Person::at(relay.clone()).wallet;
        let (client, _) = connect(wallet.clone(), relay.clone(), None, &nexus::owner_setup()).await.unwrap();
        let store = MemorySessionStore::new();
        let sessions = NexusSessions::new(client.shared_kind(), relay.clone(), Rc::new(store.clone()));
        Self { bundler, relay, wallet, client, store, sessions }
    }

    fn variables(&self, enable: EnableMode) -> CreateSessionVariables {
        let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, self.client.account);
        CreateSessionVariables { policy: vec![mint], enable, ..Default::default() }
    }

    async fn grant(&self, enable: EnableMode) -> UserOpResponse {
        nexus::create_session(&self.sessions, &self.client, self.variables(enable)).await.unwrap()
    }

    async fn mint(&self) -> Result<UserOpResponse, AppError> {
        let (account, calls) = (self.client.account, vec![Person::mint_call(self.client.account)]);
        let request = SendWithSessionRequest { account, calls, ..Default::default() };
        nexus::send_with_session(&self.sessions, request).await
    }

    async fn minted(&self) -> u64 {
        balance_of(self.relay.as_ref(), DEMO_NFT, self.client.account).await.unwrap().to()
    }

    async fn revoke(&self) -> Result<UserOpResponse, AppError> {
        let variables = RevokeSessionsVariables { sessions: SessionsToRevoke::All, ..Default::default() };
        nexus::revoke_sessions(&self.sessions, &self.client, variables).await
    }

    fn holds(&self) {
        self.bundler.habits.lock().unwrap().holds = true;
    }

    async fn operation(&self, sent: &UserOpResponse) -> UserOperation {
        self.relay.sent_operation(sent.user_op_hash).await.unwrap().unwrap()
    }

    async fn leaf(&self) -> SessionLeaf {
        self.sessions.listing().await.unwrap().leaves.pop().unwrap()
    }

    /// Both are told how they ended, as a page that waits for both writes it; only the second one happens.
    async fn settled(&self, first: &UserOpResponse, faster: &UserOpResponse) {
        self.bundler.release().await;
        let relay = self.relay.as_ref();
        let ((_, old), (_, new)) = tokio::join!(follow(relay, first.user_op_hash), follow(relay, faster.user_op_hash));
        assert!(new.unwrap().success);
        assert!(matches!(old, Err(AppError::UserOpDropped { .. })), "{old:?}");
        self.sessions.ends_no_more(first.user_op_hash).await.unwrap();
        self.sessions.settle(faster.user_op_hash, true).await.unwrap();
    }
}

fn is_the_same_but_for_fees(stuck: &UserOperation, faster: &UserOperation) {
    assert!(faster.max_fee_per_gas > stuck.max_fee_per_gas);
    assert_eq!((faster.nonce, &faster.call_data), (stuck.nonce, &stuck.call_data));
    assert_eq!((&faster.init_code, faster.entry_point), (&stuck.init_code, stuck.entry_point));
}

#[tokio::test]
async fn a_grant_its_uses_and_its_end_are_overtaken_and_happen_once() {
    let owner = Owner::new().await;
    // The grant, which creates the account. Its session waits for whichever operation the bundler has.
    owner.holds();
    let first = owner.grant(EnableMode::ByOperation).await;
    let stuck = owner.operation(&first).await;
    owner.sessions.check_speed_up(&stuck).await.unwrap();
    owner.wallet.refuses.set(true);
    let refused = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap_err();
    assert!(matches!(refused, AppError::WalletRejected), "{refused:?}");
    assert_eq!(owner.sessions.listing().await.unwrap().pending, [first.user_op_hash]);
    owner.wallet.refuses.set(false);
    let faster = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap();
    is_the_same_but_for_fees(&stuck, &owner.operation(&faster).await);
    assert_eq!(owner.sessions.listing().await.unwrap().pending, [faster.user_op_hash]);
    owner.settled(&first, &faster).await;
    assert_eq!(owner.leaf().await.status, SessionStatus::Active);
    assert_eq!(owner.sessions.ids_on_chain().await.unwrap().len(), 1);

    // A use, by the session's key alone; the nonce says which validator judges it, and stays.
    owner.holds();
    let signed = owner.wallet.signed.get();
    let first = owner.mint().await.unwrap();
    let stuck = owner.operation(&first).await;
    owner.sessions.check_speed_up(&stuck).await.unwrap();
    let as_owner = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap_err();
    assert!(matches!(&as_owner, AppError::InvalidInput { field, .. } if field == "stuck.signature"), "{as_owner}");
    let faster = owner.sessions.speed_up_use(None, &stuck, &ZERO_FEES).await.unwrap();
    is_the_same_but_for_fees(&stuck, &owner.operation(&faster).await);
    owner.settled(&first, &faster).await;
    assert_eq!((owner.minted().await, owner.wallet.signed.get()), (1, signed));

    // Whatever else the owner signed.
    owner.holds();
    let call = [Person::mint_call(owner.client.account)];
    let first = send_transaction(&owner.client, &call, &Options::sponsored()).await.unwrap();
    let stuck = owner.operation(&first).await;
    let as_session = owner.sessions.speed_up_use(None, &stuck, &ZERO_FEES).await.unwrap_err();
    assert!(matches!(&as_session, AppError::InvalidInput { field, .. } if field == "stuck.signature"), "{as_session}");
    let faster = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap();
    owner.settled(&first, &faster).await;
    assert_eq!(owner.minted().await, 2);

    // A use that waits while its session ends is not offered to be sent again.
    owner.holds();
    let used = owner.mint().await.unwrap();
    let used = owner.operation(&used).await;
    owner.bundler.forget();
    let first = owner.revoke().await.unwrap();
    let stuck = owner.operation(&first).await;
    let faster = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap();
    assert!(owner.leaf().await.is_leaving());
    assert_eq!(owner.sessions.listing().await.unwrap().pending, [faster.user_op_hash]);
    owner.settled(&first, &faster).await;
    let leaf = owner.leaf().await;
    assert_eq!(leaf.status, SessionStatus::Revoked);
    assert_eq!(leaf.state().ending().and_then(|ending| ending.operation), Some(faster.user_op_hash));
    let over = owner.sessions.check_speed_up(&used).await.unwrap_err();
    assert!(matches!(&over, AppError::InvalidInput { field, .. } if field == "stuck.signature"), "{over}");
}

/// What is withdrawn leaves just what the operation may cost: with higher fees it is made anew.
#[tokio::test]
async fn a_grant_that_withdraws_is_made_anew_for_higher_fees() {
    let owner = Owner::new().await;
    give_ether(owner.client.account, ether()).await;
    let now = owner.relay.gas_fees().await.unwrap().max_priority_fee_per_gas.to::<u64>();
    owner.bundler.habits.lock().unwrap().least_tip =
        Some((now + now / 8, 0, |least| format!("maxPriorityFeePerGas must be at least {least}")));
    let variables = CreateSessionVariables {
        withdraw_native: true,
        options: Options::unsponsored(),
        ..owner.variables(EnableMode::ByOperation)
    };
    let granted = nexus::create_session(&owner.sessions, &owner.client, variables).await.unwrap();
    assert_eq!((owner.wallet.signed.get(), owner.wallet.told_again.get()), (2, 1));
    let waits_for = owner.leaf().await.user_op_hash;
    assert!(waits_for.is_none_or(|hash| hash == granted.user_op_hash), "unless it is mined by now: {waits_for:?}");
    let receipt = follow(owner.relay.as_ref(), granted.user_op_hash).await.1.unwrap();
    assert!(receipt.success);
    assert_eq!(owner.sessions.ids_on_chain().await.unwrap().len(), 1);
    assert!(ether_of(owner.client.owner).await > ether() / U256::from(2));
}

/// The signature that enables the session is carried again; the owner signs once, for the grant.
#[tokio::test]
async fn a_first_use_is_overtaken_and_still_enables_its_session() {
    let owner = Owner::new().await;
    let granted = owner.grant(EnableMode::WithFirstUse).await;
    assert!(!granted.has_operation());
    owner.holds();
    let first = owner.mint().await.unwrap();
    let stuck = owner.operation(&first).await;
    owner.sessions.check_speed_up(&stuck).await.unwrap();
    let faster = owner.sessions.speed_up_use(None, &stuck, &ZERO_FEES).await.unwrap();
    let sent = owner.operation(&faster).await;
    is_the_same_but_for_fees(&stuck, &sent);
    assert!(matches!(OperationSignature::decode(&sent.signature), Ok(OperationSignature::Enable { .. })));
    // It is still on its way: another one now would carry a signature that is used up by then.
    let second = owner.mint().await.unwrap_err();
    assert!(matches!(second, AppError::SessionPending { .. }), "{second:?}");
    owner.settled(&first, &faster).await;
    assert_eq!((owner.minted().await, owner.wallet.signed.get()), (1, 1));
    let leaf = owner.leaf().await;
    assert_eq!((leaf.status, leaf.waits_for_first_use()), (SessionStatus::Active, false));
}

#[tokio::test]
async fn what_was_forgotten_is_sent_again_and_what_could_only_fail_is_not_offered() {
    let owner = Owner::new().await;
    let granted = owner.grant(EnableMode::ByOperation).await;
    assert!(follow(owner.relay.as_ref(), granted.user_op_hash).await.1.unwrap().success);
    owner.sessions.settle(granted.user_op_hash, true).await.unwrap();
    // A revocation that was dropped: its session is not on its way out any more, and is again.
    owner.bundler.habits.lock().unwrap().forgets = 2;
    let first = owner.revoke().await.unwrap();
    let dropped = owner.operation(&first).await;
    let end = follow(owner.relay.as_ref(), first.user_op_hash).await.1;
    assert!(matches!(end, Err(AppError::UserOpDropped { .. })), "{end:?}");
    owner.sessions.ends_no_more(first.user_op_hash).await.unwrap();
    assert!(!owner.leaf().await.is_leaving());
    owner.sessions.check_speed_up(&dropped).await.unwrap();
    let again = owner.sessions.speed_up(&owner.client, &dropped, &ZERO_FEES).await.unwrap();
    assert!(follow(owner.relay.as_ref(), again.user_op_hash).await.1.unwrap().success);
    owner.sessions.settle(again.user_op_hash, true).await.unwrap();
    let leaf = owner.leaf().await;
    assert_eq!(leaf.status, SessionStatus::Revoked);
    assert_eq!(leaf.state().ending().and_then(|ending| ending.operation), Some(again.user_op_hash));

    // Brought back, by an operation that is stuck: the session waits for the one that overtakes it, and loses nothing.
    owner.holds();
    let session_ids = granted.session.unwrap().session_ids;
    let variables = RestoreSessionsVariables { session_ids, ..Default::default() };
    let first = nexus::restore_sessions(&owner.sessions, &owner.client, variables).await.unwrap();
    let stuck = owner.operation(&first).await;
    let faster = owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap();
    assert_eq!(owner.leaf().await.status, SessionStatus::Pending);
    assert_eq!(owner.sessions.listing().await.unwrap().pending, [faster.user_op_hash]);
    owner.settled(&first, &faster).await;
    assert_eq!(owner.leaf().await.status, SessionStatus::Active);

    // A grant whose key was thrown away: granted again, nobody could use it.
    owner.holds();
    let late = owner.grant(EnableMode::ByOperation).await;
    let stuck = owner.operation(&late).await;
    let id = late.session.clone().unwrap().session_ids[0].parse().unwrap();
    let account = owner.client.account;
    let record = owner.store.records(account, SmartSessions::NAME).await.unwrap().pop();
    owner.store.put_record(account, SmartSessions::NAME, id, None).await.unwrap();
    let signed = owner.wallet.signed.get();
    for refused in [
        owner.sessions.check_speed_up(&stuck).await.unwrap_err(),
        owner.sessions.speed_up(&owner.client, &stuck, &ZERO_FEES).await.unwrap_err(),
    ] {
        assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "stuck.userOpHash"), "{refused}");
    }
    assert_eq!(owner.wallet.signed.get(), signed);
    owner.store.put_record(account, SmartSessions::NAME, id, record).await.unwrap();
    owner.sessions.check_speed_up(&stuck).await.unwrap();
    // Nor what another account sent.
    let other = UserOperation { sender: owner.client.owner, ..stuck };
    let refused = owner.sessions.check_speed_up(&other).await.unwrap_err();
    assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "stuck.sender"), "{refused}");
    owner.bundler.release().await;
    assert!(follow(owner.relay.as_ref(), late.user_op_hash).await.1.unwrap().success);
}
