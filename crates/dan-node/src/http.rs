//! The node's HTTP interface: JSON in, JSON out, see [`super::api`].

use std::{sync::Arc, time::Duration};

use alloy::primitives::B256;
use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use use_aa_listener::{CancellationToken, Room};

use super::{
    api::{LiftRequest, MAX_BODY, NodeRefusal, NonceRequest},
    callers::Caller,
    node::Node,
    run_error::OUR_FAULT,
};

/// Requests of the app server under way at the same time; more are refused at once.
const REQUESTS: usize = 256;
/// The same of the operator.
const OPERATORS: usize = 32;
/// Connections at the same time: those who ask are app servers, and few.
const CONNECTIONS: usize = 1_024;
/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests under way may go on when the node is told to end.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct KeysQuery {
    #[serde(default)]
    after: B256,
}

#[derive(Clone)]
struct Served {
    node: Arc<Node>,
    /// Of the app server, and of the operator: neither keeps the other out.
    room: [Arc<Semaphore>; 2],
}

/// Some routes, and who may use them.
#[derive(Clone)]
struct Gate {
    node: Arc<Node>,
    open_to: &'static [Caller],
}

/// What a node has room for.
pub fn room() -> Room {
    let room = Room::of_this_process();
    Room { connections: room.connections.min(CONNECTIONS), ..room }
}

/// Serves within `room` until `stop`.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    room: Room,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let stopping = CancellationToken::new();
    let by_peer = Arc::new(|peer: std::net::SocketAddr, _: Option<&_>| Some(peer.ip().to_canonical()));
    let serving = use_aa_listener::serve(listener, router(node), room, by_peer, stopping.clone());
    tokio::select! {
        () = serving => {}
        () = async {
            stop.await;
            stopping.cancel();
            tokio::time::sleep(GRACE).await;
        } => {}
    }
}

/// All endpoints.
pub fn router(node: Arc<Node>) -> Router {
    let served =
        Served { node: node.clone(), room: [REQUESTS, OPERATORS].map(|requests| Arc::new(Semaphore::new(requests))) };
    let gate = |open_to| from_fn_with_state(Gate { node: node.clone(), open_to }, admit);
    let nonces = Router::new().route(
        "/v1/nonce",
        post(|served, caller, body| {
            answer(served, caller, body, async |node, request: NonceRequest| Ok(node.nonce(request.kind)))
        }),
    );
    let servers = Router::new()
        .route(
            "/v1/pool",
            post(|served, caller, body| {
                answer(served, caller, body, async |node, request| node.fill_pool(request).await)
            })
            .get(async |State(served): State<Served>| Json(served.node.pool())),
        )
        .route(
            "/v1/keygen",
            post(|served, caller, body| answer(served, caller, body, async |node, request| node.bind(request).await)),
        )
        .route(
            "/v1/sign",
            post(|served, caller, body| answer(served, caller, body, async |node, request| node.sign(request).await)),
        )
        .route(
            "/v1/revoke",
            post(|served, caller, body| answer(served, caller, body, async |node, request| node.revoke(request).await)),
        );
    let operators = Router::new()
        .route(
            "/v1/refresh",
            post(|served, caller, body| answer(served, caller, body, async |node, request| node.renew(request).await)),
        )
        .route("/v1/keys", get(keys))
        .route("/v1/bans", get(async |State(served): State<Served>| Json(served.node.banned())))
        .route(
            "/v1/bans/lift",
            post(|served, caller, body| {
                answer(served, caller, body, async |node, request: LiftRequest| node.unban(request.node).await)
            }),
        );
    // How a node is, anybody may know; whom it banned, only the operator.
    let status = async |State(served): State<Served>, headers: HeaderMap| {
        let caller = served.node.callers().who(&headers);
        Json(served.node.status(caller == Some(Caller::Operator)))
    };
    Router::new()
        .merge(nonces.route_layer(gate(&[Caller::Server, Caller::Operator])))
        .merge(servers.route_layer(gate(&[Caller::Server])))
        .merge(operators.route_layer(gate(&[Caller::Operator])))
        .route("/v1/status", get(status))
        .with_state(served)
}

/// Lets through who may use the route; nobody else's body is read.
async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Gate { node, open_to } = gate;
    let by =
        |callers: &[Caller], say: fn(&Caller) -> &'static str| callers.iter().map(say).collect::<Vec<_>>().join(" or ");
    let (who, variable) = (by(open_to, |caller| caller.name()), by(open_to, |caller| caller.variable()));
    match node.callers().who(request.headers()) {
        Some(caller) if open_to.contains(&caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Some(other) => {
            let reason = format!("only {who} may ask for this ({variable}); the key is that of {}", other.name());
            refused(node.refuse("forbidden", reason))
        }
        None => {
            let reason = format!(
                "only {who} may ask for this: set the same {variable} at this node and where the question comes from; \
                 it is sent as Authorization: Bearer"
            );
            refused(node.refuse("unauthorized", reason))
        }
    }
}

/// For the operator.
async fn keys(State(served): State<Served>, query: Result<Query<KeysQuery>, QueryRejection>) -> Response {
    match query {
        Ok(Query(KeysQuery { after })) => match served.node.held(after).await {
            Ok(keys) => Json(keys).into_response(),
            Err(refusal) => refused(refusal),
        },
        Err(rejection) => refused(served.node.refuse("malformed", rejection.body_text())),
    }
}

/// Reads the request, answers it in a task of its own: what was begun with other nodes goes on when the coordinator
/// hangs up.
async fn answer<Q, A, F>(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    body: Body,
    handle: impl FnOnce(Arc<Node>, Q) -> F + Send + 'static,
) -> Response
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Future<Output = Result<A, NodeRefusal>> + Send + 'static,
{
    let Served { node, room: [servers, operators] } = served;
    let room = if caller == Caller::Operator { operators } else { servers };
    let body = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refused(node.refuse("malformed", format!("a body of more than {MAX_BODY} bytes"))),
        Err(_) => return refused(node.refuse("malformed", "the request did not arrive in time")),
    };
    let request: Q = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refused(node.refuse("malformed", error.to_string())),
    };
    // Only now: a body that does not arrive takes nobody's place.
    let Ok(permit) = room.try_acquire_owned() else {
        return refused(node.refuse("busy", "too many requests at the moment"));
    };
    let handled = {
        let node = node.clone();
        tokio::spawn(async move {
            let _permit = permit;
            handle(node, request).await
        })
    };
    match handled.await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(refusal)) => refused(refusal),
        Err(_) => refused(node.refuse("internal", OUR_FAULT)),
    }
}

fn refused(refusal: NodeRefusal) -> Response {
    let status = match refusal.code.as_str() {
        "malformed" => StatusCode::BAD_REQUEST,
        "unauthorized" => StatusCode::UNAUTHORIZED,
        "unknown-key" => StatusCode::NOT_FOUND,
        "key-taken" => StatusCode::CONFLICT,
        "rate-limited" | "busy" | "pool-full" | "too-many-keys" => StatusCode::TOO_MANY_REQUESTS,
        "peer-down" | "peer-banned" | "peer-refused" | "disagree" | "aborted" | "share-epoch" | "no-share" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    };
    match status {
        // Strangers do not fill the log.
        StatusCode::UNAUTHORIZED => tracing::debug!(node = refusal.node, "a caller without a key that is known here"),
        _ => tracing::info!(node = refusal.node, code = refusal.code, reason = refusal.message, "refused"),
    }
    let mut response = (status, Json(refusal)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
