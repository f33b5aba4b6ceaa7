//! A real socket in front of the real bundler, which behaves as some public bundlers do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use alloy::primitives::{B256, U256};
use serde_json::{Value, json};
use use_aa::protocol::user_operation::UserOperation;

/// What a bundler says of a tip that is lower than this.
pub type Refusal = fn(u64) -> String;

/// How a bundler behaves.
#[derive(Clone, Default)]
pub struct Habits {
    /// Methods that it does not know.
    pub unknown: Vec<&'static str>,
    /// Methods that it has and alto has not, and what they answer.
    pub answers: HashMap<&'static str, Value>,
    /// The least tip that it takes, and its words when one is lower. It may grow with each refusal by so much.
    pub least_tip: Option<(u64, u64, Refusal)>,
    /// It takes operations, says that it has them, and sends none.
    pub holds: bool,
    /// So many operations are taken and forgotten at once.
    pub forgets: usize,
    /// It wants fewer operations, and takes none.
    pub limits: bool,
}

/// The socket.
#[derive(Clone)]
pub struct Bundler {
    pub url: String,
    pub habits: Arc<Mutex<Habits>>,
    held: Arc<Mutex<HashMap<B256, Value>>>,
    calls: Arc<Mutex<Vec<Value>>>,
    alto: String,
    client: reqwest::Client,
}

impl Bundler {
    /// In front of the bundler of the shared lab.
    pub async fn start(habits: Habits) -> Self {
        let alto = super::lab().await.info().bundler_url.expose().to_string();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bundler = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            habits: Arc::new(Mutex::new(habits)),
            held: Arc::default(),
            calls: Arc::default(),
            alto,
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap(),
        };
        let asked = bundler.clone();
        let handler = axum::routing::post(async move |body: String| {
            let call: Value = serde_json::from_str(&body).unwrap();
            let mut answer = asked.answer(&call).await;
            answer["id"] = call["id"].clone();
            answer["jsonrpc"] = json!("2.0");
            answer.to_string()
        });
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", handler)).await.unwrap() });
        bundler
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call["method"] == method).count()
    }

    /// Sends on what it held back.
    pub async fn release(&self) {
        self.habits.lock().unwrap().holds = false;
        let held: Vec<Value> = self.held.lock().unwrap().drain().map(|(_, operation)| operation).collect();
        for operation in held {
            let params = [&operation, &entry_point_of(&operation)];
            let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendUserOperation", "params": params});
            let answer = self.ask_alto(&call).await;
            assert!(answer.get("result").is_some(), "{answer}");
        }
    }

    /// Forgets what it held back.
    pub fn forget(&self) {
        self.held.lock().unwrap().clear();
    }

    /// Passes on one operation that it forgot.
    pub async fn find(&self, operation: &UserOperation) {
        self.held.lock().unwrap().insert(B256::ZERO, serde_json::to_value(operation).unwrap());
        self.release().await;
    }

    async fn answer(&self, call: &Value) -> Value {
        self.calls.lock().unwrap().push(call.clone());
        let method = call["method"].as_str().unwrap();
        let habits = self.habits.lock().unwrap().clone();
        if let Some(answer) = habits.answers.get(method) {
            return json!({"result": answer});
        }
        if habits.unknown.contains(&method) {
            return json!({"error": {"code": -32601, "message": "the method does not exist"}});
        }
        let hash = call["params"][0].as_str().and_then(|hash| hash.parse::<B256>().ok());
        let held = hash.and_then(|hash| self.held.lock().unwrap().get(&hash).cloned());
        match (method, held) {
            ("eth_sendUserOperation", _) => self.send(call, &habits).await,
            ("pimlico_getUserOperationStatus", Some(_)) => json!({"result": {"status": "not_submitted"}}),
            ("eth_getUserOperationByHash", Some(operation)) => json!({"result": {
                "userOperation": operation, "entryPoint": entry_point_of(&operation),
                "transactionHash": null, "blockNumber": null,
            }}),
            ("eth_getUserOperationReceipt", Some(_)) => json!({"result": null}),
            _ => self.ask_alto(call).await,
        }
    }

    async fn send(&self, call: &Value, habits: &Habits) -> Value {
        let sent: UserOperation = serde_json::from_value(call["params"][0].clone()).unwrap();
        let hash = sent.hash(31_337);
        if let Some((least, growth, words)) = habits.least_tip
            && sent.max_priority_fee_per_gas < U256::from(least)
        {
            self.habits.lock().unwrap().least_tip = Some((least + growth, growth, words));
            return json!({"error": {"code": -32602, "message": words(least)}});
        }
        if habits.limits {
            return json!({"error": {"code": -32005, "message": "rate limit exceeded"}});
        }
        if habits.forgets > 0 {
            self.habits.lock().unwrap().forgets -= 1;
            return json!({"result": hash});
        }
        if habits.holds {
            // As bundlers do: a replacement takes the place of what it replaces.
            let mut held = self.held.lock().unwrap();
            held.retain(|_, other| {
                let other: UserOperation = serde_json::from_value(other.clone()).unwrap();
                (other.sender, other.nonce) != (sent.sender, sent.nonce)
            });
            held.insert(hash, call["params"][0].clone());
            return json!({"result": hash});
        }
        self.ask_alto(call).await
    }

    async fn ask_alto(&self, call: &Value) -> Value {
        self.client.post(&self.alto).json(call).send().await.unwrap().json().await.unwrap()
    }
}

/// Told by the operation's shape.
fn entry_point_of(operation: &Value) -> Value {
    json!(serde_json::from_value::<UserOperation>(operation.clone()).unwrap().entry_point.address())
}
