//! `/sessions`: everything that was granted, to search, to check and to take back. With `?account=0x…`: what anybody can
//! know of an account's sessions, without a wallet.

mod account;
mod board;
mod each_for_itself;
mod facts;
mod manager;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::{account::AccountSessions, board::SessionsBoard};
use super::look_up::ACCOUNT;
use crate::components::no_script_notice::NoScriptNotice;

/// All sessions of the connected account, or the public facts of another one.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let (asked, page) = use_query_map().with_untracked(|query| (query.get("account"), query.get("page")));
    match asked.filter(|account| !account.trim().is_empty()) {
        Some(account) => view! { <AccountSessions account page=page.unwrap_or_default() /> }.into_any(),
        None => view! { <OwnSessions /> }.into_any(),
    }
}

#[component]
fn OwnSessions() -> impl IntoView {
    view! {
        <Title text="Sessions" />
        <section class="intro" aria-labelledby="sessions-title">
            <h1 id="sessions-title">"Your sessions"</h1>
            <p class="lead">
                "Everything that may act for your account, in this browser and in others. What you take back ends on the chain, and the chain is asked to prove it."
            </p>
        </section>
        <NoScriptNotice text="The keys and names of your sessions are in your browser only, so this server cannot list them. What chain and server know of an account you can read without it: give its address below." />
        <SessionsBoard />
        <section class="another" id="look-up" aria-labelledby="look-up-title">
            <h2 id="look-up-title">"Without a wallet"</h2>
            <p class="reason">
                "What chain and server know of an account's sessions can be read by anybody. Or look up "
                <a href="/operations">"what became of an operation"</a> "."
            </p>
            {ACCOUNT.form("")}
        </section>
    }
    .into_any()
}
