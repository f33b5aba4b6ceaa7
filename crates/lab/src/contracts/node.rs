//! JSON-RPC in batches: one round trip for a whole step of the placing.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::PlaceError;

/// How long one round trip may take; anvil answers each in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A connection to the chain node.
pub struct RpcNode {
    http: reqwest::Client,
    url: String,
}

/// One answer of a batch; answers may come in any order.
#[derive(Deserialize)]
struct Answer {
    id: usize,
    #[serde(default)]
    result: Value,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    message: String,
}

impl RpcNode {
    /// A client for `url`; proxies of the environment are ignored, the node is on this machine.
    pub fn new(url: &str) -> Result<Self, PlaceError> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().map_err(unreachable)?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// Calls `method` once per parameter list; results in the order of the calls, the first error ends it.
    pub async fn batch(
        &self,
        method: &'static str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, PlaceError> {
        let calls: Vec<Value> = parameters
            .into_iter()
            .enumerate()
            .map(|(id, params)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .collect();
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let response = self.http.post(&self.url).json(&calls).send().await.map_err(unreachable)?;
        let body = response.bytes().await.map_err(unreachable)?;
        in_order(method, calls.len(), &body)
    }

    /// Calls `method` once.
    pub async fn call(&self, method: &'static str, parameters: Value) -> Result<Value, PlaceError> {
        let answers = self.batch(method, [parameters]).await?;
        answers.into_iter().next().ok_or(PlaceError::Malformed { method, reason: "no answer".to_owned() })
    }

    /// Calls `method` for a number that fits 64 bits.
    pub async fn quantity(&self, method: &'static str, parameters: Value) -> Result<u64, PlaceError> {
        let answer = self.call(method, parameters).await?;
        let digits = answer.as_str().and_then(|text| text.strip_prefix("0x"));
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or_else(|| PlaceError::Malformed { method, reason: format!("expected a quantity, got {answer}") })
    }
}

fn unreachable(error: reqwest::Error) -> PlaceError {
    PlaceError::Unreachable { reason: error.without_url().to_string() }
}

/// Sorts a batch's answers by id, checks that each call has one, and unwraps the results.
fn in_order(method: &'static str, calls: usize, body: &[u8]) -> Result<Vec<Value>, PlaceError> {
    let malformed = |reason: String| PlaceError::Malformed { method, reason };
    let mut answers: Vec<Answer> = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    answers.sort_by_key(|answer| answer.id);
    if answers.len() != calls || answers.iter().enumerate().any(|(index, answer)| index != answer.id) {
        return Err(malformed(format!("{} answers do not match {calls} calls", answers.len())));
    }
    answers
        .into_iter()
        .map(|answer| match answer.error {
            Some(RpcError { code, message }) => Err(PlaceError::Refused { method, code, message }),
            None => Ok(answer.result),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_put_in_the_order_of_the_calls() {
        let body = br#"[{"id":1,"result":"b"},{"id":0,"result":null}]"#;
        assert_eq!(in_order("m", 2, body).ok(), Some(vec![Value::Null, json!("b")]));
    }

    #[test]
    fn an_error_keeps_its_code_and_text() {
        let body = br#"[{"id":0,"error":{"code":-32601,"message":"Method not found"}}]"#;
        let error = in_order("anvil_setCode", 1, body).map_err(|error| error.to_string());
        assert_eq!(error, Err("the chain node refuses anvil_setCode: -32601 Method not found".to_owned()));
    }

    #[test]
    fn missing_doubled_and_foreign_answers_are_refused() {
        for body in [&b"[]"[..], b"{}", b"[{\"id\":0},{\"id\":0}]", b"[{\"id\":0},{\"id\":7}]", b"<html>"] {
            assert!(matches!(in_order("m", 2, body), Err(PlaceError::Malformed { method: "m", .. })));
        }
    }
}
