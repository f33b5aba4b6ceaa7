//! The choice between kinds of account, beside the account.

use leptos::prelude::*;

use super::live_text::live;
use crate::{hooks::use_account_kind, protocol::kind::AccountKind};

/// A select; nothing where there is no choice.
#[component]
pub fn AccountKindChoice() -> impl IntoView {
    let account = use_account_kind();
    let options = move || {
        let option = |kind: AccountKind| {
            view! {
                <option value=kind.as_str() selected=move || account.kind.get() == kind>
                    {live(kind.title())}
                </option>
            }
        };
        let kinds = account.offered.get();
        (!kinds.is_empty()).then(|| {
            view! {
                <label class="account-kind">
                    <span>"Account kind"</span>
                    <select
                        data-testid="account-kind"
                        prop:value=move || account.kind.get().as_str()
                        on:change:target=move |event| {
                            if let Ok(kind) = event.target().value().parse() {
                                account.choose.run(kind);
                            }
                        }
                    >
                        {kinds.into_iter().map(option).collect::<Vec<_>>()}
                    </select>
                </label>
            }
        })
    };
    view! { {options} }.into_any()
}
