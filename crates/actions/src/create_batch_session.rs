//! Grants sessions for batches: ABI and ERC-20 leaves, mixed, under one session key, in one operation.

use super::{
    account::SmartAccountClient,
    create_session::{PreparedCreateSession, complete_create_session, prepare_grant},
    enable_mode::EnableMode,
    grant::GrantRequest,
    grant_limits::{set_native_total, set_total, set_uses},
    options::BuildUserOpOptions,
    ports::SessionStore,
    reviewed_sessions::ReviewedSessions,
};
use alloy::primitives::U256;

use crate::error::AppError;
use use_aa_protocol::{
    ProtocolError, policy::SessionPolicy, session_scheme::ActionLimits, user_op_response::UserOpResponse,
};

/// What is to be done; variables of `use_create_batch_session`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateBatchSessionVariables {
    /// What is to be allowed, judged by the ABI or the ERC-20 module; one session each, one key for all that bring
    /// none. `Policy` and `Erc20Policy` both go `.into()`.
    pub policy: Vec<SessionPolicy>,
    /// A name for people, kept in this browser.
    pub label: Option<String>,
    /// Without `paymaster_service_data` the grant is sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables).
    pub reviewed: Option<ReviewedSessions>,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables).
    pub replace_unknown: bool,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables).
    pub withdraw_native: bool,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables).
    pub limits: Vec<ActionLimits>,
    /// When the sessions are put on chain.
    pub enable: EnableMode,
}

impl CreateBatchSessionVariables {
    /// As [`CreateSessionVariables::with_uses`](super::create_session::CreateSessionVariables::with_uses).
    #[must_use]
    pub fn with_uses(mut self, uses: u128) -> Self {
        set_uses(&mut self.limits, self.policy.len(), uses);
        self
    }

    /// As [`CreateSessionVariables::with_total`](super::create_session::CreateSessionVariables::with_total).
    ///
    /// # Errors
    /// `Invalid` where no policy bounds an amount.
    pub fn with_total(mut self, total: U256) -> Result<Self, ProtocolError> {
        set_total(&mut self.limits, &self.policy, total)?;
        Ok(self)
    }

    /// As [`CreateSessionVariables::with_native_total`](super::create_session::CreateSessionVariables::with_native_total).
    ///
    /// # Errors
    /// `Invalid` where no policy lets a call send any.
    pub fn with_native_total(mut self, total: U256) -> Result<Self, ProtocolError> {
        set_native_total(&mut self.limits, &self.policy, total)?;
        Ok(self)
    }
}

/// The former name of [`CreateBatchSessionVariables`].
#[deprecated(note = "is now `CreateBatchSessionVariables`")]
pub type CreateBatchSessionRequest = CreateBatchSessionVariables;

impl From<CreateBatchSessionVariables> for GrantRequest {
    fn from(request: CreateBatchSessionVariables) -> Self {
        let CreateBatchSessionVariables {
            policy,
            label,
            options,
            reviewed,
            replace_unknown,
            withdraw_native,
            limits,
            enable,
        } = request;
        Self { policy, label, options, reviewed, replace_unknown, batched: true, withdraw_native, limits, enable }
    }
}

/// Grants sessions that [`super::send_with_batch_session`] can use together. Session key manager and batched session
/// router are enabled in the same operation where they are not yet (docs/protocol.md 3.10). Each leaf can be used singly, too.
///
/// Resolves when the bundler has the operation; follow it with [`super::settle_session`].
///
/// # Errors
/// Those of [`prepare_create_batch_session`] and of [`complete_create_session`].
pub async fn create_batch_session(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: CreateBatchSessionVariables,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_create_batch_session(client, store, request).await?;
    complete_create_session(client, store, prepared).await
}

/// Checks the policies and builds the granting operation. Writes nothing. [`complete_create_session`] signs and sends it.
///
/// # Errors
/// As [`super::create_session::prepare_create_session`].
pub async fn prepare_create_batch_session(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: CreateBatchSessionVariables,
) -> Result<PreparedCreateSession, AppError> {
    prepare_grant(client, store, GrantRequest::from(request)).await
}
