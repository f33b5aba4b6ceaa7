//! What is asked of the server costs memory, counted byte by byte: ten thousand waits must fit into a small server, and
//! a request takes no more than a few times what it weighs, whatever it stands for.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

mod server_support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicIsize, Ordering},
    },
};

use alloy::{
    primitives::{Address, B256, Bytes, U256, hex},
    sol_types::SolCall,
};
use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, nobody, operation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Mutex,
};
use use_aa::{
    protocol::{
        abi::ISmartAccount::executeBatchCall,
        addresses::DEMO_NFT,
        smart_account::{Call, encode_calls},
    },
    server::{
        biconomy::LAB_KEY,
        config::{PaymasterConfig, SignerKey},
        sponsor::SponsorPolicy,
    },
};

/// Sizes are counted in steps of this many bytes; everything larger than the last step together.
const STEP: usize = 64;
const STEPS: usize = 1_024;

/// Bytes that are in use, and how many pieces there are of which size.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The most that was in use since it was set to what is.
static PEAK: AtomicIsize = AtomicIsize::new(0);
/// One test after the other: what one needs must not be counted for another.
static ALONE: Mutex<()> = Mutex::const_new(());
static PIECES: [AtomicIsize; STEPS] = [const { AtomicIsize::new(0) }; STEPS];

fn count(size: usize, pieces: isize) {
    let bytes = size.cast_signed() * pieces;
    PEAK.fetch_max(LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
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
/// memory), its task, its stream, and what is known of its operation. 21,447 when this was written, 22,400 since it is known which
/// block an operation was seen in.
const MOST: isize = 23_000;

/// Bytes that are held while nothing is being written or asked: what a request needs for a moment is no wait's.
async fn at_rest() -> isize {
    let mut least = LIVE.load(Ordering::Relaxed);
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        least = least.min(LIVE.load(Ordering::Relaxed));
    }
    least
}

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
    let (live, pieces) = (at_rest().await, PIECES.each_ref().map(|count| count.load(Ordering::Relaxed)));
    for number in WAITS..2 * WAITS {
        open.push(wait(&server, number).await);
    }
    let each = (at_rest().await - live) / WAITS.cast_signed();
    println!("{each} bytes for a wait");
    for (step, before) in pieces.iter().enumerate() {
        let more = PIECES[step].load(Ordering::Relaxed) - before;
        if more >= (WAITS / 4).cast_signed() {
            println!("{:>5.2} of up to {:>6} bytes", more as f64 / WAITS as f64, step * STEP);
        }
    }
    assert!(each < MOST, "{each} bytes");
}

/// Requests at a time.
const REQUESTS: usize = 4;
/// What one of 512 KiB may take, bytes: it is received in pieces, parsed, read and answered.
const MOST_OF_A_REQUEST: isize = 6 * 1024 * 1024;

/// Call data of a batch whose calls have one and the same data: they stand for `count` times `piece` bytes.
fn aliased_batch(count: usize, piece: usize) -> Bytes {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>().to_vec();
    // Destinations and values are one, too.
    let offsets = [word(0x60), word(0x60), word(0x80 + 32 * count)].concat();
    let zeros = [word(count), vec![0; 32 * count]].concat();
    let mut data = [word(count), std::iter::repeat_n(word(32), count).flatten().collect()].concat();
    // Each offset points behind the offsets' first word, at a length and what follows.
    data[64..96].copy_from_slice(&word(piece));
    data.resize(data.len().max(32 + 64 + piece), 0);
    [&hex!("47e1da2a")[..], &offsets, &zeros, &data].concat().into()
}

fn sponsored(call_data: &Bytes) -> Value {
    let mut operation = operation();
    for (name, value) in [
        ("callData", json!(call_data)),
        ("maxFeePerGas", json!("0x3b9aca00")),
        ("verificationGasLimit", json!("100000")),
        ("preVerificationGas", json!("50000")),
    ] {
        operation[name] = value;
    }
    operation
}

fn context() -> Value {
    json!({"mode": "SPONSORED", "calculateGasLimits": false})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_takes_no_more_than_a_few_times_what_it_weighs() {
    let _alone = ALONE.lock().await;
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_blockNumber" => Reply::Result(json!("0x10")),
        "eth_getBlockByNumber" => {
            Reply::Result(json!({"number": "0x10", "timestamp": "0x10", "baseFeePerGas": "0x1dcd6500"}))
        }
        "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x1")),
        "eth_getLogs" => Reply::Result(json!([])),
        "pimlico_getUserOperationGasPrice" => {
            Reply::Result(json!({"standard": {"maxFeePerGas": "0x3b9aca00", "maxPriorityFeePerGas": "0x1"}}))
        }
        _ => Reply::Result(Value::Null),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&upstream.url(), &upstream.url());
    config.data_dir = folder.path().to_owned();
    config.lab = true;
    config.protection.rate_limit = None;
    config.paymaster = Some(PaymasterConfig::BuiltIn {
        signer_key: SignerKey::from_bytes(&B256::repeat_byte(7)).unwrap(),
        address: Address::repeat_byte(0xaa),
        address_v07: None,
        paymaster_id: Address::repeat_byte(0xbb),
    });
    let policy = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"unlimited\"";
    config.sponsor_policy = Some(Arc::new(SponsorPolicy::parse(policy, |_| None).unwrap()));
    let server = Server::start(config).await;
    let json_rpc = format!("/api/v1/31337/{LAB_KEY}");
    let rpc = |params: Value| json!({"jsonrpc": "2.0", "id": 1, "method": "pm_sponsorUserOperation", "params": params});
    let ask = async |path: &str, body: String| {
        let request = server.client.post([&server.url, path].concat()).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let function = "/api/fn/sponsor_user_operation";
    let honest =
        encode_calls(&[Call { to: DEMO_NFT, data: hex!("40d097c3").into(), ..Call::default() }], false).unwrap();
    let works = async || {
        let (status, answer) =
            ask(function, json!({"user_operation": sponsored(&honest), "context": context()}).to_string()).await;
        assert_eq!(status, 200, "{answer}");
        let (status, answer) = ask(&json_rpc, rpc(json!([sponsored(&honest), context()])).to_string()).await;
        assert!(status == 200 && answer.contains("paymasterAndData"), "{answer}");
    };
    works().await;

    let bomb = aliased_batch(900, 60_000);
    let stands_for = executeBatchCall::abi_decode_validate(&bomb).unwrap().func;
    assert!(stands_for.iter().map(|data| data.len()).sum::<usize>() > 50_000_000, "{} bytes are a bomb", bomb.len());
    drop(stands_for);
    let bomb = sponsored(&bomb);
    let long = sponsored(&aliased_batch(3_000, 100_000));
    let padded = |body: Value| {
        let text = body.to_string();
        format!("{}{text}", " ".repeat(500_000 - text.len()))
    };
    let many = |item: &str| vec![item; 490_000 / (item.len() + 1)].join(",");
    // As many as are read.
    let allowed = |item: &str, values: usize| vec![item; 4_000 / values].join(",");
    let operation = operation();
    let to_function = |list: &str| {
        let context = format!(r#"{{"mode":"SPONSORED","calculateGasLimits":false,"webhookData":[{list}]}}"#);
        format!("{}{{\"user_operation\":{operation},\"context\":{context}}}", " ".repeat(490_000 - list.len()))
    };
    let to_json_rpc = |list: &str| {
        let context = format!(r#"{{"mode":"SPONSORED","sponsorshipInfo":{{"webhookData":[{list}]}}}}"#);
        let space = " ".repeat(490_000 - list.len());
        format!(r#"{space}{{"id":1,"method":"pm_sponsorUserOperation","params":[{operation},{context}]}}"#)
    };
    let cases = [
        ("one data for all calls", function, padded(json!({"user_operation": bomb, "context": context()}))),
        ("the same as JSON-RPC", &json_rpc, padded(rpc(json!([bomb, context()])))),
        ("a batch of it", &json_rpc, padded(json!(vec![rpc(json!([bomb, context()])); 2]))),
        ("longer than call data may be", function, padded(json!({"user_operation": long, "context": context()}))),
        ("objects", function, to_function(&many(r#"{"":1}"#))),
        ("lists", function, to_function(&many("[1]"))),
        ("numbers", function, to_function(&many("1"))),
        ("fewer objects", function, to_function(&allowed(r#"{"":1}"#, 2))),
        ("objects as JSON-RPC", &json_rpc, to_json_rpc(&many(r#"{"":1}"#))),
        ("lists as JSON-RPC", &json_rpc, to_json_rpc(&many("[1]"))),
        ("fewer objects as JSON-RPC", &json_rpc, to_json_rpc(&allowed(r#"{"":1}"#, 2))),
        ("fewer lists as JSON-RPC", &json_rpc, to_json_rpc(&allowed("[1]", 2))),
    ];
    for (what, path, body) in cases {
        assert!(body.len() <= 512 * 1024 && body.len() > 400_000, "{what}: {}", body.len());
        let bodies = vec![body; REQUESTS];
        let before = LIVE.load(Ordering::SeqCst);
        PEAK.store(before, Ordering::SeqCst);
        let answers = futures::future::join_all(bodies.into_iter().map(|body| ask(path, body))).await;
        let peak = PEAK.load(Ordering::SeqCst) - before;
        println!(
            "{what}: {} KiB for {REQUESTS} requests; {}",
            peak / 1024,
            answers[0].1.chars().take(150).collect::<String>()
        );
        for (status, answer) in &answers {
            // As many values as are read, and not one more, are an honest question.
            let refused = *status >= 400 || answer.contains("error") || what.starts_with("fewer");
            assert!(refused && answer.len() < 2_000, "{what}: {status} {answer}");
        }
        assert!(peak < MOST_OF_A_REQUEST * REQUESTS.cast_signed(), "{what}: {peak} bytes");
        works().await;
    }
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

/// Large answers that nobody reads count for whoever asked, until they are written out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unread_answers_take_little_and_keep_nobody_else_out() {
    let _alone = ALONE.lock().await;
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_getCode" => Reply::Result(json!("x".repeat(3_900_000))),
        _ => Reply::Result(json!("0x7a69")),
    })
    .await;
    let mut config = config(&upstream.url(), &upstream.url());
    config.protection.rate_limit = None;
    config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::start(config).await;
    let addr = server.url.trim_start_matches("http://").to_owned();
    let body = json!({"method": "eth_getCode", "params": [format!("0x{}", "33".repeat(20))]});
    let mut unread = Vec::new();
    let mut refused = 0;
    for _ in 0..12 {
        // Else the kernel takes all of it.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(addr.parse().unwrap()).await.unwrap();
        let text = body.to_string();
        let head = format!(
            "POST /api/fn/read_chain HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.1\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        refused += usize::from(&answer == b"HTTP/1.1 429");
        unread.push(stream);
    }
    println!("{refused} of 12 refused");
    assert!(refused >= 6, "{refused} of 12");
    let other = server.post("read_chain").header("x-forwarded-for", "203.0.113.2").json(&body).send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap().len()), (200, 3_900_002));
}
