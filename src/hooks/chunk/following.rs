//! Following operations to their end, once in this tab, however many ask.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use alloy::primitives::{Address, B256};
use futures::{FutureExt, future::join};
use leptos::task::spawn_local;

use super::{Eventually, Outcome};
use crate::{
    actions::{self, ports::SessionStore, wait_for_user_operation_receipt::wait_for_user_operation_receipt},
    client::{
        browser_storage::{self, nexus_key},
        operation_log::{self, OperationKind},
        relay::ServerRelay,
        session_store::{local::LocalSessionStore, unless_forgotten::UnlessForgotten},
    },
    error::AppError,
    hooks::{answers::OnUpdate, ended_operations, query},
    protocol::{
        rpc::{UserOpReceipt, UserOpUpdate},
        user_op_response::UserOpResponse,
    },
};

thread_local! {
    /// Operations that are followed, and how they ended.
    static FOLLOWED: RefCell<HashMap<B256, Followed>> = RefCell::default();
}

/// An operation that is followed once in this tab, however many ask.
#[derive(Clone)]
struct Followed {
    last: Rc<RefCell<Option<UserOpUpdate>>>,
    listeners: Rc<RefCell<Vec<OnUpdate>>>,
    end: Eventually<UserOpReceipt>,
    /// Its end is written into the stored sessions.
    settles: bool,
}

/// Notes an operation that the bundler took, and follows it whether or not anybody waits for it.
pub(super) fn sent(account: Address, kind: OperationKind, response: &UserOpResponse) {
    let response = response.clone();
    spawn_local(async move {
        // Without the note only a reload in mid-wait forgets the operation.
        operation_log::record(account, kind, response.clone()).await.ok();
        wait_for_user_operation(Some(account), response, Rc::new(|_| ())).await.ok();
    });
}

/// Notes an operation while `send` sends it: a page that is left before the answer comes finds it again.
pub(super) async fn noted(
    account: Address,
    kind: OperationKind,
    user_op_hash: B256,
    send: impl Future<Output = Outcome<UserOpResponse>>,
) -> Outcome<UserOpResponse> {
    let note = operation_log::record(account, kind, UserOpResponse { user_op_hash, session: None });
    let (_, outcome) = join(note, send).await;
    // Whoever sees the error need not see a wait after a reload, too; nor is it followed where higher fees were sent.
    if outcome.as_ref().map_or(true, |response| response.user_op_hash != user_op_hash) {
        operation_log::forget(account, user_op_hash).await.ok();
    }
    outcome
}

pub async fn wait_for_user_operation(
    account: Option<Address>,
    response: UserOpResponse,
    on_update: OnUpdate,
) -> Outcome<UserOpReceipt> {
    let grant = response.session.map(|session| session.account);
    if let Some(account) = account.or(grant).filter(|account| browser_storage::has(&nexus_key(*account))) {
        // Its sessions are in no book: what becomes of them is settled beside this.
        return follow(Some(account), None, response.user_op_hash, on_update).await;
    }
    let change = match (grant, account) {
        (Some(account), _) => Some((account, Change::Grant)),
        (None, Some(account)) => change_by(account, response.user_op_hash).await.map(|change| (account, change)),
        (None, None) => None,
    };
    follow(account.or(grant), change, response.user_op_hash, on_update).await
}

pub async fn settle_session(account: Address, user_op_hash: B256) -> Outcome<()> {
    follow(Some(account), Some((account, Change::Grant)), user_op_hash, Rc::new(|_| ())).await.map(drop)
}

pub async fn settle_revocation(account: Address, user_op_hash: B256) -> Outcome<()> {
    // A grant may take sessions out, too: it is settled as a grant.
    let change = change_by(account, user_op_hash).await.unwrap_or(Change::Revocation);
    follow(Some(account), Some((account, change)), user_op_hash, Rc::new(|_| ())).await.map(drop)
}

/// What stored sessions wait for this operation to do, whoever asks for it: the page of an operation knows nothing but
/// its hash.
async fn change_by(account: Address, user_op_hash: B256) -> Option<Change> {
    let book = LocalSessionStore.load(account).await.ok()?;
    match (book.grants().contains(&user_op_hash), book.revocations().contains(&user_op_hash)) {
        (true, _) => Some(Change::Grant),
        (false, true) => Some(Change::Revocation),
        (false, false) => None,
    }
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
    // Who follows it without knowing what it changes must not keep that from being settled.
    let known = known.filter(|known| known.settles || change.is_none());
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
    let on_update = {
        let (last, listeners) = (Rc::clone(&last), Rc::clone(&listeners));
        move |update: &UserOpUpdate| {
            last.replace(Some(update.clone()));
            let hearing = listeners.borrow().clone();
            hearing.iter().for_each(|listener| listener(update));
        }
    };
    let end = run_to_end(account, change, user_op_hash, on_update).boxed_local().shared();
    let followed = Followed { last, listeners, end: end.clone(), settles: change.is_some() };
    FOLLOWED.with_borrow_mut(|all| all.insert(user_op_hash, followed.clone()));
    let listeners = Rc::clone(&followed.listeners);
    spawn_local(async move {
        let outcome = end.await;
        listeners.borrow_mut().clear();
        if !is_final(&outcome) || matches!(outcome, Err(AppError::UserOpDropped { .. })) {
            // Whoever asks again starts anew: what bundlers gave up may still be included.
            FOLLOWED.with_borrow_mut(|all| all.remove(&user_op_hash));
        }
    });
    followed
}

async fn run_to_end(
    account: Option<Address>,
    change: Option<(Address, Change)>,
    user_op_hash: B256,
    on_update: impl FnMut(&UserOpUpdate),
) -> Outcome<UserOpReceipt> {
    let (relay, store) = (&ServerRelay, &LocalSessionStore);
    let outcome = match change {
        Some((account, Change::Grant)) => {
            actions::settle_session::settle_session(relay, store, account, user_op_hash, on_update).await
        }
        Some((account, Change::Revocation)) => {
            actions::settle_revocation::settle_revocation(relay, store, account, user_op_hash, on_update).await
        }
        None => wait_for_user_operation_receipt(&ServerRelay, user_op_hash, on_update).await,
    };
    if is_final(&outcome) {
        ended_operations::announce(account);
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
pub(super) fn publish(account: Address) {
    let store = UnlessForgotten::from_now(account);
    spawn_local(async move {
        drop(actions::session_ledger::publish_sessions(&ServerRelay, &store, account).await);
    });
}

fn is_final(outcome: &Outcome<UserOpReceipt>) -> bool {
    matches!(outcome, Ok(_) | Err(AppError::UserOpReverted { .. } | AppError::UserOpDropped { .. }))
}
