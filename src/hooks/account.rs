//! The account's side of the provider: finds the account, reads its state, keeps its sessions current.

mod each_for_itself;
mod owner;

use std::collections::BTreeSet;

use alloy::primitives::{Address, U256};
use leptos::{prelude::*, task::spawn_local};

pub(super) use self::owner::{refused, shared, taken_back};
use super::{
    built_ahead, connection, context::SmartAccountContext, effects::effect, ended_operations, gateway,
    query_status::QueryStatus,
};
use crate::{
    client::{
        browser_storage, relay,
        remembered::{self, RememberedAccount},
        session_store::{changes, forgetting, local::sessions_key},
    },
    error::AppError,
    protocol::{kind::AccountKind, smart_account::counterfactual_address},
};

/// Starts following; runs once, in the browser.
pub(super) fn follow(context: SmartAccountContext) {
    context.chosen_kind.try_set(remembered::kind());
    // Until the server has said with which kind it begins, where nobody chose one.
    let is_known = RwSignal::new(false);
    let wanted = move || {
        let Some(kind) = context.wanted_kind() else { return };
        if !context.is_of(kind) || !is_known.get_untracked() {
            show_last(context, kind);
        }
        is_known.set(true);
    };
    untrack(wanted);
    effect(wanted);
    ended_operations::subscribe(move |account| {
        if account.is_none() || context.account.try_get_untracked() == Some(account) {
            context.refetch.try_update(|version| *version += 1);
        }
    });
    effect(move || {
        if let (Some(owner), true) = (context.owner.get(), is_known.get()) {
            find_account(context, context.account_kind.get(), owner);
        }
    });
    effect(move || {
        context.refetch.track();
        owner::look_again(context);
        if let Some(account) = context.account.get() {
            read_state(context, account);
        }
    });
    // Once, although both may come true one after the other.
    let of_v2 = move || context.account.get().filter(|_| context.account_kind.get() == AccountKind::BiconomyV2);
    let with_sessions = Memo::new(move |_| of_v2().filter(|account| sessions_matter(context, *account)));
    each_for_itself::follow(context);
    Effect::new(move |_| {
        let account = with_sessions.get()?;
        settle(context, account);
        // Kept by the effect until the account changes.
        Some(StoredValue::new_local(changes::subscribe(account, move || stored_changed(context, account))))
    });
    effect(move || {
        let changed = context.stored.get() > 0;
        if let Some(account) = with_sessions.get() {
            read_sessions(context, account);
            // What was written may have been the grant that mends it.
            if changed && context.in_sync.get_untracked() != Some(true) {
                settle(context, account);
            }
        }
    });
}

/// The person chose a kind. Nothing of the other is lost: it is shown again once that is chosen.
pub(super) fn choose_kind(context: SmartAccountContext, kind: AccountKind) {
    remembered::set_kind(kind);
    context.chosen_kind.try_set(Some(kind));
}

/// The account of this kind that was last used here, or none until the owner's is found.
fn show_last(context: SmartAccountContext, kind: AccountKind) {
    let owner = context.owner.try_get_untracked().flatten();
    let is_owners = |last: &RememberedAccount| owner.is_none() || last.owner_address == owner;
    let last = remembered::account(kind).filter(is_owners);
    if context.is_of(kind) && last.is_none() {
        return;
    }
    if !context.is_of(kind) {
        forgotten(context);
        context.account_error.try_set(None);
        context.account_kind.try_set(kind);
    }
    if let Some(last) = last {
        found(context, last.smart_account_address);
    }
}

/// A hook asked for sessions, or some are stored here. Who only connects needs none of the code that reads them.
fn sessions_matter(context: SmartAccountContext, account: Address) -> bool {
    context.sessions_wanted.get() || browser_storage::has(&sessions_key(account))
}

/// Sessions of the account were brought in from another device. The account becomes this page's when it has none of that
/// kind: its sessions work without the owner.
pub(super) fn brought_in(context: SmartAccountContext, kind: AccountKind, account: Address) {
    if remembered::account(kind).is_none() {
        let last = RememberedAccount { owner_address: None, smart_account_address: account };
        remembered::set_account(kind, &last);
    }
    if !context.is_of(kind) {
        return;
    }
    match context.account.try_get_untracked().flatten() {
        None => found(context, account),
        Some(shown) if shown == account && kind == AccountKind::BiconomyV2 => settle(context, account),
        Some(shown) if shown == account => each_for_itself::read(context, account),
        Some(_) => {}
    }
}

/// The account was forgotten: the page knows none any more, as on a first visit.
pub(super) fn forgotten(context: SmartAccountContext) {
    built_ahead::forget_all();
    context.account.try_set(None);
    context.account_status.try_set(QueryStatus::Pending);
    context.is_deployed.try_set(None);
    no_sessions_known(context);
}

/// Something that is stored of the shown account changed, here or in another tab. Where nothing is left of it, it was
/// forgotten: an open page would only bring it back.
fn stored_changed(context: SmartAccountContext, account: Address) {
    if remembered::is_known(account) {
        context.stored.try_update(|version| *version += 1);
        return;
    }
    forgetting::forgotten_elsewhere(account);
    if context.shows(account) {
        connection::disconnect(context);
        forgotten(context);
    }
}

/// Until they are read: those of another account are none of this one.
fn no_sessions_known(context: SmartAccountContext) {
    context.sessions.try_set(Vec::new());
    context.sessions_status.try_set(QueryStatus::Pending);
    context.in_sync.try_set(None);
    context.sessions_error.try_set(None);
    context.lost_keys.try_set(BTreeSet::new());
    context.limits_left.try_set(Vec::new());
    context.session_notes.try_set(Vec::new());
    context.modules.try_set(Vec::new());
    context.older_unknown.try_set(false);
    context.ended_elsewhere.try_set(Vec::new());
}

/// This is the account.
pub(super) fn found(context: SmartAccountContext, account: Address) {
    if context.account.try_get_untracked() != Some(Some(account)) {
        built_ahead::forget_all();
        context.is_deployed.try_set(None);
        no_sessions_known(context);
        context.seen_root.try_set(None);
        context.account.try_set(Some(account));
    }
    context.account_error.try_set(None);
    context.account_status.try_set(QueryStatus::Success);
}

/// The account of the last visit, when the owner is the same, else the one that follows from the owner.
fn find_account(context: SmartAccountContext, kind: AccountKind, owner: Address) {
    if context.config.try_with_value(|config| config.offers_kinds) == Some(true) {
        remembered::set_kind(kind);
    }
    if let Some(last) = remembered::account(kind).filter(|last| last.owner_address == Some(owner)) {
        return found(context, last.smart_account_address);
    }
    match kind {
        AccountKind::BiconomyV2 => {
            let account = address_of(owner);
            let last = RememberedAccount { owner_address: Some(owner), smart_account_address: account };
            remembered::set_account(kind, &last);
            found(context, account);
        }
        AccountKind::Nexus => each_for_itself::find(context, owner),
    }
}

/// The smart account of an owner: three hashes, nothing that would have to be loaded.
fn address_of(owner: Address) -> Address {
    counterfactual_address(owner, U256::ZERO)
}

fn read_state(context: SmartAccountContext, account: Address) {
    if !context.is_of(AccountKind::BiconomyV2) {
        return;
    }
    let owner = owner::owner_of(context, account);
    spawn_local(async move {
        let state = relay::account_state(account, U256::ZERO, owner).await;
        if !context.shows(account) {
            return;
        }
        match state {
            Ok(state) => {
                context.is_deployed.try_set(Some(state.deployed));
                if owner.is_some_and(|owner| owner::is_contract(context, owner, &state)) {
                    return;
                }
                context.account_error.try_set(None);
            }
            Err(error) => drop(context.account_error.try_set(Some(error))),
        }
    });
}

/// Compares the store with the chain when the root there is no longer the one of the last look: somebody changed the
/// sessions, maybe another device.
pub(super) fn compare_root(context: SmartAccountContext) {
    let Some(account) = context.account.try_get_untracked().flatten() else { return };
    if !context.is_of(AccountKind::BiconomyV2) {
        return each_for_itself::read(context, account);
    }
    spawn_local(async move {
        let Ok(state) = relay::account_state(account, U256::ZERO, None).await else { return };
        if !context.shows(account) {
            return;
        }
        let seen = context.seen_root.try_get_untracked().flatten();
        if seen != Some(state.merkle_root) {
            context.seen_root.try_set(Some(state.merkle_root));
            if seen.is_some() {
                settle(context, account);
            }
        }
    });
}

/// Compares the store with the chain, and follows grants that were under way when the page was left.
fn settle(context: SmartAccountContext, account: Address) {
    spawn_local(async move {
        if let Err(error) = gateway::compare_sessions(context, account).await {
            sessions_failed(context, account, error, false);
        }
    });
}

fn read_sessions(context: SmartAccountContext, account: Address) {
    spawn_local(async move {
        if let Err(error) = gateway::show_sessions(context, account).await {
            sessions_failed(context, account, error, true);
        }
    });
}

/// What reads the sessions was not loaded, or failed: then none can be shown, or those that are shown are not compared.
fn sessions_failed(context: SmartAccountContext, account: Address, error: AppError, none_shown: bool) {
    if context.shows(account) {
        context.sessions_error.try_set(Some(error));
        if none_shown {
            context.sessions_status.try_set(QueryStatus::Error);
        }
    }
}
