//! How an [`AppError`] is read: an object whose `error` names the variant, beside it the variant's fields in camelCase.
//!
//! As [`tagged`] does it, with one table for names and fields.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use use_aa_protocol::tagged;

use super::AppError;

/// Writes, for every variant and its fields, its name and how it is read. A variant or field that is missing here does
/// not compile.
macro_rules! variants {
    ($($name:ident $({ $($field:ident),* })?,)*) => {
        impl AppError {
            /// The variant's name, for `data-error` in the page and for logs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name $({ $($field: _),* })? => stringify!($name),)*
                }
            }

            fn read(name: &str, fields: &mut Map<String, Value>) -> Result<Self, serde_json::Error> {
                match name {
                    $(stringify!($name) => Ok(Self::$name $({ $($field: tagged::field(fields, stringify!($field))?),* })?),)*
                    other => told_by_a_newer_server(other, fields),
                }
            }
        }
    };
}

variants! {
    InvalidInput { field, expected, got },
    AccountKindCannot { what, kind, other },
    NoSmartAccount,
    NoWallet { reason },
    WalletRejected,
    WrongChain { expected, actual },
    Wallet { code, message },
    WalletScriptStopped { script },
    OwnerIsContract { owner, evidence },
    NotTheOwnersSignature { owner, got },
    UpstreamRejected { upstream, code, message, data },
    UpstreamUnavailable { upstream, reason },
    UpstreamMalformed { upstream, reason },
    SponsorshipRefused { reason },
    GasTokenRefused { reason },
    FeeQuoteExpired { valid_until },
    MethodNotAllowed { method },
    Network { reason },
    SessionNotFound { wanted },
    SessionPending { session_id },
    SessionExpired { session_id, valid_until },
    SessionNotYetValid { session_id, valid_after },
    SessionRevoked { session_id },
    SessionsOutOfSync { local, chain },
    SessionsNotReviewed { session_ids, reason },
    NodesDisagree { first, second },
    PolicyViolation { rule, reason },
    PolicyRefused { reason },
    AccountNotDeployed { account },
    AccountAlreadyDeployed { account },
    AccountHasNoFunds { account },
    ModuleNotEnabled { account, module },
    SessionKeysDiffer { first, other },
    RevokedInPart { ended, left, reason },
    UserOpReverted { user_op_hash, reason },
    UserOpDropped { user_op_hash, reason },
    WaitTimedOut { user_op_hash, seconds },
    UserOpNotFound { user_op_hash, blocks },
    UserOpUntold { user_op_hash, blocks },
    StorageFull { place },
    Storage { reason },
    NoDistributedKeys,
    TooFewNodes { live, needed },
    NodeRefused { node, code, reason },
    Key { reason },
    TooLarge { what, limit },
    RateLimited { scope, seconds },
    Busy { seconds },
    Internal { reason },
}

/// In the server's words: nothing is wrong with the network. What is no name of ours was said by somebody on the way.
fn told_by_a_newer_server(name: &str, fields: &Map<String, Value>) -> Result<AppError, serde_json::Error> {
    if !name.starts_with(|first: char| first.is_ascii_uppercase())
        || !name.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        return Err(tagged::unknown("error", name));
    }
    let words = ["reason", "message"].into_iter().find_map(|field| fields.get(field)?.as_str());
    Ok(AppError::Internal { reason: [name, words.unwrap_or("no reason was given")].join(": ") })
}

impl<'de> Deserialize<'de> for AppError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        tagged::read(deserializer, "error", Self::read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy::primitives::{Address, B256};
    use serde_json::json;

    use super::{super::Upstream, *};

    #[test]
    fn what_is_written_is_read_again() {
        let hash = B256::repeat_byte(7);
        for error in [
            AppError::NoSmartAccount,
            AppError::invalid("field", "expected", "got"),
            AppError::UpstreamRejected { upstream: Upstream::Bundler, code: -32_500, message: "no".into(), data: None },
            AppError::UpstreamRejected {
                upstream: Upstream::Node,
                code: i64::MIN,
                message: String::new(),
                data: Some("{}".into()),
            },
            AppError::SessionsNotReviewed { session_ids: vec!["a".into(), "b".into()], reason: "r".into() },
            AppError::OwnerIsContract { owner: Address::repeat_byte(1), evidence: "code".into() },
            AppError::UserOpNotFound { user_op_hash: hash, blocks: None },
            AppError::UserOpNotFound { user_op_hash: hash, blocks: Some(u64::MAX) },
            AppError::RevokedInPart { ended: 50, left: 7, reason: "refused".into() },
            AppError::NodeRefused { node: 3, code: "policy".into(), reason: "no".into() },
        ] {
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<AppError>(&text).unwrap(), error, "{text}");
            assert!(text.contains(error.name()), "{text}");
        }
    }

    #[test]
    fn newer_servers_may_say_more_and_nothing_may_be_missing() {
        let read = |value: Value| serde_json::from_value::<AppError>(value).map_err(|error| error.to_string());
        assert_eq!(read(json!({ "error": "WalletRejected", "hint": 1 })), Ok(AppError::WalletRejected));
        for (fields, reason) in [
            (json!({ "error": "Novel", "reason": "too new", "message": "m" }), "Novel: too new"),
            (json!({ "error": "Novel", "message": "too new", "reason": 1 }), "Novel: too new"),
            (json!({ "error": "Novel", "limit": 7 }), "Novel: no reason was given"),
        ] {
            assert_eq!(read(fields), Ok(AppError::Internal { reason: reason.into() }));
        }
        // As proxies answer.
        for other in ["Bad Gateway", "not_found", ""] {
            assert_eq!(read(json!({ "error": other })).unwrap_err(), format!("an unknown error: {other}"));
        }
        assert_eq!(read(json!({ "reason": "r" })).unwrap_err(), "missing field `error`");
        let missing = read(json!({ "error": "SessionExpired", "sessionId": "a" })).unwrap_err();
        assert!(missing.starts_with("validUntil: "), "{missing}");
        let wrong = read(json!({ "error": "TooFewNodes", "live": 300, "needed": 1 })).unwrap_err();
        assert!(wrong.starts_with("live: "), "{wrong}");
        assert!(read(json!(["WalletRejected"])).is_err());
    }
}
