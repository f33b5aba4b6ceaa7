//! `benches/dan.rs` of the package use-aa without the server, which takes long to be compiled optimised: the nodes are
//! this very program.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// What the bench names.
extern crate self as use_aa;
pub use {use_aa_dan_node as dan, use_aa_protocol as protocol};
pub mod lab {
    //! An owner, as the lab has them.
    use alloy::primitives::B256;
    /// An account of its chain.
    pub struct Account {
        /// Its key.
        pub private_key: B256,
    }
    /// One is enough.
    pub const ACCOUNTS: [Account; 1] = [Account { private_key: B256::repeat_byte(0x11) }];
}

#[path = "../../../benches/dan.rs"]
mod bench;

use clap::Parser;
use dan::config::{NodeArgs, NodeConfig};

#[derive(Parser)]
enum Command {
    DanNode(Box<NodeArgs>),
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if std::env::args().nth(1).as_deref() != Some("dan-node") {
        return bench::main();
    }
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let Command::DanNode(args) = Command::parse();
    let config = NodeConfig::from_args(&args).unwrap();
    let (id, identity) = (config.id, config.identity.public());
    // It ends with who started it.
    let (closed, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    // As the program has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ready = |address| println!(r#"{{"node":{id},"url":"http://{address}","identity":"{identity}"}}"#);
    let stop = async { drop(ended.await) };
    runtime.block_on(dan::program::run(config, ready, stop)).unwrap();
}
