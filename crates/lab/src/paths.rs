//! Where the lab finds its programs and keeps its state.

use std::path::{Path, PathBuf};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use tempfile::TempDir;

use super::LabError;

/// Temporary folders are called this, then the process id of their owner, then something random.
const TEMPORARY: &str = "use-aa-lab-";

/// The folder that holds `contracts/` and `end2end/`: the given one, else the current folder or the first above it that
/// does, else the same for the folder of this program (`target/debug` of a checkout). Where it was built decides nothing.
pub fn project_root(given: Option<PathBuf>) -> Result<PathBuf, LabError> {
    if let Some(given) = given {
        return Ok(given);
    }
    let program = std::env::current_exe().ok();
    let starts = [std::env::current_dir().ok(), program.as_deref().and_then(Path::parent).map(Path::to_path_buf)];
    let mut starts: Vec<PathBuf> = starts.into_iter().flatten().collect();
    // Both are one where the program is started in its own folder.
    starts.dedup();
    find_root(&starts).ok_or(LabError::NoProject { looked: starts })
}

/// The first folder, of each start and those above it, that looks like a checkout.
fn find_root(starts: &[PathBuf]) -> Option<PathBuf> {
    let holds_both = |folder: &&Path| folder.join("contracts").is_dir() && folder.join("end2end").is_dir();
    starts.iter().flat_map(|start| start.ancestors()).find(holds_both).map(Path::to_path_buf)
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
    /// The simulations contract that alto wants for v0.7.
    pub alto_simulations_v07: PathBuf,
    /// Published artifact of EntryPoint v0.6.
    pub entry_point: PathBuf,
    /// Published artifact of EntryPoint v0.7.
    pub entry_point_v07: PathBuf,
}

impl Tools {
    /// Looks for each in `end2end/node_modules`.
    pub fn find(root: &Path) -> Result<Self, LabError> {
        let modules = root.join("end2end/node_modules");
        let file = |what: &'static str, path: String| {
            let path = modules.join(path);
            if path.is_file() { Ok(path) } else { Err(LabError::Missing { what, path }) }
        };
        let compiled = root.join("contracts/out/artifacts.json");
        if !compiled.is_file() {
            return Err(LabError::Missing { what: "the compiled contracts", path: compiled });
        }
        let nexus = root.join("contracts/out/nexus.json");
        if !nexus.is_file() {
            return Err(LabError::Missing { what: "the published Nexus", path: nexus });
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
            alto_simulations_v07: file(
                "alto's simulations contract for v0.7",
                "@pimlico/alto/esm/contracts/EntryPointSimulations.sol/EntryPointSimulations07.json".into(),
            )?,
            entry_point: file(
                "the EntryPoint artifact from npm",
                "@account-abstraction/contracts/artifacts/EntryPoint.json".into(),
            )?,
            entry_point_v07: file(
                "the EntryPoint v0.7 artifact from npm",
                "account-abstraction-contracts-0-7-0/artifacts/EntryPoint.json".into(),
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
        assert!(error.contains("the published Nexus") && error.contains("`make contracts`"), "{error}");
        std::fs::write(empty.path().join("contracts/out/nexus.json"), "{}").unwrap();
        let error = Tools::find(empty.path()).unwrap_err().to_string();
        assert!(error.contains("anvil") && error.contains("`make contracts`"), "{error}");
    }

    #[test]
    fn the_first_folder_that_looks_like_a_checkout_is_taken() {
        let base = tempfile::tempdir().unwrap();
        let folder = |path: &str| {
            let path = base.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let [first, second] = ["first", "second"].map(|name| {
            folder(&format!("{name}/contracts"));
            folder(&format!("{name}/end2end"));
            base.path().join(name)
        });
        let (inside, program) = (folder("first/crates/lab"), folder("second/target/debug"));
        // One of the two is not enough: the search goes on above it.
        folder("first/crates/contracts");
        let elsewhere = folder("elsewhere");
        assert_eq!(find_root(std::slice::from_ref(&first)), Some(first.clone()));
        assert_eq!(find_root(&[inside, program.clone()]), Some(first), "the current folder comes first");
        assert_eq!(find_root(&[elsewhere.clone(), program]), Some(second));
        assert_eq!(find_root(&[elsewhere]), None);
        assert_eq!(find_root(&[]), None);
    }

    #[test]
    fn what_is_given_is_taken_as_it_is() {
        assert_eq!(project_root(Some("/nowhere".into())), Ok("/nowhere".into()));
        // The current folder of a test is its package's: the checkout is above it.
        assert!(project_root(None).unwrap().join("crates/lab").is_dir());
    }

    #[test]
    fn no_checkout_is_one_line_that_says_what_to_do() {
        let error = LabError::NoProject { looked: vec!["/a/b".into(), "/opt/bin".into()] }.to_string();
        assert_eq!(error.lines().count(), 1);
        for part in
            ["anvil", "alto", "EntryPoint", "contracts", "/a/b, /opt/bin", "USE_AA_RPC_URL", "USE_AA_BUNDLER_URL"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
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
