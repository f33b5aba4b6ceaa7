//! What upstreams send, read without trust: HTTP status and body first, then the JSON-RPC in it.

use std::time::Duration;

use reqwest::{StatusCode, Url, header::HeaderMap};
use serde_json::Value;

use super::{
    super::{json_shape, secret::Secret},
    refusal::{self, DEFAULT_REST, Refusal},
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::foreign_text;

/// Longest message of an upstream that is passed on, characters: some write revert data into it.
const LONGEST_MESSAGE: usize = 10_000;

/// Statuses of a node that does not take what was asked: it says nothing of the node, nor of other questions.
const NOT_THIS: [u16; 5] = [400, 413, 414, 422, 501];
/// Questions that cost an upstream nothing: who refuses these refuses everything.
pub(super) const PLAIN: [&str; 2] = ["eth_chainId", "eth_blockNumber"];

/// What an upstream did wrong, and whether another URL may do better.
#[derive(Clone, Debug)]
pub(in super::super) enum Failure {
    /// Nobody listens, so nothing was done: ask the next URL.
    Unreached(AppError),
    /// The answer was lost or is no JSON-RPC at all: ask the next URL. What was asked may have been done.
    /// `brief`: it came quickly and may be gone in a moment (a cut connection, a 5xx of a proxy).
    Transport {
        /// What went wrong.
        error: AppError,
        /// Worth another try of the same URL soon.
        brief: bool,
    },
    /// It refuses to work for now, so nothing was done: leave it alone for this long and ask the next URL.
    Limited {
        /// What it said.
        error: AppError,
        /// How long.
        rest: Duration,
    },
    /// The answer is too long to be read: ask the next URL. What was asked may have been done. Nothing against the
    /// upstream: whoever asked may have chosen so.
    Oversized(AppError),
    /// This node does not answer this call: ask the next URL. Nothing against the node.
    Refused(AppError),
    /// A proper answer that says no: final.
    Answer(AppError),
}

impl Failure {
    pub(in super::super) fn error(&self) -> &AppError {
        match self {
            Self::Unreached(error)
            | Self::Transport { error, .. }
            | Self::Limited { error, .. }
            | Self::Oversized(error)
            | Self::Refused(error)
            | Self::Answer(error) => error,
        }
    }

    /// Worth another try of the same URL soon.
    pub(in super::super) fn may_be_gone(&self) -> bool {
        matches!(self, Self::Unreached(_) | Self::Limited { .. } | Self::Transport { brief: true, .. })
    }
}

/// Reads the answers of one upstream.
pub(super) struct Reader {
    pub(super) upstream: Upstream,
    /// What an upstream might repeat in its words, and nobody else may know.
    secrets: Vec<String>,
}

impl Reader {
    /// `untold` are further secrets, the longest first.
    pub(super) fn new(upstream: Upstream, urls: &[Url], api_key: Option<&Secret>, untold: Vec<String>) -> Self {
        Self { upstream, secrets: [secrets_of(urls, api_key), untold].concat() }
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> AppError {
        AppError::UpstreamMalformed { upstream: self.upstream, reason: self.redacted(&reason.into()) }
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> AppError {
        AppError::UpstreamUnavailable { upstream: self.upstream, reason: self.redacted(&reason.into()) }
    }

    pub(super) fn lost(&self, reason: impl Into<String>) -> Failure {
        Failure::Transport { error: self.malformed(reason), brief: false }
    }

    /// The JSON in an HTTP answer to a call of `method`; a batch has no method.
    pub(super) fn body(
        &self,
        method: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, Failure> {
        let answer = match json_shape::is_modest(body, json_shape::ANSWER) {
            true => serde_json::from_slice::<Value>(body).ok(),
            false => None,
        };
        if status == StatusCode::TOO_MANY_REQUESTS || headers.contains_key(reqwest::header::RETRY_AFTER) {
            let rest = retry_after(headers).unwrap_or(DEFAULT_REST);
            let of_batch = || method.is_empty() && String::from_utf8_lossy(body).to_lowercase().contains("batch");
            if !status.is_success() && !of_batch() {
                return Err(Failure::Limited { error: self.http_error(status, answer.as_ref(), body), rest });
            }
        }
        match answer {
            // Some services send JSON-RPC errors with status 400 or 500: their words are worth more than the status.
            Some(answer) if status.is_success() || is_json_rpc_error(&answer) => Ok(answer),
            answer if !status.is_success() => {
                let error = self.http_error(status, answer.as_ref(), body);
                let not_this = NOT_THIS.contains(&status.as_u16()) && !PLAIN.contains(&method);
                Err(match error {
                    AppError::UpstreamUnavailable { upstream: Upstream::Node, reason } if not_this => {
                        let (upstream, message) = (Upstream::Node, reason);
                        Failure::Refused(AppError::UpstreamRejected { upstream, code: 0, message, data: None })
                    }
                    error => Failure::Transport { error, brief: matches!(status.as_u16(), 500 | 502..=504) },
                })
            }
            _ if body.is_empty() => Err(self.lost("an empty answer")),
            _ => Err(self.lost("an answer that is not JSON")),
        }
    }

    fn http_error(&self, status: StatusCode, answer: Option<&Value>, body: &[u8]) -> AppError {
        let plain = || NOT_THIS.contains(&status.as_u16()).then(|| plain_words(body)).flatten();
        self.unavailable(match answer.and_then(words).or_else(plain) {
            Some(words) => format!("{}: {words}", http_reason(status)),
            None => http_reason(status),
        })
    }

    /// The result in a JSON-RPC answer, or the error in it.
    pub(super) fn result_of(&self, method: &str, id: u64, answer: Value) -> Result<Value, Failure> {
        let called = if method.is_empty() { "a batch" } else { method };
        let Value::Object(mut answer) = answer else {
            return Err(self.lost(format!("the answer to {called} is no JSON-RPC object")));
        };
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let rejected = self.rejected(error);
            return Err(match refusal::of(self.upstream, method, &rejected) {
                Refusal::Rate(rest) => Failure::Limited { error: rejected, rest },
                Refusal::Elsewhere => Failure::Refused(rejected),
                Refusal::Final => Failure::Answer(rejected),
            });
        }
        let Some(result) = answer.remove("result") else {
            return Err(self.lost(format!("neither result nor error in the answer to {called}")));
        };
        if !answer.get("id").is_some_and(|given| id_matches(given, id)) {
            return Err(self.lost(format!("the answer to {called} has another request's id")));
        }
        Ok(result)
    }

    /// The results of a batch in the order of `methods`, whose ids begin at `first`.
    pub(super) fn results_of(
        &self,
        methods: &[&str],
        first: u64,
        answer: Value,
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let mut answers = match answer {
            Value::Array(answers) => answers,
            // One error for the whole batch.
            other => {
                let failure = self.result_of("", first, other).err();
                return Err(failure.unwrap_or_else(|| self.lost("one answer for a batch")));
            }
        };
        // The same in a list.
        if methods.len() > 1
            && let [alone] = answers.as_slice()
            && alone.get("error").is_some_and(|error| !error.is_null())
        {
            let failure = self.result_of("", first, alone.clone()).err();
            return Err(failure.unwrap_or_else(|| self.lost("one answer for a batch")));
        }
        let id_of = |answer: &Value| answer.get("id").and_then(Value::as_u64);
        methods
            .iter()
            .zip(first..)
            .map(|(method, id)| {
                let found = answers.iter_mut().find(|answer| id_of(answer) == Some(id));
                let found = found.ok_or_else(|| self.lost(format!("no answer for {method} in a batch")))?;
                match self.result_of(method, id, found.take()) {
                    Err(lost @ Failure::Transport { .. }) => Err(lost),
                    outcome => Ok(outcome),
                }
            })
            .collect()
    }

    fn rejected(&self, error: &Value) -> AppError {
        let code = error.get("code");
        let code = code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.parse().ok())).unwrap_or_default();
        let message = match error.get("message").unwrap_or(error) {
            Value::String(message) => self.redacted(message),
            other => self.redacted(&other.to_string()),
        };
        let message = foreign_text::cleaned(&message, LONGEST_MESSAGE);
        let data = error.get("data").filter(|data| !data.is_null()).map(|data| self.redacted(&data.to_string()));
        AppError::UpstreamRejected { upstream: self.upstream, code, message, data }
    }

    /// An upstream's words without our keys in them, and without URLs: those of its own network, and what they carry.
    pub(super) fn redacted(&self, text: &str) -> String {
        let text = without_urls(text);
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "…"))
    }
}

/// `Retry-After` in seconds; a date is not worth a calendar: [`DEFAULT_REST`].
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    text.parse().ok().map(Duration::from_secs)
}

/// A JSON-RPC error, or a list of answers to a batch of which some are.
fn is_json_rpc_error(answer: &Value) -> bool {
    let is_error = |answer: &Value| answer.get("error").is_some_and(Value::is_object);
    is_error(answer) || answer.as_array().is_some_and(|answers| answers.iter().any(is_error))
}

/// What a service says in plain text.
fn plain_words(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let plain = !text.is_empty() && text.len() <= 300 && !text.contains(['<', '{', '[']);
    plain.then(|| text.chars().filter(|letter| !letter.is_control()).collect())
}

/// What a service says besides JSON-RPC, in any of the fields that Biconomy's services use (docs/protocol.md 4.6).
fn words(answer: &Value) -> Option<String> {
    let texts = ["error", "message", "msg", "data", "detail"].iter().filter_map(|name| answer.get(name)?.as_str());
    let text = texts.map(str::trim).find(|text| !text.is_empty())?;
    Some(foreign_text::cleaned(text, 300))
}

/// The text with `…` in place of each URL, up to what cannot be part of one in a sentence or in JSON.
fn without_urls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let scheme = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
        clean.push_str(before.trim_end_matches(scheme));
        clean.push('…');
        rest = after.trim_start_matches(|letter: char| {
            !letter.is_whitespace()
                && !matches!(letter, '"' | '\'' | '`' | '\\' | '<' | '>' | '(' | ')' | '{' | '}' | ',')
        });
    }
    clean + rest
}

/// The API key, what URLs say of user, password and host (providers put keys there, too), and whatever in path and query
/// looks like a key. The longest first: one may be part of another.
fn secrets_of(urls: &[Url], api_key: Option<&Secret>) -> Vec<String> {
    let like_a_key =
        |part: &&str| part.len() >= 16 || (part.len() >= 12 && part.bytes().any(|byte| byte.is_ascii_digit()));
    let mut secrets: Vec<String> = api_key.map(|key| key.expose().trim().to_owned()).into_iter().collect();
    for url in urls {
        secrets.extend(url.password().map(str::to_owned));
        secrets.extend(Some(url.username()).filter(like_a_key).map(str::to_owned));
        // A name in full; `localhost` and addresses tell nothing of a provider, and occur in honest texts.
        secrets.extend(url.domain().filter(|name| name.contains('.')).map(str::to_owned));
        secrets.extend(url.path().split('/').filter(like_a_key).map(str::to_owned));
        secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() >= 6));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// Biconomy's bundler answers some methods with `id: 1` whatever was asked (docs/protocol.md 4.4); ours start at 2,
/// and one HTTP exchange carries one answer, so nothing can be mixed up by accepting it.
fn id_matches(given: &Value, id: u64) -> bool {
    match given {
        Value::Number(number) => number.as_u64().is_some_and(|number| number == id || number == 1),
        Value::String(text) => text.parse() == Ok(id),
        _ => false,
    }
}

fn http_reason(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("HTTP {} {reason}", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn reader() -> Reader {
        let urls = ["https://user:password@node.example/v2/KEY-1234567890?token=abcdef1234567".parse().unwrap()];
        Reader::new(Upstream::Node, &urls, Some(&Secret::new("the-api-key")), vec!["sp_hidden".into()])
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn retry_after_is_kept_to() {
        let rest = |status: u16, headers: &HeaderMap| match reader().body(
            "m",
            StatusCode::from_u16(status).unwrap(),
            headers,
            b"",
        ) {
            Err(Failure::Limited { rest, .. }) => Some(rest),
            _ => None,
        };
        assert_eq!(rest(429, &headers("retry-after", "7")), Some(Duration::from_secs(7)));
        assert_eq!(rest(503, &headers("retry-after", "3")), Some(Duration::from_secs(3)));
        assert_eq!(rest(429, &headers("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT")), Some(DEFAULT_REST));
        assert_eq!(rest(429, &HeaderMap::new()), Some(DEFAULT_REST));
        assert_eq!(rest(503, &HeaderMap::new()), None);
    }

    #[test]
    fn a_rate_limit_in_a_json_rpc_error_is_one_but_not_in_a_revert() {
        let limited = |code: i64, message: &str| {
            let answer = json!({"jsonrpc": "2.0", "id": 2, "error": {"code": code, "message": message}});
            matches!(reader().result_of("eth_call", 2, answer), Err(Failure::Limited { .. }))
        };
        assert!(limited(-32005, "project rate limit exceeded"));
        assert!(limited(429, "slow down"));
        assert!(limited(-32000, "rate limit reached"));
        assert!(limited(-32005, "daily request count exceeded, request rate limited"));
        assert!(limited(-32005, "Too Many Requests"));
        assert!(limited(-32005, "project ID request rate exceeded"));
        assert!(limited(-32007, "100/second request limit reached - reduce calls per second"));
        assert!(limited(-32012, "credits limited to 6000/sec"));
        assert!(limited(-32000, "Your app has exceeded its compute units per second capacity"));
        assert!(!limited(-32000, "header not found"));
        assert!(!limited(-32005, "query returned more than 10000 results"));
        assert!(!limited(-32005, "limit exceeded"));
        assert!(!limited(-32000, "execution reverted: rate limit"));
        assert!(!limited(-32602, "invalid argument 0: rate limit"));
        assert!(!limited(3, "execution reverted: rate limit"));
        assert!(!limited(-32521, "reverted: rate limit exceeded"));
        assert!(!limited(-32601, "method not found"));
    }

    #[test]
    fn no_key_comes_back() {
        let words = "bad: KEY-1234567890, abcdef1234567, password, the-api-key";
        let answer = json!({"error": {"code": -1, "message": words, "data": [words]}});
        let text = reader().result_of("m", 2, answer).unwrap_err().error().to_string();
        assert_eq!(text, "chain node error -1: bad: …, …, …, …");
    }

    #[test]
    fn what_hides_in_a_message_does_not_come_back() {
        let hostile = ["execution reverted: \u{202e}yap\u{200b}\u{e0041}\u{7}", &"x".repeat(50_000)].concat();
        let answer = json!({"error": {"code": 3, "message": hostile}});
        let text = reader().result_of("m", 2, answer).unwrap_err().error().to_string();
        assert!(text.contains("execution reverted: yapxxx") && text.len() < 10_100, "{}", text.len());
    }

    #[test]
    fn no_url_comes_back() {
        let said = |words: &str| {
            let answer = json!({"error": {"code": -1, "message": words, "data": {"cause": words}}});
            match reader().result_of("m", 2, answer).unwrap_err().error().clone() {
                AppError::UpstreamRejected { message, data, .. } => (message, data.unwrap()),
                other => panic!("{other}"),
            }
        };
        let (message, data) =
            said("fetch http://10.0.0.7:8545/x?key=1 (via \"wss://a:b@c.example/\"), AA21 at node.example");
        assert_eq!(message, "fetch … (via \"…\"), AA21 at …");
        assert_eq!(data, r#"{"cause":"fetch … (via \"…\"), AA21 at …"}"#);
        // Whatever the server itself makes of such an answer, too.
        let lost = reader().lost("eth_chainId: https://node.example/v2/KEY-1234567890").error().to_string();
        assert!(lost.ends_with("eth_chainId: …"), "{lost}");
        assert_eq!(said("AA23 reverted: a://").0, "AA23 reverted: …");
        assert_eq!(said("plain: words / no url").0, "plain: words / no url");
    }

    #[test]
    fn batches_are_put_in_order_and_none_may_be_missing() {
        let answer = json!([{"id": 8, "result": "b"}, {"id": 7, "result": "a"}]);
        let results = reader().results_of(&["x", "y"], 7, answer).unwrap();
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, [json!("a"), json!("b")]);
        assert!(reader().results_of(&["x", "y"], 7, json!([{"id": 7, "result": 1}])).is_err());
        assert!(reader().results_of(&["x"], 7, json!([{"id": 1, "result": 1}])).is_err(), "in a batch ids count");
    }

    /// Any JSON, with the names that matter likely in it.
    fn any_json() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            Just("id".to_owned()),
            Just("error".to_owned()),
            Just("result".to_owned()),
            Just("code".to_owned()),
            Just("message".to_owned()),
            ".{0,6}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (0u64..4).prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(status in 100u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let status = StatusCode::from_u16(status).unwrap();
            match reader().body("m", status, &HeaderMap::new(), &body) {
                Ok(value) => prop_assert_eq!(value, serde_json::from_slice::<Value>(&body).unwrap()),
                Err(failure) => prop_assert!(!failure.error().to_string().is_empty()),
            }
        }

        #[test]
        fn any_json_is_read_or_refused(answer in any_json(), id in 0u64..4) {
            let result = reader().result_of("eth_call", id, answer.clone());
            if let Ok(result) = result {
                prop_assert_eq!(&result, &answer["result"]);
                prop_assert!(answer["error"].is_null());
            }
            let _ = reader().results_of(&["a", "b"], id, answer);
        }

        #[test]
        fn any_retry_after_is_read(value in "[ -~]{0,30}") {
            let _ = retry_after(&headers("retry-after", &value));
        }
    }
}
