//! The frame of every page: skip link, header, footer.

use leptos::prelude::*;

use crate::components::{connect_state::provide_connect_state, wallet_menu::WalletMenu};

/// What the islands of every page share. Belongs into an island around the frame.
pub fn provide_frame_state() {
    provide_connect_state();
}

/// Header, main part and footer around a page.
#[component]
pub fn Frame(
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="skip-link" href="#main">"Skip to the content"</a>
        <header class="site-header">
            <div class="site-header-row">
                <a class="brand" href="/">
                    <Mark />
                    <span>"use-aa"</span>
                </a>
                <nav aria-label="Main">
                    <a href="/" aria-current="page">"Session manager"</a>
                </nav>
                <WalletMenu />
            </div>
        </header>
        <main id="main" tabindex="-1">
            {children()}
        </main>
        <footer class="site-footer">
            <p>"Grants and uses are ERC-4337 user operations, checked by the session modules of Biconomy Smart Account V2."</p>
        </footer>
    }
    .into_any()
}

/// The mark: a ring that ends, and the key inside it.
#[component]
fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
            <path d="M16 4a12 12 0 1012 12" />
            <circle cx="16" cy="16" r="4" />
        </svg>
    }
    .into_any()
}
