//! The relay under load, over real sockets: what it adds to a direct call, calls per second, and 10,000 waits at once.
//!
//! `USE_AA_BINARY` is the server that is measured; node and bundler are played here, so that nothing but the relay
//! is slow. Prints a table, asserts nothing. Everything is bounded: about a minute.

mod client;
mod upstream;

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use client::Connection;
use serde_json::json;
use tokio::{io::AsyncReadExt, process::Command, sync::mpsc, task::JoinSet};
use upstream::Upstream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Calls one after the other, for the medians.
const CALLS: usize = 3_000;
/// Connections at once, and for how long, for the calls per second.
const CONNECTIONS: usize = 64;
const FOR: Duration = Duration::from_secs(5);
/// Waits at once; events in each block, and the time between two blocks.
const WAITS: usize = 10_000;
const PER_BLOCK: usize = 500;
const BLOCK_TIME: Duration = Duration::from_millis(200);

fn main() -> Result<(), Failure> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let upstream = Upstream::start().await?;
    let binary = std::env::var("USE_AA_BINARY").map_err(|_| "USE_AA_BINARY: expected the server to measure")?;
    let addr = {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        free.local_addr()?
    };
    let data = tempfile::tempdir()?;
    let mut server = Command::new(binary)
        .arg("serve")
        .env("USE_AA_ADDR", addr.to_string())
        .env("USE_AA_RPC_URL", format!("ws://{}", upstream.addr))
        .env("USE_AA_BUNDLER_URL", format!("http://{}", upstream.addr))
        .env("USE_AA_DATA_DIR", data.path())
        // All of it comes from one address.
        .env("USE_AA_RATE_LIMIT", "off")
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = server.id().ok_or("the server ended at once")?;
    let begun = Instant::now();
    while Connection::open(addr).await.is_err() {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err("the server does not listen".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("\n== The relay under load (node and bundler played, everything on this machine)");
    latency(addr, upstream.addr).await?;
    throughput(addr).await?;
    waits(addr, pid, &upstream).await?;
    server.kill().await?;
    Ok(())
}

fn row(what: &str, figure: String) {
    println!("{what:<60} {figure:>14}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// One read of the chain, through the relay and directly, in turns.
async fn latency(relay: std::net::SocketAddr, node: std::net::SocketAddr) -> Result<(), Failure> {
    let read = client::post("/api/fn/read_chain", &json!({"method": "eth_blockNumber", "params": []}));
    let direct = client::post("/", &json!({"jsonrpc": "2.0", "id": 5, "method": "eth_blockNumber", "params": []}));
    let (mut through, mut straight) = (Connection::open(relay).await?, Connection::open(node).await?);
    let (mut relayed, mut own) = (Vec::new(), Vec::new());
    for call in 0..CALLS {
        let begun = Instant::now();
        through.call(&read).await?;
        let between = Instant::now();
        straight.call(&direct).await?;
        if call >= CALLS / 10 {
            relayed.push(between - begun);
            own.push(between.elapsed());
        }
    }
    let (relayed, own) = (median(relayed), median(own));
    row("a direct call, median", format!("{:.3} ms", own.as_secs_f64() * 1e3));
    row("the same call relayed, median", format!("{:.3} ms", relayed.as_secs_f64() * 1e3));
    row("added by the relay (goal: under 1 ms)", format!("{:.3} ms", relayed.saturating_sub(own).as_secs_f64() * 1e3));
    Ok(())
}

/// As many reads as the relay answers on some connections.
async fn throughput(relay: std::net::SocketAddr) -> Result<(), Failure> {
    let read = client::post("/api/fn/read_chain", &json!({"method": "eth_blockNumber", "params": []}));
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..CONNECTIONS {
        let read = read.clone();
        clients.spawn(async move {
            let mut connection = Connection::open(relay).await?;
            let mut calls = 0u64;
            while begun.elapsed() < FOR {
                connection.call(&read).await?;
                calls += 1;
            }
            Ok::<u64, Failure>(calls)
        });
    }
    let mut calls = 0;
    while let Some(done) = clients.join_next().await {
        calls += done??;
    }
    let per_second = calls as f64 / begun.elapsed().as_secs_f64();
    row(&format!("calls relayed per second, {CONNECTIONS} connections (goal: over 5,000)"), format!("{per_second:.0}"));
    Ok(())
}

/// Many waits, then their events in blocks.
async fn waits(relay: std::net::SocketAddr, pid: u32, upstream: &Upstream) -> Result<(), Failure> {
    row("memory of the server before the waits", format!("{:.0} MB", memory(pid, "VmRSS:")?));
    let (told, mut ends) = mpsc::unbounded_channel();
    let (ready, mut readies) = mpsc::unbounded_channel();
    let begun = Instant::now();
    for number in 0..WAITS {
        let (told, ready) = (told.clone(), ready.clone());
        tokio::spawn(async move {
            let wait = client::post("/api/fn/user_operation_status", &json!({"user_op_hash": upstream::hash(number)}));
            let outcome = async {
                let mut connection = Connection::open(relay).await?;
                connection.send(&wait).await?;
                connection.head().await?;
                let _ = ready.send(());
                connection.until(b"\"confirmed\"").await
            }
            .await;
            let _ = told.send((number, outcome.map(|()| Instant::now())));
        });
        if number % 200 == 199 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    drop((told, ready));
    let mut open = 0;
    while open < WAITS && tokio::time::timeout(Duration::from_secs(20), readies.recv()).await.ok().flatten().is_some() {
        open += 1;
    }
    row("waits at once", format!("{open}"));
    row("until all of them were open", format!("{:.1} s", begun.elapsed().as_secs_f64()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (questions, reads) = (upstream.count("pimlico_getUserOperationStatus"), upstream.count("eth_getLogs"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let per_second = |before: usize, after: usize| format!("{:.0}", (after - before) as f64 / 5.0);
    let (asked, read) = (upstream.count("pimlico_getUserOperationStatus"), upstream.count("eth_getLogs"));
    row("questions to the bundler per second, for all of them", per_second(questions, asked));
    row("reads of the chain per second, for all of them", per_second(reads, read));
    row("memory of the server (goal: under 200 MB)", format!("{:.0} MB", memory(pid, "VmRSS:")?));

    let mut events = Vec::with_capacity(WAITS);
    for block in 0..WAITS.div_ceil(PER_BLOCK) {
        for number in block * PER_BLOCK..((block + 1) * PER_BLOCK).min(WAITS) {
            events.push(Instant::now());
            upstream.mine(number);
        }
        tokio::time::sleep(BLOCK_TIME).await;
    }
    let mut late = Vec::new();
    let mut failed = 0;
    while let Ok(Some((number, end))) = tokio::time::timeout(Duration::from_secs(20), ends.recv()).await {
        match (end, events.get(number)) {
            (Ok(at), Some(event)) => late.push(at.saturating_duration_since(*event)),
            _ => failed += 1,
        }
        if late.len() + failed == WAITS {
            break;
        }
    }
    late.sort_unstable();
    let at = |part: usize| {
        let time = late.get((late.len() * part / 1_000).min(late.len().saturating_sub(1))).copied().unwrap_or_default();
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    };
    row("told of the end", format!("{} ({failed} cut)", late.len()));
    row("told after the event: median", at(500));
    row("told after the event: 99 of 100", at(990));
    row("told after the event: the last one (goal: under 100 ms)", at(1_000));
    row("most memory the server ever had", format!("{:.0} MB", memory(pid, "VmHWM:")?));
    Ok(())
}

/// A line of the process's status, in MB.
fn memory(pid: u32, line: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found =
        status.lines().find_map(|text| text.strip_prefix(line)).ok_or("no such line in the process's status")?;
    Ok(found.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Reads more into the buffer; an end is an error.
async fn more(stream: &mut tokio::net::TcpStream, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    match stream.read_buf(buffer).await? {
        0 => Err("the connection was cut".into()),
        _ => Ok(()),
    }
}
