//! Who calls: the address of the other end of the connection, or what trusted proxies say of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::{extract::ConnectInfo, http::HeaderMap};

use super::config::Network;

/// The caller of a request; an extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its address.
    pub address: IpAddr,
    /// It is a program on this machine, and no proxy stands between.
    pub local: bool,
    /// A trusted proxy speaks for it: what that says of the request is believed.
    pub proxied: bool,
}

impl Caller {
    /// The caller of a request: the last address in `X-Forwarded-For` that is no trusted proxy, when the connection
    /// comes from one. What stands further left may be made up.
    pub fn of(peer: Option<&ConnectInfo<SocketAddr>>, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host"];
        let local = peer.is_loopback() && !forwarded.iter().any(|name| headers.contains_key(*name));
        let proxied = is_trusted(peer);
        if !proxied {
            return Self { address: peer, local, proxied };
        }
        let mut address = peer;
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(hop) = parse(hop) else { break };
            address = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        Self { address, local, proxied }
    }

    /// What is counted as one caller: an IPv6 customer has a whole /64.
    pub fn counted_as(&self) -> IpAddr {
        match self.address {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
            address => address,
        }
    }
}

/// An address, perhaps with a port behind it.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn caller(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> Caller {
        let peer = ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4000));
        let name = HeaderName::from_static("x-forwarded-for");
        let headers = forwarded.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect();
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Caller::of(Some(&peer), &headers, &trusted)
    }

    fn address(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        caller(peer, forwarded, trusted).address.to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_header_is_not_believed() {
        assert_eq!(address("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(address("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts() {
        let trusted = ["10.0.0.0/8", "127.0.0.1"];
        assert_eq!(address("127.0.0.1", &["1.1.1.1"], &trusted), "1.1.1.1");
        assert_eq!(address("127.0.0.1", &["6.6.6.6, 1.1.1.1, 10.2.3.4"], &trusted), "1.1.1.1");
        assert_eq!(address("127.0.0.1", &["6.6.6.6", "1.1.1.1:5000, 10.2.3.4"], &trusted), "1.1.1.1");
        assert_eq!(address("127.0.0.1", &["[2001:db8::7]:443"], &trusted), "2001:db8::7");
        assert_eq!(address("127.0.0.1", &["unknown"], &trusted), "127.0.0.1");
        assert_eq!(address("127.0.0.1", &[], &trusted), "127.0.0.1");
    }

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        assert!(caller("127.0.0.1", &[], &["127.0.0.1"]).proxied);
        assert!(!caller("127.0.0.1", &["1.1.1.1"], &[]).proxied);
        assert!(!caller("9.9.9.9", &["10.0.0.1"], &["10.0.0.0/8"]).proxied);
    }

    #[test]
    fn only_direct_callers_are_local() {
        assert!(caller("127.0.0.1", &[], &[]).local);
        assert!(!caller("127.0.0.1", &["1.1.1.1"], &[]).local);
        assert!(!caller("9.9.9.9", &[], &[]).local);
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        let counted = |text| caller(text, &[], &[]).counted_as().to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:9.9.9.9"), "9.9.9.9");
    }
}
