//! Which site a request was sent to: what `Host` says, and what a trusted proxy says that it was before.

use axum::http::{HeaderMap, HeaderName, header};

use use_aa_server::authority::Authority;

/// Header of proxies: the `Host` that they were sent.
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Header of proxies: the port that they were called at.
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The only line of a header, as text; `None` where there is none, more than one, or one that is no text.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}

/// What `Host` says.
pub(super) fn host(headers: &HeaderMap) -> Option<Authority> {
    Authority::parse(only(headers, &header::HOST)?)
}

/// What proxies say. The first of a list is what the browser asked for; each proxy adds the next one behind it.
/// To be believed only when the peer is trusted.
pub(super) fn forwarded(headers: &HeaderMap) -> Vec<Authority> {
    let by_the_usual = first(headers, &FORWARDED_HOST).and_then(Authority::parse);
    let by_the_standard = first(headers, &header::FORWARDED).and_then(forwarded_host);
    by_the_usual.into_iter().chain(by_the_standard).collect()
}

/// All that may be the site that the browser asked for; the word of proxies when they are `trusted`. Where the operator
/// has `listed` names, no other one: a page of another site may write the one header, and a proxy that name into the other.
pub(super) fn all(headers: &HeaderMap, trusted: bool, listed: &[Authority]) -> Vec<Authority> {
    let is_ours = |site: &Authority| listed.is_empty() || listed.iter().any(|own| own.name == site.name);
    let mut sites: Vec<Authority> = host(headers).into_iter().filter(is_ours).collect();
    if !trusted {
        return sites;
    }
    sites.extend(forwarded(headers).into_iter().filter(is_ours));
    // Some proxies tell name and port apart.
    if let Some(port) = first(headers, &FORWARDED_PORT).and_then(|port| port.parse().ok()) {
        let bare: Vec<Authority> = sites.iter().filter(|site| site.port.is_none()).cloned().collect();
        sites.extend(bare.into_iter().map(|site| Authority { port: Some(port), ..site }));
    }
    sites
}

/// The first element of a list. Several lines are one list.
fn first<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

/// `host` in an element of `Forwarded` (RFC 7239), such as `for=1.1.1.1;host="aa.example:8443";proto=https`.
fn forwarded_host(element: &str) -> Option<Authority> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("host").then(|| Authority::parse(value.trim().trim_matches('"')))?
    })
}
