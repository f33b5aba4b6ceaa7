//! The choice between kinds of account, beside the account.

use leptos::prelude::*;

use crate::{hooks::use_account_kind, protocol::kind::AccountKind};

/// A select; nothing where there is no choice. Its words are its own, for the bytes: this is in every visit.
#[component]
pub fn AccountKindChoice() -> impl IntoView {
    let account = use_account_kind();
    let is_nexus = move || account.kind.get() == AccountKind::Nexus;
    let choice = move || {
        account.has_choice.get().then(|| {
            view! {
                <label class="account-kind">
                    <span>"Account kind"</span>
                    <select
                        data-testid="account-kind"
                        on:change=move |event| {
                            if let Ok(kind) = event_target_value(&event).parse() {
                                account.choose.run(kind);
                            }
                        }
                    >
                        <option value="biconomy-v2">"V2"</option>
                        <option value="nexus" selected=is_nexus>"Nexus"</option>
                    </select>
                </label>
            }
            .into_any()
        })
    };
    view! { {choice} }.into_any()
}
