//! One node, as a coordinator reaches it over HTTP.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use reqwest::{Client, RequestBuilder, Url};
use serde::{Serialize, de::DeserializeOwned};

use crate::{api::NodeRefusal, caller_key::CallerKey};

/// A node that failed is asked last for this long.
const SUSPICION: Duration = Duration::from_secs(5);
/// No node answers more than this.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Why a node did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be reached, or what it says cannot be read.
    Down(String),
    /// It says no.
    Refused(NodeRefusal),
}

impl Failure {
    /// The node does not take who asks for who may: its key, or ours, is another.
    pub fn is_about_the_caller(&self) -> bool {
        matches!(self, Self::Refused(refusal) if ["unauthorized", "forbidden"].contains(&refusal.code.as_str()))
    }

    /// Other nodes, or the same ones a moment later, may do it.
    pub fn is_passing(&self) -> bool {
        const PASSING: [&str; 11] = [
            "nonce",
            "challenge",
            "peer-down",
            "peer-banned",
            "peer-refused",
            "disagree",
            "timeout",
            "busy",
            "aborted",
            "share-epoch",
            "internal",
        ];
        match self {
            Self::Down(_) => true,
            Self::Refused(refusal) => PASSING.contains(&refusal.code.as_str()),
        }
    }
}

/// One node.
pub struct DanNode {
    /// Its id: its place in the configuration, from 1.
    pub id: u8,
    /// Its Ed25519 public key.
    pub identity: B256,
    url: Url,
    http: Client,
    key: CallerKey,
    failed_at: Mutex<Option<Instant>>,
}

impl DanNode {
    /// The node at `url`, to which `key` proves who asks; nothing is connected yet.
    pub fn new(id: u8, identity: B256, url: Url, http: Client, key: CallerKey) -> Self {
        Self { id, identity, url, http, key, failed_at: Mutex::new(None) }
    }

    /// It failed lately.
    pub fn is_suspect(&self) -> bool {
        self.failed_at.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < SUSPICION))
    }

    /// Asks with GET; `patience` is the longest wait.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, Failure> {
        let request = self.http.get(self.url(path)?);
        self.send(request, patience).await
    }

    /// Asks with POST; `patience` is the longest wait.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T, Failure> {
        let request = self.http.post(self.url(path)?).json(body);
        self.send(request, patience).await
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        let text = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|_| Failure::Down("its URL is none".into()))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder, patience: Duration) -> Result<T, Failure> {
        let outcome = exchange(request.bearer_auth(self.key.expose()).timeout(patience)).await;
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
    // In words of our own: the library's may quote the URL, which may carry a key.
    let lost = |error: reqwest::Error| {
        let words = match () {
            () if error.is_timeout() => "no answer in time",
            () if error.is_connect() => "cannot connect",
            () => "the connection was cut",
        };
        Failure::Down(words.into())
    };
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
