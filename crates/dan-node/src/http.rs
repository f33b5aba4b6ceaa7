//! The node's HTTP interface: JSON in, JSON out, see [`super::api`].

use std::{sync::Arc, time::Duration};

use alloy::primitives::B256;
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};

use use_aa_listener::Room;

use super::{
    api::{MAX_BODY, NodeRefusal},
    node::Node,
    run_error::OUR_FAULT,
};

/// Requests under way at the same time; more are refused at once.
const REQUESTS: usize = 256;
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
    room: Arc<Semaphore>,
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
    let stopping = watch::Sender::new(false);
    let by_peer = Arc::new(|peer: std::net::SocketAddr, _: Option<&_>| Some(peer.ip().to_canonical()));
    let serving = use_aa_listener::serve(listener, router(node), room, by_peer, stopping.subscribe());
    tokio::select! {
        () = serving => {}
        () = async {
            stop.await;
            stopping.send_replace(true);
            tokio::time::sleep(GRACE).await;
        } => {}
    }
}

/// All endpoints.
pub fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route(
            "/v1/nonce",
            post(|served, body| {
                answer(served, body, async |node, request: super::api::NonceRequest| Ok(node.nonce(request.kind)))
            }),
        )
        .route(
            "/v1/pool",
            post(|served, body| answer(served, body, async |node, request| node.fill_pool(request).await)),
        )
        .route("/v1/keygen", post(|served, body| answer(served, body, async |node, request| node.bind(request).await)))
        .route("/v1/sign", post(|served, body| answer(served, body, async |node, request| node.sign(request).await)))
        .route(
            "/v1/revoke",
            post(|served, body| answer(served, body, async |node, request| node.revoke(request).await)),
        )
        .route(
            "/v1/refresh",
            post(|served, body| answer(served, body, async |node, request| node.renew(request).await)),
        )
        .route("/v1/pool", get(async |State(served): State<Served>| Json(served.node.pool())))
        .route(
            "/v1/keys",
            get(async |State(served): State<Served>, query: Result<Query<KeysQuery>, QueryRejection>| match query {
                Ok(Query(KeysQuery { after })) => match served.node.held(after).await {
                    Ok(keys) => Json(keys).into_response(),
                    Err(refusal) => refused(refusal),
                },
                Err(rejection) => refused(served.node.refuse("malformed", rejection.body_text())),
            }),
        )
        .route("/v1/status", get(async |State(served): State<Served>| Json(served.node.status())))
        .with_state(Served { node, room: Arc::new(Semaphore::new(REQUESTS)) })
}

/// Reads the request, answers it in a task of its own: what was begun with other nodes goes on when the coordinator
/// hangs up.
async fn answer<Q, A, F>(
    State(served): State<Served>,
    body: Body,
    handle: impl FnOnce(Arc<Node>, Q) -> F + Send + 'static,
) -> Response
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Future<Output = Result<A, NodeRefusal>> + Send + 'static,
{
    let Served { node, room } = served;
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
        "unknown-key" => StatusCode::NOT_FOUND,
        "key-taken" => StatusCode::CONFLICT,
        "rate-limited" | "busy" | "pool-full" => StatusCode::TOO_MANY_REQUESTS,
        "peer-down" | "peer-banned" | "peer-refused" | "disagree" | "aborted" | "no-share" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "timeout" => StatusCode::GATEWAY_TIMEOUT,
        "internal" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    };
    tracing::info!(node = refusal.node, code = refusal.code, reason = refusal.message, "refused");
    (status, Json(refusal)).into_response()
}
