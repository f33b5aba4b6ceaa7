//! Session leaves and the book that holds them, in the seed's storage schema (SPEC 3.2, 3.16).

use alloy::primitives::{Address, B256, Bytes, keccak256};
use serde_json::{Map, Value};

use super::{
    ProtocolError,
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    merkle::{MerkleFrontier, MerkleTree},
    policy::{Policy, SessionEpoch, UINT48_END},
    session_data::Erc20SessionData,
};

mod reconcile;
mod signers;
mod storage;

pub use super::smart_account::set_merkle_root;
pub use reconcile::Reconciliation;
pub use signers::{SignerBook, StoredSigner};

/// Where a session stands. The seed only ever writes `PENDING` and `REVOKED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Written before its operation was sent; not known to be on chain.
    #[default]
    Pending,
    /// Its leaf is in the tree on chain.
    Active,
    /// In the tree, but its window has not begun.
    Inactive,
    /// In the tree, but its window is over.
    Expired,
    /// No longer in the tree.
    Revoked,
}

impl SessionStatus {
    /// The name on the wire.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }

    /// The status with this name on the wire.
    pub fn from_wire_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Inactive, Self::Expired, Self::Revoked]
            .into_iter()
            .find(|status| status.wire_name() == name)
    }

    /// Does a leaf with this status belong to the tree on chain?
    pub fn in_tree(self) -> bool {
        !matches!(self, Self::Pending | Self::Revoked)
    }
}

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
    /// Where it stands.
    pub status: SessionStatus,
    /// Our addition: the operation that grants it, so that a reload can settle a pending one.
    pub user_op_hash: Option<B256>,
    /// Our addition: name for people.
    pub label: Option<String>,
    /// Our addition: when it was granted, unix seconds.
    pub created_at: Option<u64>,
    /// Fields that we do not know (`preferredSessionId`, `danModuleInfo`, …), kept as they were; and
    /// under `sessionKeyData` the stored spelling where it is not plain lower case.
    pub extra: Map<String, Value>,
}

impl SessionLeaf {
    /// `keccak(uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ data)`, tightly packed.
    pub fn hash(&self) -> B256 {
        let mut packed = Vec::with_capacity(32 + self.session_key_data.len());
        packed.extend_from_slice(&packed_window(self.valid_until, self.valid_after));
        packed.extend_from_slice(self.session_validation_module.as_slice());
        packed.extend_from_slice(&self.session_key_data);
        keccak256(packed)
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

    /// The status by the clock (`now` in unix seconds): a session of the tree is inactive before its
    /// window and expired after it. The bounds themselves are inside (SPEC 3.8).
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

/// All sessions of one account, in insertion order: this order is the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionBook {
    /// Root as last written, hex; empty when none. The chain's root decides, not this one.
    pub merkle_root: String,
    /// The leaves, oldest first.
    pub leaf_nodes: Vec<SessionLeaf>,
    /// Fields that we do not know, kept as they were.
    pub extra: Map<String, Value>,
}

/// By what a session is looked up: its id, or key address and validation module (first match).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSearch {
    /// Id of the session.
    pub session_id: Option<String>,
    /// Address of its key.
    pub session_key_address: Option<Address>,
    /// Its validation module.
    pub session_validation_module: Option<Address>,
    /// Only with this status.
    pub status: Option<SessionStatus>,
}

impl SessionBook {
    /// The leaves that make the root on chain, in tree order: all but pending and revoked ones.
    /// Expired ones stay in the tree until a later root leaves them out.
    pub fn tree_leaves(&self) -> Vec<&SessionLeaf> {
        self.leaf_nodes.iter().filter(|leaf| leaf.status.in_tree()).collect()
    }

    /// The tree of [`Self::tree_leaves`].
    pub fn tree(&self) -> MerkleTree {
        MerkleTree::new(self.leaf_nodes.iter().filter(|leaf| leaf.status.in_tree()).map(SessionLeaf::hash).collect())
    }

    /// Root of [`Self::tree_leaves`]; zero when there are none, as the chain has it.
    pub fn root(&self) -> B256 {
        self.root_with(&[])
    }

    /// The root after adding `new` leaves behind the tree's: what a grant sends to the chain.
    /// Pending leaves of the book do not enter it.
    pub fn root_with(&self, new: &[SessionLeaf]) -> B256 {
        let leaves = self.leaf_nodes.iter().filter(|leaf| leaf.status.in_tree()).chain(new);
        leaves.map(SessionLeaf::hash).collect::<MerkleFrontier>().root().unwrap_or_default()
    }

    /// Proof for a session in the tree of [`Self::tree_leaves`]; an error when it is not in it
    /// (the seed answers with an empty proof, which fails on chain only).
    pub fn proof(&self, session_id: &str) -> Result<Vec<B256>, ProtocolError> {
        let not_found = || ProtocolError::SessionNotFound { wanted: session_id.to_owned() };
        let position =
            self.tree_leaves().iter().position(|leaf| leaf.session_id == session_id).ok_or_else(not_found)?;
        self.tree().proof(position).ok_or_else(not_found)
    }

    /// The session with this id.
    pub fn find(&self, session_id: &str) -> Option<&SessionLeaf> {
        self.leaf_nodes.iter().find(|leaf| leaf.session_id == session_id)
    }

    /// The session with this id, to change it.
    pub fn find_mut(&mut self, session_id: &str) -> Option<&mut SessionLeaf> {
        self.leaf_nodes.iter_mut().find(|leaf| leaf.session_id == session_id)
    }

    /// The seed's look-up; errors for an empty search and for no match.
    pub fn search(&self, search: &SessionSearch) -> Result<&SessionLeaf, ProtocolError> {
        let by_id = search.session_id.as_deref();
        let by_key = search.session_key_address.zip(search.session_validation_module);
        if by_id.is_none() && by_key.is_none() {
            let expected = "a session id, or a session key address with a validation module";
            return Err(ProtocolError::invalid("search", expected, "neither"));
        }
        let matches = |leaf: &&SessionLeaf| {
            let named = match (by_id, by_key) {
                (Some(id), _) => leaf.session_id == id,
                (None, Some((key, module))) => {
                    leaf.session_key_address == key && leaf.session_validation_module == module
                }
                (None, None) => false,
            };
            named && search.status.is_none_or(|status| status == leaf.status)
        };
        self.leaf_nodes.iter().find(matches).ok_or_else(|| {
            let wanted =
                by_id.map(str::to_owned).or(by_key.map(|(key, module)| format!("key {key} with module {module}")));
            ProtocolError::SessionNotFound { wanted: wanted.unwrap_or_default() }
        })
    }

    /// Writes the root of [`Self::tree_leaves`] into `merkle_root`, as the seed stores it.
    pub fn store_root(&mut self) {
        let root = self.root();
        self.merkle_root = if root.is_zero() { String::new() } else { root.to_string() };
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

    #[test]
    fn pending_and_revoked_leaves_never_enter_a_root() {
        let book = SessionBook {
            leaf_nodes: vec![
                leaf("live", SessionStatus::Active),
                leaf("waiting", SessionStatus::Pending),
                leaf("gone", SessionStatus::Revoked),
                leaf("over", SessionStatus::Expired),
            ],
            ..SessionBook::default()
        };
        let ids: Vec<_> = book.tree_leaves().iter().map(|leaf| leaf.session_id.as_str()).collect();
        assert_eq!(ids, ["live", "over"]);
        assert_eq!(Some(book.root()), book.tree().root());
        let new = leaf("new", SessionStatus::Pending);
        let expected = MerkleTree::new([&book.leaf_nodes[0], &book.leaf_nodes[3], &new].map(SessionLeaf::hash).into());
        assert_eq!(Some(book.root_with(&[new])), expected.root());
        assert!(book.proof("waiting").is_err());
    }

    /// SPEC 3.8: both bounds are inside the window.
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
    fn times_beyond_uint48_cannot_become_a_leaf() {
        let data = Erc20SessionData {
            session_key_address: Address::repeat_byte(1),
            token: Address::repeat_byte(2),
            recipient: Address::repeat_byte(3),
            max_amount: alloy::primitives::U256::from(1),
        };
        let late = SessionEpoch { valid_until: 1 << 48, valid_after: 0 };
        let error = SessionLeaf::erc20(&data, late, "a").unwrap_err().to_string();
        assert!(error.starts_with("interval.validUntil"), "{error}");
    }
}
