//! What somebody who helps needs to know about an error. No secrets: errors carry none, and addresses of services lose
//! whatever stands behind their host.

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::guide::{code, explanation};
use crate::{error::AppError, protocol::foreign_text};

/// Longest text in a report, characters: revert data may be in it.
const LONGEST_TEXT: usize = 10_000;

/// Where an error happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// The user operation.
    pub user_op_hash: Option<B256>,
    /// The smart account.
    pub account: Option<Address>,
    /// EIP-155 id of the server's chain.
    pub chain_id: Option<u64>,
}

/// The report as JSON.
pub fn report(error: &AppError, about: &Circumstances) -> String {
    let known = explanation(error);
    let named = match error {
        AppError::UserOpReverted { user_op_hash, .. }
        | AppError::UserOpDropped { user_op_hash, .. }
        | AppError::WaitTimedOut { user_op_hash, .. } => Some(*user_op_hash),
        _ => None,
    };
    let mut report = json!({
        "app": concat!("use-aa ", env!("CARGO_PKG_VERSION")),
        "error": error.name(),
        "text": error.to_string(),
        "details": error,
        "code": code(error),
        "knownAs": known.map(|known| known.name),
        "meaning": known.map(|known| known.meaning),
        "userOpHash": named.or(about.user_op_hash),
        "account": about.account,
        "chainId": about.chain_id,
        "time": environment(Environment::Time),
        "page": environment(Environment::Page),
        "userAgent": environment(Environment::UserAgent),
    });
    clean(&mut report);
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

/// Cuts addresses of services down to their host, wherever they stand, and leaves out what is not known.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_paths(&foreign_text::cleaned(text, LONGEST_TEXT)),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(clean);
        }
        _ => {}
    }
}

fn without_paths(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        let (head, tail) = rest.split_at(found + 3);
        clean.push_str(head);
        let end =
            tail.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>' | ',')).unwrap_or(tail.len());
        let (url, after) = tail.split_at(end);
        let host = url.split(['/', '?', '#']).next().unwrap_or_default();
        // A name and password before the host go, too.
        clean.push_str(host.rsplit('@').next().unwrap_or_default());
        rest = after;
    }
    clean.push_str(rest);
    clean
}

enum Environment {
    Time,
    Page,
    UserAgent,
}

/// What the browser tells; nothing on the server.
fn environment(what: Environment) -> Option<String> {
    #[cfg(feature = "hydrate")]
    {
        let window = leptos::prelude::window();
        match what {
            Environment::Time => Some(String::from(js_sys::Date::new_0().to_iso_string())),
            // Without query and fragment: they may hold anything.
            Environment::Page => window.location().pathname().ok(),
            Environment::UserAgent => window.navigator().user_agent().ok(),
        }
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = what;
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::error::Upstream;

    #[test]
    fn the_report_names_everything_and_no_path_of_a_service() {
        let error = AppError::UpstreamRejected {
            upstream: Upstream::Bundler,
            code: -32507,
            message: "invalid signature, see https://user:pass@bundler.example/v2/SECRET?key=SECRET and ask".into(),
            data: Some("{\"url\":\"wss://node.example/SECRET\"}".into()),
        };
        let about = Circumstances { chain_id: Some(31_337), account: Some(Address::ZERO), user_op_hash: None };
        let text = report(&error, &about);
        assert!(!text.contains("SECRET") && !text.contains("pass"), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&read["error"], &read["code"], &read["chainId"]),
            (&json!("UpstreamRejected"), &json!(-32507), &json!(31_337))
        );
        assert!(read["text"].as_str().unwrap().contains("https://bundler.example and ask"));
        assert!(read.get("userOpHash").is_none());
    }

    #[test]
    fn the_operation_that_the_error_names_comes_first() {
        let user_op_hash = B256::repeat_byte(7);
        let error = AppError::UserOpReverted { user_op_hash, reason: "AA51 prefund below actualGasCost".into() };
        let about = Circumstances { user_op_hash: Some(B256::ZERO), ..Circumstances::default() };
        let read: Value = serde_json::from_str(&report(&error, &about)).unwrap();
        assert_eq!(read["userOpHash"], json!(user_op_hash));
        assert!(read["meaning"].is_string());
    }
}
