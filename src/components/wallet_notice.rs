//! What the connected wallet is going through: it is away for a moment, it came back without an account, or what it shares is
//! a contract, which can own no account here.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    live_text::live,
};
use crate::{
    error::AppError,
    hooks::{UseWalletsReturn, WalletLink, use_smart_account, use_wallets},
};

/// A notice below the header while there is something to say.
#[component]
pub fn WalletNotice() -> impl IntoView {
    let wallets = use_wallets();
    let account = use_smart_account();
    let refused = Memo::new(move |_| account.owner_refused.get());
    let no_account = Memo::new(move |_| account.smart_account_address.with(Option::is_none));
    let link = Memo::new(move |_| wallets.link.get());
    view! {
        <div role="alert" class="chain-notice">
            {move || match (refused.get(), link.get()) {
                (Some(error), _) => Some(contract(&error, no_account)),
                (None, WalletLink::Away) => Some(away(wallets)),
                (None, WalletLink::Gone) => Some(gone()),
                (None, WalletLink::Steady) => None,
            }}
        </div>
    }
    .into_any()
}

fn away(wallets: UseWalletsReturn) -> AnyView {
    view! {
        <div class="notice warning" data-testid="wallet-away">
            <Icon glyph=Glyph::Warning />
            <strong>"Your wallet has lost its connection and is connecting again"</strong>
            <p class="detail">
                "Nothing was logged out, and what is open stays open. If the wallet refuses something meanwhile, try it again once it is back."
            </p>
            <div class="actions">
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="wallet-ask-again"
                    on:click=move |_| wallets.ask_again.run(())
                >
                    "Ask the wallet now"
                </button>
            </div>
        </div>
    }
    .into_any()
}

fn gone() -> AnyView {
    view! {
        <div class="notice warning" data-testid="wallet-gone">
            <Icon glyph=Glyph::Warning />
            <strong>"Your wallet lost its connection and no longer shares an account with this page"</strong>
            <p class="detail">
                "So it was let go. Unlock it, or connect it again. Sessions that you granted go on working without it."
            </p>
        </div>
    }
    .into_any()
}

fn contract(error: &AppError, no_account: Memo<bool>) -> AnyView {
    let found = match error {
        AppError::OwnerIsContract { owner, evidence } => ["It is ", &owner.to_string(), ": ", evidence, "."].concat(),
        other => [&other.to_string(), "."].concat(),
    };
    let hidden = move || {
        let text = "No account is shown for it, so that nobody sends money to one that could not move it.";
        no_account.get().then(|| live(text))
    };
    view! {
        <div class="notice warning" data-testid="error" data-error=error.name()>
            <Icon glyph=Glyph::Warning />
            <strong>"This wallet signs as a smart contract and cannot own an account here"</strong>
            <p class="detail">{live(found)} " An account here obeys the signatures of a key only (ECDSA). " {hidden}</p>
            <dl class="causes">
                <dt>"What works"</dt>
                <dd>
                    <ul>
                        <li>"An account with a key of its own, in this wallet or another"</li>
                        <li>"One that was upgraded by EIP-7702: it has its key still"</li>
                        <li>"Sessions that were granted before: they need no wallet"</li>
                    </ul>
                </dd>
                <dt>"What does not"</dt>
                <dd>
                    <ul>
                        <li>"Granting, taking back and paying with this wallet"</li>
                    </ul>
                </dd>
            </dl>
        </div>
    }
    .into_any()
}
