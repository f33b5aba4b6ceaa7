//! Server functions are for pages of this site. Another site's page could use its visitor's browser to call them.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::Response,
};

use use_aa_server::{authority::Authority, caller::Caller, state::ServerState};

use super::{
    refuse,
    site_asked::{self, FORWARDED_HOST},
};
use crate::error::AppError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses calls that a page of another site makes. Programs that are no browsers send neither header.
pub(super) async fn same_origin(
    State(state): State<ServerState>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match foreign(request.headers(), caller.proxied, &state.config().protection.hosts) {
        Some(error) => refuse(Some(StatusCode::FORBIDDEN), error),
        None => next.run(request).await,
    }
}

/// Why a call is not one of this site's pages; `None` when it is, or comes from no page.
///
/// | Browser | What decides |
/// |---|---|
/// | over https, and on this machine | `Sec-Fetch-Site`, in which it compares itself: no page can set it, no proxy need know of it |
/// | over plain http, and old ones | whether `Origin` is the site that was asked for: as `Host` says, or a trusted proxy, or the operator (`listed`) |
fn foreign(headers: &HeaderMap, proxied: bool, listed: &[Authority]) -> Option<AppError> {
    let other = |expected: &str, got: String| Some(AppError::invalid("Origin", expected, got));
    match site_asked::only(headers, &FETCH_SITE) {
        Some("same-origin") => return None,
        Some("none") => {}
        Some(site) => return other("a call from a page of this site", format!("Sec-Fetch-Site: {site}")),
        None if !headers.contains_key(&FETCH_SITE) => {}
        None => return other("a call from a page of this site", "Sec-Fetch-Site: several, or no text".into()),
    }
    let origin = headers.get(header::ORIGIN)?;
    let got = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let Some(page) = site_asked::only(headers, &header::ORIGIN).and_then(PageSite::parse) else {
        return other("a call from a page of this site", got);
    };
    let asked = site_asked::all(headers, proxied, listed);
    if asked.iter().any(|site| page.is(site)) || listed.iter().any(|own| page.is_listed(own, &asked)) {
        return None;
    }
    let unheard = !proxied && (headers.contains_key(&FORWARDED_HOST) || headers.contains_key(header::FORWARDED));
    let expected = match unheard {
        true => {
            "a call from a page of this site (X-Forwarded-Host is believed when it comes from USE_AA_TRUSTED_PROXIES)"
        }
        false => "a call from a page of this site, as Host or USE_AA_HOSTS name it, with its port",
    };
    other(expected, got)
}

/// The site of a page.
struct PageSite {
    name: String,
    port: u16,
    /// What the port is when none is written.
    usual_port: u16,
}

impl PageSite {
    /// Reads `Origin`; `None` for `null` and for what is no web page.
    fn parse(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let usual_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let Authority { name, port } = Authority::parse(authority)?;
        Some(Self { name, port: port.unwrap_or(usual_port), usual_port })
    }

    fn is(&self, site: &Authority) -> bool {
        site.name == self.name && site.port.unwrap_or(self.usual_port) == self.port
    }

    /// The operator says that this site is ours. Where no port is said, only if nothing says another one: the same
    /// machine may serve other sites at other ports.
    fn is_listed(&self, own: &Authority, asked: &[Authority]) -> bool {
        self.is(own) && (own.port.is_some() || asked.iter().all(|site| site.name != self.name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::http::HeaderValue;

    use super::*;

    type Lines = &'static [(&'static str, &'static str)];

    fn verdict(lines: Lines, proxied: bool, listed: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let listed: Vec<_> = listed.split_whitespace().map(|own| Authority::parse(own).unwrap()).collect();
        foreign(&headers, proxied, &listed).map(|error| error.to_string())
    }

    #[test]
    fn calls_of_this_site_and_of_programs_pass() {
        const HTTPS: &str = "https://aa.example";
        // Lines, whether a trusted proxy sends them, USE_AA_HOSTS.
        let shapes: [(Lines, bool, &str); 24] = [
            (&[("host", "127.0.0.1:3000")], false, ""),
            (&[("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")], false, ""),
            (&[("host", "AA.example"), ("origin", HTTPS)], false, ""),
            (&[("host", "aa.example."), ("origin", HTTPS)], false, ""),
            (&[("host", "aa.example"), ("origin", "https://aa.example.")], false, ""),
            (&[("host", "aa.example:443"), ("origin", HTTPS)], false, ""),
            (&[("host", "aa.example:80"), ("origin", "http://aa.example")], false, ""),
            (&[("host", "aa.example"), ("origin", "http://aa.example:80")], false, ""),
            (&[("host", "[0:0::1]:3000"), ("origin", "http://[::1]:3000")], false, ""),
            (&[("host", "[::1]:443"), ("origin", "https://[::1]")], false, ""),
            // On another port, where the proxy passes on only the name; LBs before proxies that name their own port.
            (
                &[("host", "aa.example"), ("origin", "https://aa.example:8443"), ("sec-fetch-site", "same-origin")],
                false,
                "",
            ),
            (&[("host", "aa.example:80"), ("origin", HTTPS), ("sec-fetch-site", "same-origin")], false, ""),
            (&[("host", "10.0.0.7:3000"), ("origin", HTTPS), ("sec-fetch-site", "same-origin")], false, ""),
            (&[("sec-fetch-site", "same-origin")], false, ""),
            (&[("sec-fetch-site", "none")], false, ""),
            // The same from browsers that do not compare: plain http, old ones.
            (&[("host", "10.0.0.7:80"), ("x-forwarded-host", "aa.example"), ("origin", HTTPS)], true, ""),
            (&[("host", "inner"), ("x-forwarded-host", "AA.example:443, b.inner"), ("origin", HTTPS)], true, ""),
            (
                &[("host", "inner"), ("x-forwarded-host", "aa.example"), ("x-forwarded-host", "b"), ("origin", HTTPS)],
                true,
                "",
            ),
            (
                &[
                    ("host", "x"),
                    ("forwarded", "For=1.1.1.1;Host=\"aa.example:8443\";proto=https, for=2.2.2.2;host=b"),
                    ("origin", "https://aa.example:8443"),
                ],
                true,
                "",
            ),
            (&[("host", "aa.example"), ("x-forwarded-port", "8080"), ("origin", "http://aa.example:8080")], true, ""),
            (&[("host", "aa.example"), ("origin", "http://aa.example:8080")], false, "aa.example:8080"),
            (&[("host", "127.0.0.1:3000"), ("origin", HTTPS)], false, "aa.example 127.0.0.1"),
            (&[("host", "127.0.0.1:3000"), ("origin", "https://aa.example:8443")], false, "aa.example:8443"),
            (&[("origin", HTTPS)], false, "aa.example"),
        ];
        for (lines, proxied, listed) in shapes {
            assert_eq!(verdict(lines, proxied, listed), None, "{lines:?}");
        }
    }

    #[test]
    fn calls_of_other_sites_do_not() {
        const OURS: (&str, &str) = ("host", "127.0.0.1:3000");
        const EVIL: (&str, &str) = ("origin", "http://evil.example");
        let shapes: [(Lines, bool, &str); 24] = [
            (&[OURS, ("origin", "http://127.0.0.1:3001")], false, ""),
            (&[OURS, ("origin", "http://127.0.0.1")], false, ""),
            (&[OURS, EVIL], false, ""),
            (&[OURS, EVIL], true, "aa.example"),
            (&[OURS, ("origin", "null")], false, ""),
            (&[OURS, ("origin", "")], false, ""),
            (&[OURS, ("origin", "chrome-extension://127.0.0.1:3000")], false, ""),
            (&[OURS, ("origin", "http://a@127.0.0.1:3000")], false, ""),
            (&[EVIL], false, ""),
            (&[("sec-fetch-site", "cross-site")], false, ""),
            (&[("sec-fetch-site", "same-site")], false, ""),
            (&[OURS, ("origin", "http://127.0.0.1:3000"), ("sec-fetch-site", "cross-site")], false, ""),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false, ""),
            (&[OURS, EVIL, ("sec-fetch-site", "none")], false, ""),
            (&[OURS, ("origin", "http://127.0.0.1:3000"), EVIL], false, ""),
            // The site of http, which anybody on the line can write, is not that of https.
            (&[("host", "aa.example:443"), ("origin", "http://aa.example")], false, "aa.example:443"),
            (&[("host", "aa.example"), ("origin", "https://aa.example.evil.example")], false, "aa.example"),
            // Another site at another port of the same name.
            (&[("host", "aa.example"), ("origin", "http://aa.example:3001")], false, "aa.example"),
            (&[("host", "aa.example:3000"), ("origin", "http://aa.example")], false, "aa.example"),
            // Who is no trusted proxy says nothing of the site; nor does the end of the list.
            (&[OURS, EVIL, ("x-forwarded-host", "evil.example")], false, ""),
            (&[OURS, EVIL, ("forwarded", "host=evil.example")], false, ""),
            (&[OURS, EVIL, ("x-forwarded-host", "aa.example, evil.example")], true, ""),
            // The page adds the one header, the proxy writes the other.
            (&[OURS, EVIL, ("x-forwarded-host", "aa.example"), ("forwarded", "host=evil.example")], true, "aa.example"),
            (&[OURS, EVIL, ("forwarded", "host=aa.example"), ("x-forwarded-host", "evil.example")], true, "aa.example"),
        ];
        for (lines, proxied, listed) in shapes {
            assert!(verdict(lines, proxied, listed).is_some(), "{lines:?}");
        }
    }

    #[test]
    fn a_refusal_names_what_helps() {
        let lines: Lines =
            &[("host", "10.0.0.7"), ("x-forwarded-host", "aa.example"), ("origin", "https://aa.example")];
        assert!(verdict(lines, false, "").unwrap().contains("USE_AA_TRUSTED_PROXIES"));
        let lines: Lines = &[("host", "aa.example"), ("origin", "http://aa.example:8080")];
        assert!(verdict(lines, false, "").unwrap().contains("USE_AA_HOSTS"));
    }
}
