//! What a text with sessions of a Nexus account holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Key;
use crate::protocol::nexus::NexusAccount;

/// Of texts with sessions of a Nexus account.
pub(super) const VERSION: u32 = 2;

/// An account, its sessions as they are stored, and their keys.
#[derive(Serialize, Deserialize)]
pub struct NexusTransfer {
    /// Whose sessions they are, with all that its address follows from.
    pub account: NexusAccount,
    /// Sessions, oldest first.
    pub sessions: Vec<Value>,
    /// Keys that were on the other device.
    pub keys: Vec<Key>,
}
