//! What the server's tests share: our server on a free port, and upstreams that misbehave on demand.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::primitives::U256;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{broadcast, oneshot},
};
use tokio_tungstenite::tungstenite::Message;
use use_aa::{
    app::{App, shell},
    protocol::{
        addresses::DEMO_NFT,
        smart_account::{Call, encode_calls},
    },
    server::{
        config::{Config, ServeArgs},
        http,
        state::ServerState,
    },
};

/// What an upstream does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A proper JSON-RPC answer with this result, the request's id.
    Result(Value),
    /// A proper JSON-RPC error.
    Error { code: i64, message: String, data: Value },
    /// Any status and body.
    Raw { status: u16, body: String },
    /// Announces a longer body than it sends.
    CutBody,
    /// Closes without an answer.
    Close,
    /// Never answers.
    Hang,
    /// A proper answer with another id.
    WrongId,
    /// Any status and body, with one more header.
    WithHeader { status: u16, header: String, body: String },
    /// Another reply, this much later.
    Late(Duration, Box<Reply>),
}

type Handler = dyn Fn(&Value) -> Reply + Send + Sync;

/// An upstream over a real socket, HTTP and web socket at the same place; it ends with this value.
pub struct Upstream {
    pub addr: SocketAddr,
    pub seen: Arc<Mutex<Vec<Value>>>,
    most_at_once: Arc<AtomicUsize>,
    pushes: broadcast::Sender<Push>,
    subscriptions: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

/// What an upstream does to its open web sockets.
#[derive(Clone, Debug)]
pub enum Push {
    /// Tells every subscriber this log.
    Log(Value),
    /// Sends this text as it is.
    Text(String),
    /// Sends bytes that are no text.
    Bytes,
    /// Cuts the connection, without a word.
    Cut,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Answers every call of every request, batches too, with `handler`.
    pub async fn start(handler: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), handler).await
    }

    /// As [`Self::start`], at an address that was free a moment ago.
    pub async fn start_at(addr: SocketAddr, handler: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let handler: Arc<Handler> = Arc::new(handler);
        let pushes = broadcast::Sender::new(20_000);
        let subscriptions = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let (seen, most) = (seen.clone(), most_at_once.clone());
            let (pushes, subscriptions) = (pushes.clone(), subscriptions.clone());
            async move {
                let open = Arc::new(AtomicUsize::new(0));
                loop {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    let (seen, most, open, handler) = (seen.clone(), most.clone(), open.clone(), handler.clone());
                    let (pushes, subscriptions) = (pushes.clone(), subscriptions.clone());
                    tokio::spawn(async move {
                        let mut beginning = [0; 3];
                        if stream.peek(&mut beginning).await.is_ok() && &beginning == b"GET" {
                            return socket(stream, &seen, &*handler, pushes.subscribe(), &subscriptions).await;
                        }
                        most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let _ = serve(stream, &seen, &*handler).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { addr, seen, most_at_once, pushes, subscriptions, task }
    }

    /// An upstream that answers everything alike.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    /// Its URL, with a path that must never be seen in an answer of ours.
    pub fn url(&self) -> String {
        format!("http://{}/{SECRET}", self.addr)
    }

    /// The same place as a web socket.
    pub fn ws_url(&self) -> String {
        self.url().replace("http://", "ws://")
    }

    /// Does this to all open web sockets.
    pub fn push(&self, push: Push) {
        let _ = self.pushes.send(push);
    }

    /// Waits until logs were subscribed to so often since it started.
    pub async fn subscribed(&self, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.subscriptions.load(Ordering::SeqCst) < times {
            assert!(Instant::now() < deadline, "nobody subscribes for the {times}th time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|call| call["method"] == method).count()
    }

    /// The parameters of the latest call of a method.
    pub fn params(&self, method: &str) -> Value {
        let seen = self.seen.lock().unwrap();
        seen.iter().rev().find(|call| call["method"] == method).expect(method)["params"].clone()
    }

    /// The most requests that were under way at the same time.
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

/// What a node says of fees: 2.5 gwei and 30 gwei of tip.
pub fn node_fees(call: &Value) -> Option<Reply> {
    Some(Reply::Result(match call["method"].as_str()? {
        "eth_getBlockByNumber" => json!({"number": "0x10", "timestamp": "0x10", "baseFeePerGas": "0x9502f900"}),
        "eth_maxPriorityFeePerGas" => json!("0x6fc23ac00"),
        "eth_gasPrice" => json!(format!("{:#x}", 32_500_000_000u64)),
        _ => return None,
    }))
}

/// The same, and a bundler that says nothing of them.
pub fn fees(call: &Value) -> Option<Reply> {
    match call["method"].as_str()? {
        "pimlico_getUserOperationGasPrice" | "biconomy_getGasFeeValues" | "rundler_maxPriorityFeePerGas" => {
            Some(Reply::Error { code: -32601, message: "no such method".into(), data: Value::Null })
        }
        _ => node_fees(call),
    }
}

/// Stands for an API key in URLs.
pub const SECRET: &str = "SECRET-KEY-1234";

/// A URL where nobody listens.
pub async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/{SECRET}", listener.local_addr().unwrap())
}

/// One web socket: answers calls with `handler`, and does what is pushed.
async fn socket(
    stream: TcpStream,
    seen: &Mutex<Vec<Value>>,
    handler: &Handler,
    mut pushes: broadcast::Receiver<Push>,
    subscriptions: &AtomicUsize,
) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let mut subscribed = false;
    loop {
        let text = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let call: Value = serde_json::from_str(&text).unwrap();
                    seen.lock().unwrap().push(call.clone());
                    let result = match call["method"].as_str().unwrap() {
                        "eth_subscribe" => {
                            subscribed = true;
                            subscriptions.fetch_add(1, Ordering::SeqCst);
                            json!("0x77")
                        }
                        "eth_chainId" => json!("0x7a69"),
                        _ => match handler(&call) {
                            Reply::Result(result) => result,
                            _ => return,
                        },
                    };
                    json!({"jsonrpc": "2.0", "id": call["id"], "result": result}).to_string()
                }
                Some(Ok(_)) => continue,
                _ => return,
            },
            push = pushes.recv() => match push {
                Ok(Push::Log(log)) if subscribed => {
                    let params = json!({"subscription": "0x77", "result": log});
                    json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).to_string()
                }
                Ok(Push::Text(text)) => text,
                Ok(Push::Bytes) => {
                    let _ = socket.send(Message::Binary(vec![0, 159, 146, 150].into())).await;
                    continue;
                }
                Ok(Push::Log(_)) => continue,
                Ok(Push::Cut) | Err(_) => return,
            },
        };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Value>>, handler: &Handler) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    };
    let headers = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
    let length = headers.split("content-length:").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let length: usize = length.parse().unwrap();
    while buffer.len() < head + length {
        stream.read_buf(&mut buffer).await?;
    }
    let request: Value = serde_json::from_slice(&buffer[head..head + length]).unwrap();
    let calls = request.as_array().cloned().unwrap_or_else(|| vec![request.clone()]);
    let mut answers = Vec::new();
    for call in &calls {
        seen.lock().unwrap().push(call.clone());
        let id = &call["id"];
        // Every upstream is asked for its chain first; one that answers at all says ours unless it knows better.
        let reply = match handler(call) {
            Reply::Result(Value::String(chain)) if call["method"] == "eth_chainId" && chain.starts_with("0x") => {
                Reply::Result(json!(if chain.len() == 6 { chain.as_str() } else { "0x7a69" }))
            }
            Reply::Result(_) | Reply::Error { .. } if call["method"] == "eth_chainId" => Reply::Result(json!("0x7a69")),
            reply => reply,
        };
        let reply = match reply {
            Reply::Late(delay, reply) => {
                tokio::time::sleep(delay).await;
                *reply
            }
            reply => reply,
        };
        answers.push(match reply {
            Reply::Late(..) => unreachable!("late once"),
            Reply::WithHeader { status, header, body } => {
                return respond_with(&mut stream, status, &format!("{header}\r\n"), &body, body.len()).await;
            }
            Reply::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Reply::Error { code, message, data } => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
            }
            Reply::WrongId => json!({"jsonrpc": "2.0", "id": 987_654_321, "result": "0x1"}),
            Reply::Raw { status, body } => return respond(&mut stream, status, &body, body.len()).await,
            Reply::CutBody => return respond(&mut stream, 200, r#"{"jsonrpc":"2.0","#, 5000).await,
            Reply::Close => return Ok(()),
            Reply::Hang => return std::future::pending().await,
        });
    }
    let body = if request.is_array() { Value::Array(answers) } else { answers.remove(0) }.to_string();
    respond(&mut stream, 200, &body, body.len()).await
}

async fn respond(stream: &mut TcpStream, status: u16, body: &str, length: usize) -> std::io::Result<()> {
    respond_with(stream, status, "", body, length).await
}

async fn respond_with(
    stream: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &str,
    length: usize,
) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// Our server, until dropped.
pub struct Server {
    pub url: String,
    pub client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

/// A configuration with these upstreams, no paymaster, and a database that nobody keeps; where a test adds a paymaster,
/// pages are sponsored.
pub fn config(node: &str, bundler: &str) -> Config {
    let args = ServeArgs {
        rpc_url: Some(node.parse().unwrap()),
        bundler_url: Some(bundler.parse().unwrap()),
        page_sponsorship: Some("on".into()),
        database_url: Some("sqlite::memory:".parse().unwrap()),
        ..Default::default()
    };
    Config::from_args(&args).unwrap()
}

impl Server {
    pub async fn start(config: Config) -> Self {
        Self::start_with(ServerState::with_upstream_timeout(config, Duration::from_millis(700)).unwrap()).await
    }

    pub async fn start_with(state: ServerState) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), state).await
    }

    pub async fn start_at(addr: SocketAddr, state: ServerState) -> Self {
        Self::start_within(addr, state, http::Room::of_this_process()).await
    }

    pub async fn start_within(addr: SocketAddr, state: ServerState, room: http::Room) -> Self {
        let listener = http::bind(addr).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let pages = http::Pages { app: App, shell };
        let stopped = async move {
            let _ = stopped.await;
        };
        tokio::spawn(http::serve_within(listener, state, pages, stopped, room));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, client, stop: Some(stop) }
    }

    pub fn post(&self, function: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/api/fn/{function}", self.url)).header("content-type", "application/json")
    }

    /// Calls a server function: HTTP status and JSON.
    pub async fn call(&self, function: &str, arguments: &Value) -> (u16, Value) {
        let response = self.post(function).json(arguments).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{function}: {status}: {text}")))
    }

    /// Follows an operation to the end of the stream, or until `patience` is over: each line with the time
    /// it came. Heartbeats are left out.
    pub async fn follow(&self, user_op_hash: &Value, patience: Duration) -> Vec<(Instant, Value)> {
        self.follow_with(user_op_hash, patience, || {}).await
    }

    /// As [`Self::follow`], and tells when the server has begun to answer.
    pub async fn follow_with(
        &self,
        user_op_hash: &Value,
        patience: Duration,
        begun: impl FnOnce(),
    ) -> Vec<(Instant, Value)> {
        let request = self.post("user_operation_status").json(&json!({"user_op_hash": user_op_hash}));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        begun();
        let mut stream = response.bytes_stream();
        let mut lines = Vec::new();
        let mut rest = String::new();
        let deadline = tokio::time::Instant::now() + patience;
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout_at(deadline, stream.next()).await {
            rest.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((line, after)) = rest.split_once('\n') {
                if !line.is_empty() {
                    lines.push((Instant::now(), serde_json::from_str(line).unwrap()));
                }
                rest = after.to_owned();
            }
        }
        lines
    }
}

/// The states of followed lines.
pub fn states(lines: &[(Instant, Value)]) -> Vec<String> {
    let name = |line: &Value| line.get("status").or(line.get("error")).unwrap().as_str().unwrap().to_owned();
    lines.iter().map(|(_, line)| name(line)).collect()
}

/// A user operation that looks like one.
pub fn operation() -> Value {
    let call = Call { to: DEMO_NFT, value: U256::ZERO, data: vec![0x40, 0xd0, 0x97, 0xc3].into() };
    json!({
        "sender": "0x0788816536DEFa6A14779711c0B08b7f0edFe68b", "nonce": "0x0", "initCode": "0x",
        "callData": encode_calls(&[call], false).unwrap(),
        "callGasLimit": "0x186a0", "verificationGasLimit": "100000", "preVerificationGas": 50_000,
        "maxFeePerGas": "0x59682f00", "maxPriorityFeePerGas": "0x1", "paymasterAndData": "0x", "signature": "0x12"
    })
}

/// A block, for who asks what time it is.
pub fn block() -> Value {
    json!({"number": "0x10", "timestamp": "0x68000000", "baseFeePerGas": "0x1"})
}

/// What a sponsor is asked.
pub fn sponsor_context() -> Value {
    json!({"mode": "SPONSORED", "calculateGasLimits": true})
}
