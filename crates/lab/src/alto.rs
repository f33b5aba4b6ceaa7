//! The bundler: the real alto for EntryPoints v0.6 and v0.7, tuned for a chain that mines at once.

use std::{path::Path, time::Duration};

use alloy::primitives::Address;
use serde_json::{Value, json};
use tokio::{process::Command, sync::mpsc};

use super::{
    ACCOUNTS, LabError, Role, accounts::first, bootstrap::Simulations, paths::Tools, process::Process, rpc::Rpc,
};

/// Longest wait for the first answer (2 s are usual; a loaded machine takes longer).
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often alto looks for operations to bundle, ms.
const BUNDLE_INTERVAL: &str = "5";
/// What the preload script says once a server listens.
const LISTENING: &str = "use-aa-lab listening 127.0.0.1:";

/// What alto needs to know.
pub struct AltoOptions<'a> {
    /// Folder of the lab.
    pub state: &'a Path,
    /// The chain node.
    pub rpc_url: &'a str,
    /// The EntryPoints.
    pub entry_points: [Address; 2],
    /// Alto's own simulations contracts, placed already.
    pub simulations: Simulations,
    /// Seconds between blocks.
    pub block_time: u64,
    /// Port; `None` = a free one.
    pub port: Option<u16>,
}

/// A running alto.
pub struct Alto {
    /// The process.
    pub process: Process,
    /// Its port.
    pub port: u16,
}

impl Alto {
    /// Starts it; it does not answer yet (see [`Starting::ready`]).
    pub fn start(tools: &Tools, options: &AltoOptions<'_>) -> Result<Starting, LabError> {
        let preload = options.state.join("loopback.mjs");
        let written = std::fs::write(&preload, include_str!("loopback.mjs"));
        written.map_err(|error| LabError::Io {
            what: format!("write {}", preload.display()),
            reason: error.to_string(),
        })?;
        let mut command = Command::new("node");
        command.arg("--import").arg(&preload).arg(&tools.alto).args(arguments(options));
        // Alto reads the `.env` of its folder: give it one without.
        command.current_dir(options.state).env("HOME", options.state);
        let (sender, ports) = mpsc::unbounded_channel();
        let process = Process::start("alto", command, move |line| {
            if let Some(port) = line.strip_prefix(LISTENING).and_then(|port| port.parse::<u16>().ok()) {
                let _ = sender.send(port);
            }
        })
        .map_err(|error| match error {
            LabError::Spawn { program, reason } => {
                LabError::Spawn { program, reason: format!("{reason} (is Node.js 20 or newer on the PATH?)") }
            }
            other => other,
        })?;
        Ok(Starting { process, ports, entry_points: options.entry_points })
    }
}

/// An alto that was started and does not answer yet.
pub struct Starting {
    process: Process,
    ports: mpsc::UnboundedReceiver<u16>,
    entry_points: [Address; 2],
}

impl Starting {
    /// Waits until it says over JSON-RPC that it serves our EntryPoints.
    pub async fn ready(mut self) -> Result<Alto, LabError> {
        let expected = self.entry_points.map(|address| address.to_string().to_lowercase());
        let serves = move |answer: &Value| {
            let answer = answer.to_string().to_lowercase();
            expected.iter().all(|address| answer.contains(address))
        };
        let ports = &mut self.ports;
        let answers = async {
            match ports.recv().await {
                Some(port) => {
                    let rpc = Rpc::local(port)?;
                    rpc.until("eth_supportedEntryPoints", json!([]), serves).await;
                    Ok(port)
                }
                // Its output is closed: `ended` below says why.
                None => std::future::pending().await,
            }
        };
        let answer: Result<u16, LabError> = tokio::select! {
            biased;
            answer = answers => answer,
            error = self.process.ended() => Err(error),
            () = tokio::time::sleep(READY_WITHIN) => {
                let (seconds, tail) = (READY_WITHIN.as_secs(), self.process.tail());
                Err(LabError::NotReady { program: "alto", seconds, tail })
            }
        };
        Ok(Alto { process: self.process, port: answer? })
    }
}

fn arguments(options: &AltoOptions<'_>) -> Vec<String> {
    let executors: Vec<String> =
        ACCOUNTS.iter().filter(|account| account.role == Role::Executor).map(|a| a.private_key.to_string()).collect();
    let block_time_ms = if options.block_time == 0 { 100 } else { options.block_time * 1000 };
    let mut arguments = Vec::new();
    let mut set = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
    set("entrypoints", options.entry_points.map(|address| address.to_string()).join(","));
    set("rpc-url", options.rpc_url.into());
    set("port", options.port.unwrap_or(0).to_string());
    set("executor-private-keys", executors.join(","));
    set("utility-private-key", first(Role::BundlerUtility).private_key.to_string());
    set("safe-mode", "false".into());
    // The lab placed the simulations contracts that it needs: alto would send five transactions one by one.
    set("deploy-simulations-contract", "false".into());
    set("pimlico-simulation-contract", options.simulations.common.to_string());
    set("entrypoint-simulation-contract-v7", options.simulations.v07.to_string());
    set("min-bundle-interval", BUNDLE_INTERVAL.into());
    set("max-bundle-interval", BUNDLE_INTERVAL.into());
    set("block-time", block_time_ms.to_string());
    // Looks for receipts that often (ms), but only while a bundle is under way; watching blocks never pauses.
    set("flashblocks-preconfirmation-time", if options.block_time == 0 { "5" } else { "50" }.into());
    // A bundle is not stuck only because blocks are slow.
    set("resubmit-stuck-timeout", (10_000 + 2 * block_time_ms).to_string());
    // Of one account, in whatever lanes: a person who does twenty things at once.
    set("mempool-max-queued-ops", "50".into());
    set("refilling-wallets", "false".into());
    set("utility-wallet-monitor", "false".into());
    set("json", "true".into());
    set("log-level", "warn".into());
    arguments
}
