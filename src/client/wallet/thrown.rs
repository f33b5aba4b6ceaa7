//! What wallets throw, understood: each wraps a refusal in its own way.
//!
//! Codes stand as numbers or text, in the error, in its data, its cause or an error inside, or in JSON inside a text; some
//! wallets say it in words only. All layers are looked at. Who says nothing at all is never said to have refused.

mod layers;
mod refusal_words;

use serde_json::Value;

use self::layers::{Layer, layers};
use crate::{
    error::{AppError, NO_WALLET_CODE},
    protocol::foreign_text,
};

/// EIP-3085/3326: the wallet does not know the chain.
const UNRECOGNIZED_CHAIN: i64 = 4902;
/// JSON-RPC internal error; mobile wallets wrap others in it.
const INTERNAL: i64 = -32603;
/// `disconnect` with this code: "disconnected from chain, attempting to connect" (1013 is "try again later" of WebSockets).
const RECONNECTING: i64 = 1013;
/// Codes that say something else than a refusal, whatever the words beside them: unknown method, request pending,
/// unsupported, disconnected.
const OTHER_MATTERS: [i64; 6] = [-32601, -32002, 4200, 4900, 4901, UNRECOGNIZED_CHAIN];

/// What is said for a wallet that gives no reason.
pub const NO_REASON: &str = "your wallet answered without saying why";

/// A wallet's error as ours. `chains` are those of server and wallet, where the request was to change it.
pub fn error(thrown: &Value, chains: Option<(u64, u64)>) -> AppError {
    let layers = layers(thrown);
    let code = code_of(&layers);
    if is_refusal(&layers, code) {
        return AppError::WalletRejected;
    }
    match (code, chains) {
        (_, Some((expected, actual))) if is_unrecognized_chain(&layers) => AppError::WrongChain { expected, actual },
        (code, _) => AppError::Wallet { code: code.unwrap_or(NO_WALLET_CODE), message: message_of(&layers) },
    }
}

/// Did the wallet throw because it does not know the chain?
pub fn knows_no_such_chain(thrown: &Value) -> bool {
    let layers = layers(thrown);
    !is_refusal(&layers, code_of(&layers)) && is_unrecognized_chain(&layers)
}

/// Does this `disconnect` say that the wallet is connecting again by itself?
pub fn is_reconnecting(payload: &Value) -> bool {
    layers(payload).iter().any(|layer| layer.code == Some(RECONNECTING))
}

fn is_unrecognized_chain(layers: &[Layer<'_>]) -> bool {
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("unrecognized chain") || text.contains("wallet_addethereumchain")
    };
    layers.iter().any(|layer| layer.code == Some(UNRECOGNIZED_CHAIN) || layer.texts.iter().any(|text| says(text)))
}

fn is_refusal(layers: &[Layer<'_>], code: Option<i64>) -> bool {
    // EIP-1193's, and WalletConnect's: of a request, of chains, methods, events.
    let by_code = |layer: &Layer<'_>| matches!(layer.code, Some(4001 | 5000..=5003));
    let in_words = |layer: &Layer<'_>| layer.texts.iter().any(|text| refusal_words::says_refused(text));
    layers.iter().any(by_code) || code.is_none_or(|code| !OTHER_MATTERS.contains(&code)) && layers.iter().any(in_words)
}

/// The first code that says something; −32603 only when no layer says more.
fn code_of(layers: &[Layer<'_>]) -> Option<i64> {
    let codes = || layers.iter().filter_map(|layer| layer.code);
    codes().find(|code| *code != INTERNAL).or_else(|| codes().next())
}

/// The first text that says something.
fn message_of(layers: &[Layer<'_>]) -> String {
    let said = layers.iter().flat_map(|layer| layer.message).map(foreign_text::message);
    said.into_iter().find(|text| !says_nothing(text)).unwrap_or_else(|| NO_REASON.to_owned())
}

fn says_nothing(text: &str) -> bool {
    let bare = text.trim_matches(|letter: char| !letter.is_alphanumeric()).to_ascii_lowercase();
    matches!(
        bare.as_str(),
        "" | "error"
            | "internal error"
            | "internal json-rpc error"
            | "unknown error"
            | "object object"
            | "undefined"
            | "null"
            | "an unknown rpc error occurred"
            | "an unknown error occurred"
    )
}

#[cfg(test)]
mod tests;
