//! The lab: a whole network on loopback, made of the real programs (chain node, contracts, bundler, paymaster).
//!
//! [`Lab::start`] starts `anvil`, places the EntryPoint and the contracts, starts `alto` against them and funds the
//! paymaster. A thread of the lab's own keeps the children: they live exactly as long as the [`Lab`] (or, when this
//! process is killed, no longer than it), whichever runtime or test asked for them.

mod accounts;
mod alto;
mod anvil;
mod bootstrap;
pub mod contracts;
mod dan;
mod error;
mod info;
mod paths;
mod process;
mod rpc;
mod supervisor;

use std::{path::PathBuf, thread::JoinHandle, time::Duration};

use tokio::sync::{oneshot, watch};

use use_aa_server::config::{Config, LabConfig};

pub use accounts::{ACCOUNTS, LabAccount, Role};
pub use dan::{DanKeys, DanNodeInfo};
pub use error::LabError;
pub use info::LabInfo;

/// How a lab is started.
#[derive(Clone, Debug, Default)]
pub struct LabOptions {
    /// Block time, folder and ports.
    pub config: LabConfig,
    /// Folder that holds `contracts/` and `end2end/`; `None` = the current one or one above it, else the program's or one
    /// above that.
    pub root: Option<PathBuf>,
    /// The program whose `dan-node` is started five times: this very program. `None` = no distributed keys.
    pub dan_program: Option<PathBuf>,
}

impl From<LabConfig> for LabOptions {
    fn from(config: LabConfig) -> Self {
        Self { config, root: None, dan_program: None }
    }
}

/// A running lab. Dropping it ends every process it started.
#[derive(Debug)]
pub struct Lab {
    info: LabInfo,
    failure: watch::Receiver<Option<LabError>>,
    stop: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Lab {
    /// Starts everything and returns when the chain and the bundler answer and the paymaster has a deposit.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let (ready_sender, ready) = oneshot::channel();
        let (failure_sender, failure) = watch::channel(None);
        let (stop, stop_receiver) = oneshot::channel();
        // Linux ends the children when the *thread* that started them ends, so they get a thread of their own.
        let keeper = std::thread::Builder::new()
            .name("use-aa-lab".into())
            .spawn(move || supervisor::keep(options, ready_sender, failure_sender, stop_receiver))
            .map_err(|error| LabError::Io { what: "start the lab's thread".into(), reason: error.to_string() })?;
        match ready.await {
            Ok(Ok(info)) => Ok(Self { info, failure, stop: Some(stop), keeper: Some(keeper) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(LabError::Io { what: "start the lab".into(), reason: "its thread ended".into() }),
        }
    }

    /// Addresses, URLs and keys of what runs.
    pub fn info(&self) -> &LabInfo {
        &self.info
    }

    /// Waits until a part of the lab dies by itself, and says which and why. The rest is ended by then.
    pub async fn failed(&self) -> LabError {
        let mut failure = self.failure.clone();
        loop {
            if let Some(error) = failure.borrow_and_update().clone() {
                return error;
            }
            if failure.changed().await.is_err() {
                // The keeper ended without a failure: the lab was stopped.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Fills in what a server needs to work on this lab.
    pub fn fill(&self, config: &mut Config) {
        self.info.links().fill(config);
    }

    /// Ends the lab and returns when its processes are gone.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        while self.keeper.as_ref().is_some_and(|keeper| !keeper.is_finished()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}
