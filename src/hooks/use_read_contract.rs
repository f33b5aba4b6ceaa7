//! [`use_read_contract`].

use alloy::primitives::{Address, Bytes};
use leptos::prelude::*;

use crate::error::AppError;

/// What [`use_read_contract`] returns.
#[derive(Clone, Copy)]
pub struct UseReadContractReturn {
    /// What the contract answered last, ABI-encoded. Stays while it is read again.
    pub data: Signal<Option<Bytes>>,
    /// Why it could not be read.
    pub error: Signal<Option<AppError>>,
    /// A read is under way.
    pub is_loading: Signal<bool>,
    /// Reads again.
    pub refetch: Callback<()>,
}

/// Calls a view function of a contract at the latest block, through the server's relay: now, whenever the call
/// changes, and when told to.
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
    let data = RwSignal::new(None::<Bytes>);
    let error = RwSignal::new(None::<AppError>);
    let is_loading = RwSignal::new(false);
    let version = RwSignal::new(0_u64);
    #[cfg(feature = "hydrate")]
    {
        let call = Memo::new(move |_| call.get());
        Effect::new(move |_| {
            let wanted = (call.get(), version.get());
            let Some((contract, input)) = wanted.0.clone() else {
                data.set(None);
                return;
            };
            is_loading.set(true);
            leptos::task::spawn_local(async move {
                let answer = read(contract, input).await;
                // A later call or refetch has taken over.
                if (call.try_get_untracked().flatten(), version.try_get_untracked().unwrap_or_default()) != wanted {
                    return;
                }
                is_loading.try_set(false);
                match answer {
                    Ok(answer) => {
                        error.try_set(None);
                        data.try_set(Some(answer));
                    }
                    Err(failure) => {
                        error.try_set(Some(failure));
                    }
                }
            });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = call;
    UseReadContractReturn {
        data: data.into(),
        error: error.into(),
        is_loading: is_loading.into(),
        refetch: Callback::new(move |()| {
            version.try_update(|version| *version += 1);
        }),
    }
}

#[cfg(feature = "hydrate")]
async fn read(contract: Address, input: Bytes) -> Result<Bytes, AppError> {
    use crate::{actions::ports::Relay, client::relay::ServerRelay, error::Upstream};

    let params = serde_json::json!([{ "to": contract, "data": input }, "latest"]);
    let answer = ServerRelay.read("eth_call", params).await?;
    serde_json::from_value(answer)
        .map_err(|error| AppError::UpstreamMalformed { upstream: Upstream::Node, reason: error.to_string() })
}
