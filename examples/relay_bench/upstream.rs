//! Node and bundler in one: answers at once over HTTP, pushes logs over its web sockets.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::tungstenite::Message;

use super::{Failure, more};

const EVENT: &str = "0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f";
const ENTRY_POINT: &str = "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789";

/// Hash of the operation with this number.
pub fn hash(number: usize) -> String {
    format!("0x{:064x}", number + 1)
}

/// Serves until the program ends.
pub struct Upstream {
    pub addr: SocketAddr,
    counts: Arc<Mutex<HashMap<String, usize>>>,
    logs: broadcast::Sender<String>,
}

impl Upstream {
    pub async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let logs = broadcast::Sender::new(32_768);
        let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        tokio::spawn({
            let (counts, logs) = (counts.clone(), logs.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (counts, logs) = (counts.clone(), logs.subscribe());
                    tokio::spawn(async move {
                        let _ = stream.set_nodelay(true);
                        let mut beginning = [0; 3];
                        match stream.peek(&mut beginning).await {
                            Ok(3) if &beginning == b"GET" => socket(stream, logs).await,
                            _ => http(stream, &counts).await,
                        }
                    });
                }
            }
        });
        Ok(Self { addr, counts, logs })
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(method).copied().unwrap_or_default()
    }

    /// Pushes the event of an operation.
    pub fn mine(&self, number: usize) {
        let data = format!("0x{:064x}{:064x}{:064x}{:064x}", number, 1, 1_000, 50);
        let log = json!({"address": ENTRY_POINT, "topics": [EVENT, hash(number), format!("0x{:064x}", 7), hash(0)],
            "data": data, "transactionHash": hash(number + 1_000_000), "blockNumber": "0x64", "logIndex": "0x0"});
        let params = json!({"subscription": "0x77", "result": log});
        let _ = self.logs.send(json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).to_string());
    }
}

fn answer(call: &Value) -> Value {
    let result = match call["method"].as_str().unwrap_or_default() {
        "eth_chainId" => json!("0x7a69"),
        "eth_blockNumber" => json!("0x64"),
        "eth_getLogs" => json!([]),
        "eth_subscribe" => json!("0x77"),
        "pimlico_getUserOperationStatus" => json!({"status": "not_submitted", "transactionHash": null}),
        _ => Value::Null,
    };
    json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
}

async fn http(mut stream: TcpStream, counts: &Mutex<HashMap<String, usize>>) -> Option<()> {
    let mut buffer = Vec::with_capacity(1_024);
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            more(&mut stream, &mut buffer).await.ok()?;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
        while buffer.len() < end + length {
            more(&mut stream, &mut buffer).await.ok()?;
        }
        let request: Value = serde_json::from_slice(&buffer[end..end + length]).ok()?;
        buffer.drain(..end + length);
        let calls = request.as_array().map_or(std::slice::from_ref(&request), Vec::as_slice);
        {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            for call in calls {
                *counts.entry(call["method"].as_str()?.to_owned()).or_default() += 1;
            }
        }
        let body = match request.is_array() {
            true => Value::Array(calls.iter().map(answer).collect()),
            false => answer(&request),
        }
        .to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.ok()?;
    }
}

async fn socket(stream: TcpStream, mut logs: broadcast::Receiver<String>) -> Option<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
    loop {
        let text = tokio::select! {
            message = socket.next() => match message?.ok()? {
                Message::Text(text) => answer(&serde_json::from_str(&text).ok()?).to_string(),
                _ => continue,
            },
            log = logs.recv() => log.ok()?,
        };
        socket.send(Message::Text(text.into())).await.ok()?;
    }
}
