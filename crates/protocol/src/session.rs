//! Session leaves and the book that holds them, in `@biconomy/use-aa`'s storage schema (docs/protocol.md 3.2, 3.16).

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Map, Value};

use super::{
    ProtocolError,
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    clocks::Clocks,
    policy::{Policy, SessionEpoch, UINT48_END},
    session_data::Erc20SessionData,
};

mod book;
mod first_use;
mod grants;
mod hashed;
mod kept;
mod listing;
mod manager;
mod overtaking;
mod published;
mod reconcile;
mod revocation;
mod scheme;
mod signers;
mod state;
mod status;
mod storage;
#[cfg(test)]
mod test_books;
mod uses;

pub use super::smart_account::set_merkle_root;
pub use book::{SessionBook, SessionSearch};
pub use listing::{ListedStatus, matches_search};
pub use manager::SessionKeyManager;
pub use overtaking::Overtaken;
pub use published::{Adoption, MAX_PUBLISHED_LEAVES, PublishedLeaves};
pub use reconcile::Reconciliation;
pub use scheme::KeyManagerSessions;
pub use signers::{SignerBook, StoredSigner};
pub use state::{Ending, GrantOperation, ImpossibleChange, RevocationOperation, SessionEvent, SessionState};
pub use status::SessionStatus;
pub use uses::{OperationUse, SessionUse, SessionUses, Signers, count_uses, session_uses_in};

/// One session: a leaf of the Merkle tree, and what is stored beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionLeaf {
    /// End of the window, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the window, unix seconds.
    pub valid_after: u64,
    /// The contract that judges the calls.
    pub session_validation_module: Address,
    /// Address of the session key (wire: `sessionPublicKey`, although it is an address).
    pub session_key_address: Address,
    /// What the validation module judges by (see [`super::session_data`]).
    pub session_key_data: Bytes,
    /// Name of the session in storage; nothing on chain refers to it (wire: `sessionID`).
    pub session_id: String,
    /// The status as it is stored; [`Self::state`] says more, [`Self::record`] changes it.
    pub status: SessionStatus,
    /// Our addition: the operation that grants it, so that a reload can settle a pending one.
    pub user_op_hash: Option<B256>,
    /// Our addition: name for people.
    pub label: Option<String>,
    /// Our addition: when it was granted, unix seconds.
    pub created_at: Option<u64>,
    /// Our addition: what the owner let one operation cost the account, wei; of distributed keys, whose nodes keep to it.
    pub max_operation_cost: Option<U256>,
    /// Fields that we do not know (`preferredSessionId`, `danModuleInfo`, …), kept as they were; and
    /// under `sessionKeyData` the stored spelling where it is not plain lower case.
    pub extra: Map<String, Value>,
}

impl SessionLeaf {
    /// `keccak(uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ data)`, tightly packed.
    pub fn hash(&self) -> B256 {
        keccak256(self.preimage())
    }

    /// The bytes that are hashed into the tree.
    pub fn preimage(&self) -> Bytes {
        let mut packed = Vec::with_capacity(32 + self.session_key_data.len());
        packed.extend_from_slice(&packed_window(self.valid_until, self.valid_after));
        packed.extend_from_slice(self.session_validation_module.as_slice());
        packed.extend_from_slice(&self.session_key_data);
        packed.into()
    }

    /// A pending ABI session for a policy.
    pub fn from_policy(
        policy: &Policy,
        session_key_address: Address,
        session_id: impl Into<String>,
    ) -> Result<Self, ProtocolError> {
        let session_key_data = policy.session_key_data(session_key_address)?;
        Self::pending(policy.interval, ABI_SESSION_VALIDATION_MODULE, session_key_address, session_key_data, session_id)
    }

    /// A pending ERC-20 session. Prefer [`Self::from_policy`] with rules on `transfer(address,uint256)`:
    /// the ERC-20 module does not check which function is called.
    pub fn erc20(
        data: &Erc20SessionData,
        interval: SessionEpoch,
        session_id: impl Into<String>,
    ) -> Result<Self, ProtocolError> {
        data.check()?;
        let module = ERC20_SESSION_VALIDATION_MODULE;
        Self::pending(interval, module, data.session_key_address, data.encode(), session_id)
    }

    /// What it may send, if it is a session of the ERC-20 module that can be read.
    pub fn transfers(&self) -> Option<Erc20SessionData> {
        let is_transfer = self.session_validation_module == ERC20_SESSION_VALIDATION_MODULE;
        is_transfer.then(|| Erc20SessionData::decode(&self.session_key_data).ok()).flatten()
    }

    fn pending(
        interval: SessionEpoch,
        session_validation_module: Address,
        session_key_address: Address,
        session_key_data: Bytes,
        session_id: impl Into<String>,
    ) -> Result<Self, ProtocolError> {
        Ok(Self {
            valid_until: uint48("interval.validUntil", interval.valid_until)?,
            valid_after: uint48("interval.validAfter", interval.valid_after)?,
            session_validation_module,
            session_key_address,
            session_key_data,
            session_id: session_id.into(),
            ..Self::default()
        })
    }

    /// When the session works.
    pub fn interval(&self) -> SessionEpoch {
        SessionEpoch { valid_until: self.valid_until, valid_after: self.valid_after }
    }

    /// As [`Self::status_at`], by every clock that judges the session: the earlier decides whether it has begun, the
    /// later whether it is over.
    pub fn status_by(&self, clocks: Clocks) -> SessionStatus {
        if !self.status.in_tree() {
            self.status
        } else if clocks.is_over(self.valid_until) {
            SessionStatus::Expired
        } else if clocks.has_begun(self.valid_after) {
            SessionStatus::Active
        } else {
            SessionStatus::Inactive
        }
    }

    /// The status by the clock (`now` in unix seconds): a session of the tree is inactive before its
    /// window and expired after it. The bounds themselves are inside (docs/protocol.md 3.8).
    pub fn status_at(&self, now: u64) -> SessionStatus {
        if !self.status.in_tree() {
            self.status
        } else if self.valid_until != 0 && now > self.valid_until {
            SessionStatus::Expired
        } else if now < self.valid_after {
            SessionStatus::Inactive
        } else {
            SessionStatus::Active
        }
    }
}

/// `uint48 validUntil ‖ uint48 validAfter`; values beyond 2^48 cannot be made by this module's
/// constructors and parsers, and are cut to the largest.
pub(super) fn packed_window(valid_until: u64, valid_after: u64) -> [u8; 12] {
    let mut window = [0; 12];
    let largest = UINT48_END - 1;
    window[..6].copy_from_slice(&valid_until.min(largest).to_be_bytes()[2..]);
    window[6..].copy_from_slice(&valid_after.min(largest).to_be_bytes()[2..]);
    window
}

/// Checks that a time fits the chain's type.
pub(super) fn uint48(field: &str, seconds: u64) -> Result<u64, ProtocolError> {
    if seconds < UINT48_END {
        Ok(seconds)
    } else {
        Err(ProtocolError::invalid(field, "unix seconds below 2^48", seconds))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn leaf(id: &str, status: SessionStatus) -> SessionLeaf {
        let session_key_data = id.as_bytes().to_vec().into();
        SessionLeaf { session_id: id.into(), status, session_key_data, ..SessionLeaf::default() }
    }

    /// docs/protocol.md 3.8: both bounds are inside the window.
    #[test]
    fn the_clock_decides_between_inactive_active_and_expired() {
        let session = SessionLeaf { valid_after: 10, valid_until: 20, ..leaf("a", SessionStatus::Active) };
        let at = |now| session.status_at(now);
        assert_eq!(
            [at(9), at(10), at(20), at(21)],
            [SessionStatus::Inactive, SessionStatus::Active, SessionStatus::Active, SessionStatus::Expired]
        );
        assert_eq!(leaf("b", SessionStatus::Active).status_at(u64::MAX), SessionStatus::Active, "no end");
        assert_eq!(leaf("c", SessionStatus::Pending).status_at(5), SessionStatus::Pending);
        assert_eq!(leaf("d", SessionStatus::Revoked).status_at(5), SessionStatus::Revoked);
    }

    #[test]
    fn of_several_clocks_the_earlier_begins_and_the_later_ends_a_session() {
        let session = SessionLeaf { valid_after: 1_000, valid_until: 5_000, ..leaf("a", SessionStatus::Active) };
        let by = |block, pending, wall| session.status_by(Clocks { block, pending, wall });
        assert_eq!(by(900, 2_000, 2_000), SessionStatus::Active, "it began on an idle chain");
        assert_eq!(by(900, 900, 2_000), SessionStatus::Active, "the node does not tell");
        assert_eq!(by(900, 5_001, 5_001), SessionStatus::Expired, "it ended on an idle chain");
        assert_eq!(by(5_001, 5_001, 2_000), SessionStatus::Expired, "blocks are ahead");
        assert_eq!(by(2_000, 5_001, 2_000), SessionStatus::Expired, "the clock was moved");
        assert_eq!(by(2_000, 900, 2_000), SessionStatus::Inactive, "it was moved back");
        let revoked = SessionLeaf { status: SessionStatus::Revoked, ..session.clone() };
        assert_eq!(revoked.status_by(Clocks::default()), SessionStatus::Revoked);
    }

    #[test]
    fn times_beyond_uint48_cannot_become_a_leaf() {
        let data = Erc20SessionData {
            session_key_address: Address::repeat_byte(1),
            token: Address::repeat_byte(2),
            recipient: Address::repeat_byte(3),
            max_amount: U256::from(1),
        };
        let late = SessionEpoch { valid_until: 1 << 48, valid_after: 0 };
        let error = SessionLeaf::erc20(&data, late, "a").unwrap_err().to_string();
        assert!(error.starts_with("interval.validUntil"), "{error}");
    }
}
