//! `USE_AA_DAN_NODES`: the nodes that share distributed keys, and by what they know who asks them.

use std::net::IpAddr;

use alloy::primitives::B256;

use super::{
    ConfigError,
    values::{Secret, UpstreamUrl},
};
use use_aa_dan::caller_key::CallerKey;
use use_aa_protocol::distributed_key::MAX_NODES;

/// A node that holds shares of distributed keys. Its id is its place in the list, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DanNodeAddress {
    /// Where it listens for this server.
    pub url: UpstreamUrl,
    /// Its Ed25519 public key.
    pub identity: B256,
    /// The key by which it knows who asks.
    pub key: CallerKey,
}

const VARIABLE: &str = "USE_AA_DAN_NODES";
/// The variable of the app server's key at the nodes.
pub const SERVER_KEY: &str = "USE_AA_DAN_SERVER_KEY";
/// The variable of the operator's.
pub const OPERATOR_KEY: &str = "USE_AA_DAN_OPERATOR_KEY";
const POOL: &str = "USE_AA_DAN_POOL";
/// Keys that wait for an owner, unless said otherwise.
const DEFAULT_POOL: usize = 2;

/// `url#static-public-key`, comma-separated, in the order of the nodes' ids; and in `variable` the key by which they know
/// who asks: one for all of them, or one for each.
pub fn dan_nodes(
    value: Option<&Secret>,
    variable: &'static str,
    keys: Option<&Secret>,
) -> Result<Vec<DanNodeAddress>, ConfigError> {
    let Some(text) = value.map(Secret::expose).map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let keys = caller_keys(variable, keys, parts.len())?;
    let nodes = parts.into_iter().zip(keys).enumerate().map(|(index, (part, key))| dan_node(index + 1, part, key));
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    if nodes.len() < 2 || nodes.len() > usize::from(MAX_NODES) {
        return Err(ConfigError::new(VARIABLE, format!("2 to {MAX_NODES} nodes"), nodes.len()));
    }
    for (index, node) in nodes.iter().enumerate() {
        if let Some(first) = nodes.iter().take(index).position(|other| other.identity == node.identity) {
            let got = format!("the same key for node {} and node {}", first + 1, index + 1);
            return Err(ConfigError::new(VARIABLE, "a key of its own for each node", got));
        }
    }
    Ok(nodes)
}

/// One key for each of `count` nodes.
fn caller_keys(variable: &'static str, keys: Option<&Secret>, count: usize) -> Result<Vec<CallerKey>, ConfigError> {
    let expected = || {
        let key = CallerKey::EXPECTED;
        format!("the key that the nodes of {VARIABLE} have there, too, or one for each node, comma-separated: {key}")
    };
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        return Err(ConfigError::new(variable, expected(), "nothing"));
    };
    let wrong =
        |index: usize| ConfigError::new(variable, expected(), format!("something else as entry {index} (not shown)"));
    let keys =
        keys.expose().split(',').zip(1..).map(|(text, index)| CallerKey::parse(text).ok_or_else(|| wrong(index)));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    match &keys[..] {
        [key] => Ok(vec![key.clone(); count]),
        keys if keys.len() == count => Ok(keys.to_vec()),
        keys => Err(ConfigError::new(variable, expected(), format!("{} keys for {count} nodes", keys.len()))),
    }
}

/// The key of a lab's nodes, when one was given; a list is for other nodes.
pub(super) fn lab_key(variable: &'static str, keys: Option<&Secret>) -> Result<Option<CallerKey>, ConfigError> {
    match keys.filter(|keys| !keys.is_empty() && !keys.expose().contains(',')) {
        Some(_) => Ok(caller_keys(variable, keys, 1)?.pop()),
        None => Ok(None),
    }
}

fn dan_node(id: usize, text: &str, key: CallerKey) -> Result<DanNodeAddress, ConfigError> {
    // The URL may carry a secret: say which entry is wrong, not what it is.
    let wrong =
        |expected: &str| ConfigError::new(VARIABLE, expected, format!("something else as entry {id} (not shown)"));
    let (url, identity) =
        text.rsplit_once('#').ok_or_else(|| wrong("url#static-public-key for each node, separated by commas"))?;
    let url: UpstreamUrl = url.parse().map_err(|_| wrong("an http or https URL before each #"))?;
    let allowed = match url.expose().scheme() {
        "https" => true,
        "http" => is_near(&url),
        _ => false,
    };
    if !allowed {
        return Err(wrong("an https URL before each #; http for addresses of this machine or a private network only"));
    }
    let identity: B256 =
        identity.parse().map_err(|_| wrong("64 hexadecimal digits behind each #: the node's public key"))?;
    if identity.is_zero() {
        return Err(wrong("the node's public key behind each #"));
    }
    Ok(DanNodeAddress { url, identity, key })
}

/// This machine or a private network, where plain HTTP may do.
fn is_near(url: &UpstreamUrl) -> bool {
    let host = url.expose().host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        // A name without a dot is one of a container network.
        Err(_) => host == "localhost" || !host.contains('.'),
    }
}

/// How many keys wait for an owner.
pub(super) fn key_pool(value: Option<&str>) -> Result<usize, ConfigError> {
    let Some(text) = value.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(DEFAULT_POOL) };
    text.parse().ok().filter(|size| *size <= 16).ok_or_else(|| ConfigError::new(POOL, "a number from 0 to 16", text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn parse(text: &str) -> Result<Vec<DanNodeAddress>, String> {
        parse_with(text, &"0123456789".repeat(4))
    }

    fn parse_with(text: &str, keys: &str) -> Result<Vec<DanNodeAddress>, String> {
        dan_nodes(Some(&Secret::new(text)), SERVER_KEY, Some(&Secret::new(keys))).map_err(|error| error.to_string())
    }

    #[test]
    fn nodes_are_asked_with_one_key_or_with_one_each_and_never_without() {
        let nodes: Vec<_> = ["11", "22", "33"].map(|byte| format!("http://127.0.0.1:1#{}", byte.repeat(32))).into();
        let nodes = nodes.join(",");
        let keys: Vec<_> = ["0123456789", "abcdefghij", "klmnopqrst"].map(|word| word.repeat(4)).into();
        let all = parse_with(&nodes, &keys[0]).unwrap();
        assert!(all.iter().all(|node| node.key.matches(&keys[0])));
        let each = parse_with(&nodes, &keys.join(", ")).unwrap();
        assert!(each.iter().zip(&keys).all(|(node, key)| node.key.matches(key)));
        assert!(!format!("{each:?}").contains("0123"), "not printed");
        for wrong in ["", " ", "secret", &keys[..2].join(","), &format!("{},{},secret", keys[0], keys[1])] {
            let error = parse_with(&nodes, wrong).unwrap_err();
            assert!(error.starts_with("USE_AA_DAN_SERVER_KEY: expected the key that the nodes"), "{error}");
            assert!(!error.contains("secret") && !error.contains("0123"), "{error}");
        }
        let none = dan_nodes(Some(&Secret::new(nodes)), OPERATOR_KEY, None).unwrap_err().to_string();
        assert!(none.starts_with("USE_AA_DAN_OPERATOR_KEY: expected") && none.ends_with("got nothing"), "{none}");
        // Without nodes nobody needs a key.
        assert_eq!(dan_nodes(None, SERVER_KEY, None), Ok(vec![]));
    }

    #[test]
    fn nodes_are_url_and_key() {
        let (first, second) = ("11".repeat(32), "22".repeat(32));
        let nodes = parse(&format!("http://127.0.0.1:7001#{first}, https://b.example/x?key=s#0x{second}")).unwrap();
        assert_eq!(nodes.len(), 2);
        assert_eq!(nodes[0].identity, B256::repeat_byte(0x11));
        assert_eq!(nodes[1].url.expose().as_str(), "https://b.example/x?key=s");
        assert_eq!(parse("  "), Ok(vec![]));
    }

    #[test]
    fn wrong_nodes_are_named_but_not_shown() {
        let (first, second) = ("11".repeat(32), "22".repeat(32));
        for (text, expected) in [
            (format!("http://127.0.0.1:1#{first}"), "2 to 16 nodes"),
            (format!("http://127.0.0.1:1#{first},http://127.0.0.1:2#{first}"), "a key of its own"),
            (format!("http://127.0.0.1:1#{first},http://127.0.0.1:2"), "entry 2"),
            (format!("http://127.0.0.1:1#{first},http://127.0.0.1:2#secret"), "64 hexadecimal digits"),
            (format!("http://secret.example#{first},http://127.0.0.1:2#{second}"), "https URL"),
            (format!("ftp://127.0.0.1:1#{first},http://127.0.0.1:2#{second}"), "https URL"),
            (format!("secret#{first},http://127.0.0.1:2#{second}"), "an http or https URL"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with("USE_AA_DAN_NODES") && error.contains(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_pool_is_a_small_number() {
        assert_eq!(key_pool(None), Ok(2));
        assert_eq!(key_pool(Some("0")), Ok(0));
        for wrong in ["-1", "17", "many"] {
            assert!(key_pool(Some(wrong)).is_err());
        }
    }
}
