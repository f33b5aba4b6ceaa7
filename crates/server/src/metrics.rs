//! What Prometheus reads at `/metrics`: every metric of the server, with its name and its labels.
//!
//! Labels have few values, none of them chosen by a caller. The recorder is the process's: several servers in one
//! process (tests) share it.

use std::{
    sync::{OnceLock, Weak},
    time::{Duration, Instant},
};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::upstream_health::{Circuit, UpstreamHealth};
use use_aa_actions::{
    clock::unix_milliseconds,
    error::{AppError, Upstream},
};
use use_aa_protocol::entry_point::EntryPoint;

const HTTP_REQUESTS: &str = "use_aa_http_requests_total";
const HTTP_DURATION: &str = "use_aa_http_request_duration_seconds";
const HTTP_OPEN: &str = "use_aa_http_requests_in_flight";
const RATE_LIMITED: &str = "use_aa_rate_limited_total";
const RPC_CALLS: &str = "use_aa_rpc_calls_total";
const UPSTREAM_REQUESTS: &str = "use_aa_upstream_requests_total";
const UPSTREAM_REFUSALS: &str = "use_aa_upstream_refusals_total";
const UPSTREAM_DURATION: &str = "use_aa_upstream_request_duration_seconds";
const UPSTREAM_CIRCUIT: &str = "use_aa_upstream_circuit";
const WAITS: &str = "use_aa_waits";
const WAITS_ENDED: &str = "use_aa_waits_ended_total";
const OPERATIONS: &str = "use_aa_operations_sent_total";
const SPONSORSHIPS: &str = "use_aa_sponsorship_decisions_total";
const TOKEN_DEBTS: &str = "use_aa_token_debts_total";
const BUILD: &str = "use_aa_build_info";
const STARTED: &str = "process_start_time_seconds";
const MEMORY: &str = "process_resident_memory_bytes";

/// Upper ends of the histograms' buckets, seconds: a page takes a tenth of a millisecond, a simulation seconds.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0];
/// Samples wait in memory until somebody reads them, or until this goes by.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's recorder, installed by the first server; `None` when another one was there already.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("seconds".into()), &BUCKETS);
            let handle = builder.ok()?.install_recorder().ok()?;
            describe();
            gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            gauge!(STARTED).set(unix_milliseconds() as f64 / 1_000.0);
            Some(handle)
        })
        .as_ref()
}

/// Starts to measure, and to tidy up as long as `alive` is.
pub fn start(alive: Weak<()>) {
    let (Some(recorder), Ok(runtime)) = (recorder(), tokio::runtime::Handle::try_current()) else { return };
    runtime.spawn(async move {
        while alive.upgrade().is_some() {
            tokio::time::sleep(UPKEEP).await;
            recorder.run_upkeep();
        }
    });
}

/// Everything in Prometheus' text format.
pub fn render() -> String {
    if let Some(bytes) = resident_memory() {
        gauge!(MEMORY).set(bytes);
    }
    recorder().map(PrometheusHandle::render).unwrap_or_default()
}

/// A request that is being answered; ends when dropped.
pub struct Open(());

impl Open {
    /// Counts one more open request.
    pub fn begin() -> Self {
        gauge!(HTTP_OPEN).increment(1.0);
        Self(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(HTTP_OPEN).decrement(1.0);
    }
}

/// A request was answered. `route` is a pattern or a known name, never a path.
pub fn request(route: &str, status: u16, begun: Instant) {
    let class = match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    counter!(HTTP_REQUESTS, "route" => route.to_owned(), "status" => class).increment(1);
    histogram!(HTTP_DURATION, "route" => route.to_owned()).record(begun.elapsed());
}

/// A request was turned away with 429. `scope`: `address` or `key`.
pub fn rate_limited(scope: &'static str) {
    counter!(RATE_LIMITED, "scope" => scope).increment(1);
}

/// A JSON-RPC call was answered. `method` must be a known one; `code` 0 is a success.
pub fn rpc_call(service: &'static str, method: &'static str, code: i64) {
    counter!(RPC_CALLS, "service" => service, "method" => method, "code" => code.to_string()).increment(1);
}

/// An upstream answered, or did not. `entry` is its place in the failover order; a JSON-RPC error is an answer.
pub fn upstream(upstream: Upstream, entry: usize, error: Option<&AppError>, took: Duration) {
    let outcome = match error {
        Some(AppError::UpstreamUnavailable { .. }) => "unavailable",
        Some(AppError::UpstreamMalformed { .. }) => "malformed",
        _ => "answered",
    };
    let (upstream, entry) = (upstream_label(upstream), entry.to_string());
    histogram!(UPSTREAM_DURATION, "upstream" => upstream, "entry" => entry.clone()).record(took);
    counter!(UPSTREAM_REQUESTS, "upstream" => upstream, "entry" => entry, "outcome" => outcome).increment(1);
}

/// An upstream refused one thing, which is no outage. `what`: `range`, `batch`, `block`, `call` or `rate`.
pub(super) fn refused(upstream: Upstream, entry: usize, what: &'static str) {
    let upstream = upstream_label(upstream);
    counter!(UPSTREAM_REFUSALS, "upstream" => upstream, "entry" => entry.to_string(), "what" => what).increment(1);
}

/// How the entries of the failover lists do: 0 closed (asked), 1 half open (tried), 2 open (left alone).
pub fn upstreams(health: &[UpstreamHealth]) {
    for entry in health {
        let state = match entry.circuit {
            Circuit::Closed => 0.0,
            Circuit::HalfOpen => 1.0,
            Circuit::Open => 2.0,
        };
        let (upstream, entry) = (upstream_label(entry.upstream), entry.entry.to_string());
        gauge!(UPSTREAM_CIRCUIT, "upstream" => upstream, "entry" => entry).set(state);
    }
}

/// A status stream that is open; it ends when dropped.
pub struct Wait {
    outcome: &'static str,
}

impl Wait {
    /// One more is open.
    pub fn begin() -> Self {
        gauge!(WAITS).increment(1.0);
        // Until something final was told: the page left, or the server is stopping.
        Self { outcome: "left" }
    }

    /// It told this last.
    pub fn told(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        gauge!(WAITS).decrement(1.0);
        counter!(WAITS_ENDED, "outcome" => self.outcome).increment(1);
    }
}

/// An operation in mode ERC20 was mined and not charged.
pub(super) fn token_debt() {
    counter!(TOKEN_DEBTS).increment(1);
}

/// Somebody asked to be sponsored.
pub fn sponsorship(entry_point: EntryPoint, result: Result<(), &AppError>) {
    let decision = match result {
        Ok(()) => "granted",
        Err(AppError::SponsorshipRefused { .. } | AppError::GasTokenRefused { .. }) => "refused",
        Err(_) => "failed",
    };
    counter!(SPONSORSHIPS, "decision" => decision, "entry_point" => entry_point.version()).increment(1);
}

/// A bundler took an operation.
pub fn operation_sent(entry_point: EntryPoint) {
    counter!(OPERATIONS, "entry_point" => entry_point.version()).increment(1);
}

fn upstream_label(upstream: Upstream) -> &'static str {
    match upstream {
        Upstream::Node => "node",
        Upstream::Bundler => "bundler",
        Upstream::Paymaster => "paymaster",
        Upstream::Database => "database",
        Upstream::Nodes => "nodes",
    }
}

fn describe() {
    describe_counter!(HTTP_REQUESTS, "Requests by route and class of status");
    describe_histogram!(HTTP_DURATION, "Time until the answer begins");
    describe_gauge!(HTTP_OPEN, "Requests whose answer has not begun");
    describe_counter!(RATE_LIMITED, "Requests turned away with 429");
    describe_counter!(RPC_CALLS, "Calls of the JSON-RPC interface by error code; 0 is a success");
    describe_counter!(UPSTREAM_REQUESTS, "Requests to upstreams by outcome");
    describe_counter!(
        UPSTREAM_REFUSALS,
        "What upstreams refused and was asked otherwise: range, batch, block, call, rate"
    );
    describe_histogram!(UPSTREAM_DURATION, "Time until an upstream has answered");
    describe_gauge!(UPSTREAM_CIRCUIT, "0 the upstream is asked, 1 it is tried, 2 it is left alone");
    describe_gauge!(WAITS, "Status streams that are open");
    describe_counter!(WAITS_ENDED, "Status streams that ended, by what they told last");
    describe_counter!(OPERATIONS, "Operations that a bundler took, by entry point");
    describe_counter!(SPONSORSHIPS, "Requests for sponsorship by decision and entry point");
    describe_counter!(TOKEN_DEBTS, "Operations paid in tokens that could not be charged");
    describe_gauge!(BUILD, "1, with the version");
    describe_gauge!(STARTED, "Start of the process, unix seconds");
    describe_gauge!(MEMORY, "Resident memory");
}

/// Bytes of this process in memory, where the system says so.
fn resident_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // Linux counts in pages of 4 KiB on every machine that this runs on but a few ARM ones.
    Some((pages * 4096) as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Arc;

    use super::*;

    /// A dashboard that asks for metrics which do not exist shows nothing, and nobody notices.
    #[test]
    fn dashboard_and_alerts_ask_for_metrics_that_exist() {
        let names = [
            HTTP_REQUESTS,
            HTTP_DURATION,
            HTTP_OPEN,
            RATE_LIMITED,
            RPC_CALLS,
            UPSTREAM_REQUESTS,
            UPSTREAM_DURATION,
            UPSTREAM_CIRCUIT,
            UPSTREAM_REFUSALS,
            WAITS,
            WAITS_ENDED,
            OPERATIONS,
            SPONSORSHIPS,
            TOKEN_DEBTS,
            BUILD,
            STARTED,
            MEMORY,
        ];
        for text in [include_str!("../../../docs/grafana.json"), include_str!("../../../docs/operations.md")] {
            // a module's path in a setting of the log, no metric
            let text = text.replace("use_aa_dan_node::", "");
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let mut asked: Vec<&str> = words
                .filter(|word| word.starts_with("use_aa_") || word.starts_with("process_"))
                .map(|word| word.trim_end_matches("_bucket"))
                .collect();
            asked.sort_unstable();
            asked.dedup();
            assert!(asked.len() >= 12, "{asked:?}");
            for name in asked {
                assert!(names.contains(&name), "{name}");
            }
        }
    }

    #[tokio::test]
    async fn what_happened_is_rendered() {
        let alive = Arc::new(());
        start(Arc::downgrade(&alive));
        request("/test-route", 404, Instant::now());
        let malformed = AppError::UpstreamMalformed { upstream: Upstream::Bundler, reason: "HTML".into() };
        upstream(Upstream::Bundler, 1, Some(&malformed), Duration::from_millis(3));
        let mut wait = Wait::begin();
        wait.told("confirmed");
        drop(wait);
        operation_sent(EntryPoint::V07);
        sponsorship(EntryPoint::V07, Err(&AppError::SponsorshipRefused { reason: "budget".into() }));
        upstreams(&[UpstreamHealth {
            upstream: Upstream::Node,
            entry: 0,
            circuit: Circuit::Open,
            resting_ms: None,
            answered: 1,
            failed: 9,
            failures_in_row: 9,
            latency_ms: None,
            last_error: None,
            pushing: None,
        }]);
        let text = render();
        for line in [
            "use_aa_http_requests_total{route=\"/test-route\",status=\"4xx\"} 1",
            "use_aa_http_request_duration_seconds_bucket{route=\"/test-route\",le=\"15\"} 1",
            "use_aa_upstream_requests_total{upstream=\"bundler\",entry=\"1\",outcome=\"malformed\"}",
            "use_aa_operations_sent_total{entry_point=\"0.7\"} 1",
            "use_aa_sponsorship_decisions_total{decision=\"refused\",entry_point=\"0.7\"} 1",
            "use_aa_upstream_circuit{upstream=\"node\",entry=\"0\"} 2",
            "# HELP use_aa_upstream_circuit",
            "use_aa_waits_ended_total{outcome=\"confirmed\"} 1",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
