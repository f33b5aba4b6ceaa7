//! `use_gas_estimate`: what a transaction can cost at most, before it is signed.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        ask_again_button::AskAgainButton,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, paid_by, use_is_sponsored},
        live_text::{live, verbatim},
        native_currency::use_native_currency,
    },
    prelude::*,
    protocol::{addresses::DEMO_NFT, describe::shown_amount},
};

sol! {
    function safeMint(address to);
}

/// The cost of minting a demo NFT, paid by the account or by the sponsor.
#[component]
pub fn GasEstimate() -> impl IntoView {
    let account = use_smart_account();
    let sponsored = RwSignal::new(false);
    let arguments = Signal::derive(move || {
        let call = account.smart_account_address.get().map(|to| Call::to(DEMO_NFT, &safeMintCall { to }));
        CostArguments { calls: Vec::from_iter(call), options: paid_by(sponsored.get()) }
    });
    let is_sponsored = use_is_sponsored();
    let estimate = use_gas_estimate(arguments);
    let native = use_native_currency();
    let cost = move || {
        estimate.data.get().map_or_else(|| "–".to_owned(), |wei| shown_amount(wei, native.get().decimals.unwrap_or(18)))
    };
    let note = move || {
        if account.owner_address.get().is_none() {
            "Connect the wallet that owns this account to see the cost."
        } else if estimate.is_loading.get() {
            "Reckoning…"
        } else {
            "What is not used is given back."
        }
    };
    view! {
        <div class="panel">
            <p class="figure" role="status" aria-busy=move || estimate.is_fetching.get().to_string()>
                <span class="number" data-testid="gas-estimate" data-value=move || estimate.data.get().map(|wei| wei.to_string())>
                    {move || verbatim(cost())}
                </span>
                <span class="unit">{move || native.get().symbol.map(verbatim)} " at most"</span>
            </p>
            <p class="step-text">{move || live(note())}</p>
            <div class="actions">
                <label>
                    <input
                        type="checkbox"
                        data-testid="estimate-sponsored"
                        disabled=move || !is_sponsored.get()
                        bind:checked=sponsored
                    />
                    " with the sponsor's part"
                </label>
                <AskAgainButton
                    query=estimate
                    testid="refetch-gas-estimate"
                    text="Reckon again"
                    busy_text="Reckoning"
                />
            </div>
            <NotSponsoredNotice />
            <ErrorNotice error=estimate.error retry=estimate.refetch />
        </div>
    }
    .into_any()
}
