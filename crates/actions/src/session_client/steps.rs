//! Grants in two steps: built while a person still reads what is granted, completed once they agree.

use super::SessionClient;
use crate::{
    create_batch_session::{CreateBatchSessionVariables, prepare_create_batch_session},
    create_session::{CreateSessionVariables, PreparedCreateSession, complete_create_session, prepare_create_session},
    create_session_with_distributed_key::{
        PreparedDistributedGrant, complete_create_session_with_distributed_key,
        prepare_create_session_with_distributed_key,
    },
    error::AppError,
};
use use_aa_protocol::user_op_response::UserOpResponse;

impl SessionClient {
    /// [`prepare_create_session`]. Writes nothing; complete it with [`Self::complete_create_session`].
    ///
    /// # Errors
    /// Those of [`prepare_create_session`].
    pub async fn prepare_create_session(
        &self,
        request: CreateSessionVariables,
    ) -> Result<PreparedCreateSession, AppError> {
        prepare_create_session(self, self.store(), request).await
    }

    /// [`prepare_create_batch_session`]. Writes nothing; complete it with [`Self::complete_create_session`].
    ///
    /// # Errors
    /// Those of [`prepare_create_batch_session`].
    pub async fn prepare_create_batch_session(
        &self,
        request: CreateBatchSessionVariables,
    ) -> Result<PreparedCreateSession, AppError> {
        prepare_create_batch_session(self, self.store(), request).await
    }

    /// [`complete_create_session`]: the owner signs, and it is sent. Follow it with [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`complete_create_session`].
    pub async fn complete_create_session(&self, prepared: PreparedCreateSession) -> Result<UserOpResponse, AppError> {
        complete_create_session(self, self.store(), prepared).await
    }

    /// [`prepare_create_session_with_distributed_key`]. Writes nothing; complete it with
    /// [`Self::complete_create_session_with_distributed_key`].
    ///
    /// # Errors
    /// Those of [`prepare_create_session_with_distributed_key`]; `InvalidInput` without
    /// [`Self::with_distributed_keys`].
    pub async fn prepare_create_session_with_distributed_key(
        &self,
        request: CreateSessionVariables,
    ) -> Result<PreparedDistributedGrant, AppError> {
        prepare_create_session_with_distributed_key(self, self.store(), self.keys()?, request).await
    }

    /// [`complete_create_session_with_distributed_key`]: the owner signs twice, and it is sent. Follow it with
    /// [`Self::settle`].
    ///
    /// # Errors
    /// Those of [`complete_create_session_with_distributed_key`]; `InvalidInput` without
    /// [`Self::with_distributed_keys`].
    pub async fn complete_create_session_with_distributed_key(
        &self,
        prepared: PreparedDistributedGrant,
    ) -> Result<UserOpResponse, AppError> {
        complete_create_session_with_distributed_key(self, self.store(), self.keys()?, prepared).await
    }
}
