//! Who pays for what this page sends: the app's sponsor where the server lets it, else the account.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    live_text::{live, verbatim},
    native_currency::use_native_currency,
};
use crate::{
    hooks::{BuildUserOpOptions, Options, use_smart_account},
    protocol::rpc::ChainInfo,
};

/// The sponsor pays; `false` until the server has said so.
pub fn use_is_sponsored() -> Signal<bool> {
    let chain = use_smart_account().chain_info;
    Signal::derive(move || chain.with(|chain| chain.as_ref().is_some_and(ChainInfo::sponsors_pages)))
}

/// The sponsor pays where it does, else the account.
pub fn paid_by(sponsored: bool) -> BuildUserOpOptions {
    if sponsored { Options::sponsored() } else { Options::unsponsored() }
}

/// Says before anything is tried that nobody sponsors here, what that means, and who can change it.
#[component]
pub fn NotSponsoredNotice() -> impl IntoView {
    let chain = use_smart_account().chain_info;
    let native = use_native_currency();
    let currency = move || native.get().symbol.unwrap_or_default();
    let words = Memo::new(move |_| chain.with(|chain| chain.as_ref().and_then(not_sponsored)));
    move || {
        words.get().map(|(title, who)| {
            view! {
                <div class="notice" data-testid="not-sponsored" role="note">
                    <Icon glyph=Glyph::Key />
                    <strong>{live(title)}</strong>
                    <p class="detail">
                        "Your smart account pays the network fee itself, so it needs some " {move || verbatim(currency())} ". " {live(who)}
                    </p>
                </div>
            }
        })
    }
}

/// Why nobody sponsors, and who could; `None` where a sponsor does.
fn not_sponsored(chain: &ChainInfo) -> Option<(&'static str, &'static str)> {
    match chain {
        ChainInfo { sponsored: false, .. } => {
            Some(("This app has no sponsor", "Whoever runs this server can set up a paymaster."))
        }
        ChainInfo { page_sponsorship: false, .. } => Some((
            "Sponsoring is off for this page",
            "Whoever runs this server can turn it on: USE_AA_PAGE_SPONSORSHIP=on.",
        )),
        _ => None,
    }
}
