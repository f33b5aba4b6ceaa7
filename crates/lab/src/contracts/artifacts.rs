//! The compiled contracts: our own from `contracts/out`, the EntryPoint from npm.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use alloy::primitives::Bytes;
use serde::{Deserialize, de::DeserializeOwned};

use super::PlaceError;

const OWN: &str = "contracts/out/artifacts.json";
const ENTRY_POINT: &str = "end2end/node_modules/@account-abstraction/contracts/artifacts/EntryPoint.json";

#[derive(Deserialize)]
struct Artifact {
    bytecode: Bytes,
}

/// Creation codes, without constructor arguments.
#[derive(Debug)]
pub struct Artifacts {
    /// EntryPoint v0.6 as published.
    pub entry_point: Bytes,
    own: HashMap<String, Bytes>,
    path: PathBuf,
}

impl Artifacts {
    /// Reads both files below the project's folder.
    pub fn read(root: &Path) -> Result<Self, PlaceError> {
        let path = root.join(OWN);
        let own: HashMap<String, Artifact> = read_json(&path)?;
        let entry_point: Artifact = read_json(&root.join(ENTRY_POINT))?;
        let own = own.into_iter().map(|(name, artifact)| (name, artifact.bytecode)).collect();
        Ok(Self { entry_point: entry_point.bytecode, own, path })
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
