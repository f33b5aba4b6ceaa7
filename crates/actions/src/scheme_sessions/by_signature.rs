//! Sessions that the owner grants by a signature: their first use enables them.

use alloy::primitives::B256;
use futures::future::try_join_all;
use use_aa_protocol::{
    session_scheme::{AboutSession, OnChain, SessionScheme, Stored},
    user_op_response::UserOpResponse,
};

use super::{GrantedKey, GrantedSessions, SchemeSessions, SessionGrants};
use crate::{
    account::SmartAccountClient, chain_reads::eth_call, clock::unix_seconds, error::AppError,
    owner_signature::owner_signature, send_user_operation::check_wallet_chain,
};

impl<S: SessionScheme> SchemeSessions<S> {
    /// Makes a key and has the owner sign for its sessions, once for all of them. Nothing is sent: what is told as operation is
    /// none ([`UserOpResponse::has_operation`]). From then on whoever holds signature and key can use the sessions, until
    /// [`Self::revoke`].
    ///
    /// # Errors
    /// `PolicyRefused` for what must not be granted, and where it takes an operation; those of relay, wallet and store.
    /// Without the owner's signature nothing is stored.
    pub(super) async fn grant_by_signature(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
    ) -> Result<GrantedSessions, AppError> {
        let drafted = self.draft_grant(owner, grants, GrantedKey::new()?).await?;
        let account = self.kind.address();
        let chain_id = drafted.snapshot.chain.chain_id;
        let numbered = drafted.sessions.into_iter().map(|session| async move {
            let unnumbered = || AppError::Internal { reason: "consents of these sessions have no numbers".into() };
            let call = S::consent_number_call(&session, account).ok_or_else(unnumbered)?;
            let answer = eth_call(self.relay.as_ref(), call.to, call.data).await?;
            Ok::<_, AppError>((session, S::consent_number(&answer)?))
        });
        let numbered = try_join_all(numbered).await?;
        let modules = &drafted.snapshot.account.modules;
        let typed_data = S::consent(&OnChain { account, modules, sessions: &[] }, &numbered, chain_id)?;
        check_wallet_chain(owner, chain_id).await?;
        let given = owner.wallet.sign_typed_data(&typed_data).await?;
        let signature = owner_signature(owner.owner, typed_data.digest, &given)?;
        let sessions = S::with_consent(account, numbered, chain_id, &self.kind.consent_signature(signature)?)?;
        drafted.key.put(self.store.as_ref(), account).await?;
        let ids = sessions.iter().map(S::id).collect();
        let about = AboutSession { label: drafted.label, created_at: Some(unix_seconds()), ..AboutSession::default() };
        for session in sessions {
            self.put(Stored { session, ending: false, about: about.clone() }).await?;
        }
        let response = UserOpResponse { user_op_hash: B256::ZERO, session: None };
        Ok(GrantedSessions { ids, session_key: drafted.key.address(), response })
    }

    /// Notes the operation that is to enable a session.
    ///
    /// # Errors
    /// `SessionNotFound` for one that is not stored; those of the store.
    pub(super) async fn note_first_use(&self, id: B256, operation: B256) -> Result<(), AppError> {
        let note = |stored: &mut Stored<S::Session>| {
            (stored.about.granted_by, stored.about.first_use_at) = (Some(operation), Some(unix_seconds()));
        };
        match self.change(id, note).await? {
            true => Ok(()),
            false => Err(AppError::SessionNotFound { wanted: id.to_string() }),
        }
    }

    /// None of these operations enables the session any more; another one, of another tab, still may.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn no_first_use(&self, id: B256, operations: &[B256]) -> Result<(), AppError> {
        let forget = |stored: &mut Stored<S::Session>| {
            if stored.about.granted_by.is_some_and(|noted| operations.contains(&noted)) {
                (stored.about.granted_by, stored.about.first_use_at) = (None, None);
            }
        };
        self.change(id, forget).await.map(drop)
    }
}
