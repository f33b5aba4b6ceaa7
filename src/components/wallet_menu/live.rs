//! What the header shows once wallets are looked for: options, account, notices.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::{html, prelude::*};

use super::none_found::NoneFound;
use crate::{
    components::{
        account_bar::AccountBar,
        account_kind::AccountKindChoice,
        chain_notice::ChainNotice,
        code_split::split_function,
        connect_button::WALLET_OPTIONS,
        connect_state::{ConnectState, use_connect_state},
        deferred_view::when_wanted,
        error_notice::ErrorNotice,
        icon::{Glyph, Icon},
        live_text::{live, verbatim},
        wallet_notice::WalletNotice,
    },
    error::AppError,
    hooks::{UseWalletsReturn, WalletLink, effect, use_smart_account, use_wallets},
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
        Self { bar: view! { <Bar wallets state /> }.into_any(), notice: notices(wallets) }
    }
}

/// What few wallets give reason for, loaded when one does.
fn notices(wallets: UseWalletsReturn) -> AnyView {
    let account = use_smart_account();
    let wanted = move || {
        wallets.is_wrong_chain.get()
            || wallets.link.get() != WalletLink::Steady
            || account.owner_refused.with(Option::is_some)
    };
    when_wanted(wanted, load_notices).into_any()
}

split_function! {
    /// Makes them below the owner.
    in explain: fn load_notices(owner: Owner) -> AnyView {
        owner.with(|| view! { <ChainNotice /><WalletNotice /> }.into_any())
    }
}

split_function! {
    /// Says, below the owner, why no wallet is connected: none was found, or the one that was asked failed.
    in explain: fn load_trouble(parts: (Signal<Option<AppError>>, Owner)) -> AnyView {
        let (error, owner) = parts;
        owner.with(|| view! { <NoneFound /><ErrorNotice error /> }.into_any())
    }
}

/// Keeps what the first view knows up to date.
fn tell(state: ConnectState, wallets: UseWalletsReturn) {
    let account = use_smart_account();
    effect(move || becomes(state.connecting, wallets.is_connecting.get()));
    effect(move || becomes(state.connected, wallets.connected.with(Option::is_some)));
    effect(move || {
        let known = account.smart_account_address.with(Option::is_some);
        state.account_known.set(known);
        if known {
            state.flow_comes_next();
        }
    });
}

/// Nobody is told what they know: a button that draws its text anew while it is being pressed loses the press.
fn becomes(fact: RwSignal<bool>, is: bool) {
    if fact.get_untracked() != is {
        fact.set(is);
    }
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
        <AccountKindChoice />
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
    effect(move || {
        if popover.with(Option::is_some) {
            state.ready.set(true);
        }
    });
    // Being on another chain has a notice of its own.
    let error =
        Signal::derive(move || wallets.error.get().filter(|error| !matches!(error, AppError::WrongChain { .. })));
    // Whether there are any is known with the chain: the lab's wallet is one of them.
    let chain = use_smart_account().chain_info;
    let trouble = move || {
        error.with(Option::is_some)
            || wallets.stopped_script.with(Option::is_some)
            || (chain.with(Option::is_some) && wallets.wallets.with(Vec::is_empty))
    };
    // Not `For`: with a handful that is more code than all else here, and wallets are only ever added.
    let options = move || {
        let option = |id: String, rdns, name, icon| {
            let on_choose = Callback::new(move |()| wallets.connect.run(id.clone()));
            view! { <WalletOption rdns name icon on_choose /> }.into_any()
        };
        let all = wallets.wallets.get().into_iter();
        all.map(|wallet| option(wallet.id().to_owned(), wallet.rdns, wallet.name, wallet.icon)).collect::<Vec<_>>()
    };
    view! {
        <div
            id=WALLET_OPTIONS
            class="wallet-menu"
            popover="auto"
            role="dialog"
            aria-label="Choose a wallet"
            node_ref=popover
            on:toggle=move |_| state.flow_comes_next()
        >
            <h2>"Choose a wallet"</h2>
            <ul>
                {options}
            </ul>
            {when_wanted(trouble, move |owner| load_trouble((error, owner)))}
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
