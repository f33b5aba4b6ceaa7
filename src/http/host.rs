//! Names that the server answers to. A foreign site could point a name of its own to our address and then call as if it
//! were this site (DNS rebinding).

use std::net::IpAddr;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};

use use_aa_server::{authority::Authority, caller::Caller, config::Config, state::ServerState};

use super::{refuse, site_asked};
use crate::error::AppError;

/// Refuses requests for hosts that are not ours, and those that name several.
pub(super) async fn of_ours(
    State(state): State<ServerState>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(request.headers(), &caller, state.config()) {
        Some((status, error)) => refuse(Some(status), error),
        None => next.run(request).await,
    }
}

fn refusal(headers: &HeaderMap, caller: &Caller, config: &Config) -> Option<(StatusCode, AppError)> {
    let mut lines = headers.get_all(header::HOST).iter();
    // HTTP/1.0: probes of load balancers.
    let line = lines.next()?;
    if lines.next().is_some() {
        let error = AppError::invalid("Host", "one line", "several");
        return Some((StatusCode::BAD_REQUEST, error));
    }
    let host = site_asked::host(headers);
    if host.as_ref().is_some_and(|host| is_ours(host, config)) {
        return None;
    }
    let listed = |site: &Authority| config.protection.hosts.iter().any(|own| own.name == site.name);
    // The proxy put its own name for us in place of the one that it was called by.
    let forwarded = site_asked::forwarded(headers);
    // By whichever of its headers: who asks may have written the other one.
    let as_the_proxy_says = host.as_ref().is_some_and(nobody_elses)
        && forwarded.first().is_some_and(listed)
        && forwarded.iter().all(|site| listed(site) || nobody_elses(site));
    if as_the_proxy_says && caller.proxied {
        return None;
    }
    let expected = match as_the_proxy_says {
        true => "a name of USE_AA_HOSTS (X-Forwarded-Host is believed when it comes from USE_AA_TRUSTED_PROXIES)",
        false => "a name that this server answers to (USE_AA_HOSTS)",
    };
    let error = AppError::invalid("Host", expected, String::from_utf8_lossy(line.as_bytes()));
    Some((StatusCode::MISDIRECTED_REQUEST, error))
}

/// Whether the server answers to this name. While it listens on loopback, names that no foreign site can own are enough.
fn is_ours(host: &Authority, config: &Config) -> bool {
    match config.protection.hosts.as_slice() {
        [] => !config.addr.ip().is_loopback() || nobody_elses(host),
        listed => listed.iter().any(|own| own.name == host.name),
    }
}

/// No foreign site can own it: an address, or a name without a dot.
fn nobody_elses(host: &Authority) -> bool {
    let name = &host.name;
    !name.contains('.') || name.ends_with(".localhost") || name.starts_with('[') || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::http::{HeaderName, HeaderValue};
    use use_aa_server::config::{ProtectionArgs, ServeArgs};

    use super::*;

    fn config(addr: &str, hosts: &str) -> Config {
        let protection = ProtectionArgs { hosts: Some(hosts.into()), ..Default::default() };
        Config::from_args(&ServeArgs { addr: Some(addr.into()), protection, ..Default::default() }).unwrap()
    }

    /// The status that a request with these headers gets, and the reason; 200 when it passes.
    fn answer(config: &Config, proxied: bool, headers: &[(&'static str, &'static str)]) -> (u16, String) {
        let caller = Caller { address: IpAddr::from([127, 0, 0, 1]), local: false, proxied };
        let mut lines = HeaderMap::new();
        for (name, value) in headers {
            lines.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        match refusal(&lines, &caller, config) {
            Some((status, error)) => (status.as_u16(), error.to_string()),
            None => (200, String::new()),
        }
    }

    #[test]
    fn foreign_names_are_not_answered_on_loopback() {
        let loopback = config("127.0.0.1:3000", "");
        let named = config("0.0.0.0:3000", "aa.example, [::1], bb.example:8443");
        let all = config("0.0.0.0:3000", "");
        for (config, ours, foreign) in [
            (
                &loopback,
                vec![
                    "127.0.0.1:3000",
                    "localhost:3000",
                    "LOCALHOST",
                    "localhost.",
                    "[::1]:3000",
                    "x",
                    "aa.localhost:1",
                    "192.168.1.7",
                    "[0:0::1]",
                ],
                vec!["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "evil.example.", "a@localhost", ""],
            ),
            (&all, vec!["aa.example", "evil.example:80"], vec!["a b", "evil.example/x"]),
            (
                &named,
                vec![
                    "AA.example:443",
                    "aa.example:80",
                    "aa.example.",
                    "aa.example:8443",
                    "[::1]:80",
                    "[0::0:1]",
                    "bb.example",
                    "bb.example:8443",
                ],
                vec!["localhost", "b.aa.example", "aa.example.evil.example", "127.0.0.1"],
            ),
        ] {
            for host in ours {
                assert_eq!(answer(config, false, &[("host", host)]).0, 200, "{host}");
            }
            for host in foreign {
                let (status, reason) = answer(config, false, &[("host", host)]);
                assert!(status == 421 && reason.contains("USE_AA_HOSTS"), "{host}: {status} {reason}");
            }
        }
        assert_eq!(answer(&named, false, &[]).0, 200, "HTTP/1.0");
        assert_eq!(answer(&all, false, &[("host", "a"), ("host", "b")]).0, 400);
        assert_eq!(answer(&named, false, &[("host", "aa.example"), ("host", "evil.example")]).0, 400);
    }

    #[test]
    fn a_trusted_proxy_may_put_its_own_name_in_place_of_ours() {
        let named = config("0.0.0.0:3000", "aa.example");
        let shape = |host, forwarded| [("host", host), ("x-forwarded-host", forwarded)];
        for (host, forwarded) in
            [("127.0.0.1:3000", "aa.example"), ("use-aa:3000", "AA.example.:8443, inner"), ("[::1]", "aa.example")]
        {
            assert_eq!(answer(&named, true, &shape(host, forwarded)).0, 200, "{host} {forwarded}");
            let (status, reason) = answer(&named, false, &shape(host, forwarded));
            assert!(status == 421 && reason.contains("USE_AA_TRUSTED_PROXIES"), "{status} {reason}");
        }
        assert_eq!(answer(&named, true, &[("host", "10.0.0.7"), ("forwarded", "for=1.1.1.1;host=aa.example")]).0, 200);
        // The page of a name that was pointed here writes the header that the proxy does not.
        let both = |usual, standard| {
            let lines = [("host", "10.0.0.7"), ("x-forwarded-host", usual), ("forwarded", standard)];
            answer(&named, true, &lines).0
        };
        assert_eq!(both("aa.example", "for=1.1.1.1;host=evil.example"), 421);
        assert_eq!(both("evil.example", "host=aa.example"), 421);
        assert_eq!(both("aa.example", "host=aa.example"), 200);
        assert_eq!(both("aa.example", "for=1.1.1.1;host=\"use-aa:3000\""), 200, "a second proxy, inside");
        for (host, forwarded) in [
            ("127.0.0.1:3000", "evil.example"),
            ("127.0.0.1:3000", "evil.example, aa.example"),
            // A page whose name was pointed here adds the header; the proxy passes on what it was sent.
            ("evil.example", "aa.example"),
        ] {
            assert_eq!(answer(&named, true, &shape(host, forwarded)).0, 421, "{host} {forwarded}");
        }
    }
}
