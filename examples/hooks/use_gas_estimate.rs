use alloy::sol;
use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

sol! {
    function safeMint(address to);
}

/// What minting can cost at most.
#[component]
pub fn Cost() -> impl IntoView {
    let account = use_smart_account();
    let arguments = Signal::derive(move || {
        let mint = account.smart_account_address.get().map(|to| Call::to(DEMO_NFT, &safeMintCall { to }));
        CostArguments { calls: Vec::from_iter(mint), ..Default::default() }
    });
    let estimate = use_gas_estimate(arguments);
    view! {
        <p>{move || estimate.data.get().map(|wei| format!("At most {wei} wei"))}</p>
        <p role="alert">{move || estimate.error.get().map(|error| error.to_string())}</p>
    }
}
