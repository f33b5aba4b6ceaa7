//! Keys of sessions: in the store, or shared by nodes.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use use_aa_protocol::{
    distributed_key::{DanModuleInfo, EphemeralKey},
    session_scheme::{KeyAtNodes, SessionScheme},
    user_operation::UserOperation,
};

use super::{PreparedGrant, SchemeSessions, listing};
use crate::{
    error::AppError,
    ports::{DistributedKeys, SessionStore},
    random,
    send_with_distributed_session::{DistributedKey, sign},
};

/// The key of new sessions.
#[derive(Clone, Debug)]
pub(crate) enum GrantedKey {
    /// The key itself.
    Store(PrivateKeySigner),
    /// Nodes share it; the ephemeral key speaks for it.
    Nodes { address: Address, ephemeral_key: EphemeralKey, about: KeyAtNodes },
}

impl GrantedKey {
    /// One that nobody else has.
    pub(super) fn new() -> Result<Self, AppError> {
        random::session_key().map(Self::Store)
    }

    /// One that nodes offered.
    pub(crate) fn of_nodes(address: Address, ephemeral_key: EphemeralKey, dan_module_info: DanModuleInfo) -> Self {
        Self::Nodes { address, ephemeral_key, about: KeyAtNodes { dan_module_info, max_operation_cost: None } }
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::Store(key) => key.address(),
            Self::Nodes { address, .. } => *address,
        }
    }

    pub(super) fn at_nodes(&self) -> Option<&KeyAtNodes> {
        match self {
            Self::Store(_) => None,
            Self::Nodes { about, .. } => Some(about),
        }
    }

    pub(super) async fn put(&self, store: &dyn SessionStore, account: Address) -> Result<(), AppError> {
        match self {
            Self::Store(key) => store.put_signer(account, key).await,
            Self::Nodes { address, ephemeral_key, .. } => {
                store.put_ephemeral_key(account, *address, ephemeral_key).await
            }
        }
    }
}

impl<S> PreparedGrant<S> {
    /// Keeps with the sessions what one operation may cost the account: where nodes share their key.
    pub(crate) fn keep_operation_cost(&mut self, limit: U256) {
        if let GrantedKey::Nodes { about, .. } = &mut self.key {
            about.max_operation_cost = Some(limit);
        }
    }
}

/// Who signs a use.
pub(super) enum SessionSigner<'a> {
    Store(PrivateKeySigner),
    Nodes(&'a dyn DistributedKeys, Box<DistributedKey>),
}

impl SessionSigner<'_> {
    /// The session key's `personal_sign` of the hash. The operation's own signature says which session it is for.
    pub async fn sign(&self, operation: &UserOperation, user_op_hash: B256) -> Result<Bytes, AppError> {
        match self {
            Self::Store(key) => {
                let signature = key.sign_message_sync(user_op_hash.as_slice());
                let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?;
                Ok(signature.as_bytes().to_vec().into())
            }
            Self::Nodes(keys, key) => sign(*keys, key, operation.clone(), user_op_hash).await,
        }
    }
}

impl<S: SessionScheme> SchemeSessions<S> {
    pub(super) async fn signer<'a>(
        &self,
        keys: Option<&'a dyn DistributedKeys>,
        session: &S::Session,
        chain_id: u64,
    ) -> Result<SessionSigner<'a>, AppError> {
        let Some(keys) = keys else {
            let key = self.store.signer(self.kind.address(), S::session_key(session)).await?;
            return Ok(SessionSigner::Store(key));
        };
        let key = self.distributed_key(S::id(session)).await?;
        key.check_chain(chain_id)?;
        Ok(SessionSigner::Nodes(keys, Box::new(key)))
    }

    async fn distributed_key(&self, id: B256) -> Result<DistributedKey, AppError> {
        let stored = self.stored().await?;
        let stored = stored.iter().find(|stored| S::id(&stored.session) == id);
        let found = stored.and_then(|stored| Some((S::session_key(&stored.session), stored.about.nodes.as_ref()?)));
        let (session_key, nodes) = found
            .ok_or_else(|| AppError::SessionNotFound { wanted: format!("session {id} with a distributed key") })?;
        let info = nodes.dan_module_info.clone();
        DistributedKey::known(self.store.as_ref(), self.kind.address(), session_key, info).await
    }

    /// Tells the nodes to sign no more with the key of this session of a [listing](Self::listing), which all its other
    /// sessions lose with it. Needs no wallet and changes nothing on chain.
    ///
    /// # Errors
    /// `SessionNotFound` when the session is not stored here or has no distributed key; `TooFewNodes` when so few nodes
    /// heard it that the others could still sign.
    pub async fn revoke_at_nodes(&self, keys: &dyn DistributedKeys, listed: &str) -> Result<(), AppError> {
        let id = listing::permission_of(listed);
        let id = id.ok_or_else(|| AppError::SessionNotFound { wanted: listed.to_owned() })?;
        let key = self.distributed_key(id).await?;
        keys.revoke(&key.revocation()).await
    }
}
