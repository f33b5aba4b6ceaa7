//! The flow as the server renders it: what will happen, step by step, before any wallet is known.

use leptos::prelude::*;

use crate::components::{code_split::want, connect_button::ConnectButton, connect_state::use_connect_state};

/// The four steps in words. Also what a reader without JavaScript sees.
#[component]
pub fn Outline() -> impl IntoView {
    let step = move |number: &'static str, title: &'static str, text: &'static str| {
        let action = match number {
            "1" => Some(view! { <div class="actions step-action"><ConnectButton /></div> }.into_any()),
            "2" => Some(view! { <GrantButton /> }.into_any()),
            _ => None,
        };
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
                    {action}
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

/// Grants, where the person saves data and is connected: what that takes is loaded when it is pressed, and the review
/// opens then. Everybody else has the real button by that time.
#[component]
fn GrantButton() -> impl IntoView {
    let state = use_connect_state();
    let waits = move || state.flow_wanted.get() && state.grant_pressed.get();
    // Not while it is being loaded for other reasons: the real one comes.
    let wanted = move || state.account_known.get() && (!state.flow_wanted.get() || state.grant_pressed.get());
    let press = move |_| {
        state.grant_pressed.set(true);
        want(state.flow_wanted);
    };
    let button = move || {
        view! {
            <div class="actions step-action">
                <button
                    type="button"
                    class="button"
                    data-testid="create-session"
                    aria-busy=move || waits().then_some("true")
                    on:click=press
                >
                    "Review and grant"
                </button>
            </div>
        }
    };
    move || wanted().then(button)
}
