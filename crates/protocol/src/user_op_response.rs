//! What sending an operation answers; stored in the page's log, too.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// An operation that the bundler took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOpResponse {
    /// Hash of the user operation, to wait for. Zero where nothing was sent: a grant that the sessions' first use carries.
    pub user_op_hash: B256,
    /// The sessions that the operation grants, when it grants any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<CreatedSession>,
}

impl UserOpResponse {
    /// Is there an operation to wait for?
    pub fn has_operation(&self) -> bool {
        !self.user_op_hash.is_zero()
    }
}

/// What a grant made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedSession {
    /// The smart account that granted.
    pub account: Address,
    /// Ids of the new leaves, in the order of the policy.
    pub session_ids: Vec<String>,
    /// The session key that was made for this grant; the first policy's own key when all brought one.
    pub session_key_address: Address,
}
