//! A transaction hash that can be copied and looked up.

use leptos::prelude::*;

use super::address::Address;

/// Shows the hash once there is one.
#[component]
pub fn HashLine(
    /// The hash, whole.
    #[prop(into)]
    hash: Signal<Option<String>>,
    /// `data-testid` of the value.
    testid: &'static str,
    /// The chain's explorer, without trailing slash.
    #[prop(into)]
    explorer_url: Signal<Option<String>>,
) -> impl IntoView {
    let link = move |hash: String| {
        explorer_url.get().map(|url| {
            view! {
                <a href=[&url, "/tx/", &hash].concat() target="_blank" rel="noreferrer">
                    "View on the explorer"
                </a>
            }
        })
    };
    view! {
        {move || {
            hash.get()
                .map(|hash| {
                    view! {
                        <p class="hash">
                            <span class="label">"Transaction"</span>
                            <Address value=hash.clone() what="transaction hash" testid />
                            {link(hash)}
                        </p>
                    }
                })
        }}
    }
    .into_any()
}
