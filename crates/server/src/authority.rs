//! A host with its port in one spelling: browsers, proxies and operators write the same one in many.

use std::{fmt, net::Ipv6Addr};

/// Host and port of a site, normalised: two that are equal are the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// In lower case, without the dot at the end; IPv6 addresses in brackets and in their short form.
    pub name: String,
    /// The port, where one is written.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `name`, `name:port`, `[address]` or `[address]:port`; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, port) = match text.rsplit_once(':') {
            // Not the last part of an IPv6 address.
            Some((name, port)) if !port.contains(']') => (name, port),
            _ => (text, ""),
        };
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        let name = match name.strip_prefix('[') {
            Some(address) => format!("[{}]", address.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
            None => {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                Some(name).filter(|name| !name.is_empty() && name.bytes().all(fits))?
            }
        };
        Some(Self { name, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn one_place_has_one_spelling() {
        for (text, same) in [
            ("AA.Example", "aa.example"),
            ("aa.example.", "aa.example"),
            ("aa.example.:8443", "aa.example:8443"),
            ("aa.example:", "aa.example"),
            (" localhost:3000 ", "localhost:3000"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]", "[::1]"),
            ("[0:0::0:1]:443", "[::1]:443"),
            ("[2001:DB8::7]", "[2001:db8::7]"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Authority::parse(text).unwrap().to_string(), same, "{text}");
        }
    }

    #[test]
    fn what_names_no_place_is_none() {
        for text in [
            "",
            ".",
            ":80",
            "::1",
            "[::1",
            "[::g]",
            "[::1]x",
            "a b",
            "a@b",
            "user:pass@b",
            "a/b",
            "a,b",
            "a:b",
            "a:+80",
            "a:99999",
            "a:80:80",
            "bücher.example",
            "*.example",
            "?",
            "https://a",
            "a..:80:",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }
}
