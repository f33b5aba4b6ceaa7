//! The addresses of what the owner signed and the bundler took, noted in the account's address book.
//!
//! Only the owner's signature counts: an app that uses a session could make any address look familiar.

use alloy::primitives::Address;
use leptos::task::spawn_local;

use crate::{
    client::{address_book, time::now_seconds},
    hooks::operations::{GrantVariables, OwnerOperation},
    protocol::{
        addresses::NATIVE_TOKEN,
        describe::{PolicyDescription, call_addresses},
        policy::{Policy, SessionPolicy},
    },
};

/// Notes them; what cannot be kept is asked about again next time.
pub(super) fn note(account: Address, mut addresses: Vec<Address>) {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(|address| ![account, NATIVE_TOKEN, Address::ZERO].contains(address));
    if addresses.is_empty() {
        return;
    }
    spawn_local(async move {
        address_book::change(account, |book| book.note_used(&addresses, now_seconds())).await.ok();
    });
}

pub(super) fn of_grant(variables: &GrantVariables) -> Vec<Address> {
    let of_policies = |policies: &[Policy]| {
        let policies = policies.iter().cloned().map(SessionPolicy::from);
        policies.flat_map(|policy| of_policy(&policy)).collect::<Vec<_>>()
    };
    match variables {
        GrantVariables::Batch(variables) => variables.policy.iter().flat_map(of_policy).collect(),
        GrantVariables::Sessions(variables) | GrantVariables::Distributed(variables) => of_policies(&variables.policy),
    }
}

fn of_policy(policy: &SessionPolicy) -> Vec<Address> {
    let named = PolicyDescription::of_policy(policy).map(|described| described.addresses()).unwrap_or_default();
    named.into_iter().map(|(_, address)| address).chain(policy.session_key_address()).collect()
}

pub(super) fn of_operation(operation: &OwnerOperation) -> Vec<Address> {
    let calls = match operation {
        OwnerOperation::SendTransaction(variables) | OwnerOperation::SendSponsoredTransaction(variables) => {
            &variables.calls
        }
        OwnerOperation::SendGasTokenTransaction(variables) => &variables.calls,
        OwnerOperation::SendWithdrawals(variables) => {
            let recipients = variables.withdrawal_requests.iter().filter_map(|request| request.recipient);
            return recipients.chain(variables.default_recipient).collect();
        }
        OwnerOperation::DeploySmartAccount(_)
        | OwnerOperation::RevokeSessions(_)
        | OwnerOperation::RestoreSessions(_) => return Vec::new(),
    };
    calls.iter().flat_map(call_addresses).map(|(_, address)| address).collect()
}
