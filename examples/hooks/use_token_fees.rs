use alloy::sol;
use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

sol! {
    function safeMint(address to);
}

/// What minting would cost in tokens.
#[component]
pub fn Fees() -> impl IntoView {
    let account = use_smart_account();
    let arguments = Signal::derive(move || {
        let mint = account.smart_account_address.get().map(|to| Call::to(DEMO_NFT, &safeMintCall { to }));
        CostArguments { calls: Vec::from_iter(mint), ..Default::default() }
    });
    let fees = use_token_fees(arguments);
    let quotes = move || fees.data.get().map(|fees| fees.fee_quotes).unwrap_or_default();
    view! {
        <ul>
            {move || quotes().into_iter().map(|quote| view! { <li>{quote.most_words()}</li> }).collect_view()}
        </ul>
        <p role="alert">{move || fees.error.get().map(|error| error.to_string())}</p>
    }
}
