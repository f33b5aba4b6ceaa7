//! The HTML document around the application. Only the server writes it.

use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::{HashedStylesheet, MetaTags};

use super::{
    App,
    built_page::{BuiltPage, PageScripts, PageStyle},
    dev_events::DevEvents,
};

/// Says that the page's code does not run.
const OLD_BROWSER: &str = include_str!("old_browser.js");
/// Keeps what the content policy stops before the page has come alive, so that a wallet that was stopped can be told as
/// that (`src/client/wallet/stopped_scripts.rs`).
const KEEP_STOPPED_SCRIPTS: &str =
    r#"addEventListener("securitypolicyviolation",e=>{let s=window.__stoppedScripts??=[];if(s.length<20)s.push(e)})"#;

/// The HTML document around [`App`]: head, styles, and the scripts that hydrate the islands. Their names are those of
/// the [`BuiltPage`] in context; without one they are as cargo-leptos gives them.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let page = use_context::<BuiltPage>();
    let style = match &page {
        Some(page) => view! { <PageStyle id="styles" page=page.clone() /> }.into_any(),
        None => view! { <HashedStylesheet id="styles" options=options.clone() /> }.into_any(),
    };
    let scripts = match page {
        Some(page) => view! { <PageScripts page /> }.into_any(),
        None => view! { <HydrationScripts options=options.clone() islands=true /> }.into_any(),
    };
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <script nonce=use_nonce()>{KEEP_STOPPED_SCRIPTS}</script>
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f7f8f7" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#101514" />
                <meta
                    name="description"
                    content="Grant an app one narrow permission on your smart account, for a limited time, and see what it does with it."
                />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                {style}
                <AutoReload options />
                <DevEvents />
                {scripts}
                // Browsers without modules run this one only.
                <script nomodule nonce=use_nonce()>
                    {OLD_BROWSER}
                </script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// [`shell`] with what was built for it.
pub fn shell_with<V>(
    page: Option<BuiltPage>,
    shell: impl Fn(LeptosOptions) -> V + Clone + Send + Sync + 'static,
) -> impl Fn(LeptosOptions) -> V + Clone + Send + Sync + 'static {
    move |options| {
        if let Some(page) = &page {
            page.provide();
        }
        shell(options)
    }
}
