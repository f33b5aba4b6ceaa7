//! [`Refusal`]: why a node does not do what it was asked for.

use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

use crate::simulate::Violation;

/// A node's clear no. Travels as JSON; callers match variants, never text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all_fields = "camelCase")]
pub enum Refusal {
    /// The request is not well-formed.
    #[error("{field}: {reason}")]
    Malformed {
        /// Which part.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The grant is of a version that is not known here: the page is newer than the node.
    #[error("the grant is of version {version}; this node knows those up to {newest}: update it")]
    UnknownVersion {
        /// The grant's version.
        version: u32,
        /// The newest one that is known.
        newest: u32,
    },
    /// The owner's signature is not one, or not the owner's.
    #[error("the signature is not that of the owner {owner}")]
    NotTheOwner {
        /// Who should have signed.
        owner: Address,
    },
    /// The account is not the one that the owner's address gives.
    #[error("{account} is not account {index} of {owner}, which is {expected}")]
    NotTheOwnersAccount {
        /// The account that was named.
        account: Address,
        /// The owner.
        owner: Address,
        /// Index of the account.
        index: u64,
        /// Counterfactual address of that account.
        expected: Address,
    },
    /// The grant's policy must not be granted.
    #[error("the policy cannot be granted: {reason}")]
    PolicyRefused {
        /// Why.
        reason: String,
    },
    /// The leaves are not those that the owner signed.
    #[error("the leaves are not those that the owner signed")]
    OtherPolicy,
    /// The grant is over.
    #[error("the grant ended at {valid_until} (unix seconds)")]
    GrantExpired {
        /// Its end, unix seconds.
        valid_until: u64,
    },
    /// The set of signing nodes is not one.
    #[error("the set of signing nodes: {reason}")]
    SignerSet {
        /// What is wrong with it.
        reason: String,
    },
    /// The request is not signed by the grant's ephemeral key.
    #[error("the request is not signed by the key of the page that was granted")]
    NotTheEphemeralKey,
    /// The request names another key than the grant.
    #[error("the request is for another key than the grant")]
    OtherKey,
    /// The operation is for another account.
    #[error("the operation is for account {got}, the grant is for {granted}")]
    OtherAccount {
        /// The granted account.
        granted: Address,
        /// The operation's sender.
        got: Address,
    },
    /// The operation is for another chain.
    #[error("the operation is for chain {got}, the grant is for {granted}")]
    OtherChain {
        /// The granted chain.
        granted: u64,
        /// The requested one.
        got: u64,
    },
    /// The operation is for another entry point.
    #[error("the operation is for entry point {got}, the grant is for {granted}")]
    OtherEntryPoint {
        /// The granted entry point.
        granted: Address,
        /// The requested one.
        got: Address,
    },
    /// The call data of a Nexus account is not `execute` with calls of which a failing one undoes all.
    #[error("the nodes sign no such call data: {reason}")]
    ExecutionRefused {
        /// What it is.
        reason: String,
    },
    /// On Nexus another validator than Smart Sessions would judge the operation, or it would install a module.
    #[error("the nonce's lane: {reason}")]
    NonceLane {
        /// What it names.
        reason: String,
    },
    /// On Nexus the operation would enable a session, for which nodes do not sign.
    #[error("the operation would enable a session; nodes sign only what uses one")]
    SignatureMode,
    /// On Nexus the operation would use a session that is not of the grant.
    #[error("session {got} is not one of those granted")]
    OtherPermission {
        /// Its permission id.
        got: B256,
    },
    /// A call breaks the granted policy.
    #[error("the policy does not allow this: {rule}: {reason}")]
    PolicyViolation {
        /// Name of the check that fails.
        rule: String,
        /// What was allowed and what was asked for.
        reason: String,
    },
    /// The account would pay for the operation itself, and it may cost more than the grant allows.
    #[error("the operation may cost the account {cost} wei; the grant allows {limit} wei for each operation")]
    OperationCost {
        /// The grant's limit, wei.
        limit: U256,
        /// The most that the operation may cost, wei.
        cost: U256,
    },
}

impl Refusal {
    pub(crate) fn malformed(field: &str, reason: impl Into<String>) -> Self {
        Self::Malformed { field: field.into(), reason: reason.into() }
    }

    /// Stable name of the reason, for the wire between node and coordinator.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::UnknownVersion { .. } => "unknown-version",
            Self::NotTheOwner { .. } => "not-the-owner",
            Self::NotTheOwnersAccount { .. } => "not-the-owners-account",
            Self::PolicyRefused { .. } => "policy-refused",
            Self::OtherPolicy => "other-policy",
            Self::GrantExpired { .. } => "grant-expired",
            Self::SignerSet { .. } => "signer-set",
            Self::NotTheEphemeralKey => "not-the-ephemeral-key",
            Self::OtherKey => "other-key",
            Self::OtherAccount { .. } => "other-account",
            Self::OtherChain { .. } => "other-chain",
            Self::OtherEntryPoint { .. } => "other-entry-point",
            Self::ExecutionRefused { .. } => "execution-refused",
            Self::NonceLane { .. } => "nonce-lane",
            Self::SignatureMode => "signature-mode",
            Self::OtherPermission { .. } => "other-permission",
            Self::PolicyViolation { .. } => "policy-violation",
            Self::OperationCost { .. } => "operation-cost",
        }
    }
}

impl From<Violation> for Refusal {
    fn from(Violation { rule, reason, .. }: Violation) -> Self {
        Self::PolicyViolation { rule, reason }
    }
}
