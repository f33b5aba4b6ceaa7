//! The frame of every page: skip link, header, footer.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::{connect_state::provide_connect_state, stopped_notice::StoppedNotice, wallet_menu::WalletMenu};

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
                <a class="brand" translate="no" href="/">
                    <Mark />
                    <span>"use-aa"</span>
                </a>
                <nav aria-label="Main">
                    <NavLink href="/" text="Session manager" />
                    <NavLink href="/sessions" text="Sessions" />
                    <NavLink href="/hooks" text="Hooks" />
                </nav>
                <WalletMenu />
            </div>
        </header>
        <main id="main" tabindex="-1">
            <StoppedNotice />
            {children()}
        </main>
        <footer class="site-footer">
            <p>"Grants and uses are ERC-4337 user operations, checked by the session modules of Biconomy Smart Account V2, or by Smart Sessions on Nexus."</p>
        </footer>
    }
    .into_any()
}

/// A link of the main navigation; it says when it leads to this page, or to a part of it.
#[component]
fn NavLink(
    /// Where to.
    href: &'static str,
    /// What is there.
    text: &'static str,
) -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let below = href != "/" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
    let current = match path.trim_end_matches('/') == href.trim_end_matches('/') {
        true => Some("page"),
        false => below.then_some("true"),
    };
    view! { <a href=href aria-current=current>{text}</a> }.into_any()
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
