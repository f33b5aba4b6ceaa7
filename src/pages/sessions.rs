//! `/sessions`: everything that was granted, to search, to check and to take back.

mod board;
mod manager;

use leptos::prelude::*;
use leptos_meta::Title;

use self::board::SessionsBoard;
use crate::components::no_script_notice::NoScriptNotice;

/// All sessions of the account.
#[component]
pub fn SessionsPage() -> impl IntoView {
    view! {
        <Title text="Sessions" />
        <section class="intro" aria-labelledby="sessions-title">
            <h1 id="sessions-title">"Your sessions"</h1>
            <p class="lead">
                "Everything that may act for your account, in this browser and in others. What you take back ends on the chain, and the chain is asked to prove it."
            </p>
        </section>
        <NoScriptNotice text="The keys and names of your sessions are in your browser only, so this server cannot list them." />
        <SessionsBoard />
    }
    .into_any()
}
