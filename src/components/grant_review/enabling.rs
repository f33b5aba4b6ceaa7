//! When a grant puts its sessions on chain: now, or with their first use.

use leptos::prelude::*;

use crate::{
    components::{
        icon::{Glyph, Icon},
        live_text::live,
    },
    hooks::{EnableMode, UserOpResponse},
};

/// What is said of a session that only the owner's signature grants, wherever it is shown.
pub const NOT_ENABLED: &str = "Not enabled yet: its first use does that. Until then it is not on the chain, and it can still be used by whoever holds it, the signature with the session's key. Taking it back takes a transaction.";

/// A row of the review; nothing where an operation enables the sessions now.
pub fn enabling_row(enable: EnableMode) -> Option<AnyView> {
    (enable == EnableMode::WithFirstUse).then(|| {
        view! {
            <div>
                <dt>"Enabled"</dt>
                <dd data-testid="grant-enable">
                    "By its first use, not now. Once you have signed it can still be used by whoever holds it, the signature with the session's key, until you take it back. That takes a transaction."
                </dd>
            </div>
        }
        .into_any()
    })
}

/// Who pays for the grant; `None` where it is an operation like any other.
pub fn fee_words(enable: EnableMode) -> Option<&'static str> {
    (enable == EnableMode::WithFirstUse)
        .then_some("None: nothing is sent now. The first use costs more, because it enables the session.")
}

/// What the wallet is asked; `None` where it is to sign an operation.
pub fn signature_words(enable: EnableMode) -> Option<&'static str> {
    (enable == EnableMode::WithFirstUse).then_some(
        "Your wallet asks for one signature. It signs these limits themselves; the first use brings them to the chain.",
    )
}

/// Says of a grant that has sent nothing what came of it.
pub fn granted_view(granted: Signal<Option<UserOpResponse>>) -> AnyView {
    let is_signed = Memo::new(move |_| granted.with(|sent| sent.as_ref().is_some_and(|sent| !sent.has_operation())));
    let notice = move || {
        is_signed.get().then(|| {
            view! {
                <div class="notice" data-testid="granted-by-signature" role="status">
                    <Icon glyph=Glyph::Key />
                    <strong>"Granted by your signature"</strong>
                    <p class="detail">{live(NOT_ENABLED)}</p>
                </div>
            }
        })
    };
    view! { {notice} }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_it_is_named_and_an_operation_says_nothing_new() {
        assert!(NOT_ENABLED.contains("can still be used by whoever holds it"));
        assert!(fee_words(EnableMode::ByOperation).is_none() && signature_words(EnableMode::ByOperation).is_none());
        assert!(fee_words(EnableMode::WithFirstUse).is_some_and(|said| said.contains("nothing is sent")));
    }
}
