//! What module and policies know of one account.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256};

use super::{Refusal, Surroundings, policy::PolicyState};
use crate::smart_sessions::{
    Session,
    addresses::{FALLBACK_ADMINISTRATION, FALLBACK_GENERIC, FALLBACK_TARGET},
    ids,
};

/// Policies of one place, each contract once, in the order in which they were set.
pub(super) type Policies = Vec<(Address, PolicyState)>;

/// An enabled session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnabledSession {
    /// Judges the session key's signature.
    pub session_validator: Address,
    /// What it judges by.
    pub session_validator_init_data: Bytes,
    /// Others may pay for its operations.
    pub permits_paymaster: bool,
    /// Policies of whole operations.
    pub user_op_policies: Policies,
    /// Policies by action.
    pub actions: BTreeMap<B256, Policies>,
}

/// What the chain knows of one account's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleState {
    pub(super) sessions: Vec<(B256, EnabledSession)>,
    pub(super) nonces: BTreeMap<B256, U256>,
}

impl ModuleState {
    /// One session, just enabled.
    ///
    /// # Errors
    /// Why the chain would not enable it.
    pub fn with_session(session: &Session, surroundings: Surroundings<'_>) -> Result<Self, Refusal> {
        let mut state = Self::default();
        state.enable_sessions(std::slice::from_ref(session), surroundings)?;
        Ok(state)
    }

    /// Enabled sessions (`getPermissionIDs`).
    pub fn permission_ids(&self) -> Vec<B256> {
        self.sessions.iter().map(|(id, _)| *id).collect()
    }

    /// An enabled session.
    pub fn session(&self, permission_id: B256) -> Option<&EnabledSession> {
        self.sessions.iter().find(|(id, _)| *id == permission_id).map(|(_, session)| session)
    }

    pub(super) fn session_mut(&mut self, permission_id: B256) -> Option<&mut EnabledSession> {
        self.sessions.iter_mut().find(|(id, _)| *id == permission_id).map(|(_, session)| session)
    }

    /// What the next grant of a session must name.
    pub fn nonce(&self, permission_id: B256) -> U256 {
        self.nonces.get(&permission_id).copied().unwrap_or_default()
    }

    /// Puts the nonce that was read from the chain.
    pub fn set_nonce(&mut self, permission_id: B256, nonce: U256) {
        self.nonces.insert(permission_id, nonce);
    }

    /// The policies of an action, to put there what was read from the chain; of whole operations without one.
    pub fn policies_mut(&mut self, permission_id: B256, action: Option<B256>) -> Option<&mut Policies> {
        let session = self.session_mut(permission_id)?;
        match action {
            Some(action) => session.actions.get_mut(&action),
            None => Some(&mut session.user_op_policies),
        }
    }

    /// What a policy of an action knows.
    pub fn policy(&self, permission_id: B256, action_id: B256, policy: Address) -> Option<&PolicyState> {
        let policies = self.session(permission_id)?.actions.get(&action_id)?;
        policies.iter().find(|(address, _)| *address == policy).map(|(_, state)| state)
    }

    /// Ids of the two actions that stand for others.
    pub(super) fn fallbacks() -> [B256; 2] {
        [FALLBACK_GENERIC, FALLBACK_ADMINISTRATION].map(|selector| ids::action_id(FALLBACK_TARGET, selector))
    }
}
