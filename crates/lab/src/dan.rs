//! Five nodes that share distributed session keys, each a process of its own: this program with `dan-node`.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use alloy::primitives::{B256, hex};
use serde_json::Value;
use tokio::{process::Command, sync::mpsc};

use super::{LabError, anvil::check_free, process::Process};
use use_aa_dan::{caller_key::CallerKey, identity::Identity};

use use_aa_server::config::{LabConfig, UpstreamUrl};

/// How many nodes hold a share, n; 3 of them sign.
pub const NODES: u8 = 5;
/// Longest wait for a node's address (under 50 ms are usual).
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often other ports are tried when somebody was faster.
const ATTEMPTS: usize = 3;

/// A running node, as a server or a test must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DanNodeInfo {
    /// Its id, from 1.
    pub id: u8,
    /// Its HTTP interface.
    pub url: UpstreamUrl,
    /// Its Ed25519 public key.
    pub identity: B256,
    /// Process id.
    pub process: i32,
}

/// By what the nodes know who asks them: as public as all keys of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DanKeys {
    /// The app server's.
    pub server: CallerKey,
    /// The operator's.
    pub operator: CallerKey,
}

/// The running nodes.
pub struct DanNodes {
    processes: Vec<Process>,
    /// By what they know who asks.
    pub keys: DanKeys,
    /// What is known of them.
    pub info: Vec<DanNodeInfo>,
}

impl DanNodes {
    /// Starts all and waits for their addresses. Ports: two for each node, behind those of chain and bundler, or free ones.
    pub async fn start(program: &Path, state: &Path, config: &LabConfig) -> Result<Self, LabError> {
        let port_base = config.port_base.map(|base| base.saturating_add(2));
        let mut attempt = 1;
        loop {
            match Self::try_start(program, state, port_base, config).await {
                // A free port was taken between our look and the node's.
                Err(LabError::ChildExited { tail, .. })
                    if port_base.is_none() && attempt < ATTEMPTS && tail.contains("cannot listen") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn try_start(
        program: &Path,
        state: &Path,
        port_base: Option<u16>,
        config: &LabConfig,
    ) -> Result<Self, LabError> {
        let folder = state.join("dan");
        let io = |what: &str, error: std::io::Error| LabError::Io { what: what.into(), reason: error.to_string() };
        fs::create_dir_all(&folder).map_err(|error| io("make the folder of the nodes", error))?;
        let ports = ports(port_base)?;
        let mut peers = Vec::new();
        for (id, (_, mesh)) in (1..=NODES).zip(&ports) {
            let seed = secret(&folder.join(format!("node-{id}.key")))?;
            let identity = Identity::from_hex(&seed)
                .ok_or_else(|| LabError::Io { what: "read a node's key".into(), reason: "not a key".into() })?;
            secret(&folder.join(format!("node-{id}.vault-key")))?;
            peers.push((identity.public(), format!("{id}=127.0.0.1:{mesh}#{}", identity.public())));
        }
        let (server_file, operator_file) = (folder.join("server-key"), folder.join("operator-key"));
        let keys = DanKeys {
            server: caller_key(&server_file, config.dan_server_key.as_ref())?,
            operator: caller_key(&operator_file, config.dan_operator_key.as_ref())?,
        };
        let list = peers.iter().map(|(_, peer)| peer.as_str()).collect::<Vec<_>>().join(",");
        let mut starting = Vec::new();
        for (id, (http, mesh)) in (1..=NODES).zip(&ports) {
            let mut command = Command::new(program);
            let file = |end: &str| folder.join(format!("node-{id}.{end}"));
            command.arg("dan-node").args(["--id", &id.to_string(), "--peers", &list]);
            command.args(["--listen", &format!("127.0.0.1:{http}"), "--mesh-listen", &format!("127.0.0.1:{mesh}")]);
            command.arg("--key-file").arg(file("key")).arg("--vault-key-file").arg(file("vault-key"));
            command.arg("--server-key-file").arg(&server_file).arg("--operator-key-file").arg(&operator_file);
            command.arg("--vault-dir").arg(file("vault")).current_dir(&folder);
            let (sender, urls) = mpsc::unbounded_channel();
            let process = Process::start("dan-node", command, move |line| {
                let url = serde_json::from_str::<Value>(line).ok();
                if let Some(url) = url.and_then(|line| line["url"].as_str()?.parse::<UpstreamUrl>().ok()) {
                    let _ = sender.send(url);
                }
            })?;
            starting.push((process, urls));
        }
        let (mut processes, mut info) = (Vec::new(), Vec::new());
        for ((id, (identity, _)), (mut process, mut urls)) in (1..).zip(&peers).zip(starting) {
            let url = tokio::select! {
                biased;
                Some(url) = urls.recv() => url,
                error = process.ended() => return Err(error),
                () = tokio::time::sleep(READY_WITHIN) => {
                    let (seconds, tail) = (READY_WITHIN.as_secs(), process.tail());
                    return Err(LabError::NotReady { program: "dan-node", seconds, tail });
                }
            };
            info.push(DanNodeInfo { id, url, identity: identity.to_bytes().into(), process: process.id() });
            processes.push(process);
        }
        Ok(Self { processes, keys, info })
    }

    /// Notes which nodes end; never ends itself. The network is made to work on without some: the lab goes on, too.
    pub async fn watch(&mut self) {
        let ends = self.processes.iter_mut().zip(&self.info).map(|(process, info)| async move {
            let reason = process.ended().await;
            tracing::warn!(target: "use_aa::lab", node = info.id, %reason, "a node of the distributed keys ended");
        });
        futures::future::join_all(ends).await;
        std::future::pending::<()>().await;
    }

    /// Ends them.
    pub async fn end(&mut self) {
        for process in &mut self.processes {
            process.stop(Duration::ZERO).await;
        }
    }
}

/// HTTP and mesh port of each node.
fn ports(base: Option<u16>) -> Result<Vec<(u16, u16)>, LabError> {
    if let Some(base) = base {
        let ports: Vec<_> = (0..u16::from(NODES)).map(|index| (base + 2 * index, base + 2 * index + 1)).collect();
        ports.iter().try_for_each(|(http, mesh)| check_free(*http).and_then(|()| check_free(*mesh)))?;
        return Ok(ports);
    }
    let reserve =
        || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| Ok((listener.local_addr()?, listener)));
    // All are held until the last is known: no two are the same.
    let held: Result<Vec<_>, _> = (0..NODES).map(|_| reserve()).collect();
    let held = held.map_err(|error| LabError::Io { what: "find free ports".into(), reason: error.to_string() })?;
    Ok(held.iter().map(|(address, _)| (0, address.port())).collect())
}

/// A caller's key in the file: the one that was given, or one that is made when missing.
fn caller_key(path: &Path, given: Option<&CallerKey>) -> Result<CallerKey, LabError> {
    let failed = |reason: String| LabError::Io { what: format!("keep a key in {}", path.display()), reason };
    if let Some(key) = given {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
            _ => write_secret(path, key.expose()).map_err(|error| failed(error.to_string()))?,
        }
    }
    CallerKey::parse(&secret(path)?).ok_or_else(|| failed("what is there is none".into()))
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// The secret in the file; made when missing.
fn secret(path: &Path) -> Result<String, LabError> {
    let failed = |error: std::io::Error| LabError::Io {
        what: format!("keep a node's key in {}", path.display()),
        reason: error.to_string(),
    };
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let text = hex::encode(rand::random::<[u8; 32]>());
    write_secret(path, &text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn ports_are_all_different() {
        let mut mesh: Vec<_> = ports(None).unwrap().into_iter().map(|(_, mesh)| mesh).collect();
        mesh.sort_unstable();
        mesh.dedup();
        assert_eq!(mesh.len(), usize::from(NODES));
    }

    #[test]
    fn a_callers_key_is_the_one_that_was_given_or_stays_as_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = caller_key(&path, None).unwrap();
        assert_eq!(caller_key(&path, None).unwrap(), made);
        let given = CallerKey::parse(&"0123456789".repeat(4)).unwrap();
        assert_eq!(caller_key(&path, Some(&given)).unwrap(), given);
        assert_eq!(caller_key(&path, None).unwrap(), given);
        assert!(use_aa_dan_node::vault::read_secret_file(&path).is_ok());
    }

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = secret(&path).unwrap();
        assert_eq!((first.len(), secret(&path).unwrap()), (64, first));
        assert!(use_aa_dan_node::vault::read_secret_file(&path).is_ok());
    }
}
