//! Why what only the owner can do cannot be done now.

use leptos::prelude::*;

use super::live_text::live;
use crate::hooks::{use_smart_account, use_wallets};

/// The reason beside a disabled button; nothing while the owner is there.
#[component]
pub fn OwnerReason(
    /// What the button does: “to grant”.
    to: &'static str,
) -> impl IntoView {
    let account = use_smart_account();
    let connected = use_wallets().connected;
    let reason = move || match (account.owner_refused.with(Option::is_some), connected.with(Option::is_some)) {
        (true, _) => "The connected wallet signs as a smart contract: it cannot sign for an account here.".to_owned(),
        (false, true) => "The wallet's account is being looked at.".to_owned(),
        _ => ["Connect the wallet that owns this account ", to, "."].concat(),
    };
    view! {
        <Show when=move || account.owner_address.with(Option::is_none)>
            <span class="reason">{move || live(reason())}</span>
        </Show>
    }
    .into_any()
}
