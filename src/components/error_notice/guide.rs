//! What an error means and what helps: from the tables of [`crate::protocol::revert`], else by the kind of error.
//! All of it is in the page; nothing is asked of anybody.

use std::borrow::Cow;

use crate::{
    error::{AppError, NO_WALLET_CODE, Upstream},
    protocol::revert::{self, Explanation},
};

/// What helps when nothing can be loaded any more.
pub const NETWORK_ADVICE: &str = "Check your connection and try again, or load the page again. Your sessions are kept.";

/// What the tables say about this error: the upstream's code or text, the revert's reason, the wallet's code.
pub fn explanation(error: &AppError) -> Option<&'static Explanation> {
    match error {
        AppError::WalletRejected => revert::explain_wallet(4001),
        AppError::WrongChain { .. } => revert::explain_wallet(4901),
        AppError::Wallet { code, .. } => revert::explain_wallet(*code),
        AppError::UpstreamRejected { upstream: Upstream::Bundler | Upstream::Paymaster, code, message, data } => {
            // What the contract says is in the data where the text is only the bundler's.
            let from_data = || revert::explain(&reason_in(data.as_deref()?)?);
            revert::explain(message).or_else(from_data).or_else(|| revert::explain_rejection(*code, message))
        }
        AppError::UpstreamRejected { message: text, .. }
        | AppError::UserOpReverted { reason: text, .. }
        | AppError::UserOpDropped { reason: text, .. }
        | AppError::SponsorshipRefused { reason: text }
        | AppError::GasTokenRefused { reason: text } => revert::explain(text),
        _ => None,
    }
}

/// The first revert data in a JSON text, in words.
fn reason_in(data: &str) -> Option<String> {
    let start = data.find("0x")? + 2;
    let digits = data.get(start..)?.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    hex::decode(digits).ok().filter(|bytes| bytes.len() >= 4).map(|bytes| revert::decode_revert(&bytes))
}

/// What a person can do about it. `native` is the symbol of the chain's currency.
pub fn advice(error: &AppError, native: &str) -> Cow<'static, str> {
    let text = match error {
        AppError::InvalidInput { .. } => "Correct the value and try again. Nothing was sent.",
        AppError::AccountKindCannot { .. } => "Nothing was sent. Choose the other account kind beside the account.",
        AppError::NoSmartAccount => "Connect the wallet that owns the account.",
        AppError::NoWallet { .. } => "Install or unlock a wallet, reload the page, and connect it.",
        AppError::WalletRejected => "Nothing was sent and nothing changed. You can try again.",
        AppError::WrongChain { .. } => "Switch the wallet to this app's network.",
        AppError::Wallet { .. } => "Look into the wallet: it may be locked, or a request may be waiting there.",
        AppError::WalletScriptStopped { .. } => {
            "Update the wallet: those of today need no script in the page. Or use another one, or the browser inside the wallet's app."
        }
        AppError::OwnerIsContract { .. } => {
            "Nothing was sent. Choose an account with a key of its own, in this wallet or another; one that was upgraded by EIP-7702 has a key."
        }
        AppError::NotTheOwnersSignature { .. } => {
            "Nothing was sent. Choose the owner's account in the wallet, then try again. A wallet that does not sign by a key (ECDSA) cannot own this account."
        }
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
        AppError::Network { .. } => NETWORK_ADVICE,
        AppError::SessionNotFound { .. } => "Grant a session first, or use the browser in which it was granted.",
        AppError::SessionPending { .. } => "Wait until the grant is confirmed on the chain, then use it.",
        AppError::SessionExpired { .. } => "Nothing was sent. Grant a new session to go on.",
        AppError::SessionNotYetValid { .. } => "Nothing was sent. Wait until the session begins.",
        AppError::SessionRevoked { .. } => "Nothing was sent. Grant a new session to go on.",
        AppError::SessionsOutOfSync { .. } => {
            "Nothing was sent. Another browser or app changed the sessions of this account: use that one, or grant again here; the review says what that ends."
        }
        AppError::SessionsNotReviewed { .. } => {
            "Nothing was signed. Sessions of another browser or app came in meanwhile, or must not stay: review again, and end those that you do not know."
        }
        AppError::NodesDisagree { .. } => {
            "Nothing was signed. One of the chain nodes of this server is wrong or far behind. Try again in a moment; if it stays, tell whoever runs this server."
        }
        AppError::PolicyViolation { .. } => {
            "Nothing was sent. Stay within the limits of the session, or grant one that allows this."
        }
        AppError::PolicyRefused { .. } => "Change the limits of the session, then review it again.",
        AppError::AccountNotDeployed { .. } => "Grant a session: the account is created with the first operation.",
        AppError::AccountAlreadyDeployed { .. } => "Nothing is left to do, and nothing was sent.",
        AppError::AccountHasNoFunds { .. } => {
            return ["Nothing was sent. Send ", native, " to the account, or have the gas sponsored."].concat().into();
        }
        AppError::ModuleNotEnabled { .. } => "Nothing was sent. Grant a batch session: that enables the module.",
        AppError::SessionKeysDiffer { .. } => "Nothing was sent. Use sessions that were granted together.",
        AppError::RevokedInPart { .. } => "What is taken back stays so. Try again: it goes on with what is left.",
        AppError::UserOpReverted { .. } => "The chain undid the call. The gas was spent all the same.",
        AppError::UserOpDropped { .. } => {
            "No bundler holds it any more. Send it again: the same once more, of which only one can happen. Starting anew could make it happen twice."
        }
        AppError::WaitTimedOut { .. } => "Reload the page later: the wait goes on from there. Don't send it twice.",
        AppError::UserOpNotFound { .. } => {
            "Compare the hash with the one that you were given, and the network with the one that it was sent on. What was sent a moment ago may not have come here yet; what is old may be forgotten by the bundler."
        }
        AppError::UserOpUntold { .. } => {
            "Nobody who was asked could know: it may wait at the bundler, be in an older block, or not exist. Ask again later, or look the hash up in an explorer of the chain."
        }
        AppError::StorageFull { .. } => {
            "Nothing that was stored is lost. Make room, then try again: browsers give each site little. Export the sessions of accounts that you no longer use here, then have this device forget them."
        }
        AppError::Storage { .. } => "Allow this site to store data, and try again. What is stored is kept.",
        AppError::NoDistributedKeys => "Grant an ordinary session: its key is kept, encrypted, in this browser.",
        AppError::TooFewNodes { .. } => {
            "Nothing was signed. The nodes that share the key are down or unreachable; try again in a moment."
        }
        AppError::NodeRefused { code, .. } if code == "operation-cost" => {
            "Nothing was signed. Wait until the network is cheaper, have the gas sponsored, or grant a session with a higher limit."
        }
        AppError::NodeRefused { .. } => {
            "Nothing was signed. Each node checks the grant by itself and this one says no."
        }
        AppError::Key { .. } => "Grant a new session: this browser cannot use the old key.",
        AppError::TooLarge { .. } => "Split it into smaller parts. Nothing was sent.",
        AppError::RateLimited { .. } => "Wait a little, then try again. Nothing was sent.",
        AppError::Busy { .. } => "Ask again in a moment. Nothing was sent.",
        AppError::Internal { .. } => "This is a fault of ours. Reload the page and try again.",
    };
    text.into()
}

/// Trying the same again can help.
pub fn retryable(error: &AppError) -> bool {
    if let (AppError::UpstreamRejected { .. } | AppError::UserOpReverted { .. }, Some(known)) =
        (error, explanation(error))
    {
        return known.retryable;
    }
    !matches!(
        error,
        AppError::InvalidInput { .. }
            | AppError::AccountKindCannot { .. }
            | AppError::NoSmartAccount
            | AppError::OwnerIsContract { .. }
            | AppError::WalletScriptStopped { .. }
            | AppError::MethodNotAllowed { .. }
            | AppError::SessionNotFound { .. }
            | AppError::SessionExpired { .. }
            | AppError::SessionRevoked { .. }
            | AppError::SessionsOutOfSync { .. }
            | AppError::SessionsNotReviewed { .. }
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

/// The code of a wallet or an upstream.
pub fn code(error: &AppError) -> Option<i64> {
    match error {
        AppError::WalletRejected => Some(4001),
        AppError::Wallet { code: NO_WALLET_CODE, .. } => None,
        AppError::Wallet { code, .. } | AppError::UpstreamRejected { code, .. } => Some(*code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn rejected(code: i64, message: &str, data: Option<&str>) -> AppError {
        let (message, data) = (message.to_owned(), data.map(str::to_owned));
        AppError::UpstreamRejected { upstream: Upstream::Bundler, code, message, data }
    }

    #[test]
    fn a_refusal_can_be_tried_again_and_a_violation_cannot() {
        assert!(retryable(&AppError::WalletRejected));
        assert!(!retryable(&AppError::PolicyViolation { rule: "rule 0".into(), reason: String::new() }));
        assert!(retryable(&rejected(-32504, "no", None)) && !retryable(&rejected(-32507, "no", None)));
    }

    #[test]
    fn a_full_store_says_that_nothing_is_lost_and_how_to_make_room() {
        let error = AppError::StorageFull { place: "the browser's storage for this site".into() };
        let text = advice(&error, "POL");
        assert!(text.contains("Nothing that was stored is lost") && text.contains("have this device forget"), "{text}");
        assert!(retryable(&error) && error.to_string().ends_with("is full; nothing was changed"));
    }

    #[test]
    fn an_account_without_funds_is_told_what_to_send() {
        let error = AppError::AccountHasNoFunds { account: alloy::primitives::Address::ZERO };
        assert!(advice(&error, "POL").contains("Send POL to the account"));
    }

    #[test]
    fn text_then_data_then_code_explain_a_rejection() {
        let name = |error: &AppError| explanation(error).map(|found| found.matches);
        assert_eq!(name(&rejected(-32500, "AA21 didn't pay prefund", None)), Some("aa21"));
        // Error("AA25 invalid account nonce")
        let data = "{\"revert\":\"0x08c379a00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000001a4141323520696e76616c6964206163636f756e74206e6f6e6365000000000000\"}";
        assert!(name(&rejected(-32500, "simulation failed", Some(data))).unwrap().eq_ignore_ascii_case("aa25"));
        assert_eq!(name(&rejected(-32507, "no", None)), Some("-32507"));
        let node = AppError::UpstreamRejected { upstream: Upstream::Node, code: -1, message: "x".into(), data: None };
        assert_eq!(name(&node), None);
        assert!(explanation(&AppError::WalletRejected).is_some());
    }
}
