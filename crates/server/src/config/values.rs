//! The single values of the configuration: parsing.

use std::{
    fmt,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256};
use reqwest::Url;
use use_aa_protocol::kind::AccountKind;

use super::{PaymasterDialect, SponsorPolicy};
pub use crate::{
    secret::{Secret, SignerKey},
    upstream_url::UpstreamUrl,
};

/// A wrong value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: expected {expected}, got {got}")]
pub struct ConfigError {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// What would have been accepted.
    pub expected: String,
    /// What was given; a placeholder for secrets.
    pub got: String,
}

impl ConfigError {
    /// A complaint about `variable`; `got` must not be a secret.
    pub fn new(variable: &'static str, expected: impl Into<String>, got: impl fmt::Display) -> Self {
        Self { variable, expected: expected.into(), got: got.to_string() }
    }

    fn secret(variable: &'static str, expected: impl Into<String>) -> Self {
        Self::new(variable, expected, "something else (not shown)")
    }
}

/// The URL of a database; it may hold a password, so only its scheme is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Secret);

impl DatabaseUrl {
    /// The whole URL.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({}://***)", self.expose().split(':').next().unwrap_or_default())
    }
}

/// An empty value counts as unset: `.env` files often keep the names with nothing behind.
pub(super) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

/// Reads the file of a sponsorship policy; the environment is read for the names in it.
pub(super) fn sponsor_policy(path: &Path) -> Result<SponsorPolicy, ConfigError> {
    let wrong =
        |reason: String| ConfigError::new("USE_AA_SPONSOR_POLICY", "a sponsorship policy in TOML or JSON", reason);
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    SponsorPolicy::parse(&text, |name| std::env::var(name).ok())
        .map_err(|error| wrong(format!("{}: {error}", path.display())))
}

pub(super) fn socket_addr(
    variable: &'static str,
    value: Option<&str>,
    default: SocketAddr,
) -> Result<SocketAddr, ConfigError> {
    let Some(text) = given(value) else { return Ok(default) };
    let literal = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    literal
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| ConfigError::new(variable, "an IP address and a port, such as 127.0.0.1:3000", text))
}

pub(super) fn chain_id(variable: &'static str, value: Option<&str>, default: u64) -> Result<u64, ConfigError> {
    let Some(text) = given(value) else { return Ok(default) };
    text.parse()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| ConfigError::new(variable, "a decimal chain id of 1 or more, such as 31337", text))
}

/// The file of a lab that runs: what is in it is read when the lab is needed.
pub(super) fn lab_json(variable: &'static str, value: Option<&str>, lab: bool) -> Result<Option<PathBuf>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    if !lab {
        return Err(ConfigError::new(variable, "nothing, because USE_AA_RPC_URL names another network", text));
    }
    Ok(Some(text.into()))
}

/// Wallets take symbols of up to 11 characters (MetaMask's `wallet_addEthereumChain`).
pub(super) fn symbol(variable: &'static str, value: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    let is_symbol = text.len() <= 11 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_symbol
        .then(|| Some(text.to_owned()))
        .ok_or_else(|| ConfigError::new(variable, "1 to 11 letters and digits, such as XDAI", text))
}

/// A page that browsers may be sent to: nothing in it is secret. Without trailing slash.
pub(super) fn web_page(variable: &'static str, value: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    let wrong = || {
        let expected = "a URL with https or http, without user, query or fragment, such as https://etherscan.io";
        ConfigError::new(variable, expected, text)
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let is_page = matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    if is_plain && is_page { Ok(Some(url.as_str().trim_end_matches('/').to_owned())) } else { Err(wrong()) }
}

pub(super) fn urls(
    variable: &'static str,
    value: Option<&Secret>,
    schemes: &[&str],
) -> Result<Vec<UpstreamUrl>, ConfigError> {
    let Some(text) = given(value.map(Secret::expose)) else { return Ok(Vec::new()) };
    let schemes_text = schemes.join(", ");
    text.split(',')
        .enumerate()
        .map(|(index, part)| {
            part.parse::<UpstreamUrl>().ok().filter(|url| schemes.contains(&url.expose().scheme())).ok_or_else(|| {
                let expected = format!("URLs separated by commas, each with scheme {schemes_text} and a host");
                // The value may carry a key: say which entry is wrong, not what it is.
                ConfigError::new(variable, expected, format!("something else as entry {} (not shown)", index + 1))
            })
        })
        .collect()
}

pub(super) fn dialect(variable: &'static str, value: Option<&str>) -> Result<PaymasterDialect, ConfigError> {
    match given(value) {
        None | Some("biconomy") => Ok(PaymasterDialect::Biconomy),
        Some("erc7677") => Ok(PaymasterDialect::Erc7677),
        Some(other) => Err(ConfigError::new(variable, "biconomy or erc7677", other)),
    }
}

pub(super) fn address(variable: &'static str, value: Option<&str>) -> Result<Option<Address>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    let wrong = || ConfigError::new(variable, "an address: 0x and 40 hexadecimal digits, not zero", text);
    let address: Address = text.parse().map_err(|_| wrong())?;
    if address.is_zero() { Err(wrong()) } else { Ok(Some(address)) }
}

pub(super) fn signer_key(variable: &'static str, value: Option<&Secret>) -> Result<Option<SignerKey>, ConfigError> {
    let Some(text) = given(value.map(Secret::expose)) else { return Ok(None) };
    let key = text.parse::<B256>().ok().and_then(|bytes| SignerKey::from_bytes(&bytes));
    key.map(Some)
        .ok_or_else(|| ConfigError::secret(variable, "a private key: 64 hexadecimal digits, with or without 0x"))
}

pub(super) fn database_url(variable: &'static str, value: Option<&Secret>) -> Result<Option<DatabaseUrl>, ConfigError> {
    let Some(text) = given(value.map(Secret::expose)) else { return Ok(None) };
    match ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        true => Ok(Some(DatabaseUrl(Secret::new(text)))),
        false => Err(ConfigError::secret(variable, "a URL that starts with sqlite:// or postgres://")),
    }
}

pub(super) fn folder(variable: &'static str, value: Option<&str>) -> Result<Option<PathBuf>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    let path = PathBuf::from(text);
    if path.exists() && !path.is_dir() {
        return Err(ConfigError::new(variable, "a folder (it is made when missing)", format!("the file {text}")));
    }
    Ok(Some(path))
}

/// A whole number of `unit` within a range.
pub(super) fn whole(
    variable: &'static str,
    value: Option<&str>,
    range: RangeInclusive<u64>,
    default: u64,
    unit: &str,
) -> Result<u64, ConfigError> {
    let Some(text) = given(value) else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ConfigError::new(variable, format!("a whole number of {unit}, {} to {}", range.start(), range.end()), text)
    })
}

/// `None` when nothing is said.
pub(super) fn on_off(variable: &'static str, value: Option<&str>) -> Result<Option<bool>, ConfigError> {
    match given(value) {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(other) => Err(ConfigError::new(variable, "on or off", other)),
    }
}

pub(super) fn account_kind(variable: &'static str, value: Option<&str>) -> Result<AccountKind, ConfigError> {
    let Some(text) = given(value) else { return Ok(AccountKind::default()) };
    text.parse().map_err(|_| ConfigError::new(variable, "biconomy-v2 or nexus", text))
}

pub(super) fn block_time(variable: &'static str, value: Option<&str>) -> Result<u64, ConfigError> {
    let Some(text) = given(value) else { return Ok(0) };
    text.parse()
        .ok()
        .filter(|seconds| *seconds <= 3600)
        .ok_or_else(|| ConfigError::new(variable, "whole seconds from 0 (a block per transaction) to 3600", text))
}

pub(super) fn port_base(variable: &'static str, value: Option<&str>) -> Result<Option<u16>, ConfigError> {
    let Some(text) = given(value) else { return Ok(None) };
    text.parse().ok().filter(|port| (1024..=65_500).contains(port)).map(Some).ok_or_else(|| {
        ConfigError::new(variable, "a port from 1024 to 65500 (the lab takes it and those after it)", text)
    })
}
