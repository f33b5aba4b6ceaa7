//! Webhooks: other services that must agree before anything is signed (docs/protocol.md 5.8).
//!
//! Body `{"data": webhookData}` as `@biconomy/use-aa`'s service sends it, answer `{"arePoliciesVerified": true}`. Everything else
//! – another status, another answer, none in time – is a no.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::{super::json_shape, calls::calls_of, check::mode_name, policy::Webhook};
use use_aa_actions::error::AppError;
use use_aa_protocol::{rpc::SponsorContext, smart_account::Call, user_operation::UserOperation};

/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What one webhook said, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    /// Scheme, host and port: the rest of the URL may carry a key.
    webhook: String,
    verified: bool,
    milliseconds: u64,
    /// Why it does not count as a yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The HTTP client for the webhooks; it follows no redirects.
pub(super) fn client() -> Result<reqwest::Client, AppError> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("use-aa/", env!("CARGO_PKG_VERSION")));
    builder
        .build()
        .map_err(|error| AppError::Internal { reason: format!("HTTP client of the webhooks: {}", error.without_url()) })
}

/// Asks all of them at once. The error names the first that does not agree.
pub(super) async fn ask(
    client: &reqwest::Client,
    webhooks: &[Webhook],
    chain_id: u64,
    operation: &UserOperation,
    context: &SponsorContext,
) -> (Vec<Answer>, Result<(), String>) {
    let data = context.webhook_data.clone().unwrap_or(Value::Null);
    let answers = join_all(webhooks.iter().map(|webhook| {
        let mut body = json!({"data": data});
        if webhook.include_operation {
            body["operation"] = described(chain_id, operation, context);
        }
        one(client, webhook, body)
    }));
    let answers = answers.await;
    let refusal = answers.iter().find(|answer| !answer.verified).map(|answer| match &answer.problem {
        None => format!("the webhook at {} does not agree", answer.webhook),
        Some(problem) => format!("the webhook at {} cannot be asked: {problem}", answer.webhook),
    });
    (answers, refusal.map_or(Ok(()), Err))
}

/// What the operation does, so that a webhook can compare it with the data.
fn described(chain_id: u64, operation: &UserOperation, context: &SponsorContext) -> Value {
    let calls: Vec<Call> = calls_of(operation).unwrap_or_default();
    json!({
        "chainId": chain_id,
        "entryPoint": operation.entry_point.address(),
        "sender": operation.sender,
        "nonce": operation.nonce,
        "mode": mode_name(context.mode),
        "calls": calls,
    })
}

async fn one(client: &reqwest::Client, webhook: &Webhook, body: Value) -> Answer {
    let begun = Instant::now();
    let asked = tokio::time::timeout(webhook.timeout, exchange(client, webhook, &body)).await;
    let (verified, problem) = match asked {
        Ok(Ok(verified)) => (verified, None),
        Ok(Err(problem)) => (false, Some(problem)),
        Err(_) => (false, Some(format!("no answer within {} ms", webhook.timeout.as_millis()))),
    };
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Answer { webhook: webhook.url.to_string(), verified, milliseconds, problem }
}

async fn exchange(client: &reqwest::Client, webhook: &Webhook, body: &Value) -> Result<bool, String> {
    // No error may quote the URL.
    let broken = |error: reqwest::Error| error.without_url().to_string();
    let mut request = if webhook.post {
        client.post(webhook.url.expose().clone()).json(body)
    } else {
        let mut url = webhook.url.expose().clone();
        if let Some(fields) = body.as_object() {
            url.query_pairs_mut().extend_pairs(fields.iter().map(|(name, value)| (name, value.to_string())));
        }
        client.get(url)
    };
    if let Some(secret) = &webhook.authorization {
        let mut value = HeaderValue::from_str(secret.expose().trim())
            .map_err(|_| "its authorization has characters that HTTP forbids".to_owned())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let mut response = request.send().await.map_err(broken)?;
    if !response.status().is_success() {
        return Err(format!("HTTP status {}", response.status().as_u16()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        text.extend_from_slice(&chunk);
        if text.len() > MAX_ANSWER {
            return Err(format!("an answer of more than {} KiB", MAX_ANSWER / 1024));
        }
    }
    if !json_shape::is_modest(&text, json_shape::REQUEST) {
        return Err("an answer of too many values".into());
    }
    let answer: Value = serde_json::from_slice(&text).map_err(|_| "its answer is not JSON".to_owned())?;
    let verified = answer.get("arePoliciesVerified").and_then(Value::as_bool);
    verified.ok_or_else(|| "its answer has no arePoliciesVerified".to_owned())
}
