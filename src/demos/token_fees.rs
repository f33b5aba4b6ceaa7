//! `use_token_fees`: what a transaction would cost in each token that the paymaster takes.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{ask_again_button::AskAgainButton, error_notice::ErrorNotice, live_text::live, time::local_time},
    prelude::*,
    protocol::{addresses::DEMO_NFT, foreign_text::cleaned, paymaster::FeeQuote},
};

sol! {
    function safeMint(address to);
}

/// Quotes for minting one or more demo NFTs.
#[component]
pub fn TokenFees() -> impl IntoView {
    let account = use_smart_account();
    let mints = RwSignal::new("1".to_owned());
    let count = Memo::new(move |_| mints.get().trim().parse::<usize>().ok().filter(|count| (1..=20).contains(count)));
    let arguments = Signal::derive(move || {
        let call = account.smart_account_address.get().map(|to| Call::to(DEMO_NFT, &safeMintCall { to }));
        CostArguments { calls: call.into_iter().cycle().take(count.get().unwrap_or(0)).collect(), ..Default::default() }
    });
    let fees = use_token_fees(arguments);
    let quotes = move || fees.data.get().map(|fees| fees.fee_quotes).unwrap_or_default();
    let note = move || {
        if account.owner_address.get().is_none() {
            "Connect the wallet that owns this account to see prices."
        } else if count.get().is_none() {
            "Choose 1 to 20 mints."
        } else if fees.is_loading.get() {
            "Asking for prices…"
        } else if fees.is_success.get() && quotes().is_empty() {
            "The paymaster takes no tokens."
        } else {
            ""
        }
    };
    view! {
        <div class="panel">
            <div class="fields">
                <div class="field">
                    <label for="fee-mints">"Mints in one operation"</label>
                    <input id="fee-mints" data-testid="fee-mints" type="number" min="1" max="20" bind:value=mints />
                </div>
            </div>
            <p class="step-text" role="status">{move || live(note())}</p>
            <ul data-testid="token-fees" aria-busy=move || fees.is_fetching.get().to_string()>
                {move || quotes().into_iter().map(line).collect_view()}
            </ul>
            <div class="actions">
                <AskAgainButton
                    query=fees
                    testid="refetch-token-fees"
                    text="Ask again"
                    busy_text="Asking"
                />
            </div>
            <ErrorNotice error=fees.error retry=fees.refetch />
        </div>
    }
    .into_any()
}

fn line(quote: FeeQuote) -> impl IntoView {
    let ends = quote.valid_until.filter(|until| *until > now_seconds()).map(local_time);
    let markup = quote.premium_percentage.as_ref().map(|percent| {
        // As the service wrote it: a number, of whatever length.
        [", markup ", &cleaned(&percent.to_string(), 12), " %"].concat()
    });
    view! {
        <li data-token=quote.token_address.to_string() data-value=quote.max_gas_fee.to_string()>
            "At most " <strong>{live(quote.most_words())}</strong> {markup.map(live)}
            {ends.map(|end| live([", holds until ", &end].concat()))}
        </li>
    }
}
