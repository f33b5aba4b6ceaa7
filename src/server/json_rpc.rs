//! A JSON-RPC 2.0 client over HTTP that believes nothing: time and size limits, ids checked, errors kept whole.
//!
//! Several URLs are a failover order: the next one is asked when one does not answer or answers rubbish,
//! and the one that answered last is asked first the next time. No error carries a URL: it may hold a key.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{
    StatusCode, Url,
    header::{ACCEPT, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::{Secret, UpstreamUrl};
use crate::error::{AppError, Upstream};

/// The largest answer that is read, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// JSON-RPC code "method not found".
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

/// What an upstream did wrong, and whether another URL may do better.
enum Failure {
    /// Nobody listens, so nothing was done: ask the next URL.
    Unreached(AppError),
    /// The answer was lost, or is no JSON-RPC at all: ask the next URL. What was asked may have been done.
    Transport(AppError),
    /// A proper answer that says no, or one that is wrong in content: final.
    Answer(AppError),
}

/// The client for one upstream.
#[derive(Clone)]
pub(super) struct JsonRpcClient {
    inner: Arc<Inner>,
}

struct Inner {
    upstream: Upstream,
    http: reqwest::Client,
    urls: Vec<Url>,
    timeout: Duration,
    preferred: AtomicUsize,
    next_id: AtomicU64,
    /// What an upstream might repeat in its words, and nobody else may know.
    secrets: Vec<String>,
}

impl JsonRpcClient {
    /// A client for the URLs in failover order. `timeout` is for one request to one URL.
    pub(super) fn new(upstream: Upstream, urls: &[UpstreamUrl], timeout: Duration) -> Result<Self, AppError> {
        Self::with_api_key(upstream, urls, timeout, None)
    }

    /// As [`Self::new`], with a key that every request carries as the header `x-api-key`.
    pub(super) fn with_api_key(
        upstream: Upstream,
        urls: &[UpstreamUrl],
        timeout: Duration,
        api_key: Option<&Secret>,
    ) -> Result<Self, AppError> {
        let urls: Vec<Url> = urls.iter().map(http_url).collect();
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(key) = api_key {
            let mut value = HeaderValue::from_str(key.expose().trim())
                .map_err(|_| AppError::Internal { reason: "the API key has characters that HTTP forbids".into() })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-api-key"), value);
        }
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(30));
        if urls.iter().all(is_loopback) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| AppError::Internal { reason: format!("HTTP client: {}", error.without_url()) })?;
        Ok(Self {
            inner: Arc::new(Inner {
                upstream,
                http,
                secrets: secrets_of(&urls, api_key),
                urls,
                timeout,
                preferred: AtomicUsize::new(0),
                next_id: AtomicU64::new(2),
            }),
        })
    }

    /// Calls a method and reads its result as `T`.
    pub(super) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, AppError> {
        let result = self.call_value(method, params).await?;
        serde_json::from_value(result).map_err(|error| self.malformed(format!("the result of {method}: {error}")))
    }

    /// Calls a method; the result as it came, `null` included.
    pub(super) async fn call_value(&self, method: &str, params: Value) -> Result<Value, AppError> {
        let id = self.next_id();
        let request = json!({"method": method, "params": params, "id": id, "jsonrpc": "2.0"});
        self.failover(&request, Effect::None, |answer| self.result_of(method, id, answer)).await
    }

    /// As [`Self::call`], for a method that does something. When one URL's answer is lost and the next one refuses,
    /// the refusal proves nothing (the first may have done it): then the first one's failure is the result.
    pub(super) async fn submit<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, AppError> {
        let id = self.next_id();
        let request = json!({"method": method, "params": params, "id": id, "jsonrpc": "2.0"});
        let result = self.failover(&request, Effect::Lasting, |answer| self.result_of(method, id, answer)).await?;
        serde_json::from_value(result).map_err(|error| self.malformed(format!("the result of {method}: {error}")))
    }

    /// Several calls in one request, answered in the order of `calls` whatever the upstream's order is.
    pub(super) async fn batch(&self, calls: &[(&str, Value)]) -> Result<Vec<Result<Value, AppError>>, AppError> {
        let first = self.inner.next_id.fetch_add(calls.len() as u64, Ordering::Relaxed);
        let request: Vec<Value> = calls
            .iter()
            .zip(first..)
            .map(|((method, params), id)| json!({"method": method, "params": params, "id": id, "jsonrpc": "2.0"}))
            .collect();
        self.failover(&Value::Array(request), Effect::None, |answer| {
            let answers = match answer {
                Value::Array(answers) => answers,
                // One error for the whole batch.
                other => {
                    return Err(self
                        .result_of("a batch", first, other)
                        .err()
                        .unwrap_or_else(|| Failure::Answer(self.malformed("one answer for a batch"))));
                }
            };
            calls
                .iter()
                .zip(first..)
                .map(|((method, _), id)| {
                    let answer = answers
                        .iter()
                        .find(|answer| answer.get("id").and_then(Value::as_u64) == Some(id))
                        .ok_or_else(|| Failure::Answer(self.malformed(format!("no answer for {method} in a batch"))))?;
                    match self.result_of(method, id, answer.clone()) {
                        Err(Failure::Answer(error)) => Ok(Err(error)),
                        Err(failure) => Err(failure),
                        Ok(value) => Ok(Ok(value)),
                    }
                })
                .collect()
        })
        .await
    }

    /// An [`AppError::UpstreamMalformed`] of this upstream.
    pub(super) fn malformed(&self, reason: impl Into<String>) -> AppError {
        AppError::UpstreamMalformed { upstream: self.inner.upstream, reason: reason.into() }
    }

    fn unavailable(&self, reason: impl Into<String>) -> AppError {
        AppError::UpstreamUnavailable { upstream: self.inner.upstream, reason: reason.into() }
    }

    fn next_id(&self) -> u64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks one URL after the other until one gives a proper answer.
    async fn failover<T>(
        &self,
        request: &Value,
        effect: Effect,
        read: impl Fn(Value) -> Result<T, Failure>,
    ) -> Result<T, AppError> {
        let inner = &self.inner;
        let start = inner.preferred.load(Ordering::Relaxed);
        let mut last = self.unavailable("no URL is configured");
        let mut perhaps_done = None;
        for step in 0..inner.urls.len() {
            let index = (start + step) % inner.urls.len();
            let Some(url) = inner.urls.get(index) else { continue };
            match self.post(url.clone(), request).await.and_then(&read) {
                Ok(value) => {
                    inner.preferred.store(index, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(Failure::Answer(error)) => return Err(perhaps_done.unwrap_or(error)),
                Err(Failure::Transport(error)) => {
                    tracing::warn!(upstream = %inner.upstream, entry = index, %error, "upstream failed");
                    if effect == Effect::Lasting {
                        perhaps_done = Some(error.clone());
                    }
                    last = error;
                }
                Err(Failure::Unreached(error)) => {
                    tracing::warn!(upstream = %inner.upstream, entry = index, %error, "upstream not reached");
                    last = error;
                }
            }
        }
        Err(perhaps_done.unwrap_or(last))
    }

    async fn post(&self, url: Url, request: &Value) -> Result<Value, Failure> {
        let sent = self.inner.http.post(url).json(request).send().await;
        let mut response = sent.map_err(|error| {
            let failure = if error.is_connect() { Failure::Unreached } else { Failure::Transport };
            failure(self.unavailable(self.reason(&error)))
        })?;
        let status = response.status();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER => {
                    return Err(Failure::Transport(self.malformed("an answer larger than 4 MiB")));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => {
                    return Err(Failure::Transport(self.unavailable(self.reason(&error))));
                }
                Err(_) => return Err(Failure::Transport(self.malformed("the connection was cut in the answer"))),
            }
        }
        let answer = serde_json::from_slice::<Value>(&body).ok();
        match answer {
            // Some services send JSON-RPC errors with status 400 or 500: their words are worth more than the status.
            Some(answer) if status.is_success() || answer.get("error").is_some_and(Value::is_object) => Ok(answer),
            answer if !status.is_success() => {
                let reason = match answer.as_ref().and_then(words) {
                    Some(words) => self.redacted(&format!("{}: {words}", http_reason(status))),
                    None => http_reason(status),
                };
                Err(Failure::Transport(self.unavailable(reason)))
            }
            _ if body.is_empty() => Err(Failure::Transport(self.malformed("an empty answer"))),
            _ => Err(Failure::Transport(self.malformed("an answer that is not JSON"))),
        }
    }

    /// The result in a JSON-RPC answer, or the error in it.
    fn result_of(&self, method: &str, id: u64, answer: Value) -> Result<Value, Failure> {
        let Value::Object(mut answer) = answer else {
            return Err(Failure::Transport(self.malformed(format!("the answer to {method} is no JSON-RPC object"))));
        };
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(Failure::Answer(self.rejected(error)));
        }
        let Some(result) = answer.remove("result") else {
            return Err(Failure::Answer(self.malformed(format!("neither result nor error in the answer to {method}"))));
        };
        if !answer.get("id").is_some_and(|given| id_matches(given, id)) {
            return Err(Failure::Answer(self.malformed(format!("the answer to {method} has another request's id"))));
        }
        Ok(result)
    }

    fn rejected(&self, error: &Value) -> AppError {
        let code = error.get("code");
        let code = code.and_then(|code| code.as_i64().or_else(|| code.as_str()?.parse().ok())).unwrap_or_default();
        let message = match error.get("message").unwrap_or(error) {
            Value::String(message) => self.redacted(message),
            other => self.redacted(&other.to_string()),
        };
        let data = error.get("data").filter(|data| !data.is_null()).map(|data| self.redacted(&data.to_string()));
        AppError::UpstreamRejected { upstream: self.inner.upstream, code, message, data }
    }

    /// An upstream's words without our keys in them.
    fn redacted(&self, text: &str) -> String {
        self.inner.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }

    /// Why a request failed, in words without its URL.
    fn reason(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer within {} s", self.inner.timeout.as_secs_f32());
        }
        let mut source: &dyn std::error::Error = error;
        while let Some(next) = source.source() {
            if let Some(io) = next.downcast_ref::<std::io::Error>() {
                return io.kind().to_string();
            }
            source = next;
        }
        if error.is_connect() { "cannot connect".into() } else { "the connection was cut".into() }
    }
}

/// What a call leaves behind at the upstream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Lasting,
}

/// What a service says besides JSON-RPC, in any of the fields that Biconomy's services use (SPEC 4.6).
fn words(answer: &Value) -> Option<String> {
    let texts = ["error", "message", "msg", "data", "detail"].iter().filter_map(|name| answer.get(name)?.as_str());
    let text = texts.map(str::trim).find(|text| !text.is_empty())?;
    Some(text.chars().take(300).collect())
}

/// The API key, passwords, and whatever in a URL's path and query looks like a key: long, with digits.
fn secrets_of(urls: &[Url], api_key: Option<&Secret>) -> Vec<String> {
    let like_a_key = |part: &&str| part.len() >= 12 && part.bytes().any(|byte| byte.is_ascii_digit());
    let mut secrets: Vec<String> = api_key.map(|key| key.expose().trim().to_owned()).into_iter().collect();
    for url in urls {
        secrets.extend(url.password().map(str::to_owned));
        let query = url.query().unwrap_or_default();
        secrets.extend(url.path().split('/').chain(query.split(['&', '='])).filter(like_a_key).map(str::to_owned));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// Biconomy's bundler answers some methods with `id: 1` whatever was asked (SPEC 4.4); ours start at 2,
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

/// Node URLs may be given as web sockets; every node that offers one answers HTTP at the same place.
fn http_url(url: &UpstreamUrl) -> Url {
    let mut url = url.expose().clone();
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return url,
    };
    // `Url::set_scheme` refuses only changes between special and other schemes; all four are special.
    let _ = url.set_scheme(scheme);
    url
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// The upstream does not know the method that was called.
pub(super) fn is_unknown_method(error: &AppError) -> bool {
    match error {
        AppError::UpstreamRejected { code, message, .. } => {
            *code == METHOD_NOT_FOUND || {
                let message = message.to_lowercase();
                message.contains("method not")
                    || message.contains("unsupported method")
                    || message.contains("unknown method")
            }
        }
        _ => false,
    }
}
