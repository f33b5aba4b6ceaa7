//! A Nexus account and its sessions, as the page shows them.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
};

use alloy::primitives::{Address, B256};
use leptos::{prelude::*, task::spawn_local};

use super::{Outcome, account::sessions_of, settle};
use crate::{
    actions::{
        account_kind::nexus::{self, Nexus},
        ports::SessionStore,
        scheme_sessions::{ListedNote, SessionListing},
    },
    client::{
        address_book,
        relay::ServerRelay,
        remembered::{self, RememberedAccount},
        session_store::nexus::NexusStore,
    },
    error::AppError,
    hooks::{account::found, context::SmartAccountContext, query_status::QueryStatus},
    protocol::{
        kind::AccountKind,
        session::{SessionEvent, SessionLeaf},
    },
};

/// Asks the factory for the owner's account and keeps it, with its release. It is shown where this owner's account of this
/// kind is.
pub async fn find_account(context: SmartAccountContext, owner: Address) -> Outcome<Address> {
    let kind = Nexus::find(&ServerRelay, owner, &nexus::owner_setup()).await?;
    let account = kind.account().address;
    if context.owner.try_get_untracked() != Some(Some(owner)) {
        // The wallet is another by now, or went, as when the device is to forget the account.
        return Ok(account);
    }
    NexusStore.put_account(kind.account())?;
    let last = RememberedAccount { owner_address: Some(owner), smart_account_address: account };
    remembered::set_account(AccountKind::Nexus, &last);
    if context.is_of(AccountKind::Nexus) {
        found(context, account);
    }
    Ok(account)
}

/// Most sessions of other devices that are kept in the list after they ended.
const MOST_ENDED: usize = 100;

thread_local! {
    /// Operations that were found under way, and are followed or came to their end.
    static FOLLOWED: RefCell<HashSet<B256>> = RefCell::default();
    /// How many readings were begun, and which was shown last: one that took longer than a later one is not shown after it.
    static TURNS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The sessions that the chain has and those that are stored; what is under way is followed.
pub async fn show_sessions(context: SmartAccountContext, account: Address) -> Outcome<()> {
    let turn = TURNS.get().0 + 1;
    TURNS.set((turn, TURNS.get().1));
    // Whom the owner granted or sent to before, and who they are: sessions of other devices may be about the same.
    let owner = context.owner.try_get_untracked().flatten();
    let contracts = owner.into_iter().chain(address_book::load(account).addresses()).collect();
    let sessions = sessions_of(account)?.knowing(contracts);
    let listing = sessions.listing().await;
    if listing.is_err() && TURNS.get().1 > turn {
        // A later one was shown.
        return Ok(());
    }
    let SessionListing { mut leaves, left, mut notes, pending, modules, is_deployed } = listing?;
    let lost_keys = NexusStore.lost_keys(account).await.unwrap_or_default();
    let (begun, last_shown) = TURNS.get();
    if !context.shows(account) || turn < last_shown {
        return Ok(());
    }
    TURNS.set((begun, turn));
    context.is_deployed.try_set(Some(is_deployed));
    context.account_error.try_set(None);
    context.modules.try_set(modules);
    context.in_sync.try_set(Some(true));
    context.limits_left.try_set(left);
    keep_ended(context, &mut leaves, &mut notes);
    context.session_notes.try_set(notes);
    context.lost_keys.try_set(lost_keys);
    if context.sessions.try_with_untracked(|shown| *shown != leaves) == Some(true) {
        context.sessions.try_set(leaves);
    }
    context.sessions_error.try_set(None);
    context.sessions_status.try_set(QueryStatus::Success);
    for user_op_hash in pending {
        // Once in a visit: what was dropped is on its way for ever, and each end has the list read again.
        if FOLLOWED.with_borrow_mut(|followed| followed.insert(user_op_hash)) {
            spawn_local(async move {
                match settle(account, user_op_hash).await {
                    Ok(()) | Err(AppError::Storage { .. } | AppError::StorageFull { .. }) => {}
                    // Its end was not seen: the next reading tries again.
                    Err(_) => drop(FOLLOWED.with_borrow_mut(|followed| followed.remove(&user_op_hash))),
                }
            });
        }
    }
    Ok(())
}

/// Sessions of other devices are stored nowhere here: those that ended while the page was open stay in its list as ended,
/// with what was said of them.
fn keep_ended(context: SmartAccountContext, leaves: &mut Vec<SessionLeaf>, notes: &mut Vec<ListedNote>) {
    let is_listed = |id: &str| leaves.iter().any(|now| now.session_id == id);
    let is_gone = |leaf: &&SessionLeaf| leaf.is_on_other_device() && !is_listed(&leaf.session_id);
    let ended = context.sessions.try_with_untracked(|shown| shown.iter().filter(is_gone).cloned().collect::<Vec<_>>());
    let mut ended = ended.unwrap_or_default();
    ended.truncate(MOST_ENDED);
    for leaf in &mut ended {
        // One that had ended before stays as it was.
        leaf.record(&SessionEvent::LeftTree { last_root: B256::ZERO, elsewhere: false }).ok();
    }
    let is_of_ended = |note: &&ListedNote| ended.iter().any(|leaf| leaf.session_id == note.session_id);
    context.session_notes.try_with_untracked(|said| notes.extend(said.iter().filter(is_of_ended).cloned()));
    ended.append(leaves);
    *leaves = ended;
}
