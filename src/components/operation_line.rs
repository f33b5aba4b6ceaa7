//! An operation's hash, as a link to the page that says what became of it.

use alloy::primitives::B256;
use leptos::prelude::*;

use super::{address::shortened, live_text::verbatim};

/// Shows the hash once there is one. The page behind it can be read by anybody, in any browser.
#[component]
pub fn OperationLine(
    /// The hash of the user operation.
    #[prop(into)]
    user_op_hash: Signal<Option<B256>>,
) -> impl IntoView {
    view! {
        {move || {
            user_op_hash
                .get()
                .map(|hash| {
                    let hash = hash.to_string();
                    view! {
                        <p class="hash">
                            <span class="label">"Operation"</span>
                            <a
                                class="mono"
                                href=["/operations/", &hash].concat()
                                title=hash.clone()
                                data-testid="operation-link"
                                data-value=hash.clone()
                            >
                                {verbatim(shortened(&hash))}
                            </a>
                        </p>
                    }
                })
        }}
    }
    .into_any()
}
