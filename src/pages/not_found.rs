//! The page for an address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

/// Says so, with status 404, and leads back.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    set_not_found();
    view! {
        <Title text="Not found" />
        <section class="intro">
            <h1>"There is no page at this address"</h1>
            <p class="lead">"Nothing of yours is lost: sessions are kept in your browser and on the chain."</p>
            <p>
                <a class="button" href="/">"To your sessions"</a>
            </p>
        </section>
    }
    .into_any()
}

/// Answers with status 404.
pub(super) fn set_not_found() {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
}
