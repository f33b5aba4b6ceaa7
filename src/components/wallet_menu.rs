//! The header's wallet menu: choose a wallet, see the account, let the wallet go.

use leptos::prelude::*;

use super::{
    account_bar::AccountBar,
    chain_notice::ChainNotice,
    connect_button::WALLET_OPTIONS,
    error_notice::ErrorNotice,
    hydrated::use_hydrated,
    icon::{Glyph, Icon},
};
use crate::{error::AppError, hooks::use_wallets};

/// Wallet options in a native popover; once connected, the account.
///
/// # Server-Side Rendering
/// A button that cannot be pressed yet: wallets are known to the browser only.
#[island]
pub fn WalletMenu() -> impl IntoView {
    let hydrated = use_hydrated();
    view! {
        {move || {
            if hydrated.get() {
                view! { <LiveMenu /> }.into_any()
            } else {
                view! {
                    <div class="account-bar">
                        <button type="button" class="button small" disabled title="Needs JavaScript">
                            "Connect wallet"
                        </button>
                    </div>
                }
                    .into_any()
            }
        }}
    }
}

#[component]
fn LiveMenu() -> impl IntoView {
    let wallets = use_wallets();
    let connected = Memo::new(move |_| wallets.connected.get().is_some());
    // Being on another chain has a notice of its own.
    let error = Signal::derive(move || {
        wallets.error.get().filter(|error| !connected.get() && !matches!(error, AppError::WrongChain { .. }))
    });
    let option = move |rdns: String, name: String, icon: String| {
        let picture = if icon.is_empty() {
            view! { <Icon glyph=Glyph::Key /> }.into_any()
        } else {
            view! { <img src=icon alt="" width="32" height="32" /> }.into_any()
        };
        let about = if rdns == "lab" { "Test key for this local network only" } else { "Found in this browser" };
        let testid = ["wallet-option-", &rdns].concat();
        view! {
            <li>
                <button
                    type="button"
                    class="wallet-option"
                    data-testid=testid
                    on:click=move |_| wallets.connect.run(rdns.clone())
                >
                    {picture}
                    <strong>{name}</strong>
                    <small>{about}</small>
                </button>
            </li>
        }
    };
    view! {
        <div class="account-bar">
            <AccountBar />
            {move || {
                if connected.get() {
                    view! {
                        <button
                            type="button"
                            class="button quiet small"
                            data-testid="disconnect-wallet"
                            on:click=move |_| wallets.disconnect.run(())
                        >
                            "Disconnect"
                        </button>
                    }
                        .into_any()
                } else {
                    view! {
                        <button
                            type="button"
                            class="button small"
                            data-testid="connect-wallet"
                            popovertarget=WALLET_OPTIONS
                            popovertargetaction="show"
                        >
                            {move || if wallets.is_connecting.get() { "Waiting for the wallet" } else { "Connect wallet" }}
                        </button>
                        <div id=WALLET_OPTIONS class="wallet-menu" popover="auto" role="dialog" aria-label="Choose a wallet">
                            <h2>"Choose a wallet"</h2>
                            <ul>
                                <For
                                    each=move || wallets.wallets.get()
                                    key=|wallet| wallet.rdns.clone()
                                    children=move |wallet| option(wallet.rdns, wallet.name, wallet.icon)
                                />
                            </ul>
                            {move || {
                                wallets
                                    .wallets
                                    .get()
                                    .is_empty()
                                    .then(|| {
                                        view! {
                                            <p>
                                                "No wallet was found in this browser. Install one that works with Ethereum, then reload the page."
                                            </p>
                                        }
                                    })
                            }}
                            <ErrorNotice error />
                        </div>
                    }
                        .into_any()
                }
            }}
        </div>
        <ChainNotice />
    }
    .into_any()
}
