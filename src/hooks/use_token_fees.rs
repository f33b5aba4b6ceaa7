//! [`use_token_fees`].

use leptos::prelude::*;

use super::{
    CostArguments, QueryKey, QueryOptions, QueryScope, UseQueryReturn, nexus_gateway,
    provider::use_context_or_detached, rest, use_query,
};
use crate::protocol::{kind::AccountKind, paymaster::FeeQuotes};

/// What calls would cost at most in each token that the paymaster takes; in the preferred one of the options alone, if
/// they name one. A quote can be handed to [`use_send_gas_token_transaction`](super::use_send_gas_token_transaction)
/// until its `valid_until`. Asked again when the calls change and after each operation of the account; large amounts in
/// them are no trouble (in `@biconomy/use-aa` they break the query's key).
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_token_fees.rs"), "```")]
///
/// # Server-Side Rendering
/// Nothing is asked: pending until a wallet is connected in the browser.
///
/// In React: `useTokenFees`.
pub fn use_token_fees(arguments: Signal<CostArguments>) -> UseQueryReturn<FeeQuotes> {
    use_token_fees_with(arguments, QueryOptions::default())
}

/// As [`use_token_fees`], with options: how often is asked, and whether.
pub fn use_token_fees_with(arguments: Signal<CostArguments>, options: QueryOptions) -> UseQueryReturn<FeeQuotes> {
    let context = use_context_or_detached();
    let asked = Signal::derive(move || {
        context.owner.get()?;
        let mut arguments = arguments.get();
        // The lane does not change the price, and one of the time would be another question each time (docs/protocol.md 10-U3).
        arguments.options.nonce_options = None;
        Some(arguments).filter(|arguments| !arguments.calls.is_empty())
    });
    use_query("token-fees", QueryScope::Account, asked, options, move |key: QueryKey<CostArguments>| async move {
        let owner = context.connected_owner()?;
        match context.is_of(AccountKind::Nexus) {
            true => nexus_gateway::token_fees(owner, key.arguments).await,
            false => rest::token_fees(owner, key.arguments).await,
        }
    })
}
