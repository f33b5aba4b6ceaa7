//! Whom the server answers, how often, and what it believes of proxies.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use super::{ConfigError, Secret, values::given};
use crate::authority::Authority;

/// Requests per second that one address is allowed, and how many at once.
const ADDRESS: Rate = Rate { per_second: 50, burst: 200 };
/// The same for one key of the JSON-RPC interface.
const KEY: Rate = Rate { per_second: 100, burst: 400 };
/// Distributed keys that one address is offered in [`OFFERS_TIME`]. Of the 64 keys under way it can hold no more than
/// 40 like that: twenty at once, and twenty more before the first come back.
const OFFERS: u32 = 20;
/// An offered key is kept for the requester for so long.
pub const OFFERS_TIME: Duration = Duration::from_secs(15 * 60);

/// Options of protection and logging as they came.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ProtectionArgs {
    /// Host names that the server answers to, comma-separated, each with the port that browsers show where a proxy does
    /// not tell it (aa.example:8443) [default: any; while listening on loopback only names without a dot and addresses,
    /// because a foreign site could point its own name here]
    #[arg(long, env = "USE_AA_HOSTS", value_name = "NAMES")]
    pub hosts: Option<String>,
    /// Addresses or networks (10.0.0.0/8) of reverse proxies whose X-Forwarded-For, X-Forwarded-Host and Forwarded are
    /// believed, comma-separated; they must overwrite or remove all of these headers
    #[arg(long, env = "USE_AA_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub trusted_proxies: Option<String>,
    /// Requests per second and burst that one address is allowed, or off [default: 50/200; in the lab off]
    #[arg(long, env = "USE_AA_RATE_LIMIT", value_name = "RATE/BURST")]
    pub rate_limit: Option<String>,
    /// The same for one key of the JSON-RPC interface [default: 100/400; in the lab off]
    #[arg(long, env = "USE_AA_KEY_RATE_LIMIT", value_name = "RATE/BURST")]
    pub key_rate_limit: Option<String>,
    /// Distributed keys that one address is offered in a quarter of an hour, or off [default: 20; in the lab off]
    #[arg(long, env = "USE_AA_DAN_OFFERS", value_name = "NUMBER")]
    pub dan_offers: Option<String>,
    /// Who sends it as a bearer token may read /metrics from anywhere [default: only programs on this machine may]
    #[arg(long, env = "USE_AA_METRICS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub metrics_token: Option<Secret>,
}

/// Whom the server answers, and how often.
#[derive(Clone, Debug)]
pub struct Protection {
    /// Names that it answers to; empty = see [`ProtectionArgs::hosts`].
    pub hosts: Vec<Authority>,
    /// Proxies whose word on the caller's address and on the site that it asked for is taken.
    pub trusted_proxies: Vec<Network>,
    /// For one address; `None` = no limit.
    pub rate_limit: Option<Rate>,
    /// For one key; `None` = no limit.
    pub key_rate_limit: Option<Rate>,
    /// Distributed keys that one address is offered in [`OFFERS_TIME`]; `None` = no limit.
    pub key_offers: Option<u32>,
    /// Opens `/metrics` to callers from elsewhere.
    pub metrics_token: Option<Secret>,
}

impl Protection {
    /// Checks the options.
    pub fn from_args(args: &ProtectionArgs, lab: bool) -> Result<Self, ConfigError> {
        let default = |rate: Rate| (!lab).then_some(rate);
        Ok(Self {
            hosts: hosts(args.hosts.as_deref())?,
            trusted_proxies: networks(args.trusted_proxies.as_deref())?,
            rate_limit: rate("USE_AA_RATE_LIMIT", args.rate_limit.as_deref(), default(ADDRESS))?,
            key_rate_limit: rate("USE_AA_KEY_RATE_LIMIT", args.key_rate_limit.as_deref(), default(KEY))?,
            key_offers: offers(args.dan_offers.as_deref(), (!lab).then_some(OFFERS))?,
            metrics_token: args.metrics_token.clone().filter(|token| !token.is_empty()),
        })
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

fn rate(variable: &'static str, value: Option<&str>, default: Option<Rate>) -> Result<Option<Rate>, ConfigError> {
    let Some(text) = given(value) else { return Ok(default) };
    if text == "off" {
        return Ok(None);
    }
    let positive = |text: &str| text.trim().parse::<u32>().ok().filter(|number| (1..=1_000_000).contains(number));
    let (per_second, burst) = match text.split_once('/') {
        Some((per_second, burst)) => (positive(per_second), positive(burst)),
        None => (positive(text), positive(text)),
    };
    match (per_second, burst) {
        (Some(per_second), Some(burst)) => Ok(Some(Rate { per_second, burst })),
        _ => Err(ConfigError::new(variable, "requests per second and burst such as 50/200, or off", text)),
    }
}

fn offers(value: Option<&str>, default: Option<u32>) -> Result<Option<u32>, ConfigError> {
    match given(value) {
        None => Ok(default),
        Some("off") => Ok(None),
        Some(text) => match text.parse().ok().filter(|number| (1..=10_000).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(ConfigError::new("USE_AA_DAN_OFFERS", "a number from 1 to 10000, or off", text)),
        },
    }
}

fn hosts(value: Option<&str>) -> Result<Vec<Authority>, ConfigError> {
    let Some(text) = given(value) else { return Ok(Vec::new()) };
    let expected = "host names such as aa.example or aa.example:8443, without scheme and path, separated by commas";
    let wrong = |part: &str| ConfigError::new("USE_AA_HOSTS", expected, part);
    text.split(',').map(|part| Authority::parse(part).ok_or_else(|| wrong(part))).collect()
}

fn networks(value: Option<&str>) -> Result<Vec<Network>, ConfigError> {
    let Some(text) = given(value) else { return Ok(Vec::new()) };
    let expected = "addresses or networks such as 10.0.0.0/8, separated by commas";
    text.split(',')
        .map(|part| part.parse().map_err(|()| ConfigError::new("USE_AA_TRUSTED_PROXIES", expected, part)))
        .collect()
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// True when `address` is in it. IPv4 addresses that came in IPv6 dress count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let shift = |width: u32| width.saturating_sub(self.prefix);
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= width).ok_or(())?,
            None => width,
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_lab_is_not_limited_and_networks_are() {
        let none = ProtectionArgs::default();
        assert_eq!(Protection::from_args(&none, true).unwrap().rate_limit, None);
        assert_eq!(Protection::from_args(&none, false).unwrap().rate_limit, Some(ADDRESS));
        assert_eq!(Protection::from_args(&none, true).unwrap().key_offers, None);
        assert_eq!(Protection::from_args(&none, false).unwrap().key_offers, Some(OFFERS));
        let args = ProtectionArgs { rate_limit: Some("7/9".into()), key_rate_limit: Some("off".into()), ..none };
        for lab in [true, false] {
            let protection = Protection::from_args(&args, lab).unwrap();
            assert_eq!(protection.rate_limit, Some(Rate { per_second: 7, burst: 9 }));
            assert_eq!(protection.key_rate_limit, None);
        }
    }

    #[test]
    fn wrong_values_name_their_variable() {
        let refused = |args: ProtectionArgs| Protection::from_args(&args, false).unwrap_err().variable;
        for text in ["0", "5/0", "many", "-1", "5/6/7"] {
            let args = ProtectionArgs { rate_limit: Some(text.into()), ..Default::default() };
            assert_eq!(refused(args), "USE_AA_RATE_LIMIT", "{text}");
        }
        for text in ["0", "-1", "many", "5/6"] {
            let args = ProtectionArgs { dan_offers: Some(text.into()), ..Default::default() };
            assert_eq!(refused(args), "USE_AA_DAN_OFFERS", "{text}");
        }
        for text in ["https://aa.example", "aa.example/", "aa.example:0x1", "::1", "aa.example,,"] {
            let args = ProtectionArgs { hosts: Some(text.into()), ..Default::default() };
            assert_eq!(refused(args), "USE_AA_HOSTS", "{text}");
        }
        let args = ProtectionArgs { trusted_proxies: Some("10.0.0.0/33".into()), ..Default::default() };
        assert_eq!(refused(args), "USE_AA_TRUSTED_PROXIES");
    }

    #[test]
    fn networks_contain_their_addresses() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let contains = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(contains("10.0.0.0/8", "10.255.1.2") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("127.0.0.1", "127.0.0.1") && !contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fd12::1") && !contains("fd00::/8", "fe80::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::/0", "2001:db8::1"));
    }
}
