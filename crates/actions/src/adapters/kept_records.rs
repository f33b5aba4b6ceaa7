//! What stores keep of a scheme's sessions.

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Records in the order in which they came, each under the id of its session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeptRecords(Vec<(B256, Value)>);

impl KeptRecords {
    pub(super) fn values(&self) -> Vec<Value> {
        self.0.iter().map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn get(&self, id: B256) -> Option<&Value> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, record)| record)
    }

    /// In its place, or behind the others; `None` forgets it.
    pub(super) fn put(&mut self, id: B256, record: Option<Value>) {
        match (self.0.iter().position(|(other, _)| *other == id), record) {
            (Some(place), Some(record)) => {
                if let Some(kept) = self.0.get_mut(place) {
                    kept.1 = record;
                }
            }
            (Some(place), None) => drop(self.0.remove(place)),
            (None, Some(record)) => self.0.push((id, record)),
            (None, None) => {}
        }
    }
}
