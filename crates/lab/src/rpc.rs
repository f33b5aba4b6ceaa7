//! A small JSON-RPC client for the lab's own setup.

use std::time::Duration;

use serde_json::{Value, json};

use super::LabError;

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    url: String,
}

impl Rpc {
    /// A client for the given loopback port.
    pub fn local(port: u16) -> Result<Self, LabError> {
        // No certificates: nothing but plain HTTP on loopback, and loading them takes longer than to start anvil.
        let built = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10)).build();
        let http = built.map_err(|error| LabError::Io { what: "make a client".into(), reason: error.to_string() })?;
        Ok(Self { http, url: format!("http://127.0.0.1:{port}") })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method and gives back its result.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, LabError> {
        let fail = |reason: String| LabError::Rpc { method: method.into(), reason };
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = self.http.post(&self.url).json(&body).send().await.map_err(|error| fail(error.to_string()))?;
        let mut answer: Value = response.json().await.map_err(|error| fail(error.to_string()))?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(fail(answer.get("error").map_or_else(|| "neither result nor error".into(), Value::to_string))),
        }
    }

    /// Asks again and again until `accept` likes the answer. Ends only by success: race it against what may go wrong.
    pub async fn until(&self, method: &str, params: Value, accept: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Ok(result) = self.call(method, params.clone()).await
                && accept(&result)
            {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
