//! A small app on use-aa: connect a wallet, mint with the gas paid by the app. No page of use-aa is in it.

use alloy::sol;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Route, Router, Routes},
    path,
};
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

/// What the pages under `/hooks` offer to copy must compile in an app like this one.
#[path = "../../hooks/mod.rs"]
pub mod shortest_components;

sol! {
    function safeMint(address to);
}

/// The document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Consumer" />
        <Router>
            <main>
                <Routes fallback=|| "Not found">
                    <Route path=path!("/") view=Mint />
                </Routes>
            </main>
        </Router>
    }
}

/// What works with a wallet: an island, with the provider in it.
#[island]
fn Mint() -> impl IntoView {
    view! {
        <SmartAccountProvider config=SmartAccountConfig::default()>
            <Wallets />
            <MintButton />
        </SmartAccountProvider>
    }
}

#[component]
fn Wallets() -> impl IntoView {
    let wallets = use_wallets();
    view! {
        <For each=move || wallets.wallets.get() key=|wallet| wallet.id().to_owned() let:wallet>
            <button on:click=move |_| wallets.connect.run(wallet.id().to_owned())>{wallet.name.clone()}</button>
        </For>
    }
}

#[component]
fn MintButton() -> impl IntoView {
    let account = use_smart_account();
    let mint = use_send_sponsored_transaction();
    let wait = use_user_op_wait(mint.data);
    let click = move |_| {
        if let Some(to) = account.smart_account_address.get() {
            let calls = vec![Call::to(DEMO_NFT, &safeMintCall { to })];
            mint.mutate.run(SendTransactionVariables { calls, ..Default::default() });
        }
    };
    let unknown = move || account.smart_account_address.get().is_none();
    // Outside of the lab a server pays for pages only with USE_AA_PAGE_SPONSORSHIP=on. An app that can do without a sponsor
    // offers `use_send_transaction` instead.
    let unpaid = move || account.chain_info.with(|chain| chain.as_ref().is_some_and(|chain| !chain.sponsors_pages()));
    view! {
        <button disabled=move || unknown() || unpaid() on:click=click>
            "Mint"
        </button>
        <Show when=unpaid>
            <p>"This server sponsors no pages: whoever runs it can set USE_AA_PAGE_SPONSORSHIP=on."</p>
        </Show>
        <output>{move || wait.data.get().map(|receipt| receipt.transaction_hash.to_string())}</output>
        <p role="alert">{move || mint.error.get().or(wait.error.get()).map(|error| error.to_string())}</p>
    }
}

/// Entry point in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_server_renders_the_island_without_an_account() {
        let html = Owner::new().with(|| view! { <Mint /> }.to_html());
        assert!(html.contains("<leptos-island"), "{html}");
        assert!(html.contains("<button disabled>Mint"), "{html}");
    }
}
