//! The application: providers and routes; and the document around it.
//!
//! Pages are rendered by the server only (islands mode), so the router never reaches the browser.

#[cfg(feature = "ssr")]
mod built_page;
#[cfg(feature = "ssr")]
mod dev_events;
#[cfg(feature = "ssr")]
mod document;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

#[cfg(feature = "ssr")]
pub use self::{
    built_page::{BuiltPage, BuiltPageError},
    document::{shell, shell_with},
};
use crate::{
    hooks::{SmartAccountConfig, provide_smart_account_on_demand},
    pages::{
        frame::{Frame, provide_frame_state},
        home::HomePage,
        hooks::{HookPage, HooksPage},
        not_found::NotFoundPage,
        operation::{OperationPage, OperationsPage},
        sessions::SessionsPage,
    },
};

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
                        // What these say is looked up before they are sent: they are whole without any code.
                        <Route path=path!("/sessions") view=SessionsPage ssr=SsrMode::Async />
                        <Route path=path!("/operations") view=OperationsPage />
                        <Route path=path!("/operations/:hash") view=OperationPage ssr=SsrMode::Async />
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
    provide_smart_account_on_demand(SmartAccountConfig { offers_kinds: true, ..SmartAccountConfig::default() });
    provide_frame_state();
    children()
}
