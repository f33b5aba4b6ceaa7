//! Whose a connection is: its peer's, or, when that is a trusted proxy, whoever the proxy speaks for.

use std::sync::Arc;

use axum::extract::ConnectInfo;

use use_aa_listener::OwnerOf;
use use_aa_server::{caller::Caller, config::Protection};

pub(super) fn owner_of(protection: &Protection) -> OwnerOf {
    let trusted = protection.trusted_proxies.clone();
    Arc::new(move |peer, headers| {
        let is_proxy = trusted.iter().any(|network| network.contains(peer.ip()));
        match headers {
            None if is_proxy => None,
            None => Some(Caller::of(Some(&ConnectInfo(peer)), &Default::default(), &[]).counted_as()),
            Some(headers) => Some(Caller::of(Some(&ConnectInfo(peer)), headers, &trusted).counted_as()),
        }
    })
}
