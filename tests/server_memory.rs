//! What a wait costs in memory, counted byte by byte: ten thousand of them must fit into a small server.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

mod server_support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering},
};

use serde_json::json;
use server_support::{Reply, Server, Upstream, config, nobody};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sizes are counted in steps of this many bytes; everything larger than the last step together.
const STEP: usize = 64;
const STEPS: usize = 1_024;

/// Bytes that are in use, and how many pieces there are of which size.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static PIECES: [AtomicIsize; STEPS] = [const { AtomicIsize::new(0) }; STEPS];

fn count(size: usize, pieces: isize) {
    LIVE.fetch_add(size.cast_signed() * pieces, Ordering::Relaxed);
    PIECES[size.div_ceil(STEP).min(STEPS - 1)].fetch_add(pieces, Ordering::Relaxed);
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Waits that are counted, after as many that are not: tables grow by doubling.
const WAITS: usize = 256;
/// Bytes of one wait: its connection with hyper's two buffers of 8 KiB (of which pages that nobody writes to take no
/// memory), its task, its stream, and what is known of its operation. 21,447 when this was written.
const MOST: isize = 23_000;

/// A wait that has begun; the connection of it.
async fn wait(server: &Server, number: usize) -> TcpStream {
    let body = json!({"user_op_hash": format!("0x{:064x}", number + 1)}).to_string();
    let length = body.len();
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /api/fn/user_operation_status HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut beginning = [0; 12];
    stream.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200");
    stream
}

/// One after the other: what one needs must not be counted for the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_small() {
    let _alone = ALONE.lock().await;
    // Nobody answers, so that nobody but the server needs memory.
    let nobody = nobody().await;
    let mut config = config(&nobody, &nobody);
    // All of them come from one address.
    config.protection.rate_limit = None;
    let server = Server::start(config).await;
    let mut open = Vec::with_capacity(2 * WAITS);
    for number in 0..WAITS {
        open.push(wait(&server, number).await);
    }
    let (live, pieces) = (LIVE.load(Ordering::Relaxed), PIECES.each_ref().map(|count| count.load(Ordering::Relaxed)));
    for number in WAITS..2 * WAITS {
        open.push(wait(&server, number).await);
    }
    let each = (LIVE.load(Ordering::Relaxed) - live) / WAITS.cast_signed();
    println!("{each} bytes for a wait");
    for (step, before) in pieces.iter().enumerate() {
        let more = PIECES[step].load(Ordering::Relaxed) - before;
        if more >= (WAITS / 4).cast_signed() {
            println!("{:>5.2} of up to {:>6} bytes", more as f64 / WAITS as f64, step * STEP);
        }
    }
    assert!(each < MOST, "{each} bytes");
}

/// Bodies of [`UNFINISHED`] requests to `publish_sessions`, each nearly as long as the longest that is taken.
const UNFINISHED: usize = 40;
const LENGTH: usize = 8 * 1024 * 1024;
/// What all bodies of one caller may take (16 MiB), and as much again for buffers and what they grew from.
const MOST_FOR_BODIES: isize = 40 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unfinished_bodies_take_little_and_keep_nobody_else_out() {
    let _alone = ALONE.lock().await;
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_getCode" => Reply::Result(json!("0x6001")),
        "eth_call" => Reply::Result(json!(format!("0x{}", "11".repeat(32)))),
        _ => Reply::Result(json!("0x7a69")),
    })
    .await;
    let mut config = config(&upstream.url(), &upstream.url());
    let folder = tempfile::tempdir().unwrap();
    config.data_dir = folder.path().to_owned();
    config.protection.rate_limit = None;
    config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::start(config).await;
    let addr = server.url.trim_start_matches("http://").to_owned();
    let part = vec![b'1'; LENGTH - 1];
    let before = LIVE.load(Ordering::Relaxed);
    let send = async |number: usize| {
        let mut stream = TcpStream::connect(&addr).await.unwrap();
        let head = format!(
            "POST /api/fn/publish_sessions HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.1\r\n\
             content-type: application/json\r\ncontent-length: {LENGTH}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is refused may be cut before it has sent all.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), stream.write_all(&part)).await;
        (number, stream)
    };
    let mut open = futures::future::join_all((0..UNFINISHED).map(send)).await;
    let grown = LIVE.load(Ordering::Relaxed) - before;
    println!("{grown} bytes for {UNFINISHED} unfinished bodies");
    assert!(grown < MOST_FOR_BODIES, "{grown} bytes");
    // Somebody else's large set is taken in, up to the comparison with the chain.
    let leaves = vec![format!("0x{}", "22".repeat(2_000)); 1_000];
    let request = json!({"account": format!("0x{}", "33".repeat(20)), "leaves": leaves});
    let answer = server.post("publish_sessions").header("x-forwarded-for", "203.0.113.2").json(&request);
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["error"], "SessionsOutOfSync");
    // The greedy caller's small requests are answered, too.
    let small = server.post("chain_info").header("x-forwarded-for", "203.0.113.1").body("{}").send().await.unwrap();
    assert_eq!(small.status(), 200);
    // Those that were too many were told so.
    let mut refused = 0;
    for (_, stream) in &mut open {
        let mut answer = [0; 12];
        let read = tokio::time::timeout(std::time::Duration::from_millis(50), stream.read_exact(&mut answer)).await;
        refused += usize::from(matches!(read, Ok(Ok(_))) && &answer == b"HTTP/1.1 429");
    }
    assert!(refused >= 1, "{refused}");
}
