//! [`use_read_contract`].

use alloy::primitives::{Address, Bytes};
use leptos::prelude::*;

use super::{QueryKey, QueryOptions, QueryScope, UseQueryReturn, use_query};
use crate::error::AppError;

/// What [`use_read_contract`] returns: `data` is what the contract answered last, ABI-encoded.
pub type UseReadContractReturn = UseQueryReturn<Bytes>;

/// Calls a view function of a contract at the latest block, through the server's relay: now, whenever the call
/// changes, after each operation that this page followed to its end, and when told to.
///
/// ```
/// use alloy::primitives::{Address, Bytes};
/// use leptos::prelude::*;
/// use use_aa::hooks::use_read_contract;
///
/// #[component]
/// fn TotalSupply(token: Address) -> impl IntoView {
///     let total_supply = Bytes::from_static(&[0x18, 0x16, 0x0d, 0xdd]);
///     let read = use_read_contract(Signal::derive(move || Some((token, total_supply.clone()))));
///     view! { <output>{move || read.data.get().map(|data| data.to_string())}</output> }
/// }
/// ```
///
/// # Server-Side Rendering
/// Nothing is read: the page asks after hydration.
///
/// In React: wagmi's `useReadContract`.
pub fn use_read_contract(call: Signal<Option<(Address, Bytes)>>) -> UseReadContractReturn {
    use_query("read-contract", QueryScope::Chain, call, QueryOptions::default(), |key: QueryKey<_>| read(key.arguments))
}

#[cfg(feature = "hydrate")]
async fn read((contract, input): (Address, Bytes)) -> Result<Bytes, AppError> {
    use crate::{actions::ports::Relay, client::relay::ServerRelay, error::Upstream};

    let params = serde_json::json!([{ "to": contract, "data": input }, "latest"]);
    let answer = ServerRelay.read("eth_call", params).await?;
    serde_json::from_value(answer)
        .map_err(|error| AppError::UpstreamMalformed { upstream: Upstream::Node, reason: error.to_string() })
}

#[cfg(not(feature = "hydrate"))]
async fn read(_: (Address, Bytes)) -> Result<Bytes, AppError> {
    Err(AppError::Internal { reason: "contracts are read in the browser only".into() })
}
