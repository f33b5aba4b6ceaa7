//! A Nexus account and its sessions, as the page shows them.

use alloy::primitives::Address;
use leptos::{prelude::*, task::spawn_local};

use super::{Outcome, account::sessions_of, settle};
use crate::{
    actions::{
        account_kind::nexus::{self, Nexus},
        ports::SessionStore,
        scheme_sessions::SessionListing,
    },
    client::{
        relay::ServerRelay,
        remembered::{self, RememberedAccount},
        session_store::nexus::NexusStore,
    },
    hooks::{account::found, context::SmartAccountContext, query_status::QueryStatus},
    protocol::kind::AccountKind,
};

/// Asks the factory for the owner's account and keeps it, with its release. It is shown unless another was chosen meanwhile.
pub async fn find_account(context: SmartAccountContext, owner: Address) -> Outcome<()> {
    let kind = Nexus::find(&ServerRelay, owner, &nexus::owner_setup()).await?;
    NexusStore.put_account(kind.account())?;
    let account = kind.account().address;
    let last = RememberedAccount { owner_address: Some(owner), smart_account_address: account };
    remembered::set_account(AccountKind::Nexus, &last);
    if context.owner.try_get_untracked() == Some(Some(owner)) && context.is_of(AccountKind::Nexus) {
        found(context, account);
    }
    Ok(())
}

/// The stored sessions, compared with the chain; what is under way is followed.
pub async fn show_sessions(context: SmartAccountContext, account: Address) -> Outcome<()> {
    let SessionListing { leaves, left, pending, modules, is_deployed } = sessions_of(account)?.listing().await?;
    let lost_keys = NexusStore.lost_keys(account).await.unwrap_or_default();
    if !context.shows(account) {
        return Ok(());
    }
    context.is_deployed.try_set(Some(is_deployed));
    context.account_error.try_set(None);
    context.modules.try_set(modules);
    context.in_sync.try_set(Some(true));
    context.limits_left.try_set(left);
    context.lost_keys.try_set(lost_keys);
    if context.sessions.try_with_untracked(|shown| *shown != leaves) == Some(true) {
        context.sessions.try_set(leaves);
    }
    context.sessions_error.try_set(None);
    context.sessions_status.try_set(QueryStatus::Success);
    for user_op_hash in pending {
        spawn_local(async move { drop(settle(account, user_op_hash).await) });
    }
    Ok(())
}
