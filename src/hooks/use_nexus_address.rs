//! Where the owner's Nexus account is, whichever kind is shown.

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    QueryKey, QueryOptions, QueryScope, UseQueryReturn, nexus_gateway, provider::use_context_or_detached, use_query,
};

/// The address of the connected owner's Nexus account, as the factory tells it. Nothing is asked before `wanted` is true.
///
/// # Server-Side Rendering
/// Nothing is read: pending.
pub(crate) fn use_nexus_address(wanted: Signal<bool>) -> UseQueryReturn<Address> {
    let context = use_context_or_detached();
    let owner = Signal::derive(move || context.owner.get().filter(|_| wanted.get()));
    use_query("nexus-address", QueryScope::Chain, owner, QueryOptions::default(), move |key: QueryKey<Address>| {
        nexus_gateway::find_account(context, key.arguments)
    })
}
