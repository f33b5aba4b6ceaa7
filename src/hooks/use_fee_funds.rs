//! [`use_fee_funds`].

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    QueryKey, QueryOptions, QueryScope, UseQueryReturn, gateway, nexus_gateway, provider::use_context_or_detached,
    use_query,
};
use crate::{actions::fee_funds::FeeFunds, protocol::kind::AccountKind};

/// What an account can be made to pay fees with: its native balance, its deposit at the entry point, and what the
/// server's token paymaster may still take. All of it is at stake when a session is granted, because the session key
/// decides what its operations cost. The account need not be deployed. Read again after each operation of the account.
///
/// ```
/// use alloy::primitives::Address;
/// use leptos::prelude::*;
/// use use_aa::hooks::use_fee_funds;
///
/// #[component]
/// fn AtStake(account: Address) -> impl IntoView {
///     let funds = use_fee_funds(Signal::stored(Some(account)));
///     view! {
///         <output>{move || funds.data.get().map(|funds| [&funds.native.total().to_string(), " wei"].concat())}</output>
///         <p role="alert">{move || funds.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Nothing is read: pending.
///
/// In React: nothing; ours.
pub fn use_fee_funds(account: Signal<Option<Address>>) -> UseQueryReturn<FeeFunds> {
    let context = use_context_or_detached();
    use_query(
        "fee-funds",
        QueryScope::Account,
        account,
        QueryOptions::default(),
        move |key: QueryKey<Address>| async move {
            match context.kind_of(key.arguments) {
                AccountKind::Nexus => nexus_gateway::fee_funds(key.arguments).await,
                AccountKind::BiconomyV2 => gateway::fee_funds(key.arguments).await,
            }
        },
    )
}
