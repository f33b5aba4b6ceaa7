//! What the gateways of [`super::lazy`] lead to: actions over the browser's wallet, store and relay.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use alloy::primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared, join},
};
use leptos::task::spawn_local;

use super::{
    UserOpStatus,
    lazy::{OnProgress, OnUpdate, Owner, StoredSessions},
    query,
    variables::{
        CostArguments, CreateBatchSessionVariables, CreateSessionVariables, DeploySmartAccountVariables,
        GrantVariables, RestoreSessionsVariables, RevokeSessionsVariables, SendGasTokenTransactionVariables,
        SendTransactionVariables, SendWithdrawalsVariables, UseBatchSessionVariables, UseSessionVariables,
        UseVariables,
    },
};
use crate::{
    actions::{
        self,
        account::SmartAccountClient,
        create_batch_session::{CreateBatchSessionRequest, prepare_create_batch_session},
        create_session::{CreateSessionRequest, PreparedCreateSession, complete_create_session},
        create_session_with_distributed_key::PreparedDistributedGrant,
        ports::{SessionStore, Wallet},
        prepare_user_operation::PreparedUserOperation,
        prove_revocation::RevocationProof,
        restore_sessions::RestoreSessionsRequest,
        revoke_sessions::RevokeSessionsRequest,
        send_with_batch_session::{SendWithBatchSessionRequest, prepare_send_with_batch_session},
        send_with_distributed_session::PreparedDistributedUse,
        send_with_session::{
            PreparedSessionUse, SendWithSessionRequest, complete_send_with_session, prepare_send_with_session,
        },
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::{
        operation_log::{self, OperationKind},
        relay::{ServerRelay, chain_info},
        session_store::{
            key_vault,
            local::{LocalSessionStore, StoredState},
        },
        time::{now_seconds, sleep},
        wallet,
    },
    error::AppError,
    protocol::{
        distributed_key::TypedData,
        paymaster::FeeQuotes,
        rpc::{UserOpReceipt, UserOpUpdate},
        session::{SessionLeaf, SessionStatus},
        smart_account::counterfactual_address,
        user_op_response::UserOpResponse,
    },
};

pub mod custody;
pub mod distributed;

type Outcome<T> = Result<T, AppError>;
/// A result that is being worked on and may be asked for by several.
type Eventually<T> = Shared<LocalBoxFuture<'static, Outcome<T>>>;

thread_local! {
    /// The grant and the use that were built ahead, with what they were built from. Used once.
    static GRANT: RefCell<Option<(Owner, GrantVariables, Eventually<PreparedGrant>)>> =
        const { RefCell::new(None) };
    static USE: RefCell<Option<UseAhead>> = const { RefCell::new(None) };
    /// Operations that are followed, and how they ended.
    static FOLLOWED: RefCell<HashMap<B256, Followed>> = RefCell::default();
}

pub async fn smart_account_address(owner: Address) -> Outcome<Address> {
    Ok(counterfactual_address(owner, Default::default()))
}

// --- grants ---

pub async fn prepare_create_session(owner: Owner, variables: GrantVariables) -> Outcome<()> {
    let known = GRANT.with_borrow(|grant| {
        grant.as_ref().is_some_and(|(known, from, grant)| {
            *known == owner && *from == variables && !matches!(grant.peek(), Some(Err(_)))
        })
    });
    if !known {
        let work = build_grant(owner.clone(), variables.clone()).boxed_local().shared();
        GRANT.set(Some((owner, variables, work.clone())));
        key_vault::warm_up().await?;
        work.await?;
    }
    Ok(())
}

async fn build_grant(owner: Owner, variables: GrantVariables) -> Outcome<PreparedGrant> {
    let client = client_of(&owner, None).await?;
    prepare_grant(&client, variables).await
}

pub async fn create_session(
    owner: Owner,
    variables: GrantVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let kind = variables.kind();
    let ahead = GRANT.take().filter(|(known, from, _)| *known == owner && *from == variables);
    let ahead = match ahead {
        // What could not be built ahead is built again: the reason may be gone.
        Some((.., work)) => work.await.ok(),
        None => None,
    };
    let client = client_of(&owner, Some(&on_progress)).await?;
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => prepare_grant(&client, variables).await?,
    };
    let response = prepared.complete(&client).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, kind, &response);
    Ok(response)
}

async fn prepare_grant(client: &SmartAccountClient, variables: GrantVariables) -> Outcome<PreparedGrant> {
    let store = &LocalSessionStore;
    match variables {
        GrantVariables::Sessions(CreateSessionVariables { policy, label, options, replace_unknown }) => {
            let request = CreateSessionRequest { policy, label, options, replace_unknown };
            actions::create_session::prepare_create_session(client, store, request)
                .await
                .map(Box::new)
                .map(PreparedGrant::Own)
        }
        GrantVariables::Batch(CreateBatchSessionVariables { policy, label, options, replace_unknown }) => {
            let request = CreateBatchSessionRequest { policy, label, options, replace_unknown };
            prepare_create_batch_session(client, store, request).await.map(Box::new).map(PreparedGrant::Own)
        }
        GrantVariables::Distributed(variables) => {
            distributed::prepare_grant(client, variables).await.map(Box::new).map(PreparedGrant::Distributed)
        }
    }
}

/// A grant that lacks the owner's signature.
#[derive(Clone)]
enum PreparedGrant {
    /// The session key is made here.
    Own(Box<PreparedCreateSession>),
    /// Nodes share it.
    Distributed(Box<PreparedDistributedGrant>),
}

impl PreparedGrant {
    async fn complete(self, client: &SmartAccountClient) -> Outcome<UserOpResponse> {
        match self {
            Self::Own(prepared) => complete_create_session(client, &LocalSessionStore, *prepared).await,
            Self::Distributed(prepared) => distributed::complete_grant(client, *prepared).await,
        }
    }
}

impl GrantVariables {
    fn kind(&self) -> OperationKind {
        match self {
            Self::Sessions(_) => OperationKind::CreateSession,
            Self::Batch(_) => OperationKind::CreateBatchSession,
            Self::Distributed(_) => OperationKind::CreateDistributedSession,
        }
    }
}

impl UseVariables {
    fn kind(&self) -> OperationKind {
        match self {
            Self::Single(_) => OperationKind::UseSession,
            Self::Batch(_) => OperationKind::UseBatchSession,
            Self::Distributed(_) => OperationKind::UseDistributedSession,
        }
    }
}

// --- uses ---

/// A use that was built ahead.
struct UseAhead {
    account: Address,
    variables: UseVariables,
    /// Its proof is that of these sessions.
    sessions: StoredState,
    work: Eventually<PreparedUse>,
}

impl UseAhead {
    fn is_for(&self, account: Address, variables: &UseVariables) -> bool {
        let asked = self.account == account && self.variables == *variables;
        asked && StoredState::now(account).is_ok_and(|now| now == self.sessions)
    }
}

pub async fn prepare_use_session(account: Address, variables: UseVariables) -> Outcome<()> {
    let known = USE.with_borrow(|ahead| {
        ahead.as_ref().is_some_and(|ahead| {
            ahead.is_for(account, &variables)
                && ahead.work.peek().is_none_or(|built| built.as_ref().is_ok_and(is_usable_now))
        })
    });
    if !known {
        let sessions = StoredState::now(account)?;
        let work = build_use(account, variables.clone()).boxed_local().shared();
        USE.set(Some(UseAhead { account, variables, sessions, work: work.clone() }));
        work.await?;
    }
    Ok(())
}

async fn build_use(account: Address, variables: UseVariables) -> Outcome<PreparedUse> {
    match variables {
        UseVariables::Single(variables) => {
            let request = single_request(account, variables);
            prepare_send_with_session(&ServerRelay, &LocalSessionStore, request).await.map(PreparedUse::Own)
        }
        UseVariables::Batch(UseBatchSessionVariables {
            calls, corresponding_indexes, session_ids, options, ..
        }) => {
            let request = SendWithBatchSessionRequest { account, calls, session_ids, corresponding_indexes, options };
            prepare_send_with_batch_session(&ServerRelay, &LocalSessionStore, request).await.map(PreparedUse::Own)
        }
        UseVariables::Distributed(variables) => {
            distributed::prepare_use(single_request(account, variables)).await.map(PreparedUse::Distributed)
        }
    }
}

fn single_request(account: Address, variables: UseSessionVariables) -> SendWithSessionRequest {
    let UseSessionVariables { calls, corresponding_index, session_id, options, .. } = variables;
    SendWithSessionRequest { account, calls, session_id, corresponding_index, options }
}

/// A use of sessions that lacks the session key's signature.
#[derive(Clone)]
enum PreparedUse {
    /// The key is stored here.
    Own(PreparedSessionUse),
    /// Nodes share it.
    Distributed(PreparedDistributedUse),
}

impl PreparedUse {
    fn operation(&self) -> &PreparedUserOperation {
        match self {
            Self::Own(prepared) => prepared.operation(),
            Self::Distributed(prepared) => prepared.operation(),
        }
    }

    fn is_active_at(&self, now: u64) -> bool {
        let is_active = |leaf: &SessionLeaf| leaf.status_at(now) == SessionStatus::Active;
        match self {
            Self::Own(prepared) => prepared.leaves().all(is_active),
            Self::Distributed(prepared) => prepared.leaves().all(is_active),
        }
    }

    async fn complete(&self) -> Outcome<UserOpResponse> {
        match self {
            Self::Own(prepared) => complete_send_with_session(&ServerRelay, prepared).await,
            Self::Distributed(prepared) => distributed::complete_use(prepared).await,
        }
    }
}

fn is_usable_now(prepared: &PreparedUse) -> bool {
    prepared.operation().is_fresh() && prepared.is_active_at(now_seconds())
}

pub async fn use_session(
    account: Address,
    variables: UseVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let kind = variables.kind();
    let ahead = match USE.take().filter(|ahead| ahead.is_for(account, &variables)) {
        Some(ahead) => ahead.work.await.ok().filter(is_usable_now),
        None => None,
    };
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => build_use(account, variables).await?,
    };
    on_progress(UserOpStatus::AwaitingSignature);
    // Noted while it is being sent: a page that is left before the answer comes finds it again.
    let user_op_hash = prepared.operation().user_op_hash;
    let note = UserOpResponse { user_op_hash, session: None };
    let note = operation_log::record(account, kind, note);
    let (_, response) = join(note, prepared.complete()).await;
    let response = match response {
        Ok(response) => response,
        // Whoever sees the error need not see a wait after a reload, too.
        Err(error) => {
            operation_log::forget(account, user_op_hash).await.ok();
            return Err(error);
        }
    };
    on_progress(UserOpStatus::Submitted);
    sent(account, kind, &response);
    Ok(response)
}

// --- taking back ---

pub async fn revoke_sessions(
    owner: Owner,
    variables: RevokeSessionsVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let RevokeSessionsVariables { sessions, options } = variables;
    let request = RevokeSessionsRequest { sessions, options };
    let response = actions::revoke_sessions::revoke_sessions(&client, &LocalSessionStore, request).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::RevokeSessions, &response);
    Ok(response)
}

pub async fn restore_sessions(
    owner: Owner,
    variables: RestoreSessionsVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let RestoreSessionsVariables { session_ids, options } = variables;
    let request = RestoreSessionsRequest { session_ids, options };
    let response = actions::restore_sessions::restore_sessions(&client, &LocalSessionStore, request).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::RestoreSessions, &response);
    Ok(response)
}

pub async fn prove_revocation(account: Address, session_id: String) -> Outcome<RevocationProof> {
    actions::prove_revocation::prove_revocation(&ServerRelay, &LocalSessionStore, account, &session_id).await
}

// --- calls signed by the owner ---

pub async fn send_transaction(
    owner: Owner,
    variables: SendTransactionVariables,
    sponsored: bool,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let SendTransactionVariables { calls, options } = variables;
    let response = if sponsored {
        actions::send_sponsored_transaction::send_sponsored_transaction(&client, &calls, &options).await?
    } else {
        actions::send_transaction::send_transaction(&client, &calls, &options).await?
    };
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::SendTransaction, &response);
    Ok(response)
}

pub async fn deploy_smart_account(
    owner: Owner,
    variables: DeploySmartAccountVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let response = actions::deploy::deploy_smart_account(&client, &variables.options).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::DeploySmartAccount, &response);
    Ok(response)
}

pub async fn send_gas_token_transaction(
    owner: Owner,
    variables: SendGasTokenTransactionVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let SendGasTokenTransactionVariables { calls, token_param, options } = variables;
    let send = actions::send_gas_token_transaction::send_gas_token_transaction;
    let response = send(&client, &calls, &token_param, &options).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::SendTransaction, &response);
    Ok(response)
}

pub async fn send_withdrawals(
    owner: Owner,
    variables: SendWithdrawalsVariables,
    on_progress: OnProgress,
) -> Outcome<UserOpResponse> {
    on_progress(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&on_progress)).await?;
    let SendWithdrawalsVariables { withdrawal_requests, default_recipient, options } = variables;
    let send = actions::send_withdrawals::send_withdrawals;
    let response = send(&client, &withdrawal_requests, default_recipient, &options).await?;
    on_progress(UserOpStatus::Submitted);
    sent(client.account, OperationKind::SendTransaction, &response);
    Ok(response)
}

// --- what it would cost ---

pub async fn token_fees(owner: Owner, arguments: CostArguments) -> Outcome<FeeQuotes> {
    let client = client_of(&owner, None).await?;
    actions::token_fees::get_token_fees(&client, &arguments.calls, &arguments.options).await
}

pub async fn gas_estimate(owner: Owner, arguments: CostArguments) -> Outcome<U256> {
    let client = client_of(&owner, None).await?;
    actions::gas_estimate::get_gas_estimate(&client, &arguments.calls, &arguments.options).await
}

async fn client_of(owner: &Owner, on_progress: Option<&OnProgress>) -> Outcome<SmartAccountClient> {
    let chain = chain_info().await?;
    let wallet = wallet::port(&owner.wallet, owner.address, chain.chain_id)?;
    let wallet = match on_progress {
        Some(on_progress) => Rc::new(ReportingWallet { wallet, on_progress: Rc::clone(on_progress) }),
        None => wallet,
    };
    Ok(SmartAccountClient::new(wallet, Rc::new(ServerRelay)))
}

/// Tells when the person is asked to sign.
struct ReportingWallet {
    wallet: Rc<dyn Wallet>,
    on_progress: OnProgress,
}

#[async_trait(?Send)]
impl Wallet for ReportingWallet {
    fn address(&self) -> Address {
        self.wallet.address()
    }

    async fn chain_id(&self) -> Outcome<u64> {
        self.wallet.chain_id().await
    }

    async fn sign_message(&self, message: &[u8]) -> Outcome<Bytes> {
        (self.on_progress)(UserOpStatus::AwaitingSignature);
        self.wallet.sign_message(message).await
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Outcome<Bytes> {
        (self.on_progress)(UserOpStatus::AwaitingSignature);
        self.wallet.sign_typed_data(typed_data).await
    }
}

// --- following operations ---

/// An operation that is followed once in this tab, however many ask.
#[derive(Clone)]
struct Followed {
    last: Rc<RefCell<Option<UserOpUpdate>>>,
    listeners: Rc<RefCell<Vec<OnUpdate>>>,
    end: Eventually<UserOpReceipt>,
}

/// Notes an operation that the bundler took, and follows it whether or not anybody waits for it.
fn sent(account: Address, kind: OperationKind, response: &UserOpResponse) {
    let response = response.clone();
    spawn_local(async move {
        // Without the note only a reload in mid-wait forgets the operation.
        operation_log::record(account, kind, response.clone()).await.ok();
        wait_for_user_operation(Some(account), response, Rc::new(|_| ())).await.ok();
    });
}

pub async fn wait_for_user_operation(
    account: Option<Address>,
    response: UserOpResponse,
    on_update: OnUpdate,
) -> Outcome<UserOpReceipt> {
    let grant = response.session.map(|session| session.account);
    let change = match (grant, account) {
        (Some(account), _) => Some((account, Change::Grant)),
        (None, Some(account)) => {
            let book = LocalSessionStore.load(account).await;
            let revokes = book.is_ok_and(|book| book.revocations().contains(&response.user_op_hash));
            revokes.then_some((account, Change::Revocation))
        }
        (None, None) => None,
    };
    follow(account.or(grant), change, response.user_op_hash, on_update).await
}

pub async fn settle_session(account: Address, user_op_hash: B256) -> Outcome<()> {
    follow(Some(account), Some((account, Change::Grant)), user_op_hash, Rc::new(|_| ())).await.map(drop)
}

pub async fn settle_revocation(account: Address, user_op_hash: B256) -> Outcome<()> {
    follow(Some(account), Some((account, Change::Revocation)), user_op_hash, Rc::new(|_| ())).await.map(drop)
}

/// What an operation does to the stored sessions when it ends.
#[derive(Clone, Copy)]
enum Change {
    Grant,
    Revocation,
}

async fn follow(
    account: Option<Address>,
    change: Option<(Address, Change)>,
    user_op_hash: B256,
    on_update: OnUpdate,
) -> Outcome<UserOpReceipt> {
    let known = FOLLOWED.with_borrow(|followed| followed.get(&user_op_hash).cloned());
    let followed = known.unwrap_or_else(|| begin(account, change, user_op_hash));
    if let Some(last) = followed.last.borrow().as_ref() {
        on_update(last);
    }
    followed.listeners.borrow_mut().push(on_update);
    followed.end.await
}

fn begin(account: Option<Address>, change: Option<(Address, Change)>, user_op_hash: B256) -> Followed {
    let last = Rc::<RefCell<Option<UserOpUpdate>>>::default();
    let listeners = Rc::<RefCell<Vec<OnUpdate>>>::default();
    let tell = {
        let (last, listeners) = (Rc::clone(&last), Rc::clone(&listeners));
        move |update: &UserOpUpdate| {
            last.replace(Some(update.clone()));
            let hearing = listeners.borrow().clone();
            hearing.iter().for_each(|listener| listener(update));
        }
    };
    let end = run_to_end(account, change, user_op_hash, tell).boxed_local().shared();
    let followed = Followed { last, listeners, end: end.clone() };
    FOLLOWED.with_borrow_mut(|all| all.insert(user_op_hash, followed.clone()));
    let listeners = Rc::clone(&followed.listeners);
    spawn_local(async move {
        let outcome = end.await;
        listeners.borrow_mut().clear();
        if !is_final(&outcome) {
            // Whoever asks again starts anew.
            FOLLOWED.with_borrow_mut(|all| all.remove(&user_op_hash));
        }
    });
    followed
}

async fn run_to_end(
    account: Option<Address>,
    change: Option<(Address, Change)>,
    user_op_hash: B256,
    tell: impl FnMut(&UserOpUpdate),
) -> Outcome<UserOpReceipt> {
    let (relay, store) = (&ServerRelay, &LocalSessionStore);
    let outcome = match change {
        Some((account, Change::Grant)) => {
            actions::settle_session::settle_session(relay, store, account, user_op_hash, tell).await
        }
        Some((account, Change::Revocation)) => {
            actions::settle_revocation::settle_revocation(relay, store, account, user_op_hash, tell).await
        }
        None => wait_for_user_operation_receipt(&ServerRelay, user_op_hash, tell).await,
    };
    if is_final(&outcome) {
        query::cache::operation_ended(account);
    }
    if let (Some(account), true) = (account, is_final(&outcome)) {
        operation_log::settle(account, user_op_hash).await.ok();
    }
    if let (Some((account, _)), Ok(_)) = (change, &outcome) {
        publish(account);
    }
    outcome
}

/// Lets the owner's other devices know the sessions as they are now. What fails is made up for at the next change or
/// visit: nothing here depends on it.
fn publish(account: Address) {
    spawn_local(async move {
        drop(actions::session_ledger::publish_sessions(&ServerRelay, &LocalSessionStore, account).await);
    });
}

fn is_final(outcome: &Outcome<UserOpReceipt>) -> bool {
    matches!(outcome, Ok(_) | Err(AppError::UserOpReverted { .. } | AppError::UserOpDropped { .. }))
}

// --- the store ---

pub async fn load_sessions(account: Address) -> Outcome<Vec<SessionLeaf>> {
    // Asked for when somebody has just written, which holds the page for 40 ms with ten thousand leaves: reading and
    // drawing them is a task of its own, behind whatever the writer does next (sending, for one).
    sleep(0).await;
    Ok(LocalSessionStore.load(account).await?.leaf_nodes)
}

pub async fn sync_sessions(account: Address) -> Outcome<StoredSessions> {
    let taken_over = LocalSessionStore.take_over_clear_text(account).await?;
    let synced = actions::sync_sessions::sync_sessions(&ServerRelay, &LocalSessionStore, account).await?;
    if synced.in_sync {
        publish(account);
    }
    let ended = synced.adopted.map(|adoption| adoption.ended).unwrap_or_default();
    let actions::sync_sessions::SyncedSessions { book, in_sync, pending, revocations, .. } = synced;
    Ok(StoredSessions { leaves: book.leaf_nodes, pending, revocations, ended, in_sync, taken_over })
}
