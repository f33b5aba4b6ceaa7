//! The chain node: the real anvil, automining until the lab is built.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{process::Command, sync::mpsc};

use super::{LabError, paths::Tools, process::Process, rpc::Rpc};
use use_aa_server::config::LAB_CHAIN_ID;

/// Longest wait for the first answer.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// What it says once it listens.
const LISTENING: &str = "Listening on 127.0.0.1:";

/// The mnemonic behind [`super::ACCOUNTS`].
const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// A running anvil.
pub struct Anvil {
    /// The process.
    pub process: Process,
    /// Its JSON-RPC.
    pub rpc: Rpc,
    /// Its port.
    pub port: u16,
}

impl Anvil {
    /// Starts it on the given port, or on a free one. With `keep`, the chain is loaded from and saved to the folder.
    pub async fn start(tools: &Tools, state: &Path, keep: bool, port: Option<u16>) -> Result<Self, LabError> {
        if let Some(port) = port {
            check_free(port)?;
        }
        let mut command = Command::new(&tools.anvil);
        command
            .args(["--host", "127.0.0.1", "--accounts", "20", "--mnemonic", MNEMONIC])
            .args(["--chain-id", &LAB_CHAIN_ID.to_string(), "--port", &port.unwrap_or(0).to_string()])
            // A line per request would only slow it down.
            .env("RUST_LOG", "error")
            // It swaps old states to ~/.foundry: keep those in the lab's folder, too.
            .env("HOME", state)
            .current_dir(state);
        if keep {
            command.arg("--state").arg(state.join("chain.json")).args(["--state-interval", "30"]);
        }
        let (sender, mut ports) = mpsc::unbounded_channel();
        let mut process = Process::start("anvil", command, move |line| {
            if let Some(port) = line.strip_prefix(LISTENING).and_then(|port| port.parse::<u16>().ok()) {
                let _ = sender.send(port);
            }
        })?;
        let expected = Value::String(format!("{LAB_CHAIN_ID:#x}"));
        let answers = async {
            match ports.recv().await {
                Some(port) => {
                    let rpc = Rpc::local(port)?;
                    rpc.until("eth_chainId", json!([]), |id| *id == expected).await;
                    Ok((rpc, port))
                }
                // Its output is closed: `ended` below says why.
                None => std::future::pending().await,
            }
        };
        let answer: Result<(Rpc, u16), LabError> = tokio::select! {
            biased;
            answer = answers => answer,
            error = process.ended() => Err(error),
            () = tokio::time::sleep(READY_WITHIN) => {
                let (seconds, tail) = (READY_WITHIN.as_secs(), process.tail());
                Err(LabError::NotReady { program: "anvil", seconds, tail })
            }
        };
        let (rpc, port) = answer?;
        Ok(Self { process, rpc, port })
    }

    /// Seconds between blocks from now on; 0 keeps a block per transaction.
    pub async fn set_block_time(&self, seconds: u64) -> Result<(), LabError> {
        if seconds > 0 {
            self.rpc.call("evm_setAutomine", json!([false])).await?;
            self.rpc.call("evm_setIntervalMining", json!([seconds])).await?;
        }
        Ok(())
    }
}

/// Refuses a port that somebody listens on.
pub fn check_free(port: u16) -> Result<(), LabError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|_| LabError::PortTaken { port })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(check_free(port), Err(LabError::PortTaken { port }));
        assert!(check_free(port).unwrap_err().to_string().starts_with("USE_AA_LAB_PORT_BASE"));
    }
}
