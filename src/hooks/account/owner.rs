//! From the account that a wallet shares to the owner: only who signs by a key owns a smart account, and none is shown for
//! anybody else, so that nobody sends money to an account that obeys nobody.

use alloy::primitives::{Address, U256};
use leptos::{prelude::*, task::spawn_local};

use super::{super::retry, address_of, forgotten};
use crate::{
    client::{
        relay,
        remembered::{self, RememberedAccount},
        time::sleep,
    },
    error::AppError,
    hooks::{context::SmartAccountContext, query_status::QueryStatus},
    protocol::{kind::AccountKind, rpc::AccountState},
};

/// The connected wallet shares this account. Who was looked at in an earlier visit is the owner at once; reading the
/// account's state looks at them again.
pub(in crate::hooks) fn shared(context: SmartAccountContext, address: Address) {
    if context.shared.try_get_untracked() == Some(Some(address)) {
        return;
    }
    context.owner_refused.try_set(None);
    context.shared.try_set(Some(address));
    if AccountKind::ALL
        .into_iter()
        .any(|kind| remembered::account(kind).is_some_and(|last| last.owner_address == Some(address)))
    {
        context.owner.try_set(Some(address));
    } else {
        context.owner.try_set(None);
        look_at(context, address);
    }
}

/// No wallet shares an account any more. The smart account and its sessions stay: they work without the owner.
pub(in crate::hooks) fn taken_back(context: SmartAccountContext) {
    context.shared.try_set(None);
    context.owner.try_set(None);
    if context.owner_refused.try_get_untracked().flatten().is_some() {
        context.owner_refused.try_set(None);
        context.account_error.try_set(None);
        context.account_status.try_set(QueryStatus::Pending);
    }
}

/// Somebody wants the account to be read again: where that failed for the owner, it is tried again, too.
pub(super) fn look_again(context: SmartAccountContext) {
    let is_unknown = context.owner.try_get_untracked() == Some(None)
        && context.owner_refused.try_with_untracked(Option::is_none) == Some(true);
    if let (true, Some(address)) = (is_unknown, context.shared.try_get_untracked().flatten()) {
        look_at(context, address);
    }
}

/// The owner of the account as far as it is known: the connected one, else that of the last visit.
pub(super) fn owner_of(context: SmartAccountContext, account: Address) -> Option<Address> {
    context
        .owner
        .try_get_untracked()
        .flatten()
        .or_else(|| remembered::account_at(account).and_then(|(_, last)| last.owner_address))
}

/// The code of the owner came with the state of the account: is it a contract's?
pub(super) fn is_contract(context: SmartAccountContext, owner: Address, state: &AccountState) -> bool {
    if state.owner_kind.is_none_or(|kind| kind.has_key()) {
        return false;
    }
    let evidence = "it has a contract's code on this chain".to_owned();
    refused(context, owner, &AppError::OwnerIsContract { owner, evidence });
    true
}

/// The owner turned out to be no key, or not to sign by it. An account that is on the chain stays in view: somebody signed
/// for it, and its sessions work.
pub(in crate::hooks) fn refused(context: SmartAccountContext, owner: Address, error: &AppError) {
    let is_deployed = context.is_deployed.try_get_untracked().flatten() == Some(true);
    let kind = context.account_kind.try_get_untracked().unwrap_or_default();
    if let Some(last) = remembered::account(kind).filter(|last| last.owner_address == Some(owner) && !is_deployed) {
        remembered::forget_account(kind);
        if context.account.try_get_untracked() == Some(Some(last.smart_account_address)) {
            forgotten(context);
        }
    }
    if context.shared.try_get_untracked() == Some(Some(owner)) {
        context.owner.try_set(None);
        context.owner_refused.try_set(Some(error.clone()));
        context.account_error.try_set(Some(error.clone()));
        context.account_status.try_set(QueryStatus::Error);
    }
}

/// Reads what stands behind an address that was not seen before. While nobody answers it is asked again: until then no
/// account is shown.
fn look_at(context: SmartAccountContext, address: Address) {
    let is_wanted = move || {
        context.shared.try_get_untracked() == Some(Some(address)) && context.owner.try_get_untracked() == Some(None)
    };
    spawn_local(async move {
        for failures in 0.. {
            let account = address_of(address);
            let read = relay::account_state(account, U256::ZERO, Some(address)).await;
            if !is_wanted() {
                return;
            }
            match read {
                Ok(state) => {
                    if !is_contract(context, address, &state) {
                        let last = RememberedAccount { owner_address: Some(address), smart_account_address: account };
                        remembered::set_account(AccountKind::BiconomyV2, &last);
                        context.owner.try_set(Some(address));
                    }
                    return;
                }
                Err(error) => {
                    let may_pass = retry::is_transient(&error);
                    context.account_error.try_set(Some(error));
                    context.account_status.try_set(QueryStatus::Error);
                    if !may_pass {
                        return;
                    }
                    sleep(retry::delay(failures)).await;
                    if !is_wanted() {
                        return;
                    }
                }
            }
        }
    });
}
