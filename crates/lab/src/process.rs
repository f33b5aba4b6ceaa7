//! A child process that cannot outlive us, with the end of what it said.

use std::{
    collections::VecDeque,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
};

use super::LabError;

/// Lines kept of a child's output.
const TAIL_LINES: usize = 30;
/// Longest line kept, bytes.
const TAIL_LINE_BYTES: usize = 500;

/// A running child, head of its own process group.
pub struct Process {
    program: &'static str,
    child: Child,
    group: Pid,
    tail: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it; `on_line` sees each line of its standard output. Must be called on the lab's own thread.
    pub fn start(
        program: &'static str,
        mut command: Command,
        mut on_line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, LabError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        // Neither our secrets nor what would change its behaviour (RUST_LOG, NODE_OPTIONS, ALTO_…) goes down to it.
        let kept = ["PATH", "TMPDIR", "LANG", "LD_LIBRARY_PATH"];
        let own: Vec<_> = command.as_std().get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
        command.env_clear();
        command.envs(kept.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.envs(own.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        die_with_parent(&mut command);
        let spawned = command.spawn();
        let mut child = spawned.map_err(|error| LabError::Spawn { program, reason: error.to_string() })?;
        let no_id = || LabError::Spawn { program, reason: "it ended at once".into() };
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw).ok_or_else(no_id)?;
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(TAIL_LINES)));
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(read(program, stdout, tail.clone(), move |line| on_line(line)));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(read(program, stderr, tail.clone(), |_| {}));
        }
        Ok(Self { program, child, group, tail })
    }

    /// Process id.
    pub fn id(&self) -> i32 {
        self.group.as_raw()
    }

    /// Waits until it ends by itself, which it never should.
    pub async fn ended(&mut self) -> LabError {
        let status = match self.child.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        // What it wrote last may still be in the pipe: let the readers run.
        tokio::time::sleep(Duration::from_millis(20)).await;
        LabError::ChildExited { program: self.program, status, tail: self.tail() }
    }

    /// The end of what it wrote.
    pub fn tail(&self) -> String {
        let lines = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() { "(nothing)".into() } else { lines.iter().cloned().collect::<Vec<_>>().join("\n") }
    }

    /// Asks it to end, then ends it and whatever it started.
    pub async fn stop(&mut self, grace: Duration) {
        if !grace.is_zero() && killpg(self.group, Signal::SIGTERM).is_ok() {
            let _ = tokio::time::timeout(grace, self.child.wait()).await;
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
    }
}

/// Makes the kernel end the child when the thread that starts it ends, even by SIGKILL.
///
/// `unsafe` because the closure runs between fork and exec: it only makes two system calls and allocates nothing.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: prctl and getppid are async-signal-safe, and nothing else happens here.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if nix::unistd::getppid() == parent { Ok(()) } else { Err(std::io::ErrorKind::NotConnected.into()) }
        });
    }
}

/// Other systems have no such call: there, only a killed (not a stopped) lab leaves its children.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

async fn read(
    program: &'static str,
    stream: impl AsyncRead + Unpin,
    tail: Arc<Mutex<VecDeque<String>>>,
    mut on_line: impl FnMut(&str),
) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(count) if count > 0) {
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim_end();
        on_line(line);
        tracing::debug!(target: "use_aa::lab", program, "{line}");
        if !line.is_empty() {
            let mut lines = tail.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == TAIL_LINES {
                lines.pop_front();
            }
            lines.push_back(line.chars().take(TAIL_LINE_BYTES).collect());
        }
        bytes.clear();
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| format!("signal {name}"))
        }
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_child_that_dies_is_described_with_its_last_words() {
        let mut process = Process::start("sh", shell("echo said; echo whispered >&2; exit 3"), |_| {}).unwrap();
        let LabError::ChildExited { program, status, tail } = process.ended().await else { panic!("another error") };
        assert_eq!((program, status.as_str()), ("sh", "exit code 3"));
        assert!(tail.contains("said") && tail.contains("whispered"), "{tail}");
    }

    #[tokio::test]
    async fn stopping_ends_grandchildren_too() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let script = "trap '' TERM; sleep 60 & echo $!; wait";
        let mut process = Process::start("sh", shell(script), move |line| drop(sender.send(line.to_owned()))).unwrap();
        let grandchild = tokio::task::spawn_blocking(move || receiver.recv()).await.unwrap().unwrap();
        process.stop(Duration::from_millis(10)).await;
        let gone = || match std::fs::read_to_string(format!("/proc/{grandchild}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(2);
        while !gone() && std::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(gone(), "process {grandchild} is still there");
    }
}
