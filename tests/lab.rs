//! The lab, for real: processes, sockets, signals.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Address, Bytes, U256, hex},
    signers::SignerSync,
};
use common::{lab, rpc};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use use_aa::{
    lab::{ACCOUNTS, Lab, LabAccount, LabError, LabInfo, LabOptions, contracts::nexus::ENTRY_POINT_V07},
    protocol::{
        addresses::{DEMO_NFT, ECDSA_MODULE},
        paymaster::VerifyingPaymasterData,
        signature::{personal_digest, wrap},
        smart_account::{Call, counterfactual_address, encode_calls, init_code},
        user_operation::UserOperation,
    },
    server::config::{Config, LabConfig, ServeArgs, SignerKey},
};

/// True while the process exists and is not just a zombie that nobody collected yet.
fn alive(id: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

async fn gone(ids: &[i32]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while ids.iter().any(|id| alive(*id)) {
        assert!(Instant::now() < deadline, "still there: {ids:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Local addresses (hexadecimal, as the kernel lists them) that the process listens on.
#[cfg(target_os = "linux")]
fn listeners(id: i32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{id}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>())
        .filter(|row| row[3] == "0A" && sockets.iter().any(|socket| socket == row[9]))
        .map(|row| row[1].to_owned())
        .collect()
}

#[tokio::test]
async fn the_chain_and_the_bundler_answer() {
    let info = lab().await.info();
    let (node, bundler) = (info.rpc_url.expose().as_str(), info.bundler_url.expose().as_str());
    assert_eq!(rpc(node, "eth_chainId", json!([])).await, "0x7a69");
    let accounts = rpc(node, "eth_accounts", json!([])).await;
    let expected: Vec<_> = ACCOUNTS.iter().map(|account| account.address.to_string().to_lowercase()).collect();
    assert_eq!(json!(expected), accounts.to_string().to_lowercase().parse::<Value>().unwrap());
    assert_eq!(rpc(bundler, "eth_chainId", json!([])).await, "0x7a69");
    let supported = rpc(bundler, "eth_supportedEntryPoints", json!([])).await;
    let entry_points = [info.entry_point, ENTRY_POINT_V07];
    assert_eq!(serde_json::from_value::<Vec<Address>>(supported).unwrap(), entry_points);
    for entry_point in entry_points {
        let code = rpc(node, "eth_getCode", json!([entry_point, "latest"])).await;
        assert!(code.as_str().unwrap().len() > 30_000, "{entry_point}");
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn nothing_listens_but_on_loopback() {
    let info = lab().await.info();
    for (id, url) in info.processes.iter().zip([&info.rpc_url, &info.bundler_url]) {
        let port = url.expose().port().unwrap();
        // 127.0.0.1 as the kernel writes it.
        assert_eq!(listeners(*id), [format!("0100007F:{port:04X}")], "{url}");
    }
}

#[tokio::test]
async fn the_server_gets_what_it_needs() {
    let lab = lab().await;
    let mut config = Config::from_args(&ServeArgs::default()).unwrap();
    assert!(config.lab && config.rpc_urls.is_empty());
    lab.fill(&mut config);
    assert_eq!((config.rpc_urls.len(), config.bundler_urls.len(), config.chain_id), (1, 1, 31337));
    let printed = lab.info().to_string();
    for part in [lab.info().rpc_url.to_string(), ACCOUNTS[0].address.to_string(), ACCOUNTS[0].private_key.to_string()] {
        assert!(printed.contains(&part), "{part} is missing in\n{printed}");
    }
}

/// Asks every 20 ms until the answer is what is waited for; the node mines when it does, not when we ask.
async fn eventually(node: &str, method: &str, params: Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = rpc(node, method, params.clone()).await;
        if wanted(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{method} still says {answer} after 10 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_block_comes_with_each_transaction_or_every_so_often() {
    let send = json!([{ "from": ACCOUNTS[1].address, "to": ACCOUNTS[2].address, "value": "0x1" }]);
    let info = lab().await.info();
    let node = info.rpc_url.expose().as_str();
    let hash = rpc(node, "eth_sendTransaction", send).await;
    let receipt = eventually(node, "eth_getTransactionReceipt", json!([hash]), |receipt| !receipt.is_null()).await;
    assert_eq!(receipt["status"], "0x1");

    let slow = Lab::start(LabConfig { block_time: 1, ..LabConfig::default() }.into()).await.unwrap();
    let node = slow.info().rpc_url.expose().as_str();
    let before = rpc(node, "eth_blockNumber", json!([])).await;
    // Without any transaction.
    eventually(node, "eth_blockNumber", json!([]), |number| *number != before).await;
    slow.stop().await;
}

#[tokio::test]
async fn a_child_that_dies_is_reported_and_ends_the_lab() {
    for (index, program) in ["anvil", "alto"].into_iter().enumerate() {
        let lab = Lab::start(LabOptions::default()).await.unwrap();
        let ids = lab.info().processes;
        kill(Pid::from_raw(ids[index]), Signal::SIGKILL).unwrap();
        let failure = tokio::time::timeout(Duration::from_secs(5), lab.failed()).await.unwrap();
        let LabError::ChildExited { program: named, status, .. } = failure else { panic!("{failure}") };
        assert_eq!((named, status.as_str()), (program, "signal SIGKILL"));
        gone(&ids).await;
    }
}

#[tokio::test]
async fn stopping_and_dropping_leave_nothing() {
    let (stopped, dropped) = tokio::join!(Lab::start(LabOptions::default()), Lab::start(LabOptions::default()));
    let (stopped, dropped) = (stopped.unwrap(), dropped.unwrap());
    let ids = [stopped.info().processes, dropped.info().processes].concat();
    assert!(ids.iter().all(|id| alive(*id)));
    stopped.stop().await;
    drop(dropped);
    assert!(!ids.iter().any(|id| alive(*id)), "gone when stop and drop return");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // It is the bundler's port here, so that the node's would have been free.
    let config = LabConfig { port_base: Some(port - 1), ..LabConfig::default() };
    assert_eq!(Lab::start(config.into()).await.err(), Some(LabError::PortTaken { port }));
}

#[tokio::test]
async fn a_folder_of_its_own_keeps_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let config = LabConfig { dir: Some(folder.path().into()), ..LabConfig::default() };
    let lab = Lab::start(config.clone().into()).await.unwrap();
    let address = "0x00000000000000000000000000000000000a11ce";
    let send = json!([{ "from": ACCOUNTS[1].address, "to": address, "value": "0x2a" }]);
    rpc(lab.info().rpc_url.expose().as_str(), "eth_sendTransaction", send).await;
    // The hash comes before the block does.
    rpc(lab.info().rpc_url.expose().as_str(), "evm_mine", json!([])).await;
    lab.stop().await;

    let again = Lab::start(config.into()).await.unwrap();
    let balance = rpc(again.info().rpc_url.expose().as_str(), "eth_getBalance", json!([address, "latest"])).await;
    assert_eq!(balance, "0x2a");
    again.stop().await;
}

/// Starts `use-aa lab --json` and waits for its line.
fn lab_command() -> (Child, Vec<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_use-aa"))
        .args(["lab", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let info: Value = serde_json::from_str(&line).unwrap();
    let id = |name: &str| i32::try_from(info["processes"][name].as_i64().unwrap()).unwrap();
    assert!(info["rpcUrl"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let nodes = info["danNodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 5, "{info}");
    // By what they know who asks: a server, and an operator, of one's own can be told.
    let key = |name: &str| use_aa::dan::caller_key::CallerKey::parse(info[name].as_str().unwrap()).unwrap();
    assert_ne!(key("danServerKey"), key("danOperatorKey"));
    let nodes = nodes.iter().map(|node| i32::try_from(node["process"].as_i64().unwrap()).unwrap());
    (child, [id("anvil"), id("alto")].into_iter().chain(nodes).collect())
}

#[tokio::test]
async fn signals_to_the_command_leave_nothing() {
    for (signal, code) in [(Signal::SIGTERM, Some(0)), (Signal::SIGINT, Some(0)), (Signal::SIGKILL, None)] {
        let (mut child, ids) = tokio::task::spawn_blocking(lab_command).await.unwrap();
        assert!(ids.iter().all(|id| alive(*id)));
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), code, "after {signal}");
        gone(&ids).await;
    }
}

#[tokio::test]
async fn a_dead_child_makes_the_command_fail_with_one_reason() {
    let (mut child, ids) = tokio::task::spawn_blocking(lab_command).await.unwrap();
    kill(Pid::from_raw(ids[1]), Signal::SIGKILL).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    gone(&ids).await;
}

/// Starts `use-aa serve` on the lab of this file, and returns it with its address.
fn serve_on(file: &std::path::Path, dev_events: Option<&str>) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_use-aa"));
    command.arg("serve").env("USE_AA_LAB_JSON", file).env("USE_AA_ADDR", "127.0.0.1:0").env("NO_COLOR", "1");
    command.env("USE_AA_DATA_DIR", file.parent().unwrap()).env("RUST_LOG", "info");
    command.envs(dev_events.map(|origin| ("USE_AA_DEV_EVENTS", origin)));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let url = said.find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned())).expect("it listens");
    // Whatever else it says is read, so that it never waits for us.
    std::thread::spawn(move || said.for_each(drop));
    (child, url)
}

/// As `make dev` has it: servers come and go, the lab stays.
#[tokio::test]
async fn servers_work_on_a_lab_that_runs_already_and_leave_it_as_it_is() {
    let info = lab().await.info();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.json");
    std::fs::write(&file, info.to_json().to_string()).unwrap();
    for dev_events in [Some("http://127.0.0.1:9"), None] {
        let (mut child, url) = serve_on(&file, dev_events);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = client.post(format!("{url}/api/fn/chain_info")).json(&json!({}));
        let chain: Value = asked.send().await.unwrap().json().await.unwrap();
        assert_eq!((&chain["lab"], &chain["publicRpcUrl"]), (&json!(true), &json!(info.rpc_url.expose().as_str())));
        // Pages listen to `make dev` when it started their server, and to nobody else.
        let page = client.get(&url).send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let html = page.text().await.unwrap();
        match dev_events {
            Some(origin) => {
                assert!(policy.contains(&format!("connect-src 'self' {origin};")), "{policy}");
                assert!(html.contains(&format!("(\"{origin}/events\");")), "{html}");
            }
            None => assert!(policy.contains("connect-src 'self';") && !html.contains("EventSource"), "{policy}"),
        }
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
        tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
        assert_eq!(rpc(info.rpc_url.expose().as_str(), "eth_chainId", json!([])).await, "0x7a69");
        assert!(info.processes.iter().all(|id| alive(*id)));
    }
    // What would get into the policy is an origin on this machine, or the server does not start.
    let mut command = Command::new(env!("CARGO_BIN_EXE_use-aa"));
    command.arg("serve").env("USE_AA_LAB_JSON", &file).env("USE_AA_ADDR", "127.0.0.1:0").env("RUST_LOG", "error");
    command.env("USE_AA_DATA_DIR", folder.path()).env("USE_AA_DEV_EVENTS", "http://127.0.0.1:9; script-src *");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("use-aa: USE_AA_DEV_EVENTS: expected http://127.0.0.1 with a port"), "{message}");
}

#[test]
fn a_lab_that_is_none_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.json");
    std::fs::write(&file, r#"{"chainId": 1, "rpcUrl": "https://secret.example"}"#).unwrap();
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_use-aa"));
        command.arg("serve").env("USE_AA_ADDR", "127.0.0.1:0").env("USE_AA_LAB_JSON", &file);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let public = [("USE_AA_RPC_URL", "http://127.0.0.1:1"), ("USE_AA_BUNDLER_URL", "http://127.0.0.1:2")];
    for variables in [&[][..], &[("USE_AA_LAB_JSON", "/nowhere/lab.json")], &public] {
        let (code, message) = run(variables);
        assert!(message.starts_with("use-aa: USE_AA_LAB_JSON: expected "), "{message}");
        assert!(code == Some(1) && !message.contains("secret"), "{message}");
    }
}

#[test]
fn a_wrong_value_names_its_variable() {
    let run = |name: &str, value: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_use-aa")).arg("lab").env(name, value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (name, value) in [("USE_AA_LAB_PORT_BASE", "80"), ("USE_AA_LAB_BLOCK_TIME", "soon"), ("RUST_LOG", "a=b=c")] {
        let (code, message) = run(name, value);
        assert_eq!(code, Some(1), "{name}");
        assert!(message.starts_with("use-aa: ") && message.contains(name) && message.contains("expected"), "{message}");
    }
}

/// An operation of a new account that mints a demo NFT, its gas paid from `paymaster_id`'s deposit.
fn sponsored_mint(owner: &LabAccount, index: u64, nonce: u64, info: &LabInfo, paymaster_id: Address) -> UserOperation {
    let index = U256::from(index);
    let sender = counterfactual_address(owner.address, index);
    let data = [hex!("40d097c3").as_slice(), sender.into_word().as_slice()].concat();
    let mint = Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() };
    let mut operation = UserOperation {
        entry_point: Default::default(),
        sender,
        nonce: U256::from(nonce),
        init_code: if nonce == 0 { init_code(owner.address, index) } else { Bytes::new() },
        call_data: encode_calls(&[mint], false).unwrap(),
        call_gas_limit: U256::from(300_000),
        verification_gas_limit: U256::from(1_000_000),
        pre_verification_gas: U256::from(100_000),
        max_fee_per_gas: U256::from(3_000_000_000_u64),
        max_priority_fee_per_gas: U256::from(1_000_000_000_u64),
        paymaster_and_data: Bytes::new(),
        signature: Bytes::new(),
    };
    let mut paymaster = VerifyingPaymasterData {
        paymaster: info.paymaster,
        paymaster_id,
        valid_until: 0,
        valid_after: 0,
        signature: Bytes::new(),
    };
    let hash = personal_digest(paymaster.hash(&operation, info.chain_id).unwrap());
    paymaster.signature = info.paymaster_signer.signer().sign_hash_sync(&hash).unwrap().as_bytes().into();
    operation.paymaster_and_data = paymaster.encode();
    let signer = SignerKey::from_bytes(&owner.private_key).unwrap();
    let digest = personal_digest(operation.hash(info.chain_id));
    operation.signature = wrap(ECDSA_MODULE, &signer.signer().sign_hash_sync(&digest).unwrap().as_bytes());
    operation
}

/// Sends it and waits for the bundler's receipt.
async fn include(info: &LabInfo, operation: &UserOperation) -> (Value, [Duration; 2]) {
    let bundler = info.bundler_url.expose().as_str();
    let start = Instant::now();
    let hash = rpc(bundler, "eth_sendUserOperation", json!([operation, info.entry_point])).await;
    let sent = start.elapsed();
    loop {
        let receipt = rpc(bundler, "eth_getUserOperationReceipt", json!([hash])).await;
        if !receipt.is_null() {
            return (receipt, [sent, start.elapsed()]);
        }
        assert!(start.elapsed() < Duration::from_secs(20), "not included");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_sponsored_operation_is_included_for_either_sponsor() {
    let info = lab().await.info();
    for (index, paymaster_id) in [info.paymaster_id, info.paymaster_signer.address()].into_iter().enumerate() {
        let mut times = Vec::new();
        for nonce in 0..10 {
            let operation = sponsored_mint(&ACCOUNTS[3], index as u64, nonce, info, paymaster_id);
            let (receipt, time) = include(info, &operation).await;
            assert_eq!(receipt["success"], true, "{receipt}");
            times.push(time);
        }
        times.sort();
        println!("[sent, receipt] with a block per transaction: median {:?}", times[times.len() / 2]);
    }
}

#[tokio::test]
async fn an_operation_is_included_with_slow_blocks() {
    let lab = Lab::start(LabConfig { block_time: 2, ..LabConfig::default() }.into()).await.unwrap();
    for nonce in 0..2 {
        let operation = sponsored_mint(&ACCOUNTS[0], 0, nonce, lab.info(), lab.info().paymaster_id);
        let (receipt, [sent, _]) = include(lab.info(), &operation).await;
        assert_eq!(receipt["success"], true, "{receipt}");
        assert!(sent < Duration::from_secs(1), "sending does not wait for a block: {sent:?}");
    }
    lab.stop().await;
}
