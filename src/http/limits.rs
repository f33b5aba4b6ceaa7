//! How often one address, and one key, may ask: 429 with `Retry-After` beyond that.

use std::{hash::Hash, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
};
use governor::{
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
};
use serde_json::json;
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{GovernorConfig, GovernorConfigBuilder},
    key_extractor::KeyExtractor,
};

use use_aa_server::{
    call_count::{CallCount, TooMany},
    caller::Caller,
    config::{OFFERS_TIME, Protection, Rate},
    metrics,
};

use crate::error::AppError;

/// Callers that have their whole allowance back are forgotten this often.
const CLEANING: Duration = Duration::from_secs(60);

/// Counts by the caller's address.
#[derive(Clone, Copy, Debug)]
struct ByAddress;

impl KeyExtractor for ByAddress {
    type Key = IpAddr;

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        request.extensions().get::<Caller>().map(Caller::counted_as).ok_or(GovernorError::UnableToExtractKey)
    }
}

/// Counts by the key in the path. Of keys that were never issued there are no more than their address may try.
#[derive(Clone, Copy, Debug)]
struct ByKey;

impl KeyExtractor for ByKey {
    type Key = Box<str>;

    fn extract<T>(&self, request: &Request<T>) -> Result<Box<str>, GovernorError> {
        let key = request.uri().path().rsplit('/').next().unwrap_or_default();
        Ok(key.chars().take(128).collect())
    }
}

/// How a refusal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// As server functions fail.
    AppError,
    /// As JSON-RPC fails.
    JsonRpc,
}

type Counts<K> = Option<Arc<GovernorConfig<K, NoOpMiddleware>>>;

/// The counts of a server.
pub(super) struct Limits {
    address: Counts<ByAddress>,
    key: Counts<ByKey>,
    offers: Counts<ByAddress>,
}

impl Limits {
    pub(super) fn new(protection: &Protection) -> Self {
        let per_second = |Rate { per_second, burst }| (Duration::from_secs(1) / per_second.max(1), burst);
        let offers = protection.key_offers.map(|number| (OFFERS_TIME / number.max(1), number));
        Self {
            address: counts(protection.rate_limit.map(per_second), ByAddress),
            key: counts(protection.key_rate_limit.map(per_second), ByKey),
            offers: counts(offers, ByAddress),
        }
    }

    /// Offers of distributed keys, each of which takes one out of the pool: limited by address, beside the limit of
    /// the pages.
    pub(super) fn offers<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        limited(router, &self.offers, "address", Style::AppError)
    }

    /// Pages and server functions, limited by address.
    pub(super) fn pages<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        limited(router, &self.address, "address", Style::AppError)
    }

    /// Status streams, limited as pages; one that follows several operations counts as several calls ([`CallCount`]).
    pub(super) fn streams<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        let address = self.address.clone();
        self.pages(router.layer(middleware::from_fn(move |mut request: Request<Body>, next: Next| {
            let count = CallCount::new(another(&address, ByAddress, &request, "address"));
            request.extensions_mut().insert(count);
            next.run(request)
        })))
    }

    /// JSON-RPC, limited by address (the same count as that of the pages) and by key. A request is counted before its
    /// body is read, as one call; the other calls of a batch are counted when it is ([`CallCount`]).
    pub(super) fn json_rpc<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        let (address, key) = (self.address.clone(), self.key.clone());
        let router = router.layer(middleware::from_fn(move |mut request: Request<Body>, next: Next| {
            let by_address = another(&address, ByAddress, &request, "address");
            let by_key = another(&key, ByKey, &request, "key");
            request.extensions_mut().insert(CallCount::new(move || by_address().and_then(|()| by_key())));
            next.run(request)
        }));
        let router = limited(router, &self.key, "key", Style::JsonRpc);
        let router = router.layer(middleware::from_fn(one_spelling));
        limited(router, &self.address, "address", Style::JsonRpc)
    }
}

/// No key needs `%`; with it each spelling of a key would have an allowance of its own.
async fn one_spelling(request: Request<Body>, next: Next) -> Response<Body> {
    match request.uri().path().contains('%') {
        true => StatusCode::NOT_FOUND.into_response(),
        false => next.run(request).await,
    }
}

/// Takes one more call out of what is left to the caller of `request`.
fn another<K>(
    counts: &Counts<K>,
    by: K,
    request: &Request<Body>,
    scope: &'static str,
) -> impl Fn() -> Result<(), TooMany> + use<K>
where
    K: KeyExtractor + Send + Sync + 'static,
    K::Key: Hash + Eq + Send + Sync + 'static,
{
    let counted = counts.clone().zip(by.extract(request).ok());
    move || match &counted {
        Some((config, caller)) => config
            .limiter()
            .check_key(caller)
            .map_err(|until| TooMany { scope, wait: until.wait_time_from(DefaultClock::default().now()) }),
        None => Ok(()),
    }
}

/// One more each period, so many at once.
fn counts<K>(rate: Option<(Duration, u32)>, by: K) -> Counts<K>
where
    K: KeyExtractor + Send + Sync + 'static,
    K::Key: Hash + Eq + Send + Sync + 'static,
{
    let (period, burst) = rate?;
    // Only a period or burst of zero makes none.
    let config = GovernorConfigBuilder::default().period(period).burst_size(burst).key_extractor(by).finish();
    let config = config.map(Arc::new)?;
    forget_the_idle(&config);
    Some(config)
}

fn limited<S, K>(router: Router<S>, counts: &Counts<K>, scope: &'static str, style: Style) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    K: KeyExtractor + Send + Sync + 'static,
    K::Key: Hash + Eq + Send + Sync + 'static,
{
    let Some(config) = counts else { return router };
    let layer = GovernorLayer::<K, NoOpMiddleware, Body>::new(config.clone());
    router.layer(layer.error_handler(move |error| refusal(error, scope, style)))
}

/// Else the table would grow with every address that was ever seen.
fn forget_the_idle<K>(config: &Arc<GovernorConfig<K, NoOpMiddleware>>)
where
    K: KeyExtractor + Send + Sync + 'static,
    K::Key: Hash + Eq + Send + Sync + 'static,
{
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let config = Arc::downgrade(config);
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(CLEANING).await;
            // The router is gone: so is this task.
            let Some(config) = config.upgrade() else { return };
            config.limiter().retain_recent();
            config.limiter().shrink_to_fit();
        }
    });
}

fn refusal(error: GovernorError, scope: &'static str, style: Style) -> Response<Body> {
    let seconds = match error {
        GovernorError::TooManyRequests { wait_time, .. } => wait_time.max(1),
        // No caller in the request: a fault of ours.
        _ => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    metrics::rate_limited(scope);
    let error = AppError::RateLimited { scope: scope.to_owned(), seconds };
    let body = match style {
        Style::JsonRpc => {
            json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32005, "message": error.to_string()}})
        }
        Style::AppError => json!(error),
    };
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
