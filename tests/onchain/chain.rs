//! A real anvil with the contracts placed on it, and calls and transactions in any account's name.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy::{
    primitives::{Address, Bytes, U256, keccak256},
    sol_types::{Revert, SolCall, SolError},
};
use serde_json::{Value, json};
use use_aa::lab::contracts::{Placed, place};

/// The chain that the vectors were made for.
pub const CHAIN_ID: u64 = 80_002;

/// Why a call did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// `Error(string)`.
    Text(String),
    /// Anything else: the revert data as it came, empty for a revert without text.
    Data(Bytes),
}

/// A node of our own; the process ends with the value.
pub struct Chain {
    _anvil: Anvil,
    http: reqwest::Client,
    pub url: String,
    pub placed: Placed,
}

/// The process; also gone when placing fails.
struct Anvil(Child);

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Chain {
    /// Starts anvil on a free loopback port and places the contracts.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further arguments for anvil.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::start_as(CHAIN_ID, arguments).await
    }

    /// The same with another chain id.
    pub async fn start_as(chain_id: u64, arguments: &[&str]) -> Self {
        let mut anvil = Command::new(anvil_binary())
            .args(["--host", "127.0.0.1", "--port", "0", "--chain-id", &chain_id.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Anvil)
            .expect("anvil starts");
        let mut lines = BufReader::new(anvil.0.stdout.take().expect("piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Listening on ").map(|address| format!("http://{}", address.trim())))
            .expect("anvil says where it listens");
        // keep its pipe empty, or it stops when the pipe is full
        std::thread::spawn(move || lines.for_each(drop));
        let placed = place(&url, root()).await.expect("contracts are placed");
        Self { _anvil: anvil, http: reqwest::Client::builder().no_proxy().build().expect("client"), url, placed }
    }

    /// One JSON-RPC call: the result, or the error object.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value, Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = self.http.post(&self.url).json(&body).send().await.expect("anvil answers");
        let mut answer: Value = response.json().await.expect("JSON");
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// `eth_call` in the name of `from`, decoded.
    pub async fn call<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Result<C::Return, Failure> {
        let request = json!([{ "from": from, "to": to, "input": Bytes::from(call.abi_encode()) }, "latest"]);
        let answer = self.rpc("eth_call", request).await.map_err(|error| failure(&error))?;
        let data: Bytes = serde_json::from_value(answer).expect("hex");
        Ok(C::abi_decode_returns(&data).expect("the declared return type"))
    }

    /// `eth_call` of raw data in the name of `from`, at a time of its own when one is given: what came back, undecoded.
    pub async fn call_data(&self, from: Address, to: Address, data: &Bytes, time: Option<u64>) -> Result<Bytes, Bytes> {
        let request = json!({ "from": from, "to": to, "input": data, "gas": "0x1c9c380" });
        let parameters = match time {
            Some(time) => json!([request, "latest", null, { "time": U256::from(time) }]),
            None => json!([request, "latest"]),
        };
        match self.rpc("eth_call", parameters).await {
            Ok(answer) => Ok(serde_json::from_value(answer).expect("hex")),
            Err(error) => Err(error["data"].as_str().unwrap_or("0x").parse().expect("revert data")),
        }
    }

    /// One method for many parameter lists in one round trip, each answer as bytes or revert, in order.
    pub async fn batch(&self, method: &str, parameters: Vec<Value>) -> Vec<Result<Bytes, Failure>> {
        let calls: Vec<Value> = parameters
            .into_iter()
            .enumerate()
            .map(|(id, params)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .collect();
        let response = self.http.post(&self.url).json(&calls).send().await.expect("anvil answers");
        let mut answers: Vec<Value> = response.json().await.expect("JSON");
        assert_eq!(answers.len(), calls.len());
        answers.sort_by_key(|answer| answer["id"].as_u64());
        let bytes = |answer: &mut Value| serde_json::from_value(answer["result"].take()).expect("hex");
        let read = |mut answer: Value| match answer.get("error") {
            Some(error) => Err(failure(error)),
            None => Ok(bytes(&mut answer)),
        };
        answers.into_iter().map(read).collect()
    }

    /// How a call that must fail fails.
    pub async fn refusal<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Failure {
        match self.call(from, to, call).await {
            Err(failure) => failure,
            Ok(_) => panic!("{} to {to} should fail", C::SIGNATURE),
        }
    }

    /// A mined transaction in the name of `from` (impersonated, so contracts, too); panics when it fails.
    pub async fn send<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Value {
        self.send_data(from, to, &call.abi_encode().into()).await
    }

    /// The same with raw data.
    pub async fn send_data(&self, from: Address, to: Address, data: &Bytes) -> Value {
        self.rpc("anvil_impersonateAccount", json!([from])).await.expect("impersonation");
        self.rpc("anvil_setBalance", json!([from, U256::from(10).pow(U256::from(21))])).await.expect("balance");
        let request = json!({ "from": from, "to": to, "input": data, "gas": "0x989680" });
        self.mined(self.rpc("eth_sendTransaction", json!([request])).await.expect("sent")).await
    }

    /// The receipt of a transaction, which must be successful.
    pub async fn mined(&self, hash: Value) -> Value {
        let receipt = async || {
            let receipt = self.rpc("eth_getTransactionReceipt", json!([hash])).await.expect("receipt");
            receipt.is_object().then_some(receipt)
        };
        let receipt = soon("a mined transaction", receipt).await;
        assert_eq!(receipt["status"], "0x1", "failed: {receipt}");
        receipt
    }

    /// Waits until anvil has taken what is mined out of its pool, which it does after the receipt is there. A chain that
    /// is set back before loses the next transaction with the same sender and nonce: it is taken for the mined one.
    pub async fn pool_is_empty(&self) {
        let empty = async || {
            let status = self.rpc("txpool_status", json!([])).await.expect("status");
            (status["pending"] == "0x0").then_some(())
        };
        soon("an empty pool", empty).await;
    }

    /// Wei at `address`.
    pub async fn balance(&self, address: Address) -> U256 {
        let balance = self.rpc("eth_getBalance", json!([address, "latest"])).await.expect("balance");
        serde_json::from_value(balance).expect("quantity")
    }

    /// Whether there is code at `address`, and its hash.
    pub async fn code(&self, address: Address) -> Bytes {
        let code = self.rpc("eth_getCode", json!([address, "latest"])).await.expect("code");
        serde_json::from_value(code).expect("hex")
    }
}

/// Asks until there is an answer; panics after half a minute, since a test that waits for ever has no name.
async fn soon<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let answer = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
    answer.unwrap_or_else(|_| panic!("waited 30 s for {what}"))
}

/// Selector of a custom error or function from its signature.
pub fn selector(signature: &str) -> [u8; 4] {
    keccak256(signature)[..4].try_into().expect("4 bytes")
}

/// A custom error with arguments as revert data.
pub fn custom_error(signature: &str, arguments: Vec<u8>) -> Failure {
    Failure::Data([selector(signature).to_vec(), arguments].concat().into())
}

fn failure(error: &Value) -> Failure {
    let data = error["data"].as_str().unwrap_or("0x");
    let data: Bytes = data.parse().unwrap_or_else(|_| panic!("revert data in {error}"));
    match Revert::abi_decode(&data) {
        Ok(revert) => Failure::Text(revert.reason),
        Err(_) => Failure::Data(data),
    }
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary itself, not npm's wrapper: killing the wrapper would leave the node running.
fn anvil_binary() -> PathBuf {
    let packages = root().join("end2end/node_modules/@foundry-rs");
    let entries = std::fs::read_dir(&packages).expect("npm packages are installed (make tools)");
    let binaries = entries.flatten().map(|entry| entry.path().join("bin/anvil"));
    binaries.into_iter().find(|path| path.is_file()).expect("anvil for this platform")
}
