//! A part of the page did not arrive: say so and offer to load it again, or the page: after a deploy the server may not have
//! the part any more.

use leptos::prelude::*;

use super::{
    code_split::want,
    icon::{Glyph, Icon},
};

/// The notice, while loading `failed`; trying again makes it `wanted`. Part of the first load, so it stands alone.
#[component]
pub fn NotLoadedNotice(
    /// The code could not be fetched.
    failed: Signal<bool>,
    /// What [`load_when`](super::code_split::load_when) waits for.
    wanted: RwSignal<bool>,
) -> impl IntoView {
    let notice = move || {
        view! {
            <div class="notice error" data-testid="error" data-error="Network">
                <Icon glyph=Glyph::Cross />
                <strong>"A part of this page could not be loaded"</strong>
                <p class="detail">
                    "Check your connection and try again. If that does not help, this page may be older than its server: "
                    <a href="">"load the page again"</a> "."
                </p>
                <div class="actions">
                    <button type="button" class="button quiet small" on:click=move |_| want(wanted)>
                        "Try again"
                    </button>
                </div>
            </div>
        }
    };
    view! {
        <div role="alert" class="not-loaded">
            {move || failed.get().then(notice)}
        </div>
    }
    .into_any()
}
