//! The document, its one page, and the island in it.

use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Route, Router, Routes},
    path,
};
use use_aa::prelude::*;

use crate::{connect::Connect, grant::Grant, mint::Mint};

/// The document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <HashedStylesheet id="style" options=options.clone() />
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

/// Its page. Rendered by the server.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Starter" />
        <Router>
            <main>
                <h1>"Mint by a session"</h1>
                <p>"Grant this page one narrow permission. It mints by itself from then on, and your wallet is not asked."</p>
                <Routes fallback=|| "There is no such page.">
                    <Route path=path!("/") view=Steps />
                </Routes>
            </main>
        </Router>
    }
}

/// What comes alive in the browser: wallet and account, and the steps that use them.
#[island]
fn Steps() -> impl IntoView {
    view! {
        <SmartAccountProvider>
            <Connect />
            <Grant />
            <Mint />
        </SmartAccountProvider>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_server_renders_the_steps_without_an_account() {
        let html = Owner::new().with(|| view! { <Steps /> }.to_html());
        assert!(html.contains("<leptos-island"), "{html}");
        assert!(html.contains("<button disabled>Review and grant"), "{html}");
        assert!(html.contains("<button disabled>Mint"), "{html}");
    }
}
