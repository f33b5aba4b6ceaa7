//! Sessions as they are stored, with what the owner signed for them.

use alloy::primitives::{Bytes, U256};
use serde::{Deserialize, Serialize};

use super::{EnableGrant, Session, grant::ChainDigest};

/// A session, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSession {
    /// What was granted.
    pub session: Session,
    /// The owner signed a grant that an operation of the session carries. Whoever holds it brings the session back, so
    /// ending the session ends the grant, too.
    #[serde(default)]
    pub grant_signed: bool,
    /// That grant. Until the session is enabled, its first use carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
}

impl From<Session> for StoredSession {
    fn from(session: Session) -> Self {
        Self { session, grant_signed: false, consent: None }
    }
}

/// What the owner signed for a session. Whoever has it and the session's key can enable and use the session, until the
/// account's nonce for it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The account's nonce for the session that it names.
    pub nonce: U256,
    /// Which of the digests is this session's.
    pub index: u8,
    /// Those of all sessions that the signature is for.
    pub digests: Vec<ChainDigest>,
    /// Validator and owner's signature, as the account takes it (ERC-1271).
    pub permission_enable_sig: Bytes,
}

impl Consent {
    /// With the session, as an operation carries it.
    pub fn with(&self, session: Session) -> EnableGrant {
        EnableGrant {
            chain_digest_index: self.index,
            digests: self.digests.clone(),
            session,
            permission_enable_sig: self.permission_enable_sig.clone(),
        }
    }
}
