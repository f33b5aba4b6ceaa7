//! The lab's own thread: builds the lab, keeps its children, ends them.

use std::{path::Path, time::Duration};

use tokio::sync::{oneshot, watch};

use super::{
    LabError, LabInfo, LabOptions, Role,
    accounts::first,
    alto::{Alto, AltoOptions},
    anvil::{Anvil, check_free},
    bootstrap,
    contracts::{self, nexus::ENTRY_POINT_V07},
    dan::DanNodes,
    paths::{StateDir, Tools, project_root},
};
use use_aa_protocol::addresses::{ENTRY_POINT, VERIFYING_PAYMASTER};
use use_aa_server::config::{LAB_CHAIN_ID, SignerKey, UpstreamUrl};

/// How long anvil may take to save its chain when the lab has a folder of its own; else nobody needs to wait.
const SAVING: Duration = Duration::from_secs(5);

/// Runs until told to stop or a child dies.
pub fn keep(
    options: LabOptions,
    ready: oneshot::Sender<Result<LabInfo, LabError>>,
    failure: watch::Sender<Option<LabError>>,
    mut stop: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(LabError::Io { what: "make a runtime".into(), reason: error.to_string() }));
            return;
        }
    };
    runtime.block_on(async move {
        let built = tokio::select! {
            built = Running::build(&options) => built,
            // Whoever asked does not wait any more: dropping the half-built lab ends what was started.
            _ = &mut stop => return,
        };
        let mut lab = match built {
            Ok(lab) => lab,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        if ready.send(Ok(lab.info.clone())).is_err() {
            lab.end().await;
            return;
        }
        let died = tokio::select! {
            _ = stop => None,
            error = lab.anvil.process.ended() => Some(error),
            error = lab.alto.process.ended() => Some(error),
            () = watch_nodes(&mut lab.dan) => None,
        };
        lab.end().await;
        if let Some(error) = died {
            failure.send_replace(Some(error));
        }
    });
}

struct Running {
    anvil: Anvil,
    alto: Alto,
    dan: Option<DanNodes>,
    info: LabInfo,
    keep: bool,
    // Last: the folder goes after the processes.
    _state: StateDir,
}

impl Running {
    async fn build(options: &LabOptions) -> Result<Self, LabError> {
        let started = std::time::Instant::now();
        let root = project_root(options.root.clone())?;
        let tools = Tools::find(&root)?;
        let state = StateDir::open(options.config.dir.as_deref())?;
        let alto_port = options.config.port_base.map(|base| base.saturating_add(1));
        if let Some(port) = alto_port {
            check_free(port)?;
        }
        let keep = options.config.dir.is_some();
        // They need nothing of the chain: they start meanwhile.
        let dan = start_nodes(options, state.path());
        let rest = Self::build_chain(options, &root, &tools, &state, alto_port, keep, started);
        let (dan, (anvil, alto, mut info)) = tokio::try_join!(dan, rest)?;
        info.dan_keys = dan.as_ref().map(|nodes| nodes.keys.clone());
        info.dan_nodes = dan.as_ref().map(|nodes| nodes.info.clone()).unwrap_or_default();
        Ok(Self { anvil, alto, dan, info, keep, _state: state })
    }

    async fn build_chain(
        options: &LabOptions,
        root: &Path,
        tools: &Tools,
        state: &StateDir,
        alto_port: Option<u16>,
        keep: bool,
        started: std::time::Instant,
    ) -> Result<(Anvil, Alto, LabInfo), LabError> {
        let mut anvil = Anvil::start(tools, state.path(), keep, options.config.port_base).await?;
        let simulations = tokio::select! {
            biased;
            placed = bootstrap::place(&anvil.rpc, tools) => placed?,
            error = anvil.process.ended() => return Err(error),
        };
        tracing::debug!(target: "use_aa::lab", elapsed = ?started.elapsed(), "the EntryPoints are placed");
        let alto = Alto::start(
            tools,
            &AltoOptions {
                state: state.path(),
                rpc_url: anvil.rpc.url(),
                entry_points: [ENTRY_POINT, ENTRY_POINT_V07],
                simulations,
                block_time: options.config.block_time,
                port: alto_port,
            },
        )?;
        let contracts = async {
            let placed = contracts::place(anvil.rpc.url(), root).await;
            let placed = placed.map_err(|error| LabError::Contracts { reason: error.to_string() })?;
            bootstrap::deposit_for_signer(&anvil.rpc).await?;
            tracing::debug!(target: "use_aa::lab", elapsed = ?started.elapsed(), "the contracts are placed");
            Ok(placed)
        };
        let (placed, alto) = tokio::select! {
            biased;
            both = async { tokio::try_join!(contracts, alto.ready()) } => both?,
            error = anvil.process.ended() => return Err(error),
        };
        anvil.set_block_time(options.config.block_time).await?;
        tracing::debug!(target: "use_aa::lab", elapsed = ?started.elapsed(), "the bundler answers");
        let info = LabInfo {
            chain_id: LAB_CHAIN_ID,
            rpc_url: local_url(anvil.port)?,
            bundler_url: local_url(alto.port)?,
            entry_point: ENTRY_POINT,
            paymaster: VERIFYING_PAYMASTER,
            paymaster_id: contracts::PAYMASTER_ID,
            paymaster_signer: paymaster_signer()?,
            contracts: placed.contracts,
            folder: state.path().to_owned(),
            processes: [anvil.process.id(), alto.process.id()],
            dan_nodes: Vec::new(),
            dan_keys: None,
        };
        Ok((anvil, alto, info))
    }

    async fn end(&mut self) {
        let saving = if self.keep { SAVING } else { Duration::ZERO };
        let nodes = async {
            if let Some(nodes) = &mut self.dan {
                nodes.end().await;
            }
        };
        tokio::join!(self.alto.process.stop(Duration::ZERO), self.anvil.process.stop(saving), nodes);
    }
}

/// The nodes of the distributed keys, when there are to be any.
async fn start_nodes(options: &LabOptions, state: &Path) -> Result<Option<DanNodes>, LabError> {
    let Some(program) = &options.dan_program else { return Ok(None) };
    DanNodes::start(program, state, &options.config).await.map(Some)
}

/// Never ends.
async fn watch_nodes(nodes: &mut Option<DanNodes>) {
    match nodes {
        Some(nodes) => nodes.watch().await,
        None => std::future::pending().await,
    }
}

fn local_url(port: u16) -> Result<UpstreamUrl, LabError> {
    let url = format!("http://127.0.0.1:{port}");
    url.parse().map_err(|reason| LabError::Io { what: format!("use {url}"), reason })
}

fn paymaster_signer() -> Result<SignerKey, LabError> {
    let key = &first(Role::PaymasterSigner).private_key;
    SignerKey::from_bytes(key)
        .ok_or_else(|| LabError::Io { what: "use the paymaster's key".into(), reason: "not a key".into() })
}
