//! Accounts whose sessions stand each for itself: no tree is compared, the chain is asked which of them it has.

use alloy::primitives::Address;
use leptos::{prelude::*, task::spawn_local};

use super::{sessions_failed, stored_changed};
use crate::{
    client::session_store::changes,
    hooks::{context::SmartAccountContext, effect, nexus_gateway, query_status::QueryStatus},
    protocol::kind::AccountKind,
};

/// Reads account and sessions when the account is another, when what is stored changes, and when an operation ended.
pub(super) fn follow(context: SmartAccountContext) {
    let account =
        Memo::new(move |_| context.account.get().filter(|_| context.account_kind.get() != AccountKind::BiconomyV2));
    Effect::new(move |_| {
        let account = account.get()?;
        Some(StoredValue::new_local(changes::subscribe(account, move || stored_changed(context, account))))
    });
    effect(move || {
        context.refetch.track();
        context.stored.track();
        if let Some(account) = account.get() {
            read(context, account);
        }
    });
}

/// Asks for the owner's account, and shows it unless another was chosen meanwhile.
pub(super) fn find(context: SmartAccountContext, owner: Address) {
    spawn_local(async move {
        if let Err(error) = nexus_gateway::find_account(context, owner).await
            && context.owner.try_get_untracked() == Some(Some(owner))
            && context.is_of(AccountKind::Nexus)
        {
            context.account_error.try_set(Some(error));
            context.account_status.try_set(QueryStatus::Error);
        }
    });
}

/// Reads what the chain and the store say now.
pub(super) fn read(context: SmartAccountContext, account: Address) {
    spawn_local(async move {
        if let Err(error) = nexus_gateway::show_sessions(context, account).await {
            sessions_failed(context, account, error, true);
        }
    });
}
