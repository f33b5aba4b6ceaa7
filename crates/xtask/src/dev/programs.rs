//! The lab, which is started once, and the server, which is started after each build of it.
//!
//! Both are of our process group, which `tools/group.sh` ends when this program does not come to it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{code::server_program, site, work_folder};

/// Longest wait for a server that starts.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long the server may take to close its books. Pages that wait on a stream would keep it for longer.
const SERVER_GRACE: Duration = Duration::from_millis(500);
/// The lab ends eight processes.
const LAB_GRACE: Duration = Duration::from_secs(10);

/// A program that ends with us.
struct Program {
    child: Child,
    grace: Duration,
}

impl Program {
    fn start(mut command: Command, grace: Duration) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self { child, grace })
    }

    /// How it ended, when it did.
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.child.id())
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            let start = Instant::now();
            while start.elapsed() < self.grace && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every setting of the server; `tests/deploy.rs` keeps the list whole.
const SETTINGS: &str = include_str!("../../../../deploy/environment.example");
/// What may be said of this lab as of any other. The rest belongs to a network and its server: chain, nodes, keys, names,
/// folders, budgets.
const KEPT: [&str; 5] =
    ["USE_AA_ADDR", "USE_AA_LOG_FORMAT", "USE_AA_LAB_BLOCK_TIME", "USE_AA_LAB_DIR", "USE_AA_LAB_PORT_BASE"];

fn settings() -> impl Iterator<Item = &'static str> {
    let names = SETTINGS.lines().filter_map(|line| line.trim_start_matches('#').split_once('=')).map(|(name, _)| name);
    names.filter(|name| name.starts_with("USE_AA_"))
}

/// The program, without what a `.env` of the workspace says of another network: what is set here, if only to nothing, is
/// not read there.
fn on_the_lab() -> Command {
    let mut command = Command::new(server_program());
    command.envs(settings().filter(|name| !KEPT.contains(name)).map(|name| (name, "")));
    command
}

/// The lab.
pub struct Lab {
    program: Program,
    /// Its line of JSON.
    file: PathBuf,
}

impl Lab {
    /// Starts it and waits for its addresses.
    pub fn start() -> Result<Self> {
        let folder = work_folder()?;
        let mut command = on_the_lab();
        command.args(["lab", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut program = Program::start(command, LAB_GRACE)?;
        let mut line = String::new();
        let output = program.child.stdout.take().context("the lab's output")?;
        BufReader::new(output).read_line(&mut line).context("reading the lab's addresses")?;
        if line.trim().is_empty() {
            bail!("the lab did not start; its reason stands above");
        }
        let file = folder.join("lab.json");
        fs::write(&file, line).with_context(|| format!("writing {}", file.display()))?;
        Ok(Self { program, file })
    }

    /// How it ended, when it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.program.ended()
    }
}

/// The server.
pub struct Server {
    program: Option<Program>,
    address: SocketAddr,
}

impl Server {
    /// Starts it on the lab and waits until it answers.
    pub fn start(lab: &Lab, address: SocketAddr, events: &str) -> Result<Self> {
        let mut server = Self { program: None, address };
        server.restart(lab, events)?;
        Ok(server)
    }

    /// Ends the one that runs and starts what was built.
    pub fn restart(&mut self, lab: &Lab, events: &str) -> Result<()> {
        self.program = None;
        let mut command = on_the_lab();
        command.arg("serve").stdin(Stdio::null());
        command.env("USE_AA_ADDR", self.address.to_string()).env("USE_AA_LAB_JSON", &lab.file);
        command.env("USE_AA_DEV_EVENTS", events).env("LEPTOS_SITE_ROOT", site::FOLDER);
        // Names stay the same: browsers shall ask each time.
        command.env("LEPTOS_HASH_FILES", "false");
        let mut program = Program::start(command, SERVER_GRACE)?;
        let start = Instant::now();
        while !answers(self.address) {
            if let Some(status) = program.ended()? {
                bail!("the server did not start ({status}); its reason stands in the terminal");
            }
            if start.elapsed() > READY_WITHIN {
                bail!("the server does not answer after {} s", READY_WITHIN.as_secs());
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.program = Some(program);
        Ok(())
    }

    /// How it ended, when it did; said once.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(program) = &mut self.program else { return Ok(None) };
        let status = program.ended()?;
        if status.is_some() {
            self.program = None;
        }
        Ok(status)
    }

    /// Whether one is running.
    pub fn runs(&self) -> bool {
        self.program.is_some()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn answers(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok::<_, std::io::Error>(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A tool with a program of its own, as `make dev` runs it; and the ids of both.
    fn group(tool: &str) -> (Child, [Pid; 2]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/group.sh");
        let mut command = Command::new(script);
        command.args(["bash", "-c", tool]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ids: Vec<_> = line.split_whitespace().map(|id| Pid::from_raw(id.parse().unwrap())).collect();
        (child, ids.try_into().unwrap())
    }

    #[test]
    fn what_is_started_works_on_the_lab_whatever_the_environment_says() {
        let command = on_the_lab();
        let value = |name: &str| command.get_envs().find(|(known, _)| *known == name).and_then(|(_, value)| value);
        // An ordinary `.env` of a server for others.
        for name in
            ["RPC_URL", "BUNDLER_URL", "CHAIN_ID", "HOSTS", "DAN_NODES", "DAN_SERVER_KEY", "DATA_DIR", "DATABASE_URL"]
        {
            let name = format!("USE_AA_{name}");
            assert_eq!(value(&name), Some("".as_ref()), "{name}: unset, it would be read from .env");
        }
        let left: Vec<_> = settings().filter(|name| value(name).is_none()).collect();
        let mut kept = KEPT.to_vec();
        kept.sort_unstable_by_key(|name| settings().position(|known| known == *name));
        assert_eq!(left, kept);
    }

    #[test]
    fn what_the_tool_started_ends_with_it_however_that_ends() {
        const TOOL: &str = "sleep 600 & echo $$ $!; wait";
        let of_us = |child: &Child| Pid::from_raw(i32::try_from(child.id()).unwrap());
        // Not SIGINT: whoever runs the tests in the background has it ignored.
        for (signal, to_the_tool, code) in [(Signal::SIGTERM, false, 143), (Signal::SIGKILL, true, 137)] {
            let (mut child, ids) = group(TOOL);
            kill(if to_the_tool { ids[0] } else { of_us(&child) }, signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
            // A signal of none says whether somebody is there; who is being reaped by init is there for a moment still.
            let start = Instant::now();
            while ids.iter().any(|id| kill(*id, None).is_ok()) {
                assert!(start.elapsed() < Duration::from_secs(5), "{signal}: {ids:?} still run");
                thread::sleep(Duration::from_millis(10));
            }
        }
        let (mut child, _) = group("sleep 600 & echo $$ $!; exit 3");
        assert_eq!(child.wait().unwrap().code(), Some(3), "its exit code is that of the tool");
    }
}
