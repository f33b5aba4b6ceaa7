//! The wallet is on another network: say so and offer to switch.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    live_text::live,
};
use crate::{
    error::AppError,
    hooks::{use_smart_account, use_wallets},
};

/// Why switching failed. "Wrong chain" is a wallet's answer that it does not know the chain, where this server names no
/// address that it could be told.
fn reason(error: &AppError) -> String {
    match error {
        AppError::WrongChain { expected, .. } => {
            ["The wallet does not know this network. Add it there by hand, chain id ", &expected.to_string(), "."]
                .concat()
        }
        other => [&other.to_string(), "."].concat(),
    }
}

/// A notice with a switch button while the wallet is on another chain than the server.
#[component]
pub fn ChainNotice() -> impl IntoView {
    let wallets = use_wallets();
    let account = use_smart_account();
    let wrong = Memo::new(move |_| wallets.is_wrong_chain.get());
    let names = move || {
        let ours = account.chain_info.get().map(|chain| chain.name).unwrap_or_default();
        let theirs = wallets.chain_id.get().map(|id| id.to_string()).unwrap_or_default();
        ["Your wallet is on chain ", &theirs, ". This app works on ", &ours, "."].concat()
    };
    view! {
        <div role="alert" class="chain-notice">
            {move || {
                wrong
                    .get()
                    .then(|| {
                        view! {
                            <div class="notice warning" data-testid="error" data-error="WrongChain">
                                <Icon glyph=Glyph::Warning />
                                <strong>{move || live(names())}</strong>
                                <p class="detail">
                                    "Nothing can be signed for this app until the wallet is on the same network."
                                </p>
                                {move || wallets.error.get().map(|error| view! { <p class="detail">{live(reason(&error))}</p> })}
                                <div class="actions">
                                    <button
                                        type="button"
                                        class="button small"
                                        data-testid="switch-chain"
                                        on:click=move |_| wallets.switch_chain.run(())
                                    >
                                        "Switch the wallet"
                                    </button>
                                </div>
                            </div>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}
