//! [`use_gas_estimate`].

use alloy::primitives::U256;
use leptos::prelude::*;

use super::{
    CostArguments, QueryKey, QueryOptions, QueryScope, UseQueryReturn, nexus_gateway,
    provider::use_context_or_detached, rest, use_query,
};
use crate::protocol::kind::AccountKind;

/// The most that calls can cost, in wei: all gas limits times the highest fee, as the entry point wants it prefunded. The
/// account need not have it. With a paymaster in the options, that one is asked. Asked again when the calls change and
/// after each operation of the account.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_gas_estimate.rs"), "```")]
///
/// # Server-Side Rendering
/// Nothing is asked: pending until a wallet is connected in the browser.
///
/// In React: `useGasEstimate`.
pub fn use_gas_estimate(arguments: Signal<CostArguments>) -> UseQueryReturn<U256> {
    use_gas_estimate_with(arguments, QueryOptions::default())
}

/// As [`use_gas_estimate`], with options: how often is asked, and whether.
pub fn use_gas_estimate_with(arguments: Signal<CostArguments>, options: QueryOptions) -> UseQueryReturn<U256> {
    let context = use_context_or_detached();
    let asked = Signal::derive(move || {
        context.owner.get()?;
        let mut arguments = arguments.get();
        // The lane does not change the price, and one of the time would be another question each time (docs/protocol.md 10-U3).
        arguments.options.nonce_options = None;
        Some(arguments).filter(|arguments| !arguments.calls.is_empty())
    });
    use_query("gas-estimate", QueryScope::Account, asked, options, move |key: QueryKey<CostArguments>| async move {
        let owner = context.connected_owner()?;
        match context.is_of(AccountKind::Nexus) {
            true => nexus_gateway::gas_estimate(owner, key.arguments).await,
            false => rest::gas_estimate(owner, key.arguments).await,
        }
    })
}
