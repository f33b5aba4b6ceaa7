//! The flow as the server renders it: what will happen, step by step, before any wallet is known.

use leptos::prelude::*;

use crate::components::connect_button::ConnectButton;

/// The four steps in words. Also what a reader without JavaScript sees.
#[component]
pub fn Outline() -> impl IntoView {
    let step = move |number: &'static str, title: &'static str, text: &'static str| {
        let connect = (number == "1").then(|| view! { <div class="actions step-action"><ConnectButton /></div> });
        view! {
            <li class="step" data-state=if number == "1" { "now" } else { "todo" }>
                <span class="step-number" aria-hidden="true">
                    {number}
                </span>
                <div>
                    <div class="step-head">
                        <h2>{title}</h2>
                    </div>
                    <p class="step-text">{text}</p>
                    {connect}
                </div>
            </li>
        }
        .into_any()
    };
    view! {
        <ol class="flow" aria-label="From connecting to using a session">
            {step(
                "1",
                "Connect",
                "Choose the wallet that owns your smart account. The account's address follows from the owner's, so there is nothing to set up.",
            )}
            {step(
                "2",
                "Grant a session",
                "Allow this page to mint a demo NFT to your own account, for an hour. You see every limit first, then sign once.",
            )}
            {step(
                "3",
                "Your sessions",
                "What you granted, for which call, and how long it still lasts.",
            )}
            {step(
                "4",
                "Use it",
                "Mint with the session alone. Your wallet is not asked, and need not even be connected.",
            )}
        </ol>
    }
    .into_any()
}
