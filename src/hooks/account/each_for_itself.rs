//! Accounts whose sessions stand each for itself: no tree is compared, the chain is asked which of them it has.

use alloy::primitives::Address;
use leptos::{prelude::*, task::spawn_local};

use super::found;
use crate::{
    client::{
        remembered::{self, RememberedAccount},
        session_store::changes,
    },
    hooks::{answers::KindSessions, context::SmartAccountContext, nexus_gateway, query_status::QueryStatus},
    protocol::kind::AccountKind,
};

/// Reads account and sessions when the account is another, when what is stored changes, and when an operation ended.
pub(super) fn follow(context: SmartAccountContext) {
    let account =
        Memo::new(move |_| context.account.get().filter(|_| context.account_kind.get() != AccountKind::BiconomyV2));
    Effect::new(move |_| {
        let account = account.get()?;
        Some(StoredValue::new_local(changes::subscribe(account, move || {
            context.stored.try_update(|version| *version += 1);
        })))
    });
    Effect::new(move |_| {
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
        let answer = nexus_gateway::find_account(owner).await;
        let is_wanted = context.owner.try_get_untracked() == Some(Some(owner)) && context.is_of(AccountKind::Nexus);
        match answer {
            Ok(account) => {
                let last = RememberedAccount { owner_address: Some(owner), smart_account_address: account };
                remembered::set_account(AccountKind::Nexus, &last);
                if is_wanted {
                    found(context, account);
                }
            }
            Err(error) if is_wanted => {
                context.account_error.try_set(Some(error));
                context.account_status.try_set(QueryStatus::Error);
            }
            Err(_) => {}
        }
    });
}

/// Reads what the chain and the store say now.
pub(super) fn read(context: SmartAccountContext, account: Address) {
    spawn_local(async move {
        let read = nexus_gateway::sessions(account).await;
        if context.account.try_get_untracked() != Some(Some(account)) {
            return;
        }
        match read {
            Ok(KindSessions { leaves, left, pending, modules, is_deployed, lost_keys }) => {
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
                    spawn_local(async move { drop(nexus_gateway::settle(account, user_op_hash).await) });
                }
            }
            Err(error) => {
                context.sessions_error.try_set(Some(error));
                context.sessions_status.try_set(QueryStatus::Error);
            }
        }
    });
}
