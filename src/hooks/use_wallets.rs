//! [`use_wallets`].

use leptos::prelude::*;

use super::{
    connection::{self, WalletLink},
    provider::use_context_or_detached,
};
use crate::{client::wallet::info::WalletInfo, error::AppError};

/// What [`use_wallets`] returns.
#[derive(Clone, Copy)]
pub struct UseWalletsReturn {
    /// Wallets found in this browser, and the lab wallet in the lab.
    pub wallets: Signal<Vec<WalletInfo>>,
    /// The connected one.
    pub connected: Signal<Option<WalletInfo>>,
    /// Connects the wallet with this [`id`](WalletInfo::id), or the first with this rdns (`"lab"`: the lab wallet).
    pub connect: Callback<String>,
    /// Lets the wallet go. Sessions stay, and so does the account's address: they work without the owner.
    pub disconnect: Callback<()>,
    /// The wallet was asked and has not answered yet.
    pub is_connecting: Signal<bool>,
    /// What went wrong last.
    pub error: Signal<Option<AppError>>,
    /// How the connected wallet is reached: it may lose its connection for a while, or for good.
    pub link: Signal<WalletLink>,
    /// Asks a wallet that is [away](WalletLink::Away) for its account at once; silently.
    pub ask_again: Callback<()>,
    /// A script that the page's content policy stopped, as the browser names it. Where no wallet is found, an extension's is
    /// a wallet's, most likely; one that is `inline` may be a wallet's, or a proxy's.
    pub stopped_script: Signal<Option<String>>,
    /// Chain of the connected wallet.
    pub chain_id: Signal<Option<u64>>,
    /// The connected wallet is on another chain than the server.
    pub is_wrong_chain: Signal<bool>,
    /// Asks the wallet to switch to the server's chain (and tells it about the chain where that may be told).
    pub switch_chain: Callback<()>,
}

/// Owner wallets: those that announce themselves (EIP-6963), `window.ethereum` when none does, and the lab wallet on
/// the lab's chain.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::use_wallets;
///
/// #[component]
/// fn Connect() -> impl IntoView {
///     let wallets = use_wallets();
///     view! {
///         <For each=move || wallets.wallets.get() key=|wallet| wallet.id().to_owned() let:wallet>
///             <button on:click=move |_| wallets.connect.run(wallet.id().to_owned())>{wallet.name.clone()}</button>
///         </For>
///         <Show when=move || wallets.is_wrong_chain.get()>
///             <button on:click=move |_| wallets.switch_chain.run(())>"Switch the chain"</button>
///         </Show>
///         <p role="alert">{move || wallets.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// No wallet is known and none is connected; the callbacks do nothing.
///
/// In React: wagmi's `useConnectors`, `useConnect`, `useDisconnect`, `useSwitchChain`.
pub fn use_wallets() -> UseWalletsReturn {
    let context = use_context_or_detached();
    UseWalletsReturn {
        wallets: context.wallets.into(),
        connected: context.connected.into(),
        connect: Callback::new(move |rdns: String| connection::connect(context, rdns)),
        disconnect: Callback::new(move |()| connection::disconnect(context)),
        is_connecting: context.is_connecting.into(),
        error: context.wallet_error.into(),
        link: context.link.into(),
        ask_again: Callback::new(move |()| connection::ask_again(context)),
        stopped_script: context.stopped_script.into(),
        chain_id: context.wallet_chain.into(),
        is_wrong_chain: Signal::derive(move || match (context.wallet_chain.get(), context.chain_info.get()) {
            (Some(wallet), Some(server)) => wallet != server.chain_id,
            _ => false,
        }),
        switch_chain: Callback::new(move |()| connection::switch_chain(context)),
    }
}
