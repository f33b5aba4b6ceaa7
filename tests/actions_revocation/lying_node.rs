//! A chain node that lies about the roots of one account, in front of the real one.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use alloy::{
    primitives::{Address, B256, Bytes},
    sol,
    sol_types::SolCall,
};
use axum::{Json, Router, routing::post};
use serde_json::Value;
use use_aa::protocol::addresses::SESSION_KEY_MANAGER;

use super::actions_support::common;

sol! {
    function getSessionKeys(address smartAccount) external view returns (bytes32 merkleRoot);
}

/// What it says.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// The truth.
    Truth,
    /// This root, whatever the block.
    Root(Address, B256),
    /// This root, and that it does not have newer blocks, until then.
    Behind(Address, B256, Instant),
}

/// Told what to say while it runs; it ends with the test's runtime.
#[derive(Clone)]
pub struct LyingNode {
    pub url: String,
    says: Arc<Mutex<Says>>,
}

impl LyingNode {
    pub async fn start() -> Self {
        let real = common::lab().await.info().rpc_url.expose().to_string();
        let says = Arc::new(Mutex::new(Says::Truth));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let told = says.clone();
        let answer = move |Json(request): Json<Value>| {
            let (http, real, told) = (http.clone(), real.clone(), told.clone());
            async move {
                let mut answer: Value = http.post(real).json(&request).send().await.unwrap().json().await.unwrap();
                let says = *told.lock().unwrap();
                match (request.as_array(), answer.as_array_mut()) {
                    (Some(calls), Some(answers)) => {
                        calls.iter().zip(answers).for_each(|(call, answer)| says.about(call, answer))
                    }
                    _ => says.about(&request, &mut answer),
                }
                Json(answer)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await.unwrap() });
        Self { url, says }
    }

    pub fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

impl Says {
    fn about(self, call: &Value, answer: &mut Value) {
        let (account, root) = match self {
            Self::Truth => return,
            Self::Behind(_, _, until) if Instant::now() > until => return,
            Self::Root(account, root) | Self::Behind(account, root, _) => (account, root),
        };
        let asked = Bytes::from(getSessionKeysCall { smartAccount: account }.abi_encode());
        let is_about = |field: &str, wanted: String| {
            call["params"][0][field].as_str().is_some_and(|got| got.eq_ignore_ascii_case(&wanted))
        };
        if call["method"] != "eth_call"
            || !is_about("to", SESSION_KEY_MANAGER.to_string())
            || !(is_about("data", asked.to_string()) || is_about("input", asked.to_string()))
        {
            return;
        }
        let answer = answer.as_object_mut().unwrap();
        if matches!(self, Self::Behind(..)) && call["params"][1]["blockHash"].is_string() {
            answer.remove("result");
            answer.insert("error".into(), serde_json::json!({"code": -32000, "message": "header not found"}));
        } else {
            answer.insert("result".into(), root.to_string().into());
        }
    }
}
