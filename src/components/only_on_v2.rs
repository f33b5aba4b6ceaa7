//! What works on Smart Account V2 only: shown there, and said elsewhere.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    live_text::live,
};
use crate::{hooks::use_account_kind, protocol::kind::AccountKind};

/// Shows its children, or says that there is nothing like that on the chosen kind of account.
#[component]
pub fn OnlyOnV2(
    /// What it is, as the beginning of a sentence.
    what: &'static str,
    /// What works with it.
    children: ChildrenFn,
) -> impl IntoView {
    let kind = use_account_kind().kind;
    let is_there = Memo::new(move |_| kind.get() == AccountKind::BiconomyV2);
    let notice = move || {
        let text = [what, ": not on ", kind.get().title(), " accounts yet. Choose another kind beside the account."];
        view! {
            <div class="notice" data-testid="kind-notice" role="note">
                <Icon glyph=Glyph::Key />
                <p>{live(text.concat())}</p>
            </div>
        }
    };
    view! { {move || if is_there.get() { children().into_any() } else { notice().into_any() }} }.into_any()
}
