//! A real socket in front of the real node, which behaves as some providers' nodes do.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::http::StatusCode;
use serde_json::{Value, json};

/// Logs of so many blocks at most, counted inclusively.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    pub blocks: u64,
    pub status: u16,
    /// 0: no JSON-RPC at all, but plain text.
    pub code: i64,
    pub words: fn(u64) -> String,
}

/// How a batch is refused that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By one error.
    Object,
    /// By a list with one error.
    List,
    /// By an error for each call.
    Each,
    /// The first calls are answered, the others are not.
    Cut,
    /// By this HTTP status, without JSON-RPC.
    Status(u16),
}

/// How a node behaves.
#[derive(Clone, Default)]
pub struct Manners {
    pub logs: Option<Cap>,
    pub batch: Option<(usize, Shape)>,
    /// Every call of this method is refused with that.
    pub refused: Option<(&'static str, i64, &'static str)>,
    /// Every call that names a block by its hash is refused with "header not found".
    pub without_hashes: bool,
    /// So many receipts of each transaction are null.
    pub null_receipts: usize,
    /// Of three answers, one is of a node that is so many blocks behind.
    pub lag: u64,
}

/// The socket.
pub struct Proxy {
    pub url: String,
    pub manners: Arc<Mutex<Manners>>,
    /// All calls, batched or not.
    pub calls: Arc<Mutex<Vec<Value>>>,
    /// How many calls each batch had.
    pub batches: Arc<Mutex<Vec<usize>>>,
}

impl Proxy {
    /// In front of the node at `node`.
    pub async fn start(node: String, manners: Manners) -> Self {
        let (manners, calls) = (Arc::new(Mutex::new(manners)), Arc::<Mutex<Vec<Value>>>::default());
        let batches = Arc::<Mutex<Vec<usize>>>::default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let receipts = Arc::<Mutex<HashMap<String, usize>>>::default();
        let chain = Arc::new(Chain { node, client, receipts, turn: AtomicUsize::new(0) });
        let handler = {
            let (manners, calls, batches) = (manners.clone(), calls.clone(), batches.clone());
            axum::routing::post(async move |body: String| {
                let asked: Value = serde_json::from_str(&body).unwrap();
                let manners = manners.lock().unwrap().clone();
                batches.lock().unwrap().extend(asked.as_array().map(Vec::len));
                calls.lock().unwrap().extend(asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]));
                let (status, body) = chain.answer(&manners, asked).await;
                (StatusCode::from_u16(status).unwrap(), body)
            })
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", handler)).await.unwrap() });
        Self { url, manners, calls, batches }
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.calls.lock().unwrap().clear();
        self.batches.lock().unwrap().clear();
    }

    /// The longest range of logs that was asked for; `latest` counts as endless.
    pub fn longest_logs(&self) -> u64 {
        let calls = self.calls.lock().unwrap();
        let filters = calls.iter().filter(|call| call["method"] == "eth_getLogs").map(|call| &call["params"][0]);
        let block = |filter: &Value, name: &str| number(&filter[name]);
        let blocks = filters.map(|filter| match (block(filter, "fromBlock"), block(filter, "toBlock")) {
            (Some(from), Some(to)) => (to + 1).saturating_sub(from),
            _ => u64::MAX,
        });
        blocks.max().unwrap_or(0)
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call["method"] == method).count()
    }
}

struct Chain {
    node: String,
    client: reqwest::Client,
    receipts: Arc<Mutex<HashMap<String, usize>>>,
    turn: AtomicUsize,
}

fn refusal(id: &Value, code: i64, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

impl Chain {
    async fn answer(&self, manners: &Manners, asked: Value) -> (u16, String) {
        let Value::Array(calls) = asked else {
            let (status, answer) = self.one(manners, &asked).await;
            let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
            return (status, text);
        };
        let answered = match manners.batch {
            Some((most, shape)) if calls.len() > most => {
                let words = format!("Batch of more than {most} requests are not allowed");
                match shape {
                    Shape::Object => return (200, refusal(&Value::Null, -32600, &words).to_string()),
                    Shape::List => return (200, json!([refusal(&Value::Null, -32600, &words)]).to_string()),
                    Shape::Each => {
                        let all = calls.iter().map(|call| refusal(&call["id"], -32005, "limit exceeded"));
                        return (200, Value::Array(all.collect()).to_string());
                    }
                    Shape::Status(status) => return (status, "no".into()),
                    Shape::Cut => most,
                }
            }
            _ => calls.len(),
        };
        let mut answers = Vec::new();
        for call in calls.iter().take(answered) {
            let (_, answer) = self.one(manners, call).await;
            answers.push(if answer.is_object() {
                answer
            } else {
                refusal(&call["id"], -32600, answer.as_str().unwrap())
            });
        }
        (200, Value::Array(answers).to_string())
    }

    /// Status and JSON of one call; a text is no JSON-RPC.
    async fn one(&self, manners: &Manners, call: &Value) -> (u16, Value) {
        let (method, id) = (call["method"].as_str().unwrap(), &call["id"]);
        let params = call["params"].to_string();
        if let Some((refused, code, words)) = manners.refused
            && refused == method
        {
            return (200, refusal(id, code, words));
        }
        if manners.without_hashes && params.contains("blockHash") {
            return (200, refusal(id, -32000, "header not found"));
        }
        let mut head = self.ask("eth_blockNumber", json!([])).await;
        if manners.lag > 0 && self.turn.fetch_add(1, Ordering::SeqCst) % 3 == 1 {
            head = json!(format!("{:#x}", number(&head).unwrap().saturating_sub(manners.lag)));
        }
        let height = number(&head).unwrap();
        let mut call = call.clone();
        match method {
            "eth_blockNumber" => return (200, json!({"jsonrpc": "2.0", "id": id, "result": head})),
            "eth_getLogs" => {
                let filter = &mut call["params"][0];
                let from = number(&filter["fromBlock"]).unwrap();
                let to = number(&filter["toBlock"]).unwrap_or(height);
                let blocks = (to + 1).saturating_sub(from);
                if let Some(cap) = manners.logs.filter(|cap| blocks > cap.blocks) {
                    let words = (cap.words)(cap.blocks);
                    let answer = if cap.code == 0 { json!(words) } else { refusal(id, cap.code, &words) };
                    return (cap.status, answer);
                }
                filter["toBlock"] = json!(format!("{:#x}", to.min(height)));
            }
            "eth_getBlockByNumber" if call["params"][0] == "latest" => call["params"][0] = head,
            "eth_getTransactionReceipt" => {
                let mut told = self.receipts.lock().unwrap();
                let told = told.entry(params).or_default();
                *told += 1;
                if *told <= manners.null_receipts {
                    return (200, json!({"jsonrpc": "2.0", "id": id, "result": null}));
                }
            }
            _ => {}
        }
        let sent = self.client.post(&self.node).json(&call).send().await.unwrap();
        (200, sent.json().await.unwrap())
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: Value = self.client.post(&self.node).json(&call).send().await.unwrap().json().await.unwrap();
        answer["result"].clone()
    }
}
