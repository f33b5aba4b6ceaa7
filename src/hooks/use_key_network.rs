//! [`use_key_network`].

use leptos::prelude::*;

use super::{QueryKey, QueryOptions, QueryScope, UseQueryReturn, rest, use_query};
pub use crate::protocol::distributed_key::KeyNetwork;

/// How the nodes that share distributed keys are: how many answer, how many must sign, and whether a key waits for an
/// owner or is being made. Asked for while `watched` is true; ask again with `refetch`.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::use_key_network;
///
/// #[component]
/// fn Nodes() -> impl IntoView {
///     let network = use_key_network(Signal::stored(true));
///     view! { <p>{move || network.data.get().map(|now| format!("{} of {} nodes answer", now.live, now.nodes))}</p> }
/// }
/// ```
///
/// # Server-Side Rendering
/// Nothing is asked: pending.
///
/// In React: nothing; ours.
pub fn use_key_network(watched: Signal<bool>) -> UseQueryReturn<KeyNetwork> {
    use_key_network_with(watched, QueryOptions::default())
}

/// As [`use_key_network`], with options: how often is asked, and whether.
pub fn use_key_network_with(watched: Signal<bool>, options: QueryOptions) -> UseQueryReturn<KeyNetwork> {
    let asked = Signal::derive(move || watched.get().then_some(()));
    use_query("key-network", QueryScope::Chain, asked, options, |_: QueryKey<()>| rest::key_network())
}
