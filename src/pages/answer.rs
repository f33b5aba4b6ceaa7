//! [`Answer`]: status and headers of the page that is being rendered, for what is found out while it is.

use leptos::prelude::*;
use leptos_meta::Meta;

use crate::error::AppError;

/// The HTTP response around the page. Take it before anything is waited for.
#[derive(Clone, Default)]
pub(super) struct Answer {
    #[cfg(feature = "ssr")]
    response: Option<leptos_axum::ResponseOptions>,
}

impl Answer {
    /// That of this page.
    pub(super) fn here() -> Self {
        Self {
            #[cfg(feature = "ssr")]
            response: use_context(),
        }
    }

    /// The status that goes with this error.
    pub(super) fn failed(&self, error: &AppError) {
        #[cfg(feature = "ssr")]
        if let Some(response) = &self.response {
            response.set_status(crate::api::http_status::of(error));
        }
        #[cfg(not(feature = "ssr"))]
        let _ = error;
    }

    /// Leads to another address, which is one of ours.
    pub(super) fn see_other(&self, path: &str) {
        #[cfg(feature = "ssr")]
        if let (Some(response), Ok(path)) = (&self.response, axum::http::HeaderValue::from_str(path)) {
            response.set_status(axum::http::StatusCode::SEE_OTHER);
            response.insert_header(axum::http::header::LOCATION, path);
        }
        #[cfg(not(feature = "ssr"))]
        let _ = path;
    }

    /// Keeps search engines away: somebody's account or operation is nothing to be found by.
    pub(super) fn not_indexed(&self) -> impl IntoView + use<> {
        #[cfg(feature = "ssr")]
        if let Some(response) = &self.response {
            let name = axum::http::HeaderName::from_static("x-robots-tag");
            response.insert_header(name, axum::http::HeaderValue::from_static("noindex, nofollow"));
        }
        view! { <Meta name="robots" content="noindex, nofollow" /> }
    }
}
