//! The secret by which whoever asks a node over HTTP proves who it is: the app server has one, the operator another.

use std::fmt;

use alloy::primitives::keccak256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 16 random bytes as base64, or more.
const FEWEST: usize = 24;
/// What is longer is something else by mistake.
const MOST: usize = 512;
/// A word that somebody repeated is not random.
const FEWEST_DIFFERENT: usize = 8;

/// A caller's key: not printed, wiped, and compared in constant time.
#[derive(Clone)]
pub struct CallerKey(Zeroizing<String>);

impl CallerKey {
    /// What is accepted, for complaints.
    pub const EXPECTED: &str =
        "24 or more random characters without spaces and commas, such as `openssl rand -hex 32` prints";

    /// The key in this text (spaces around it do not count); nothing when it could be guessed, or not be sent.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let sendable = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        let mut different: Vec<u8> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        let strong = (FEWEST..=MOST).contains(&text.len()) && different.len() >= FEWEST_DIFFERENT;
        (sendable && strong).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The key itself: for the header of a request, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Is this the key? How long it takes does not depend on how much of it is right: hashes are compared, whole.
    pub fn matches(&self, presented: &str) -> bool {
        let (own, other) = (keccak256(self.0.as_bytes()), keccak256(presented.as_bytes()));
        own.as_slice().ct_eq(other.as_slice()).into()
    }
}

impl PartialEq for CallerKey {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for CallerKey {}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_could_be_guessed_or_not_be_sent_is_no_key() {
        for good in [
            "0123456789abcdef01234567",
            &"0123456789abcdef".repeat(4),
            "AAECAwQFBgcICQoLDA0ODw==",
            " 0123456789abcdef01234567\n",
        ] {
            assert!(CallerKey::parse(good).is_some(), "{good}");
        }
        let (short, one, word) = ("0123456789abcdef0123456", "a".repeat(64), "secret".repeat(10));
        let (long, comma, space) = ("0123456789".repeat(60), "0123456789abcdef,01234567", "0123456789abcdef 01234567");
        for bad in ["", short, &one, &word, &long, comma, space, "0123456789abcdef01234567é"] {
            assert!(CallerKey::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_whole_key_matches_and_it_is_not_printed() {
        let key = CallerKey::parse("0123456789abcdef01234567").unwrap();
        assert!(key.matches("0123456789abcdef01234567"));
        for other in ["", "0123456789abcdef0123456", "0123456789abcdef012345678", "0123456789ABCDEF01234567"] {
            assert!(!key.matches(other), "{other}");
        }
        assert_eq!(format!("{key:?}"), "***");
    }
}
