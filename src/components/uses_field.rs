//! A field for how often a session may be used, where the account's kind counts.

use leptos::prelude::*;

use super::live_text::live;
use crate::{error::AppError, hooks::use_account_kind, protocol::kind::AccountKind};

/// A number; empty is no limit. Nothing on kinds that count nothing.
#[component]
pub fn UsesField(
    /// What is typed.
    uses: RwSignal<String>,
    /// Id of the input.
    id: &'static str,
) -> impl IntoView {
    let kind = use_account_kind().kind;
    view! {
        <Show when=move || kind.get() == AccountKind::Nexus>
            <div class="field">
                <label for=id>{live("Uses")}</label>
                <input
                    id=id
                    data-testid="grant-uses"
                    type="number"
                    min="1"
                    step="1"
                    inputmode="numeric"
                    placeholder="no limit"
                    bind:value=uses
                />
                <span class="hint">{live("How often each call may be made. The chain counts.")}</span>
            </div>
        </Show>
    }
    .into_any()
}

/// The number that was typed; `None` for no limit, and where the account's kind counts nothing.
///
/// # Errors
/// `InvalidInput` for what is no number above 0.
pub fn typed_uses(text: &str, kind: AccountKind) -> Result<Option<u128>, AppError> {
    let text = text.trim();
    if text.is_empty() || kind != AccountKind::Nexus {
        return Ok(None);
    }
    let uses = text.parse().ok().filter(|uses| *uses > 0);
    uses.map(Some).ok_or_else(|| AppError::invalid("uses", "a whole number above 0, or nothing", text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_number_above_0_or_nothing() {
        let typed = |text| typed_uses(text, AccountKind::Nexus);
        assert_eq!((typed(" 2 "), typed("")), (Ok(Some(2)), Ok(None)));
        assert_eq!(typed_uses("2", AccountKind::BiconomyV2), Ok(None), "typed before the kind was changed");
        for wrong in ["0", "-1", "1.5", "many"] {
            assert!(typed(wrong).unwrap_err().to_string().starts_with("uses"), "{wrong}");
        }
    }
}
