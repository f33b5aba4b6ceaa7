//! Distributed session keys among five processes: how long, how many, how much. Prints a table; asserts nothing but
//! that every signature is the key's. `DAN_BENCH_KEYS` (default 10) and `DAN_BENCH_SIGNATURES` (default 300) set the
//! size.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/dan_support/mod.rs"]
mod dan_support;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use dan_support::{Cluster, Session, get};
use use_aa::dan::api::StatusAnswer;

/// Each node says where the time of each signature went.
const LOG: &str = "warn,use_aa_dan_node::laps=debug";
const PARTS: [(&str, &str); 6] = [
    ("deciding", "its own decision"),
    ("share", "getting the share"),
    ("computing", "the protocol's four computations, with queueing"),
    ("coding", "messages to bytes and back"),
    ("others", "waiting for the others, three rounds"),
    ("disk", "waiting for the disk"),
];
/// Signatures asked for at the same time when their number per second is measured.
const AT_ONCE: usize = 8;
const SIGNERS: [[u8; 3]; 5] = [[1, 2, 3], [2, 3, 4], [3, 4, 5], [1, 4, 5], [1, 2, 5]];

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn row(name: &str, mut times: Vec<Duration>) {
    if times.is_empty() {
        return;
    }
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    println!("{name:<58} {:>9.1} ms median {:>9.1} ms p95  ({} times)", at(50), at(95), times.len());
}

/// A line of `/proc/<id>/status`, MB.
fn memory(process: u32, line: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB"))?;
    Some(kilobytes.trim().parse::<f64>().ok()? / 1024.0)
}

/// Processor time that these processes and this one have used.
fn processor_time(cluster: &Cluster) -> (Duration, Duration) {
    const TICKS: u64 = 100; // a second, on every Linux
    let of = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        Duration::from_millis(
            fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>() * 1000 / TICKS,
        )
    };
    ((1..=5).map(|id| of(cluster.process(id))).sum(), of(std::process::id()))
}

/// The logs' figures, node by node and signature by signature.
fn parts(cluster: &Cluster) {
    for (field, name) in PARTS {
        let mut times = Vec::new();
        for node in &cluster.nodes {
            let log = String::from_utf8(node.log.lock().unwrap().clone()).unwrap();
            let found = log.lines().filter_map(|line| line.split_once(&format!("{field}="))?.1.split(' ').next());
            times.extend(found.map(|micros| Duration::from_micros(micros.parse().unwrap())));
        }
        row(&format!("  at each signer: {name}"), times);
    }
}

async fn sent(cluster: &Cluster) -> u64 {
    let mut bytes = 0;
    for node in &cluster.nodes {
        bytes += get::<StatusAnswer>(&node.url, "/v1/status").await.mesh_bytes_sent;
    }
    bytes
}

#[tokio::main]
pub async fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!("load before: {} on {processors} processors", load.split(' ').next().unwrap_or("?"));
    let start = Instant::now();
    let cluster = Cluster::with(5, &["--signatures-per-minute", "1000000"], LOG).await;
    println!("{:<58} {:>9.1} ms", "five nodes start and connect", start.elapsed().as_secs_f64() * 1000.0);

    let (mut keys, mut times, before) = (Vec::new(), Vec::new(), sent(&cluster).await);
    for _ in 0..number("DAN_BENCH_KEYS", 10).max(1) {
        let start = Instant::now();
        keys.extend(cluster.pool(1, 3).await);
        times.push(start.elapsed());
    }
    let bytes = (sent(&cluster).await - before) / 5 / u64::try_from(keys.len()).unwrap();
    row("a key is made", times);
    println!("{:<58} {bytes:>9} bytes", "… sent by each node");

    let (mut sessions, mut times) = (Vec::new(), Vec::new());
    for key in keys {
        let session = Session::new(key, 5);
        let start = Instant::now();
        sessions.push(cluster.grant(session).await);
        times.push(start.elapsed());
    }
    row("a person waits with a warm pool: nonces, grant, five nodes", times);

    let session = &sessions[0];
    let signatures = number("DAN_BENCH_SIGNATURES", 300).max(10);
    for signers in &SIGNERS {
        cluster.sign(session, signers, session.operation(0)).await.unwrap();
    }
    cluster.nodes.iter().for_each(|node| node.log.lock().unwrap().clear());
    let (nodes_at, own_at) = processor_time(&cluster);
    let (mut whole, mut protocol, before) = (Vec::new(), Vec::new(), sent(&cluster).await);
    for count in 0..signatures {
        let (signers, start) = (&SIGNERS[count % SIGNERS.len()], Instant::now());
        let body = cluster.request(session, signers, session.operation(u64::try_from(count).unwrap())).await;
        let asked = Instant::now();
        cluster.send(session, signers, &body).await.unwrap();
        protocol.push(asked.elapsed());
        whole.push(start.elapsed());
    }
    let bytes = (sent(&cluster).await - before) / 3 / u64::try_from(signatures).unwrap();
    let (nodes, own) = processor_time(&cluster);
    let each = |time: Duration| time.as_secs_f64() * 1000.0 / f64::from(u32::try_from(signatures).unwrap());
    row("a signature, one after the other", protocol);
    parts(&cluster);
    println!(
        "{:<58} {:>9.1} ms of all nodes, {:.1} ms here",
        "… processor time",
        each(nodes - nodes_at),
        each(own - own_at)
    );
    row("… with its nonces", whole);
    println!("{:<58} {bytes:>9} bytes", "… sent by each signer");

    let (next, start) = (AtomicU64::new(1_000_000), Instant::now());
    let workers = (0..AT_ONCE).map(|worker| {
        let (cluster, next) = (&cluster, &next);
        async move {
            for count in 0..signatures / AT_ONCE {
                let operation = session.operation(next.fetch_add(1, Ordering::Relaxed));
                cluster.sign(session, &SIGNERS[(worker + count) % SIGNERS.len()], operation).await.unwrap();
            }
        }
    });
    futures::future::join_all(workers).await;
    let made = signatures / AT_ONCE * AT_ONCE;
    let per_second = f64::from(u32::try_from(made).unwrap()) / start.elapsed().as_secs_f64();
    println!("{:<58} {per_second:>9.1} per second", format!("signatures, {AT_ONCE} at the same time"));

    let largest = |line| {
        let all = (1..=5).filter_map(|id| memory(cluster.process(id), line));
        all.fold(0.0, f64::max)
    };
    println!("{:<58} {:>9.1} MB now, {:.1} MB at most", "memory of a node", largest("VmRSS:"), largest("VmHWM:"));
}
