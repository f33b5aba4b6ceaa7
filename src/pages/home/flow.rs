//! The flow at work: connect, grant, sessions, use.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use crate::{
    components::{
        code_split::split_function,
        connect_button::ConnectButton,
        connect_state::saves_data,
        deferred_view::when_wanted,
        icon::{Glyph, Icon},
        live_text::{live, verbatim},
        session_list::{SessionList, empty_text},
        session_row::name_of_contract,
    },
    demos::{
        create_session::CreateSession, send_sponsored_transaction::SendSponsoredTransaction,
        send_transaction::SendTransaction, session::Session, user_op_wait::UserOpWait,
    },
    hooks::{
        QueryStatus, UseSessionListReturn, UseSessionsOptions, use_session_list, use_sessions_with, use_smart_account,
        use_wallets,
    },
    protocol::session::SessionStatus,
};

split_function! {
    /// Makes the view of the flow below `owner`, so that it finds the provider.
    in smart_account: pub(super) fn load(owner: Owner) -> AnyView {
        owner.with(|| view! { <Flow /> }.into_any())
    }
}

/// One numbered step.
#[component]
fn Step(
    /// Its number.
    number: &'static str,
    /// Its heading.
    title: &'static str,
    /// `todo`, `now` or `done`.
    #[prop(into)]
    state: Signal<&'static str>,
    /// One sentence under the heading.
    text: &'static str,
    /// The work.
    children: Children,
) -> impl IntoView {
    view! {
        <li class="step" data-state=state>
            <span class="step-number" aria-hidden="true">
                {move || if state.get() == "done" { view! { <Icon glyph=Glyph::Check /> }.into_any() } else { verbatim(number) }}
            </span>
            <section aria-label=title>
                <div class="step-head">
                    <h2>{live(title)}</h2>
                </div>
                {(!text.is_empty()).then(|| view! { <p class="step-text">{live(text)}</p> })}
                {children()}
            </section>
        </li>
    }
    .into_any()
}

/// The list, whose code is loaded when there is something to list. Where the person saves data, it is when they ask for it:
/// granting and using work without.
#[component]
fn Sessions(
    /// What is known of the sessions.
    list: UseSessionListReturn,
) -> impl IntoView {
    let asked = RwSignal::new(!saves_data());
    let any = Memo::new(move |_| {
        list.sessions.with(|all| !all.is_empty())
            || list.is_in_sync.get() == Some(false)
            || list.older_unknown.get()
            || list.error.with(Option::is_some)
    });
    let shown = Memo::new(move |before: Option<&bool>| before == Some(&true) || (any.get() && asked.get()));
    let offer = move || {
        view! {
            <div class="actions">
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="show-sessions"
                    on:click=move |_| asked.set(true)
                >
                    "Show the list"
                </button>
            </div>
        }
        .into_any()
    };
    let instead = move || match (shown.get(), any.get()) {
        (true, _) => None,
        (false, true) => Some(offer()),
        (false, false) => {
            let text = empty_text(list.status.get() == QueryStatus::Pending);
            Some(view! { <p class="empty" data-testid="sessions-empty">{live(text)}</p> }.into_any())
        }
    };
    view! {
        {instead}
        {when_wanted(move || shown.get(), load_list)}
    }
    .into_any()
}

split_function! {
    /// Makes the list below the owner.
    in session_list: fn load_list(owner: Owner) -> AnyView {
        owner.with(|| {
            let sessions = use_sessions_with(UseSessionsOptions { contract_name: Some(name_of_contract) });
            view! { <SessionList sessions /> }.into_any()
        })
    }
}

/// The four steps, and the owner's own transactions below.
#[component]
fn Flow() -> impl IntoView {
    let account = use_smart_account();
    let wallets = use_wallets();
    let list = use_session_list();
    let owner_known = Memo::new(move |_| account.owner_address.get().is_some());
    let granted =
        Memo::new(move |_| list.sessions.with(|leaves| leaves.iter().any(|leaf| leaf.status == SessionStatus::Active)));
    let connect_state = Signal::derive(move || if owner_known.get() { "done" } else { "now" });
    let grant_state = Signal::derive(move || match (owner_known.get(), granted.get()) {
        (_, true) => "done",
        (true, false) if list.status.get() != QueryStatus::Pending => "now",
        _ => "todo",
    });
    let list_state = Signal::derive(move || if granted.get() { "done" } else { "todo" });
    let use_state = Signal::derive(move || if granted.get() { "now" } else { "todo" });
    let wallet_name = move || {
        wallets.connected.get().map_or_else(
            || match wallets.is_connecting.get() {
                true => "Waiting for the wallet.".to_owned(),
                false => "No wallet is connected. Sessions that you granted still work; to grant another one, connect the owner's wallet."
                    .to_owned(),
            },
            |wallet| match (owner_known.get(), account.owner_refused.with(Option::is_some)) {
                (true, _) => ["“", &wallet.name, "” is connected and owns this account."].concat(),
                (_, true) => ["“", &wallet.name, "” is connected, but cannot own an account here."].concat(),
                _ => ["“", &wallet.name, "” is connected. Its account is being looked at."].concat(),
            },
        )
    };
    let deployed = move || match account.is_deployed.get() {
        Some(false) => Some("The account is not on the chain yet. Your first operation creates it."),
        _ => None,
    };
    view! {
        <ol class="flow" aria-label="From connecting to using a session">
            <Step number="1" title="Connect" state=connect_state text="">
                <p class="step-text">{move || live(wallet_name())} " " {move || deployed().map(live)}</p>
                <Show when=move || wallets.connected.with(Option::is_none)>
                    <div class="actions step-action">
                        <ConnectButton />
                    </div>
                </Show>
            </Step>
            <Step
                number="2"
                title="Grant a session"
                state=grant_state
                text="Allow this page to mint a demo NFT to your own account. You see every limit before you sign."
            >
                <CreateSession />
            </Step>
            <Step
                number="3"
                title="Your sessions"
                state=list_state
                text="What you granted, for which call, and how long it still lasts. Take back what you no longer want."
            >
                <div class="panel">
                    <Sessions list />
                </div>
            </Step>
            <Step
                number="4"
                title="Use it"
                state=use_state
                text="Mint with the session alone. Your wallet is not asked, and need not even be connected."
            >
                <Session />
            </Step>
        </ol>
        <section class="secondary" aria-labelledby="own-transactions">
            <h2 id="own-transactions">"Without a session"</h2>
            <p>"For comparison: the same call as your own transaction, signed by your wallet each time."</p>
            <div class="pair">
                <SendSponsoredTransaction />
                <SendTransaction />
            </div>
            <details>
                <summary>"Follow an operation by its hash"</summary>
                <UserOpWait />
            </details>
        </section>
    }
    .into_any()
}
