//! Moving sessions to another device: one encrypted text, opened with a passphrase.
//!
//! The passphrase becomes an AES-256-GCM key by PBKDF2-HMAC-SHA-256 ([`ITERATIONS`] rounds, a fresh 16-byte salt, the
//! number that OWASP names for it), all in the browser's own WebCrypto. The header is authenticated with the content, so
//! neither account nor parameters can be exchanged. Whoever has text and passphrase can use the sessions, as long as
//! they last.
#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    error::AppError,
    protocol::session::{SessionBook, SessionEvent, SessionLeaf},
};

#[cfg(feature = "hydrate")]
mod browser;
mod nexus;
#[cfg(feature = "hydrate")]
pub use browser::{export_nexus, export_sessions, import_sessions, put_keys};
pub use nexus::NexusTransfer;

/// Rounds of PBKDF2.
pub const ITERATIONS: u32 = 600_000;
/// Rounds beyond which an import is refused: it would only hold the page.
const MOST_ITERATIONS: u32 = 10_000_000;
/// Shortest passphrase, characters.
pub const SHORTEST_PASSPHRASE: usize = 10;
/// Longest text that is read, bytes.
const LONGEST: usize = 16 * 1024 * 1024;
const FORMAT: &str = "use-aa sessions";
/// Of texts with sessions of a Smart Account V2.
const VERSION: u32 = 1;

/// What a text held.
pub enum Opened {
    /// Sessions of a Smart Account V2. They are stored.
    V2(Imported),
    /// Sessions of a Nexus account. Nothing of them is stored yet: what reads them is loaded first.
    Nexus(NexusTransfer),
}

/// What was brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The account that the sessions are of.
    pub account: Address,
    /// Sessions that were not listed here before.
    pub sessions: usize,
    /// Keys that can be used here now.
    pub keys: usize,
}

/// How the text was encrypted; authenticated with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    account: Address,
    /// `PBKDF2-HMAC-SHA-256`.
    kdf: String,
    iterations: u32,
    salt: Bytes,
    /// `AES-256-GCM`.
    cipher: String,
    iv: Bytes,
}

/// The whole text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    header: Header,
    ciphertext: Bytes,
}

const KDF: &str = "PBKDF2-HMAC-SHA-256";
const CIPHER: &str = "AES-256-GCM";

impl Header {
    fn new(version: u32, account: Address, salt: [u8; 16], iv: [u8; 12]) -> Self {
        Self {
            format: FORMAT.into(),
            version,
            account,
            kdf: KDF.into(),
            iterations: ITERATIONS,
            salt: salt.into(),
            cipher: CIPHER.into(),
            iv: iv.into(),
        }
    }

    /// What is authenticated: every field, in this order.
    fn associated_data(&self) -> Vec<u8> {
        let Self { format, version, account, kdf, iterations, salt, cipher, iv } = self;
        format!("{format}\n{version}\n{account:#x}\n{kdf}\n{iterations}\n{salt}\n{cipher}\n{iv}").into_bytes()
    }
}

/// Reads the outer form of a text and refuses what this version cannot open.
fn read(text: &str) -> Result<Sealed, AppError> {
    if text.len() > LONGEST {
        return Err(AppError::TooLarge { what: "the exported text".into(), limit: "16 MiB".into() });
    }
    let foreign = |got: &str| AppError::invalid("export", "a text that this page exported", got);
    let sealed: Sealed = serde_json::from_str(text.trim()).map_err(|_| foreign("something else"))?;
    let Header { format, version, kdf, cipher, iterations, salt, iv, .. } = &sealed.header;
    if format != FORMAT || ![VERSION, nexus::VERSION].contains(version) || kdf != KDF || cipher != CIPHER {
        return Err(foreign(&format!("{format} {version}, {kdf}, {cipher}")));
    }
    if !(1..=MOST_ITERATIONS).contains(iterations) || salt.len() != 16 || iv.len() != 12 {
        return Err(foreign("unusable parameters"));
    }
    Ok(sealed)
}

/// Refuses a passphrase that is too short to protect anything.
fn check_passphrase(passphrase: &str) -> Result<(), AppError> {
    match passphrase.chars().count() {
        count if count < SHORTEST_PASSPHRASE => {
            let expected = format!("at least {SHORTEST_PASSPHRASE} characters");
            Err(AppError::invalid("passphrase", expected, format!("{count} characters")))
        }
        _ => Ok(()),
    }
}

/// One key in the content.
#[derive(Serialize, Deserialize)]
pub struct Key {
    address: Address,
    kind: KeyKind,
    secret: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyKind {
    /// The session key itself.
    Secp256k1,
    /// The page's key for a distributed session key.
    Ed25519,
}

/// 32 secret bytes; shown to nobody, wiped when dropped.
struct Secret(Zeroizing<[u8; 32]>);

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        B256::from(*self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        B256::deserialize(deserializer).map(|bytes| Self(Zeroizing::new(bytes.0)))
    }
}

/// What is encrypted.
#[derive(Serialize, Deserialize)]
struct Content {
    sessions: SessionBook,
    keys: Vec<Key>,
}

/// Adds what another device knows to what is known here; gives the number of sessions that are new.
///
/// A device that knows nothing takes the other's tree as it is. Otherwise only the root on chain can say where unknown
/// sessions belong: they come as revoked, and the next comparison with the chain makes those active that it proves.
fn merge(book: &mut SessionBook, other: SessionBook, has_key: impl Fn(Address) -> bool) -> usize {
    if book.leaf_nodes.is_empty() {
        let added = other.leaf_nodes.len();
        *book = other;
        book.leaf_nodes.iter_mut().for_each(SessionLeaf::granted_elsewhere);
        for leaf in book.leaf_nodes.iter_mut().filter(|leaf| has_key(leaf.session_key_address)) {
            leaf.key_arrived();
        }
        return added;
    }
    let mut added = 0;
    for mut theirs in other.leaf_nodes {
        let hash = theirs.hash();
        let known = book.leaf_nodes.iter_mut().find(|ours| ours.hash() == hash);
        match known {
            Some(ours) => {
                if ours.is_on_other_device() {
                    ours.granted_elsewhere();
                }
                if has_key(ours.session_key_address) {
                    ours.key_arrived();
                }
                ours.label = ours.label.take().or(theirs.label);
                ours.created_at = ours.created_at.or(theirs.created_at);
                ours.max_operation_cost = ours.max_operation_cost.or(theirs.max_operation_cost);
            }
            None => {
                if has_key(theirs.session_key_address) {
                    theirs.key_arrived();
                }
                // Never refused: a leaf in any state may be imported.
                let _ = theirs.record(&SessionEvent::Imported);
                theirs.granted_elsewhere();
                book.leaf_nodes.push(theirs);
                added += 1;
            }
        }
    }
    added
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::{addresses::DEMO_NFT, policy::Policy, session::SessionStatus};
    use SessionStatus::{Active, Revoked};

    fn book(ids: &[u8]) -> SessionBook {
        let leaf = |id: &u8| {
            let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(u64::from(*id));
            let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(*id), id.to_string()).unwrap();
            SessionLeaf { status: Active, label: Some(format!("session {id}")), ..leaf }
        };
        SessionBook { leaf_nodes: ids.iter().map(leaf).collect(), ..Default::default() }
    }

    #[test]
    fn a_new_device_takes_the_tree_as_it_is() {
        let mut here = SessionBook::default();
        assert_eq!(merge(&mut here, book(&[1, 2]), |_| true), 2);
        assert_eq!(here.root(), book(&[1, 2]).root());
    }

    #[test]
    fn the_key_of_a_session_that_was_elsewhere_makes_it_usable_here() {
        let mut here = book(&[3]);
        here.adopt(&book(&[3, 1]).published().unwrap()).unwrap();
        assert!(here.leaf_nodes[1].is_on_other_device());
        assert_eq!(merge(&mut here, book(&[1, 2]), |key| key == Address::repeat_byte(1)), 1);
        let seen = here.leaf_nodes.iter().map(|leaf| (leaf.label.as_deref(), leaf.status)).collect::<Vec<_>>();
        assert_eq!(seen, [(Some("session 3"), Active), (Some("session 1"), Active), (Some("session 2"), Revoked)]);
        assert!(!here.leaf_nodes[1].is_on_other_device());
        assert_eq!(here.root(), book(&[3, 1]).root(), "the tree stays what the chain has");
    }

    #[test]
    fn other_texts_are_refused_and_every_parameter_is_authenticated() {
        let header = Header::new(VERSION, DEMO_NFT, [1; 16], [2; 12]);
        let text = |header: &Header| {
            serde_json::to_string(&Sealed { header: header.clone(), ciphertext: Bytes::from(vec![0; 40]) }).unwrap()
        };
        assert_eq!(read(&text(&header)).unwrap().header, header);
        let changes: [fn(&mut Header); 8] = [
            |header| header.format.push('x'),
            |header| header.version = 3,
            |header| header.account = Address::ZERO,
            |header| header.kdf = "scrypt".into(),
            |header| header.iterations = MOST_ITERATIONS + 1,
            |header| header.salt = vec![1; 15].into(),
            |header| header.cipher = "none".into(),
            |header| header.iv = vec![2; 11].into(),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = header.clone();
            change(&mut changed);
            assert_ne!(changed.associated_data(), header.associated_data());
            // Another account is refused by the cipher, which needs a browser.
            assert_eq!(read(&text(&changed)).is_err(), index != 2, "{index}");
        }
        for other in ["", "{}", "null", "0x12"] {
            assert!(matches!(read(other), Err(AppError::InvalidInput { .. })), "{other}");
        }
        assert!(check_passphrase("short").is_err() && check_passphrase("long enough!").is_ok());
    }
}
