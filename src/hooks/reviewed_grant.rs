//! What a review is about: what is asked for, and what the person agreed to.

use alloy::primitives::{Address, U256};

use super::{CreateBatchSessionVariables, CreateSessionVariables, EnableMode, ReviewedSessions};
use crate::{
    actions::grant_limits::{limits_at, set_native_total, set_total, set_uses},
    error::AppError,
    protocol::{
        policy::{Policy, SessionPolicy},
        session_scheme::ActionLimits,
    },
};

/// Who will hold the session key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyHolder {
    /// This browser, encrypted. A policy with an address of its own is held by whoever has that key, and says so.
    #[default]
    ThisBrowser,
    /// Nobody: nodes share it.
    Nodes,
}

/// What a person is asked to allow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrantRequest {
    /// Name of the session in the list.
    pub label: String,
    /// The smart account that grants.
    pub account: Address,
    /// One session each.
    pub policies: Vec<SessionPolicy>,
    /// A sponsor pays the gas.
    pub sponsored: bool,
    /// Who will hold the key that is made for this grant.
    pub key_holder: KeyHolder,
    /// Send the account's native currency to its owner in the same operation, so that the session finds none to take as
    /// fees. The person decides; `true` ticks the box for them.
    pub withdraw_native: bool,
    /// The most that the gas of one operation may cost the account, wei; for keys that nodes share, which keep to it.
    /// `None`: the default, 0.05 of the native currency or what a million gas costs now, which is more; in what is granted
    /// it is named.
    pub max_operation_cost: Option<U256>,
    /// What each policy's calls are limited to over all of them, in the order of the policies; those that are missing count
    /// nothing. Only account kinds whose sessions count take any.
    pub limits: Vec<ActionLimits>,
    /// When the sessions are put on chain: now, or with their first use, for which the person only signs. Only account kinds
    /// whose sessions take signatures do the latter.
    pub enable: EnableMode,
    /// In what is granted: what the review showed of sessions that were granted elsewhere. Pass it on with the grant.
    pub reviewed: Option<ReviewedSessions>,
    /// In what is granted: the review said that it ends sessions granted elsewhere. Pass it on with the grant.
    pub replace_unknown: bool,
}

impl GrantRequest {
    /// What is asked for under this name; account, sponsor and holder of the key are filled in by
    /// [`use_reviewed_grant`](super::use_reviewed_grant).
    pub fn new<P: Into<SessionPolicy>>(label: impl Into<String>, policies: impl IntoIterator<Item = P>) -> Self {
        Self { label: label.into(), policies: policies.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Allows each policy so many calls.
    #[must_use]
    pub fn with_uses(mut self, uses: u128) -> Self {
        set_uses(&mut self.limits, self.policies.len(), uses);
        self
    }

    /// Allows the amounts that the policies bound per call to add up to so much, each policy for itself, in the token's
    /// smallest unit.
    ///
    /// # Errors
    /// `InvalidInput` where no policy bounds an amount.
    pub fn with_total(mut self, total: U256) -> Result<Self, AppError> {
        set_total(&mut self.limits, &self.policies, total)?;
        Ok(self)
    }

    /// Allows the calls of each policy that may send the native currency to send so much of it in all, wei.
    ///
    /// # Errors
    /// `InvalidInput` where no policy lets a call send any.
    pub fn with_native_total(mut self, total: U256) -> Result<Self, AppError> {
        set_native_total(&mut self.limits, &self.policies, total)?;
        Ok(self)
    }

    /// Has the first use enable the sessions: the person signs, and nothing is sent.
    #[must_use]
    pub fn enabled_with_first_use(self) -> Self {
        Self { enable: EnableMode::WithFirstUse, ..self }
    }

    /// What the calls of the policy at this place are limited to over all of them.
    pub fn limits_of(&self, policy: usize) -> ActionLimits {
        limits_at(&self.limits, policy)
    }

    /// The policies that the ABI module judges, for hooks that take no others: `use_reviewed_grant` refuses the others
    /// before they are reviewed.
    pub fn abi_policies(&self) -> Vec<Policy> {
        let abi = |policy: &SessionPolicy| match policy {
            SessionPolicy::Abi(policy) => Some(policy.clone()),
            SessionPolicy::Erc20(_) => None,
        };
        self.policies.iter().filter_map(abi).collect()
    }
}

/// What was asked for and what the person made of it. Only `granted` may be granted: amounts and end may be others,
/// and calls may be missing. An app that needs more than it got compares the two and says so before it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantDecision {
    /// What the review was opened with.
    pub requested: GrantRequest,
    /// What the person agreed to.
    pub granted: GrantRequest,
    /// Places in `requested.policies` of the calls that were left out; `granted.policies` holds the others in order.
    pub left_out: Vec<usize>,
}

impl GrantDecision {
    /// The person changed something.
    pub fn is_changed(&self) -> bool {
        // What the signature keeps is no matter of what was asked for, nor is a limit that nobody named.
        let GrantRequest { reviewed, replace_unknown, max_operation_cost, .. } = self.requested.clone();
        self.requested != GrantRequest { reviewed, replace_unknown, max_operation_cost, ..self.granted.clone() }
    }
}

impl From<GrantRequest> for CreateSessionVariables {
    fn from(granted: GrantRequest) -> Self {
        Self {
            policy: granted.abi_policies(),
            label: Some(granted.label),
            reviewed: granted.reviewed,
            replace_unknown: granted.replace_unknown,
            withdraw_native: granted.withdraw_native,
            max_operation_cost: granted.max_operation_cost,
            limits: granted.limits,
            enable: granted.enable,
            ..Self::default()
        }
    }
}

impl From<GrantRequest> for CreateBatchSessionVariables {
    fn from(granted: GrantRequest) -> Self {
        Self {
            policy: granted.policies,
            label: Some(granted.label),
            reviewed: granted.reviewed,
            replace_unknown: granted.replace_unknown,
            withdraw_native: granted.withdraw_native,
            limits: granted.limits,
            enable: granted.enable,
            ..Self::default()
        }
    }
}
