//! One node, as the coordinator reaches it.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder, Url};
use serde::{Serialize, de::DeserializeOwned};

use super::super::config::KeyNode;
use crate::{
    dan::api::NodeRefusal,
    error::{AppError, Upstream},
};

/// A node that failed is asked last for this long.
const SUSPICION: Duration = Duration::from_secs(5);
/// No node answers more than this.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Why a node did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It cannot be reached, or what it says cannot be read.
    Down(String),
    /// It says no.
    Refused(NodeRefusal),
}

impl Failure {
    /// Other nodes, or the same ones a moment later, may do it.
    pub(super) fn is_passing(&self) -> bool {
        const PASSING: [&str; 10] = [
            "nonce",
            "challenge",
            "peer-down",
            "peer-banned",
            "peer-refused",
            "disagree",
            "timeout",
            "busy",
            "aborted",
            "internal",
        ];
        match self {
            Self::Down(_) => true,
            Self::Refused(refusal) => PASSING.contains(&refusal.code.as_str()),
        }
    }

    /// The error that a person sees.
    pub(super) fn into_error(self) -> AppError {
        match self {
            Self::Down(reason) => AppError::UpstreamUnavailable { upstream: Upstream::Nodes, reason },
            Self::Refused(NodeRefusal { code, message, node, .. }) if code == "policy-violation" => {
                // `Refusal::PolicyViolation` as text: "the policy does not allow this: <rule>: <reason>".
                let text = message.strip_prefix("the policy does not allow this: ").unwrap_or(&message);
                let (rule, reason) = text.split_once(": ").unwrap_or(("policy", text));
                AppError::PolicyViolation { rule: rule.into(), reason: format!("{reason} (says node {node})") }
            }
            Self::Refused(NodeRefusal { code, message, node, .. }) => {
                AppError::NodeRefused { node, code, reason: message }
            }
        }
    }
}

/// One node.
pub(super) struct Node {
    /// Its id: its place in the configuration, from 1.
    pub id: u8,
    pub key: KeyNode,
    http: Client,
    failed_at: Mutex<Option<Instant>>,
}

impl Node {
    pub(super) fn new(id: u8, key: KeyNode, http: Client) -> Self {
        Self { id, key, http, failed_at: Mutex::new(None) }
    }

    /// It failed lately.
    pub(super) fn is_suspect(&self) -> bool {
        self.failed_at.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < SUSPICION))
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, Failure> {
        let request = self.http.get(self.url(path)?);
        self.send(request, patience).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T, Failure> {
        let request = self.http.post(self.url(path)?).json(body);
        self.send(request, patience).await
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let base = self.key.url.expose();
        let text = format!("{}{path}", base.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|_| Failure::Down("its URL is none".into()))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder, patience: Duration) -> Result<T, Failure> {
        let outcome = exchange(request.timeout(patience)).await;
        let down = matches!(outcome, Err(Failure::Down(_)));
        if let Ok(mut failed_at) = self.failed_at.lock() {
            *failed_at = down.then(Instant::now);
        }
        outcome.map_err(|failure| match failure {
            Failure::Down(reason) => Failure::Down(format!("node {}: {reason}", self.id)),
            // Whatever it says, it is this node that says it.
            Failure::Refused(refusal) => Failure::Refused(NodeRefusal { node: self.id, ..refusal }),
        })
    }
}

async fn exchange<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    // `without_url`: a URL may carry a key.
    let lost = |error: reqwest::Error| Failure::Down(error.without_url().to_string());
    let mut response = request.send().await.map_err(lost)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_ANSWER {
            return Err(Failure::Down("an answer over 1 MiB".into()));
        }
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| Failure::Down("an unreadable answer".into()));
    }
    match serde_json::from_slice::<NodeRefusal>(&body) {
        Ok(refusal) => Err(Failure::Refused(refusal)),
        Err(_) => Err(Failure::Down(format!("HTTP status {status}"))),
    }
}
