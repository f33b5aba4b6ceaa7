//! What sending an operation answers; stored in the page's log, too.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// An operation that the bundler took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOpResponse {
    /// Hash of the user operation, to wait for.
    pub user_op_hash: B256,
    /// The sessions that the operation grants, when it grants any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<CreatedSession>,
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
