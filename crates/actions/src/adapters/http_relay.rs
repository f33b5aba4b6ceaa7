//! [`HttpRelay`]: the relay for natively running programs and tests, over the server's own HTTP interface.

use std::time::Duration;

use alloy::primitives::{Address, B256, U256};
use async_trait::async_trait;
use futures::{StreamExt, stream::LocalBoxStream};
use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::status_stream::watch::{TextStream, watch};
use crate::{
    error::AppError,
    ports::{DistributedKeys, Relay},
};
use use_aa_protocol::{
    distributed_key::{
        KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest, SignedGrant,
    },
    paymaster::{FeeQuotes, FeeQuotesRequest},
    rpc::{AccountState, ChainInfo, GasEstimate, GasFees, SimulationType, SponsorContext, Sponsorship, UserOpUpdate},
    session::PublishedLeaves,
    user_operation::UserOperation,
};

/// Longest wait for the answer to one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest pause in a status stream; the server sends heartbeats.
const STREAM_PAUSE: Duration = Duration::from_secs(60);
/// How long a connection is kept for another request: servers close idle ones a little later.
const KEPT_OPEN: Duration = Duration::from_secs(30);

/// Calls the server functions under `{base}/api/fn/`. Clones share connections.
#[derive(Clone, Debug)]
pub struct HttpRelay {
    base: String,
    http: Client,
    chain: std::sync::Arc<OnceCell<ChainInfo>>,
}

impl HttpRelay {
    /// A relay over the server at `base`, for instance `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// `Internal` when the HTTP client cannot be built.
    pub fn new(base: &str) -> Result<Self, AppError> {
        let http = Client::builder().read_timeout(STREAM_PAUSE).pool_idle_timeout(KEPT_OPEN).build();
        let http = http.map_err(|error| AppError::Internal { reason: error.to_string() })?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http, chain: Default::default() })
    }

    async fn call<T: DeserializeOwned>(&self, function: &str, arguments: Value) -> Result<T, AppError> {
        let answer = async {
            let response = self.post(function, &arguments).await?;
            response.json::<T>().await.map_err(network)
        };
        let timed_out = |_| AppError::Network { reason: format!("no answer within {} s", CALL_TIMEOUT.as_secs()) };
        tokio::time::timeout(CALL_TIMEOUT, answer).await.map_err(timed_out)?
    }

    /// Posts and turns an HTTP failure into the error that the server put into the body.
    async fn post(&self, function: &str, arguments: &Value) -> Result<Response, AppError> {
        let url = format!("{}/api/fn/{function}", self.base);
        let response = self.http.post(url).json(arguments).send().await.map_err(network)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(network)?;
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| other_failure(status)))
    }
}

fn network(error: reqwest::Error) -> AppError {
    AppError::Network { reason: error.without_url().to_string() }
}

fn other_failure(status: StatusCode) -> AppError {
    AppError::Network { reason: format!("the server answered with HTTP status {status}") }
}

#[async_trait(?Send)]
impl DistributedKeys for HttpRelay {
    async fn network(&self) -> Result<KeyNetwork, AppError> {
        self.call("key_network", json!({})).await
    }

    async fn offer(&self) -> Result<KeyOffer, AppError> {
        self.call("offer_distributed_key", json!({})).await
    }

    async fn bind(&self, grant: &SignedGrant, nonces: &[NodeNonce]) -> Result<Vec<KeyAttestation>, AppError> {
        self.call("bind_distributed_key", json!({ "grant": grant, "nonces": nonces })).await
    }

    async fn challenge(&self, threshold: u8) -> Result<Vec<NodeNonce>, AppError> {
        self.call("signing_challenge", json!({ "threshold": threshold })).await
    }

    async fn sign(
        &self,
        request: &SignRequest,
        nonces: &[NodeNonce],
        session_key_address: Address,
    ) -> Result<SignOutcome, AppError> {
        let arguments = json!({ "request": request, "nonces": nonces, "session_key_address": session_key_address });
        self.call("sign_with_distributed_key", arguments).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), AppError> {
        self.call("revoke_distributed_key", json!({ "revocation": revocation })).await
    }
}

#[async_trait(?Send)]
impl Relay for HttpRelay {
    async fn chain_info(&self) -> Result<ChainInfo, AppError> {
        self.chain.get_or_try_init(|| self.call("chain_info", json!({}))).await.cloned()
    }

    async fn account_state(&self, account: Address, nonce_key: U256) -> Result<AccountState, AppError> {
        self.call("account_state", json!({"account": account, "nonce_key": nonce_key})).await
    }

    async fn read(&self, method: &str, params: Value) -> Result<Value, AppError> {
        self.call("read_chain", json!({"method": method, "params": params})).await
    }

    async fn gas_fees(&self) -> Result<GasFees, AppError> {
        self.call("gas_fees", json!({})).await
    }

    async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        let arguments = json!({"user_operation": user_operation, "state_override": state_override});
        self.call("estimate_user_operation_gas", arguments).await
    }

    async fn sponsor(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError> {
        let arguments = json!({"user_operation": user_operation, "context": context});
        self.call("sponsor_user_operation", arguments).await
    }

    async fn fee_quotes(
        &self,
        user_operation: &UserOperation,
        request: &FeeQuotesRequest,
    ) -> Result<FeeQuotes, AppError> {
        self.call("fee_quotes", json!({"user_operation": user_operation, "request": request})).await
    }

    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
        self.call("publish_sessions", json!({"account": account, "leaves": leaves})).await
    }

    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
        self.call("published_sessions", json!({"account": account, "root": root})).await
    }

    async fn send(
        &self,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError> {
        let arguments = json!({"user_operation": user_operation, "simulation_type": simulation_type});
        self.call("send_user_operation", arguments).await
    }

    async fn sent_operation(&self, user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
        self.call("sent_operation", json!({"user_op_hash": user_op_hash})).await
    }

    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
        let relay = self.clone();
        let connect = move || {
            let relay = relay.clone();
            async move {
                let response = relay.post("user_operation_status", &json!({"user_op_hash": user_op_hash})).await?;
                // The server writes ASCII only, so a piece may end anywhere.
                let text = response.bytes_stream().map(|piece| match piece {
                    Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                    Err(error) => Err(network(error)),
                });
                let text: TextStream = Box::pin(text);
                Ok(text)
            }
        };
        watch(connect, || 0.5)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::{Json, Router, routing::post};

    use super::*;

    async fn serve(router: Router) -> HttpRelay {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        HttpRelay::new(&base).unwrap()
    }

    #[tokio::test]
    async fn the_servers_own_errors_come_through() {
        let expected = AppError::SponsorshipRefused { reason: "budget".into() };
        let error = expected.clone();
        let refuse = post(move || async move { (StatusCode::FORBIDDEN, Json(error)) });
        let garbage = post(|| async { (StatusCode::BAD_GATEWAY, "<html>") });
        let routes = Router::new().route("/api/fn/gas_fees", refuse).route("/api/fn/chain_info", garbage);
        let relay = serve(routes).await;
        assert_eq!(relay.gas_fees().await.unwrap_err(), expected);
        assert!(matches!(relay.chain_info().await.unwrap_err(), AppError::Network { .. }));
        assert!(matches!(relay.account_state(Address::ZERO, U256::ZERO).await, Err(AppError::Network { .. })));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_network_error_without_its_address() {
        let relay = HttpRelay::new("http://127.0.0.1:1").unwrap();
        let error = relay.gas_fees().await.unwrap_err();
        assert!(matches!(&error, AppError::Network { reason } if !reason.contains("127.0.0.1")), "{error}");
    }
}
