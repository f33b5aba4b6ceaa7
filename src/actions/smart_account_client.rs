//! The verbs as methods of [`SmartAccountClient`], under the names of the seed's client, for code that goes below the
//! hooks: servers, scripts, tests.

use alloy::primitives::{Address, Bytes, U256};

use super::{
    account::SmartAccountClient,
    create_batch_session::{CreateBatchSessionRequest, create_batch_session},
    create_session::{CreateSessionRequest, create_session},
    deploy::deploy_smart_account,
    options::BuildUserOpOptions,
    ports::SessionStore,
    send_sponsored_transaction::send_sponsored_transaction,
    send_transaction::send_transaction,
    sign_message::sign_message,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::{
    error::AppError,
    protocol::{rpc::UserOpReceipt, smart_account::Call, user_op_response::UserOpResponse},
};

impl SmartAccountClient {
    /// The account's address (the seed's `getAccountAddress`); reckoned, not asked for.
    pub fn get_account_address(&self) -> Address {
        self.account
    }

    /// Has the account code (the seed's `isAccountDeployed`)?
    ///
    /// # Errors
    /// Those of reading the chain.
    pub async fn is_account_deployed(&self) -> Result<bool, AppError> {
        Ok(self.relay.account_state(self.account, U256::ZERO).await?.deployed)
    }

    /// [`send_transaction`]: calls that the owner signs (the seed's `sendTransaction`).
    ///
    /// # Errors
    /// Those of [`send_transaction`].
    pub async fn send_transaction(
        &self,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        send_transaction(self, calls, options).await
    }

    /// [`send_sponsored_transaction`]: the same with the gas paid by the app.
    ///
    /// # Errors
    /// Those of [`send_sponsored_transaction`].
    pub async fn send_sponsored_transaction(
        &self,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        send_sponsored_transaction(self, calls, options).await
    }

    /// [`deploy_smart_account`]: deploys and does nothing else (the seed's `deploy`).
    ///
    /// # Errors
    /// Those of [`deploy_smart_account`].
    pub async fn deploy(&self, options: &BuildUserOpOptions) -> Result<UserOpResponse, AppError> {
        deploy_smart_account(self, options).await
    }

    /// [`sign_message`]: ERC-1271, or ERC-6492 before the account is deployed (the seed's `signMessage`).
    ///
    /// # Errors
    /// Those of [`sign_message`].
    pub async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        sign_message(self, message).await
    }

    /// [`create_session`]: grants sessions for single calls (the seed's `createSession`).
    ///
    /// # Errors
    /// Those of [`create_session`].
    pub async fn create_session(
        &self,
        store: &dyn SessionStore,
        request: CreateSessionRequest,
    ) -> Result<UserOpResponse, AppError> {
        create_session(self, store, request).await
    }

    /// [`create_batch_session`]: grants sessions that can be used together (the seed's `createBatchSession`).
    ///
    /// # Errors
    /// Those of [`create_batch_session`].
    pub async fn create_batch_session(
        &self,
        store: &dyn SessionStore,
        request: CreateBatchSessionRequest,
    ) -> Result<UserOpResponse, AppError> {
        create_batch_session(self, store, request).await
    }

    /// [`wait_for_user_operation_receipt`], without news on the way (the seed's `response.wait()`).
    ///
    /// # Errors
    /// Those of [`wait_for_user_operation_receipt`].
    pub async fn wait(&self, response: &UserOpResponse) -> Result<UserOpReceipt, AppError> {
        wait_for_user_operation_receipt(self.relay.as_ref(), response.user_op_hash, |_| {}).await
    }
}
