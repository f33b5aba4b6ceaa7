//! Where the lab finds its programs and keeps its state.

use std::path::{Path, PathBuf};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use tempfile::TempDir;

use super::LabError;

/// What `make run` installs.
const INSTALL: &str = "make run` or `npm --prefix end2end ci";

/// Temporary folders are called this, then the process id of their owner, then something random.
const TEMPORARY: &str = "use-aa-lab-";

/// The folder that holds `contracts/` and `end2end/`.
pub fn project_root(given: Option<PathBuf>) -> PathBuf {
    given
        .or_else(|| std::env::current_dir().ok().filter(|here| here.join("contracts").is_dir()))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")))
}

/// The programs of the lab, checked to be there.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The native anvil binary (npm's own wrapper would be one process more between it and us).
    pub anvil: PathBuf,
    /// Entry script of alto.
    pub alto: PathBuf,
    /// Creation code of the simulations contract that alto wants on the chain.
    pub alto_simulations: PathBuf,
    /// Published artifact of EntryPoint v0.6.
    pub entry_point: PathBuf,
}

/// What `make run` compiles.
const COMPILE: &str = "make run` or `make contracts";

impl Tools {
    /// Looks for each in `end2end/node_modules`.
    pub fn find(root: &Path) -> Result<Self, LabError> {
        let modules = root.join("end2end/node_modules");
        let file = |what: &'static str, path: String| {
            let path = modules.join(path);
            if path.is_file() { Ok(path) } else { Err(LabError::Missing { what, path, fix: INSTALL }) }
        };
        let compiled = root.join("contracts/out/artifacts.json");
        if !compiled.is_file() {
            return Err(LabError::Missing { what: "the compiled contracts", path: compiled, fix: COMPILE });
        }
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        Ok(Self {
            anvil: file("anvil from npm", format!("@foundry-rs/anvil-{system}-{arch}/bin/anvil"))?,
            alto: file("alto from npm", "@pimlico/alto/esm/cli/alto.js".into())?,
            alto_simulations: file(
                "alto's simulations contract",
                "@pimlico/alto/esm/contracts/PimlicoSimulations.sol/PimlicoSimulations.json".into(),
            )?,
            entry_point: file(
                "the EntryPoint artifact from npm",
                "@account-abstraction/contracts/artifacts/EntryPoint.json".into(),
            )?,
        })
    }
}

/// The lab's folder: a given one stays, a temporary one goes with the lab.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl StateDir {
    /// Makes it.
    pub fn open(given: Option<&Path>) -> Result<Self, LabError> {
        match given {
            Some(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
                let made = std::fs::create_dir_all(&path);
                made.map_err(|error| LabError::Io {
                    what: format!("make the lab's folder {} (USE_AA_LAB_DIR)", path.display()),
                    reason: error.to_string(),
                })?;
                Ok(Self { path, _temporary: None })
            }
            None => {
                sweep(&std::env::temp_dir());
                let made = tempfile::Builder::new().prefix(&format!("{TEMPORARY}{}-", std::process::id())).tempdir();
                let temporary = made.map_err(|error| LabError::Io {
                    what: "make a temporary folder".into(),
                    reason: error.to_string(),
                })?;
                Ok(Self { path: temporary.path().to_path_buf(), _temporary: Some(temporary) })
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes the folders of labs whose process was killed and could not do it.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)?.split('-').next()?.parse().ok());
        if owner.is_some_and(|id: i32| id > 0 && kill(Pid::from_raw(id), None) == Err(Errno::ESRCH)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn missing_tools_name_the_command() {
        let empty = tempfile::tempdir().unwrap();
        let error = Tools::find(empty.path()).unwrap_err().to_string();
        assert!(error.contains("contracts/out") && error.contains("`make contracts`"), "{error}");
        std::fs::create_dir_all(empty.path().join("contracts/out")).unwrap();
        std::fs::write(empty.path().join("contracts/out/artifacts.json"), "{}").unwrap();
        let error = Tools::find(empty.path()).unwrap_err().to_string();
        assert!(error.contains("anvil") && error.contains("npm --prefix end2end ci"), "{error}");
    }

    #[test]
    fn a_temporary_folder_goes_and_a_given_one_stays() {
        let temporary = StateDir::open(None).unwrap();
        let path = temporary.path().to_path_buf();
        assert!(path.is_dir());
        drop(temporary);
        assert!(!path.exists());

        let base = tempfile::tempdir().unwrap();
        let given = StateDir::open(Some(&base.path().join("a/b"))).unwrap();
        let path = given.path().to_path_buf();
        drop(given);
        assert!(path.is_dir());
    }

    #[test]
    fn folders_of_dead_owners_are_swept() {
        let base = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = base.path().join(format!("{TEMPORARY}{}-x", child.id()));
        child.wait().unwrap();
        let living = base.path().join(format!("{TEMPORARY}{}-x", std::process::id()));
        let other = base.path().join("use-aa-lab-of-mine");
        for folder in [&dead, &living, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        sweep(base.path());
        assert!(!dead.exists() && living.exists() && other.exists());
    }
}
