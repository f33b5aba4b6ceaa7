//! The verbs as methods of [`SmartAccountClient`], under the names of `@biconomy/use-aa`'s client, for code that goes below the
//! hooks: servers, scripts, tests.

use alloy::primitives::{Address, Bytes, U256};

use super::{
    account::SmartAccountClient,
    create_batch_session::{CreateBatchSessionVariables, create_batch_session},
    create_session::{CreateSessionVariables, create_session},
    deploy::deploy_smart_account,
    gas_estimate::get_gas_estimate,
    options::BuildUserOpOptions,
    ports::SessionStore,
    send_gas_token_transaction::{TokenParam, send_gas_token_transaction},
    send_sponsored_transaction::send_sponsored_transaction,
    send_transaction::send_transaction,
    send_withdrawals::{WithdrawalRequest, send_withdrawals},
    sign_message::sign_message,
    token_fees::get_token_fees,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::error::AppError;
use use_aa_protocol::{
    paymaster::FeeQuotes, rpc::UserOpReceipt, smart_account::Call, user_op_response::UserOpResponse,
};

impl SmartAccountClient {
    /// The account's address (`@biconomy/use-aa`'s `getAccountAddress`); reckoned, not asked for.
    pub fn get_account_address(&self) -> Address {
        self.account
    }

    /// Has the account code (`@biconomy/use-aa`'s `isAccountDeployed`)?
    ///
    /// # Errors
    /// Those of reading the chain.
    pub async fn is_account_deployed(&self) -> Result<bool, AppError> {
        Ok(self.kind().read_state(self.relay.as_ref(), U256::ZERO).await?.deployed)
    }

    /// [`send_transaction`]: calls that the owner signs (`@biconomy/use-aa`'s `sendTransaction`).
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

    /// [`send_gas_token_transaction`]: the same with the gas paid in a token.
    ///
    /// # Errors
    /// Those of [`send_gas_token_transaction`].
    pub async fn send_gas_token_transaction(
        &self,
        calls: &[Call],
        token_param: &TokenParam,
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        send_gas_token_transaction(self, calls, token_param, options).await
    }

    /// [`send_withdrawals`]: takes tokens and ether out of the account (`@biconomy/use-aa`'s `withdraw`).
    ///
    /// # Errors
    /// Those of [`send_withdrawals`].
    pub async fn withdraw(
        &self,
        requests: &[WithdrawalRequest],
        default_recipient: Option<Address>,
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        send_withdrawals(self, requests, default_recipient, options).await
    }

    /// [`get_token_fees`]: what the calls would cost in tokens (`@biconomy/use-aa`'s `getTokenFees`).
    ///
    /// # Errors
    /// Those of [`get_token_fees`].
    pub async fn get_token_fees(&self, calls: &[Call], options: &BuildUserOpOptions) -> Result<FeeQuotes, AppError> {
        get_token_fees(self, calls, options).await
    }

    /// [`get_gas_estimate`]: what they would cost in wei (`@biconomy/use-aa`'s `getGasEstimate`).
    ///
    /// # Errors
    /// Those of [`get_gas_estimate`].
    pub async fn get_gas_estimate(&self, calls: &[Call], options: &BuildUserOpOptions) -> Result<U256, AppError> {
        get_gas_estimate(self, calls, options).await
    }

    /// [`deploy_smart_account`]: deploys and does nothing else (`@biconomy/use-aa`'s `deploy`).
    ///
    /// # Errors
    /// Those of [`deploy_smart_account`].
    pub async fn deploy(&self, options: &BuildUserOpOptions) -> Result<UserOpResponse, AppError> {
        deploy_smart_account(self, options).await
    }

    /// [`sign_message`]: ERC-1271, or ERC-6492 before the account is deployed (`@biconomy/use-aa`'s `signMessage`).
    ///
    /// # Errors
    /// Those of [`sign_message`].
    pub async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        sign_message(self, message).await
    }

    /// [`create_session`]: grants sessions for single calls (`@biconomy/use-aa`'s `createSession`).
    ///
    /// # Errors
    /// Those of [`create_session`].
    #[deprecated(note = "is now a method of `SmartAccountClient::with_sessions(store)`, which keeps the store")]
    pub async fn create_session(
        &self,
        store: &dyn SessionStore,
        request: CreateSessionVariables,
    ) -> Result<UserOpResponse, AppError> {
        create_session(self, store, request).await
    }

    /// [`create_batch_session`]: grants sessions that can be used together (`@biconomy/use-aa`'s `createBatchSession`).
    ///
    /// # Errors
    /// Those of [`create_batch_session`].
    #[deprecated(note = "is now a method of `SmartAccountClient::with_sessions(store)`, which keeps the store")]
    pub async fn create_batch_session(
        &self,
        store: &dyn SessionStore,
        request: CreateBatchSessionVariables,
    ) -> Result<UserOpResponse, AppError> {
        create_batch_session(self, store, request).await
    }

    /// [`wait_for_user_operation_receipt`], without news on the way (`@biconomy/use-aa`'s `response.wait()`).
    ///
    /// # Errors
    /// Those of [`wait_for_user_operation_receipt`].
    pub async fn wait(&self, response: &UserOpResponse) -> Result<UserOpReceipt, AppError> {
        wait_for_user_operation_receipt(self.relay.as_ref(), response.user_op_hash, |_| {}).await
    }
}
