//! Bodies on their way, counted in bytes: large ones may take only so much memory at a time, of one caller and of all
//! together, and none may take for ever to arrive. Large answers that are not sent yet count in the same way.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Json,
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use use_aa_server::{caller::Caller, metrics};

use super::refuse;
use crate::error::AppError;

/// What every body has for nothing: all but whole sets of sessions and contracts are shorter.
const FREE: usize = 16 * 1024;
/// Bytes of all bodies together, beyond that. What is made of a body takes two or three times as much.
const OF_ALL: usize = 64 * 1024 * 1024;
/// Bytes of one caller's: two of the largest.
const OF_ONE: usize = 16 * 1024 * 1024;
/// How long a body may take to arrive …
const PATIENCE: Duration = Duration::from_secs(10);
/// … and one second more for each of so many bytes that came.
const PACE: u64 = 64 * 1024;
/// What a refused caller waits before it tries again, seconds.
const AGAIN: u64 = 10;

/// The bytes on their way.
#[derive(Clone, Default)]
pub(super) struct Bodies {
    incoming: Budget,
    outgoing: Budget,
}

#[derive(Clone, Default)]
struct Budget(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_caller: HashMap<IpAddr, usize>,
}

impl Budget {
    fn charge(&self, caller: IpAddr) -> Charge {
        Charge { budget: self.clone(), caller, bytes: 0 }
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body has of the budget, until it is dropped.
struct Charge {
    budget: Budget,
    caller: IpAddr,
    bytes: usize,
}

impl Charge {
    /// Takes so much more; `false` when it is not there.
    fn take(&mut self, bytes: usize) -> bool {
        let mut taken = self.budget.taken();
        let own = taken.by_caller.get(&self.caller).copied().unwrap_or_default();
        if bytes == 0 {
            return true;
        }
        if taken.all + bytes > OF_ALL || own + bytes > OF_ONE {
            return false;
        }
        taken.all += bytes;
        taken.by_caller.insert(self.caller, own + bytes);
        self.bytes += bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut taken = self.budget.taken();
        taken.all -= self.bytes;
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own -= self.bytes;
            if *own == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

/// Why a body was not taken in.
const TOO_MUCH: u8 = 1;
const TOO_SLOW: u8 = 2;

/// A body that is counted while it arrives.
struct Counted {
    body: axum::body::BodyDataStream,
    length: usize,
    begun: Instant,
    late: Option<Pin<Box<Sleep>>>,
    /// Given back when the request is answered, not when its body has been read.
    charge: Arc<Mutex<Charge>>,
    refused: Arc<AtomicU8>,
}

impl Counted {
    fn refuse(&self, why: u8) -> Poll<Option<Result<Bytes, BoxError>>> {
        self.refused.store(why, Ordering::Relaxed);
        Poll::Ready(Some(Err("the body was not taken in".into())))
    }
}

impl futures::Stream for Counted {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(next) = self.body.poll_next_unpin(cx) {
            self.late = None;
            let Some(Ok(bytes)) = next else { return Poll::Ready(next.map(|next| next.map_err(Into::into))) };
            let paid = self.length.max(FREE);
            self.length += bytes.len();
            let more = self.length.max(FREE) - paid;
            let taken = self.charge.lock().unwrap_or_else(PoisonError::into_inner).take(more);
            return if taken { Poll::Ready(Some(Ok(bytes))) } else { self.refuse(TOO_MUCH) };
        }
        let end = self.begun + patience(self.length);
        match self.late.get_or_insert_with(|| Box::pin(sleep_until(end))).as_mut().poll(cx) {
            Poll::Ready(()) => self.refuse(TOO_SLOW),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Counts the request's body while it arrives and until it is answered, and a large answer until it is sent.
pub(super) async fn bounded(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map_or(Ipv4Addr::UNSPECIFIED.into(), Caller::counted_as);
    let is_json_rpc = !request.uri().path().starts_with("/api/fn/");
    let charge = Arc::new(Mutex::new(bodies.incoming.charge(caller)));
    let refused = Arc::new(AtomicU8::new(0));
    let request = request.map(|body| match body.is_end_stream() {
        true => body,
        false => Body::from_stream(Counted {
            body: body.into_data_stream(),
            length: 0,
            begun: Instant::now(),
            late: None,
            charge: charge.clone(),
            refused: refused.clone(),
        }),
    });
    let response = next.run(request).await;
    drop(charge);
    match refused.load(Ordering::Relaxed) {
        TOO_MUCH => return too_much(is_json_rpc),
        TOO_SLOW => {
            let reason = format!("the request did not arrive within {} s", PATIENCE.as_secs());
            return refuse(Some(StatusCode::REQUEST_TIMEOUT), AppError::Network { reason });
        }
        _ => {}
    }
    let length =
        response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    if length <= FREE {
        return response;
    }
    let mut charge = bodies.outgoing.charge(caller);
    if !charge.take(length) {
        return too_much(is_json_rpc);
    }
    let late = Box::pin(sleep_until(Instant::now() + patience(length)));
    response.map(|body| Body::new(Sent { body, late, _charge: charge }))
}

/// How long so many bytes may take.
fn patience(length: usize) -> Duration {
    PATIENCE + Duration::from_secs(length as u64 / PACE)
}

/// An answer that counts until it is sent, or until that takes too long.
struct Sent {
    body: Body,
    late: Pin<Box<Sleep>>,
    _charge: Charge,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        if self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new("the answer was not read in time"))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    /// Never, so that hyper asks once more when it has written the last piece: until then the bytes are in memory.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

fn too_much(is_json_rpc: bool) -> Response {
    metrics::rate_limited("bytes");
    let error = AppError::RateLimited { scope: "bytes".into(), seconds: AGAIN };
    let body = match is_json_rpc {
        true => json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32005, "message": error.to_string()}}),
        false => json!(error),
    };
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    response
}
