//! What can go wrong with the lab.

use std::path::PathBuf;

/// Why the lab did not start, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabError {
    /// Something that must be installed or built first is not there.
    #[error("the lab needs {what} ({path}): run `make run` or `make contracts`", path = path.display())]
    Missing {
        /// What it is.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is no checkout of this project, which is where the lab's programs are.
    #[error(
        "the lab needs anvil, alto and the EntryPoint artifact (from npm) and the compiled contracts, and there is no \
         folder with contracts/ and end2end/ in or above {looked}: start it in a checkout of use-aa after `make contracts`, \
         or set USE_AA_RPC_URL and USE_AA_BUNDLER_URL, with which `use-aa serve` needs no lab",
        looked = list(looked)
    )]
    NoProject {
        /// Where it was looked for: in these and the folders above them.
        looked: Vec<PathBuf>,
    },
    /// A port that was asked for is in use.
    #[error("USE_AA_LAB_PORT_BASE: port {port} on 127.0.0.1 is in use; choose another first port, or unset it")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A program could not be started at all.
    #[error("{program} cannot be started: {reason}")]
    Spawn {
        /// The program.
        program: &'static str,
        /// What the system said.
        reason: String,
    },
    /// A program of the lab ended by itself.
    #[error("{program} ended ({status}); the last it said:\n{tail}")]
    ChildExited {
        /// The program.
        program: &'static str,
        /// Exit code or signal.
        status: String,
        /// End of its output.
        tail: String,
    },
    /// A program runs but does not answer.
    #[error("{program} does not answer after {seconds} s; the last it said:\n{tail}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// How long was waited, seconds.
        seconds: u64,
        /// End of its output.
        tail: String,
    },
    /// A JSON-RPC call to the lab failed.
    #[error("{method} failed: {reason}")]
    Rpc {
        /// The method.
        method: String,
        /// What came back.
        reason: String,
    },
    /// A contract could not be placed.
    #[error("the contracts cannot be placed: {reason}")]
    Contracts {
        /// Why.
        reason: String,
    },
    /// A file or folder of the lab.
    #[error("cannot {what}: {reason}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        reason: String,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
