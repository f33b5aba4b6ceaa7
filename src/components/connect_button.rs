//! A button that opens the wallet menu of the header from anywhere in the page.

use leptos::prelude::*;

/// Id of the popover with the wallet options.
pub const WALLET_OPTIONS: &str = "wallet-options";

/// Opens the wallet options beside itself; the browser does it, no code runs.
#[component]
pub fn ConnectButton(
    /// The options exist already.
    #[prop(into)]
    ready: Signal<bool>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button"
            popovertarget=WALLET_OPTIONS
            popovertargetaction="show"
            disabled=move || !ready.get()
        >
            "Connect wallet"
        </button>
    }
    .into_any()
}
