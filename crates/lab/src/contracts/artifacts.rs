//! The compiled contracts: our own and the published Nexus from `contracts/out`, the EntryPoints from npm.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use alloy::primitives::Bytes;
use serde::{Deserialize, de::DeserializeOwned};

use super::PlaceError;

const OWN: &str = "contracts/out/artifacts.json";
const NEXUS: &str = "contracts/out/nexus.json";
const ENTRY_POINT: &str = "end2end/node_modules/@account-abstraction/contracts/artifacts/EntryPoint.json";
const ENTRY_POINT_V07: &str = "end2end/node_modules/account-abstraction-contracts-0-7-0/artifacts/EntryPoint.json";

#[derive(Deserialize)]
struct Artifact {
    bytecode: Bytes,
}

/// Creation codes of Nexus as published: `contracts/nexus.mjs` says by which package.
#[derive(Debug, Deserialize)]
pub struct Nexus {
    /// Behind every account's proxy; the constructor wants the EntryPoint.
    pub implementation: Bytes,
    /// Creates the proxies; the constructor wants the implementation and an owner.
    pub factory: Bytes,
    /// Sets a new account up.
    pub bootstrap: Bytes,
}

/// Creation codes, without constructor arguments.
#[derive(Debug)]
pub struct Artifacts {
    /// EntryPoint v0.6 as published.
    pub entry_point: Bytes,
    /// EntryPoint v0.7 as published.
    pub entry_point_v07: Bytes,
    /// The accounts of EntryPoint v0.7.
    pub nexus: Nexus,
    own: HashMap<String, Bytes>,
    path: PathBuf,
}

impl Artifacts {
    /// Reads all files below the project's folder.
    pub fn read(root: &Path) -> Result<Self, PlaceError> {
        let path = root.join(OWN);
        let own: HashMap<String, Artifact> = read_json(&path)?;
        let nexus = read_json(&root.join(NEXUS))?;
        let [entry_point, entry_point_v07]: [Artifact; 2] =
            [read_json(&root.join(ENTRY_POINT))?, read_json(&root.join(ENTRY_POINT_V07))?];
        let own = own.into_iter().map(|(name, artifact)| (name, artifact.bytecode)).collect();
        let (entry_point, entry_point_v07) = (entry_point.bytecode, entry_point_v07.bytecode);
        Ok(Self { entry_point, entry_point_v07, nexus, own, path })
    }

    /// Creation code of our contract `name`.
    pub fn creation_code(&self, name: &str) -> Result<&Bytes, PlaceError> {
        self.own.get(name).ok_or_else(|| PlaceError::Artifact {
            path: self.path.clone(),
            reason: format!("there is no contract {name} in it"),
        })
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, PlaceError> {
    let broken = |reason: String| PlaceError::Artifact { path: path.to_owned(), reason };
    let text = std::fs::read(path).map_err(|error| broken(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_missing_or_broken_file_is_named_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let error = Artifacts::read(root.path()).unwrap_err().to_string();
        assert!(error.contains(OWN) && error.contains("make contracts"), "{error}");

        std::fs::create_dir_all(root.path().join("contracts/out")).unwrap();
        std::fs::write(root.path().join(OWN), r#"{"DemoNft":{"bytecode":"0xzz"}}"#).unwrap();
        assert!(matches!(Artifacts::read(root.path()), Err(PlaceError::Artifact { .. })));
    }
}
