//! A box for granting by a signature alone, where the account's kind has sessions that their first use enables.

use leptos::prelude::*;

use super::live_text::live;
use crate::{
    hooks::{EnableMode, use_account_kind},
    protocol::kind::AccountKind,
};

/// A box; nothing on kinds whose sessions an operation enables.
#[component]
pub fn EnableField(
    /// Whether it is ticked.
    with_first_use: RwSignal<bool>,
) -> impl IntoView {
    let kind = use_account_kind().kind;
    view! {
        <Show when=move || kind.get() == AccountKind::Nexus>
            <div class="field wide">
                <label>
                    <input type="checkbox" data-testid="grant-with-first-use" bind:checked=with_first_use />
                    {live(" No transaction now: the first use enables the session")}
                </label>
            </div>
        </Show>
    }
    .into_any()
}

/// What was ticked; an operation where the account's kind has nothing else.
pub fn ticked_mode(with_first_use: bool, kind: AccountKind) -> EnableMode {
    match (with_first_use, kind) {
        (true, AccountKind::Nexus) => EnableMode::WithFirstUse,
        _ => EnableMode::ByOperation,
    }
}
