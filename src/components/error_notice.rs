//! An error, where it happened: what failed, what to do, and a way to try again.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::error::{AppError, Upstream};

/// What a person can do about it.
fn advice(error: &AppError) -> &'static str {
    match error {
        AppError::InvalidInput { .. } => "Correct the value and try again. Nothing was sent.",
        AppError::NoSmartAccount => "Connect the wallet that owns the account.",
        AppError::NoWallet { .. } => "Install or unlock a wallet, reload the page, and connect it.",
        AppError::WalletRejected => "Nothing was sent and nothing changed. You can try again.",
        AppError::WrongChain { .. } => "Switch the wallet to this app's network.",
        AppError::Wallet { .. } => "Look into the wallet: it may be locked, or a request may be waiting there.",
        AppError::UpstreamRejected { upstream: Upstream::Bundler, .. } => {
            "The bundler checked the operation and did not take it. Nothing was sent to the chain."
        }
        AppError::UpstreamRejected { .. } | AppError::UpstreamMalformed { .. } => {
            "Nothing was sent. If it happens again, tell whoever runs this server."
        }
        AppError::UpstreamUnavailable { .. } => {
            "This is a fault of the service, not of yours. Your sessions are kept; try again in a moment."
        }
        AppError::SponsorshipRefused { .. } => {
            "Pay the gas from the account itself, or ask the app to sponsor this call."
        }
        AppError::GasTokenRefused { .. } => {
            "Nothing was sent. Choose another token, get more of this one, or pay the gas in another way."
        }
        AppError::FeeQuoteExpired { .. } => "Nothing was sent. Ask for a new quote.",
        AppError::MethodNotAllowed { .. } => "This server does not offer what was asked for.",
        AppError::Network { .. } => "Check your connection and try again. Your sessions are kept.",
        AppError::SessionNotFound { .. } => "Grant a session first, or use the browser in which it was granted.",
        AppError::SessionPending { .. } => "Wait until the grant is confirmed on the chain, then use it.",
        AppError::SessionExpired { .. } => "Nothing was sent. Grant a new session to go on.",
        AppError::SessionNotYetValid { .. } => "Nothing was sent. Wait until the session begins.",
        AppError::SessionRevoked { .. } => "Nothing was sent. Grant a new session to go on.",
        AppError::SessionsOutOfSync { .. } => {
            "Nothing was sent. Another browser or app changed the sessions of this account: use that one, or grant again here; the review says what that ends."
        }
        AppError::PolicyViolation { .. } => {
            "Nothing was sent. Stay within the limits of the session, or grant one that allows this."
        }
        AppError::PolicyRefused { .. } => "Change the limits of the session, then review it again.",
        AppError::AccountNotDeployed { .. } => "Grant a session: the account is created with the first operation.",
        AppError::AccountAlreadyDeployed { .. } => "Nothing is left to do, and nothing was sent.",
        AppError::AccountHasNoFunds { .. } => {
            "Nothing was sent. Send native currency to the account, or have the gas sponsored."
        }
        AppError::ModuleNotEnabled { .. } => "Nothing was sent. Grant a batch session: that enables the module.",
        AppError::SessionKeysDiffer { .. } => "Nothing was sent. Use sessions that were granted together.",
        AppError::UserOpReverted { .. } => "The chain undid the call. The gas was spent all the same.",
        AppError::UserOpDropped { .. } => {
            "The bundler no longer holds it. If it was not included by another one, you can send it again."
        }
        AppError::WaitTimedOut { .. } => "Reload the page later: the wait goes on from there. Don't send it twice.",
        AppError::Storage { .. } => {
            "Allow this site to store data, or make room, and try again. What is stored is kept."
        }
        AppError::NoDistributedKeys => "Grant an ordinary session: its key is kept, encrypted, in this browser.",
        AppError::TooFewNodes { .. } => {
            "Nothing was signed. The nodes that share the key are down or unreachable; try again in a moment."
        }
        AppError::NodeRefused { .. } => {
            "Nothing was signed. Each node checks the grant by itself and this one says no."
        }
        AppError::Key { .. } => "Grant a new session: this browser cannot use the old key.",
        AppError::TooLarge { .. } => "Split it into smaller parts. Nothing was sent.",
        AppError::RateLimited { .. } => "Wait a little, then try again. Nothing was sent.",
        AppError::Internal { .. } => "This is a fault of ours. Reload the page and try again.",
    }
}

/// Trying the same again can help.
fn retryable(error: &AppError) -> bool {
    !matches!(
        error,
        AppError::InvalidInput { .. }
            | AppError::NoSmartAccount
            | AppError::MethodNotAllowed { .. }
            | AppError::SessionNotFound { .. }
            | AppError::SessionExpired { .. }
            | AppError::SessionRevoked { .. }
            | AppError::SessionsOutOfSync { .. }
            | AppError::PolicyViolation { .. }
            | AppError::PolicyRefused { .. }
            | AppError::AccountAlreadyDeployed { .. }
            | AppError::ModuleNotEnabled { .. }
            | AppError::SessionKeysDiffer { .. }
            | AppError::NoDistributedKeys
            | AppError::TooLarge { .. }
            | AppError::WaitTimedOut { .. }
    )
}

/// An error with what to do about it. Read out as soon as it appears.
#[component]
pub fn ErrorNotice(
    /// What failed; nothing is shown while there is none.
    #[prop(into)]
    error: Signal<Option<AppError>>,
    /// What the retry button does; without it there is none.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
    /// Looks an upstream's text up, for a better explanation than the general one.
    #[prop(optional)]
    explain: Option<fn(&AppError) -> Option<String>>,
) -> impl IntoView {
    view! {
        <div role="alert">
            {move || {
                error
                    .get()
                    .map(|error| {
                        let explained = explain.and_then(|explain| explain(&error));
                        let retry = retry.filter(|_| retryable(&error));
                        view! {
                            <div class="notice error" data-testid="error" data-error=error.name()>
                                <Icon glyph=Glyph::Cross />
                                <strong>{sentence(&error.to_string())}</strong>
                                {explained.map(|text| view! { <p class="detail">{text}</p> })}
                                <p class="detail">{advice(&error)}</p>
                                {retry
                                    .map(|retry| {
                                        view! {
                                            <div class="actions">
                                                <button type="button" class="button quiet small" on:click=move |_| retry.run(())>
                                                    "Try again"
                                                </button>
                                            </div>
                                        }
                                    })}
                            </div>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

/// The text with a capital letter at its begin.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_can_be_tried_again_and_a_violation_cannot() {
        assert!(retryable(&AppError::WalletRejected));
        assert!(!retryable(&AppError::PolicyViolation { rule: "rule 0".into(), reason: String::new() }));
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(sentence("you refused"), "You refused");
        assert_eq!(sentence(""), "");
    }
}
