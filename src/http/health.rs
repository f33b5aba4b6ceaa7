//! `/readyz`: do the upstreams answer?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::sync::Mutex;
use use_aa_server::{
    readiness::{Report, report},
    state::ServerState,
};

/// A report is given again for so long: however many ask, the upstreams are asked once.
const FRESH: Duration = Duration::from_millis(500);

/// What was found out lately. While one request finds out, the others wait for it.
#[derive(Clone, Default)]
pub(super) struct Cache {
    latest: Arc<Mutex<Option<(Instant, Report)>>>,
}

impl Cache {
    /// 200 when every upstream answers as it should, else 503; the body says which does not.
    pub(super) async fn readyz(&self, state: &ServerState) -> Response {
        let report = {
            let mut latest = self.latest.lock().await;
            match &*latest {
                Some((when, report)) if when.elapsed() < FRESH => report.clone(),
                _ => {
                    let report = report(state).await;
                    *latest = Some((Instant::now(), report.clone()));
                    report
                }
            }
        };
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
    }
}
