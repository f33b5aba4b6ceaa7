//! The document shell and the application: providers and routes.
//!
//! Pages are rendered by the server only (islands mode), so the router never reaches the browser.

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Route, Router, Routes},
    path,
};

use crate::{
    hooks::{SmartAccountConfig, provide_smart_account_on_demand},
    pages::{
        frame::{Frame, provide_frame_state},
        home::HomePage,
        hooks::{HookPage, HooksPage},
        not_found::NotFoundPage,
        sessions::SessionsPage,
    },
};

/// The HTML document around [`App`]: head, styles, and the scripts that hydrate the islands.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#f7f8f7" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#101514" />
                <meta
                    name="description"
                    content="Grant an app one narrow permission on your smart account, for a limited time, and see what it does with it."
                />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <HashedStylesheet id="styles" options=options.clone() />
                <AutoReload options=options.clone() />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Providers and routes. Runs on the server only; what is interactive are the islands inside the pages.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|page: String| {
            if page.is_empty() { "use-aa".to_owned() } else { format!("{page} · use-aa") }
        } />
        <Router>
            <Provider>
                <Frame>
                    <Routes fallback=NotFoundPage>
                        <Route path=path!("/") view=HomePage />
                        <Route path=path!("/sessions") view=SessionsPage />
                        <Route path=path!("/hooks") view=HooksPage />
                        <Route path=path!("/hooks/:hook_name") view=HookPage />
                    </Routes>
                </Frame>
            </Provider>
        </Router>
    }
}

/// The outermost island: wallet and account, shared by all islands inside. They begin with the first hook that a
/// component calls, and those components are loaded on demand.
#[island]
fn Provider(
    /// The page.
    children: Children,
) -> impl IntoView {
    provide_smart_account_on_demand(SmartAccountConfig::default());
    provide_frame_state();
    children()
}
