//! Biconomy's own wire: `/api/v2/{chainId}/{key}` speaks as its bundler does (docs/protocol.md 4), `/api/v1/{chainId}/{key}` as
//! its paymaster (docs/protocol.md 5), so that apps made with the npm package `@biconomy/account` work with this server after a
//! change of two URLs. `/rpc/{chainId}/{key}` speaks the standards instead (ERC-7769 and ERC-7677, `standard.rs`). What the
//! server functions check is checked here, too: all end in the same calls.
//!
//! Where the services and their documentation differ, the answer serves readers of both (`mode` and `MODE`).

mod allowance;
mod bundler;
mod context;
mod envelope;
mod erc7677;
mod errors;
mod operation;
mod paymaster;
mod receipt;
mod standard;
mod unpacked;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{
    api_keys::{ApiKey, KeyError, Scope},
    call_count::{CallCount, TooMany},
    caller::Caller,
    metrics,
    sponsor::Requester,
    state::ServerState,
};
use envelope::Answer;
use errors::RpcError;
use use_aa_actions::error::AppError;

/// The key that is valid in the lab, and nowhere else; public like the lab's private keys.
pub const LAB_KEY: &str = "1ab1ab1ab1ab.1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1";
/// Largest body, bytes: a batch of a few operations with long call data.
const MAX_BODY: usize = 512 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Which of the services is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Bundler,
    Paymaster,
    /// Both at one place, by the standards.
    Standard,
}

/// `POST /api/v2/{chainId}/{key}`.
pub async fn bundler(state: State<ServerState>, path: Path<(String, String)>, request: Request) -> Response {
    serve(Service::Bundler, state, path, request).await
}

/// `POST /api/v1/{chainId}/{key}`.
pub async fn paymaster(state: State<ServerState>, path: Path<(String, String)>, request: Request) -> Response {
    serve(Service::Paymaster, state, path, request).await
}

/// `POST /rpc/{chainId}/{key}`.
pub async fn standard(state: State<ServerState>, path: Path<(String, String)>, request: Request) -> Response {
    serve(Service::Standard, state, path, request).await
}

async fn serve(
    service: Service,
    State(state): State<ServerState>,
    Path((chain_id, key)): Path<(String, String)>,
    request: Request,
) -> Response {
    let refused = |error: RpcError| service.worded(error).response(&Value::Null);
    let admitted = match admit(&state, service.scopes(), &chain_id, &key, false).await {
        Ok(admitted) => admitted,
        Err(error) => return refused(error),
    };
    if let Some(error) = admitted.as_ref().and_then(|key| count(key).err()) {
        return refused(error);
    }
    let caller = request.extensions().get::<Caller>().map(Caller::counted_as);
    let calls = Calls { limits: request.extensions().get::<CallCount>().cloned(), paid: AtomicBool::new(true) };
    let body = match read(request.into_body()).await {
        Ok(body) => body,
        Err(error) => return refused(error),
    };
    let answer = envelope::answer(&body, |method, params| {
        // Counted in the order of the batch, before any of them waits.
        let counted = calls.count(admitted.as_ref());
        let (state, chain_id, key) = (state.clone(), chain_id.clone(), key.clone());
        let answered = async move {
            counted?;
            // The calls before it may have taken a minute, in which the key was revoked. And what a paymaster signs
            // costs money.
            let scopes = service.scopes_of(&method);
            let now = scopes == [Scope::Paymaster];
            let key = admit(&state, scopes, &chain_id, &key, now).await?;
            let requester = Requester { api_key: key.as_ref(), caller };
            let call = call(service, &state, requester, &method, &params);
            match tokio::time::timeout(CALL_TIMEOUT, call).await {
                Ok(result) => result,
                Err(_) => Err(RpcError::timed_out(CALL_TIMEOUT)),
            }
        };
        async move { answered.await.map_err(|error| service.worded(error)) }
    })
    .await;
    match answer {
        Answer::One(status, answer) => (status, axum::Json(answer)).into_response(),
        Answer::Many(answers) => axum::Json(answers).into_response(),
        Answer::Nothing => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Counts the calls of one request.
struct Calls {
    limits: Option<CallCount>,
    /// The request was counted, and no call of it yet.
    paid: AtomicBool,
}

impl Calls {
    /// One more call, by this key.
    fn count(&self, key: Option<&ApiKey>) -> Result<(), RpcError> {
        if self.paid.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        key.map_or(Ok(()), count)?;
        let counted = self.limits.as_ref().map_or(Ok(()), CallCount::take);
        counted.map_err(|TooMany { scope, wait }| RpcError::rate_limited(scope, wait))
    }
}

/// Takes one call out of the key's own allowance.
fn count(key: &ApiKey) -> Result<(), RpcError> {
    match key.requests_per_minute.map(|most| allowance::take(&key.id, most)) {
        Some(Err(wait)) => Err(RpcError::rate_limited("key", wait)),
        _ => Ok(()),
    }
}

/// The chain must be ours, and the key issued for one of these scopes. The lab's own key is known to everybody and has no
/// limits: `None`. `now`: by no answer of a moment ago.
async fn admit(
    state: &ServerState,
    scopes: &[Scope],
    chain_id: &str,
    key: &str,
    now: bool,
) -> Result<Option<ApiKey>, RpcError> {
    let ours = state.config().chain_id;
    if chain_id.parse() != Ok(ours) {
        return Err(RpcError::other_chain(ours));
    }
    if state.config().lab && key == LAB_KEY {
        return Ok(None);
    }
    let database = state.database();
    let known = if now { database.verify_key_now(ours, key).await } else { database.verify_key(ours, key).await };
    let key = match known {
        Ok(key) if scopes.iter().any(|scope| key.allows(*scope)) => key,
        Ok(key) => {
            let needed: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
            tracing::info!(key = key.id, ?needed, "a key is used for what it is not meant for");
            return Err(RpcError::unauthorised());
        }
        Err(KeyError::Database(error)) => return Err(AppError::from(error).into()),
        Err(error) => {
            tracing::info!(%error, "a key is refused");
            return Err(RpcError::unauthorised());
        }
    };
    tracing::Span::current().record("key", &key.id);
    Ok(Some(key))
}

async fn read(body: Body) -> Result<Bytes, RpcError> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(RpcError::too_large("512 KiB")),
        Err(_) => Err(RpcError::timed_out(BODY_TIMEOUT)),
    }
}

async fn call(
    service: Service,
    state: &ServerState,
    requester: Requester<'_>,
    method: &str,
    params: &[Value],
) -> Result<Value, RpcError> {
    let result = match service {
        Service::Bundler => bundler::call(state, method, params).await,
        Service::Paymaster => paymaster::call(state, requester, method, params).await,
        Service::Standard => standard::call(state, requester, method, params).await,
    };
    // A name that a caller made up must not become a label.
    let method = METHODS.iter().find(|known| **known == method).unwrap_or(&"other");
    metrics::rpc_call(service.name(), method, result.as_ref().err().map_or(0, |error| error.code));
    result
}

/// The methods of all services.
const METHODS: [&str; 14] = [
    "eth_chainId",
    "eth_supportedEntryPoints",
    "biconomy_getGasFeeValues",
    "eth_estimateUserOperationGas",
    "eth_sendUserOperation",
    "biconomy_getUserOperationStatus",
    "eth_getUserOperationReceipt",
    "eth_getUserOperationByHash",
    "pm_sponsorUserOperation",
    "pm_getFeeQuoteOrData",
    "pm_getPaymasterStubData",
    "pm_getPaymasterData",
    "pimlico_getUserOperationGasPrice",
    "rundler_maxPriorityFeePerGas",
];

impl Service {
    /// Keys of any of these may speak to it at all.
    fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Bundler => &[Scope::Bundler],
            Self::Paymaster => &[Scope::Paymaster],
            Self::Standard => &Scope::ALL,
        }
    }

    /// Keys of any of these may call this method.
    fn scopes_of(self, method: &str) -> &'static [Scope] {
        match self {
            Self::Standard if method.starts_with("pm_") => Self::Paymaster.scopes(),
            Self::Standard if !matches!(method, "eth_chainId" | "eth_supportedEntryPoints") => Self::Bundler.scopes(),
            service => service.scopes(),
        }
    }

    /// An error as its clients read it.
    fn worded(self, error: RpcError) -> RpcError {
        if self == Self::Standard { error.standard() } else { error }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bundler => "bundler",
            Self::Paymaster => "paymaster",
            Self::Standard => "standard",
        }
    }
}
