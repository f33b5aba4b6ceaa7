//! Why the list of wallets is empty.

use leptos::prelude::*;

use crate::{
    components::{
        icon::{Glyph, Icon},
        live_text::live,
    },
    hooks::{use_smart_account, use_wallets},
    protocol::foreign_text,
};

/// `rdns` of the lab's own wallet, which is in no browser.
const LAB_WALLET: &str = "lab";

/// Says that no wallet was found, or that the page's content policy stopped what may be one: with what helps who has one,
/// and who has none.
#[component]
pub fn NoneFound() -> impl IntoView {
    let wallets = use_wallets();
    let chain = use_smart_account().chain_info;
    // Which wallets there are is known with the chain: the lab's wallet is one of them.
    let known = move || chain.with(Option::is_some) || wallets.error.with(Option::is_some);
    let none = Memo::new(move |_| known() && wallets.wallets.with(Vec::is_empty));
    let stopped = Memo::new(move |_| {
        let only_lab = wallets.wallets.with(|all| all.iter().all(|wallet| wallet.rdns == LAB_WALLET));
        wallets.stopped_script.get().filter(|_| known() && only_lab)
    });
    let notice = move || {
        match (stopped.get(), none.get()) {
        (Some(script), _) => Some(stopped_notice(&script)),
        (None, true) => Some(
            view! {
                <p>"No wallet was found in this browser. Install one that works with Ethereum, then reload the page."</p>
            }
            .into_any(),
        ),
        (None, false) => None,
    }
    };
    view! { <div role="status">{notice}</div> }.into_any()
}

fn stopped_notice(script: &str) -> AnyView {
    let text = match script {
        // It may as well be a proxy's or a CDN's.
        "inline" => {
            "The page's content policy stopped a script that something added to the page on its way or in this \
                     browser. It may be a wallet's: then that is why the wallet is not found."
                .to_owned()
        }
        address => [
            "The page's content policy stopped a script that an extension adds to the page (",
            &foreign_text::message(address),
            "). Most likely it is a wallet's: that is why it is not found.",
        ]
        .concat(),
    };
    view! {
        <div class="notice warning" data-testid="wallet-script-stopped">
            <Icon glyph=Glyph::Warning />
            <strong>"A wallet may have been stopped by this page"</strong>
            <p class="detail">{live(text)}</p>
            <dl class="causes">
                <dt>"What helps"</dt>
                <dd>
                    <ul>
                        <li>"Update the wallet and reload the page: those of today need no script in the page"</li>
                        <li>"Use another wallet, or another browser"</li>
                        <li>"If there is no wallet in this browser yet, add one that works with Ethereum and reload the page"</li>
                        <li>"On a phone, open the page in the browser inside the wallet"</li>
                    </ul>
                </dd>
            </dl>
        </div>
    }
    .into_any()
}
