//! What a wait costs in memory, counted byte by byte: ten thousand of them must fit into a small server.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

mod server_support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering},
};

use serde_json::json;
use server_support::{Server, config, nobody};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_small() {
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
