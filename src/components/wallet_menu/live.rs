//! What the header shows once wallets are looked for: options, account, notices.

use leptos::{html, prelude::*};

use super::none_found::NoneFound;
use crate::{
    components::{
        account_bar::AccountBar,
        chain_notice::ChainNotice,
        code_split::want,
        connect_button::WALLET_OPTIONS,
        connect_state::{ConnectState, use_connect_state},
        error_notice::ErrorNotice,
        icon::{Glyph, Icon},
        live_text::{live, verbatim},
        wallet_notice::WalletNotice,
    },
    error::AppError,
    hooks::{UseWalletsReturn, use_smart_account, use_wallets},
};

/// The two parts of the menu.
pub struct LiveMenu {
    /// Before the connect button: account, disconnect button, wallet options.
    pub bar: AnyView,
    /// Below: the wallet is on another chain, is away, or can own nothing here.
    pub notice: AnyView,
}

impl LiveMenu {
    /// Sets the hooks to work and shows what they find.
    pub fn new() -> Self {
        let wallets = use_wallets();
        let state = use_connect_state();
        tell(state, wallets);
        Self {
            bar: view! { <Bar wallets state /> }.into_any(),
            notice: view! { <ChainNotice /><WalletNotice /> }.into_any(),
        }
    }
}

/// Keeps what the first view knows up to date.
fn tell(state: ConnectState, wallets: UseWalletsReturn) {
    let account = use_smart_account();
    Effect::new(move |_| state.connecting.set(wallets.is_connecting.get()));
    Effect::new(move |_| state.connected.set(wallets.connected.with(Option::is_some)));
    Effect::new(move |_| {
        let known = account.smart_account_address.with(Option::is_some);
        state.account_known.set(known);
        if known {
            want(state.flow_wanted);
        }
    });
}

#[component]
fn Bar(
    /// The wallets.
    wallets: UseWalletsReturn,
    /// Hears that the options are in the page.
    state: ConnectState,
) -> impl IntoView {
    let connected = Memo::new(move |_| wallets.connected.with(Option::is_some));
    view! {
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
                view! { <Options wallets state /> }.into_any()
            }
        }}
    }
    .into_any()
}

/// The wallets to choose from, in a native popover.
#[component]
fn Options(
    /// The wallets.
    wallets: UseWalletsReturn,
    /// Hears that the options are in the page.
    state: ConnectState,
) -> impl IntoView {
    let popover = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        if popover.with(Option::is_some) {
            state.ready.set(true);
        }
    });
    // Being on another chain has a notice of its own.
    let error =
        Signal::derive(move || wallets.error.get().filter(|error| !matches!(error, AppError::WrongChain { .. })));
    view! {
        <div
            id=WALLET_OPTIONS
            class="wallet-menu"
            popover="auto"
            role="dialog"
            aria-label="Choose a wallet"
            node_ref=popover
            on:toggle=move |_| want(state.flow_wanted)
        >
            <h2>"Choose a wallet"</h2>
            <ul>
                <For
                    each=move || wallets.wallets.get()
                    key=|wallet| wallet.id().to_owned()
                    children=move |wallet| {
                        let id = wallet.id().to_owned();
                        view! {
                            <WalletOption
                                rdns=wallet.rdns
                                name=wallet.name
                                icon=wallet.icon
                                on_choose=Callback::new(move |()| wallets.connect.run(id.clone()))
                            />
                        }
                    }
                />
            </ul>
            <NoneFound />
            <ErrorNotice error />
        </div>
    }
    .into_any()
}

/// One wallet.
#[component]
fn WalletOption(
    /// Its lasting name.
    rdns: String,
    /// Its name for people.
    name: String,
    /// Its icon; empty when it has none.
    icon: String,
    /// The person chose it.
    on_choose: Callback<()>,
) -> impl IntoView {
    let picture = if icon.is_empty() {
        view! { <Icon glyph=Glyph::Key /> }.into_any()
    } else {
        view! { <img src=icon alt="" width="32" height="32" /> }.into_any()
    };
    let about = if rdns == "lab" { "Test key for this local network only" } else { "Found in this browser" };
    let testid = ["wallet-option-", &rdns].concat();
    view! {
        <li>
            <button type="button" class="wallet-option" data-testid=testid on:click=move |_| on_choose.run(())>
                {picture}
                <strong dir="auto">{verbatim(name)}</strong>
                <small>{live(about)}</small>
            </button>
        </li>
    }
    .into_any()
}
