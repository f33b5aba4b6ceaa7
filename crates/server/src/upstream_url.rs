//! The URL of a node, a bundler, a paymaster or another service; it may carry keys.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// The URL of an upstream. Its path, query and user part may carry keys: only scheme, host and port are printed.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamUrl(Url);

impl UpstreamUrl {
    /// The whole URL: for the request, never for a log.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// True for `ws://` and `wss://`.
    pub fn is_web_socket(&self) -> bool {
        matches!(self.0.scheme(), "ws" | "wss")
    }
}

impl FromStr for UpstreamUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text.trim()).map_err(|error| error.to_string())?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err("no host".into());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamUrl({self})")
    }
}
