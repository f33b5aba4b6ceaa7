//! Where a session stands between this browser and the chain: every state, and what moves it on.
//!
//! The chain keeps one root over all leaves and nothing else. So the book remembers of each leaf which operation is to
//! put it under the root or to take it out, and changes its state when a receipt or the root itself says so.
//!
//! | what happens ↓ in state → | `Pending` | `Returning` | `Confirmed` | `Revoking` | `Revoked` | `ImportedWhileRevoking` |
//! |---|---|---|---|---|---|---|
//! | `GrantPrepared` an operation that grants it was built, also anew or once more | `Pending` | `Returning` | – | – | `Returning` | `Returning` |
//! | `GrantInDoubt` the answer to sending was lost, or the bundler dropped it | `Pending` | `Returning` | – | – | – | – |
//! | `GrantFailed` it was refused, reverted, or can never be included any more | out of the book | `Revoked` | – | – | – | – |
//! | `EnteredTree` a receipt, or the root on chain | `Confirmed` | `Confirmed` | as it is | as it is | `Confirmed` | `Revoking` |
//! | `RevocationSent` an operation that takes it out is about to be sent | – | – | `Revoking` | `Revoking` ¹ | – | – |
//! | `RevocationFailed` that will not happen | – | – | – | `Confirmed` | – | – |
//! | `LeftTree` a receipt, the root on chain, or another device's set of leaves | – | – | `Revoked` | `Revoked` | – | – |
//! | `Imported` from another device, into a book that has a tree of its own | `Revoked` | `Revoked` | `Revoked` | `ImportedWhileRevoking` | as it is | as it is |
//!
//! – is refused with [`ImpossibleChange`], and the leaf stays as it is.
//!
//! - **Sending in doubt.** A lost answer proves nothing, so key and leaf stay: a session that is granted after all and
//!   whose leaf is missing would make every proof of the account impossible. A grant in doubt is in the way of no other
//!   one in the same nonce lane. It ends when the root holds it (`EnteredTree`) or the chain proves that it never will
//!   ([`GrantOperation::can_never_be_included`], then `GrantFailed`).
//! - **A reorganisation**, or a node that answers with an old block, looks like another root: leaves leave the tree and
//!   remember its root ([`Ending::last_root`]); when that root is back, so are they. A leaf that left does not become
//!   `Pending` again, though its operation may be included once more. One that an operation of this browser took out
//!   remembers that it came back unasked ([`SessionLeaf::has_come_back`](super::SessionLeaf::has_come_back)).
//! - **Another device replaced the root.** Leaves that its published set lacks leave the tree with
//!   [`Ending::elsewhere`], and are offered to be brought back; leaves that are new here enter as `Confirmed`, with
//!   their key on the other device.
//! - **A restore** is a grant of a `Revoked` leaf. Until it is confirmed the leaf keeps how it ended, and has that again
//!   when it fails: a plain grant's leaf is forgotten then.
//! - **An import** says nothing about the chain: what is new here counts as revoked until the root on chain proves more.
//!   A leaf that an operation was to take out is `ImportedWhileRevoking`. Should the root still hold it, that operation is followed
//!   on. Once it is brought back it was seen outside of the tree, and the operation is over for it.
//! - **A dropped revocation** may still be included, so the leaf stays `Revoking`, in doubt and in the way of nothing, until
//!   the chain proves that it never will ([`RevocationOperation::can_never_be_included`], then `RevocationFailed`).
//! - **An operation that is sped up** has another hash: `GrantPrepared` and `RevocationSent` once more
//!   ([`SessionBook::overtake`](super::SessionBook::overtake)).
//! - ¹ By the newer operation: of two in one nonce lane only one is ever included.

use alloy::primitives::{B256, U256};

mod stored;
#[cfg(test)]
mod tests;

use crate::clocks::Clocks;

/// Where a session stands. What the clock makes of a confirmed one says [`super::SessionLeaf::status_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Not known to be under the root on chain; never was.
    Pending(GrantOperation),
    /// Revoked, and to come back by this operation.
    Returning {
        /// The operation that brings it back.
        grant: GrantOperation,
        /// How it had ended.
        ended: Ending,
    },
    /// Under the root on chain.
    Confirmed,
    /// Under the root on chain, until this operation is included.
    Revoking {
        /// The operation that takes it out.
        operation: RevocationOperation,
    },
    /// No longer under the root on chain.
    Revoked(Ending),
    /// Imported while this operation was to take it out; stored as revoked.
    ImportedWhileRevoking {
        /// Hash of the operation.
        revocation: B256,
    },
}

/// The operation that is to put a leaf under the root. The JavaScript SDK stores nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantOperation {
    /// Its hash.
    pub user_op_hash: Option<B256>,
    /// Its nonce.
    pub nonce: Option<U256>,
    /// End of the paymaster's signature on it, unix seconds.
    pub valid_until: Option<u64>,
    /// The bundler may or may not have it.
    pub in_doubt: bool,
}

/// The operation that is to take a leaf out from under the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RevocationOperation {
    /// Its hash.
    pub user_op_hash: B256,
    /// Its nonce; former versions stored none.
    pub nonce: Option<U256>,
    /// End of the paymaster's signature on it, unix seconds.
    pub valid_until: Option<u64>,
    /// The bundler dropped it, which does not prove that it will never be included.
    pub in_doubt: bool,
}

impl From<B256> for RevocationOperation {
    fn from(user_op_hash: B256) -> Self {
        Self { user_op_hash, ..Self::default() }
    }
}

/// How a session came to be no longer under the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The last root that it was under.
    pub last_root: Option<B256>,
    /// The operation of this browser that took it out.
    pub operation: Option<B256>,
    /// Another device's root left it out.
    pub elsewhere: bool,
}

/// What may happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// An operation that grants it was built, and will be sent.
    GrantPrepared(GrantOperation),
    /// Nobody knows whether the granting operation will be included.
    GrantInDoubt,
    /// The granting operation will never be included, or failed.
    GrantFailed,
    /// It is under the root on chain.
    EnteredTree,
    /// An operation that takes it out will be sent.
    RevocationSent {
        /// That operation.
        operation: RevocationOperation,
    },
    /// The operation that was to take it out will never be included, or failed.
    RevocationFailed,
    /// It is no longer under the root on chain.
    LeftTree {
        /// The last root that it was under.
        last_root: B256,
        /// Another device's root left it out.
        elsewhere: bool,
    },
    /// It came from another device; the chain has not been asked about it.
    Imported,
}

/// What happened cannot happen to a session in this state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session that is {state} cannot change by {event}")]
pub struct ImpossibleChange {
    /// The state that it is in.
    pub state: &'static str,
    /// What was said to have happened.
    pub event: &'static str,
}

impl SessionState {
    /// The state after `event`; `None` when the session goes out of the book. See the table of this module.
    ///
    /// # Errors
    /// [`ImpossibleChange`] for what cannot happen in this state.
    pub fn after(self, event: &SessionEvent) -> Result<Option<Self>, ImpossibleChange> {
        use SessionEvent as Event;
        let next = match (event, self) {
            (Event::GrantPrepared(grant), Self::Pending(_)) => Self::Pending(grant.clone()),
            (Event::GrantPrepared(grant), Self::Returning { ended, .. } | Self::Revoked(ended)) => {
                Self::Returning { grant: grant.clone(), ended }
            }
            (Event::GrantPrepared(grant), Self::ImportedWhileRevoking { .. }) => {
                Self::Returning { grant: grant.clone(), ended: Ending::default() }
            }
            (Event::GrantInDoubt, Self::Pending(grant)) => Self::Pending(GrantOperation { in_doubt: true, ..grant }),
            (Event::GrantInDoubt, Self::Returning { grant, ended }) => {
                Self::Returning { grant: GrantOperation { in_doubt: true, ..grant }, ended }
            }
            (Event::GrantFailed, Self::Pending(_)) => return Ok(None),
            (Event::GrantFailed, Self::Returning { ended, .. }) => Self::Revoked(ended),
            (Event::EnteredTree, Self::Pending(_) | Self::Returning { .. } | Self::Revoked(_)) => Self::Confirmed,
            (Event::EnteredTree, Self::ImportedWhileRevoking { revocation }) => {
                Self::Revoking { operation: revocation.into() }
            }
            (Event::EnteredTree, in_tree @ (Self::Confirmed | Self::Revoking { .. })) => in_tree,
            (Event::RevocationSent { operation }, Self::Confirmed | Self::Revoking { .. }) => {
                Self::Revoking { operation: *operation }
            }
            (Event::RevocationFailed, Self::Revoking { .. }) => Self::Confirmed,
            (Event::LeftTree { last_root, elsewhere }, in_tree @ (Self::Confirmed | Self::Revoking { .. })) => {
                let (operation, elsewhere) = (in_tree.revocation(), *elsewhere);
                Self::Revoked(Ending { last_root: Some(*last_root), operation, elsewhere })
            }
            (Event::Imported, Self::Pending(_) | Self::Confirmed) => Self::Revoked(Ending::default()),
            (Event::Imported, Self::Returning { ended, .. } | Self::Revoked(ended)) => Self::Revoked(ended),
            (Event::Imported, Self::Revoking { operation }) => {
                Self::ImportedWhileRevoking { revocation: operation.user_op_hash }
            }
            (Event::Imported, unproven @ Self::ImportedWhileRevoking { .. }) => unproven,
            (event, state) => return Err(ImpossibleChange { state: state.name(), event: event.name() }),
        };
        Ok(Some(next))
    }

    /// The granting operation, while it is on its way.
    pub fn grant(&self) -> Option<&GrantOperation> {
        match self {
            Self::Pending(grant) | Self::Returning { grant, .. } => Some(grant),
            Self::Confirmed | Self::Revoking { .. } | Self::Revoked(_) | Self::ImportedWhileRevoking { .. } => None,
        }
    }

    /// The hash of the operation that takes it out, while that is on its way.
    pub fn revocation(&self) -> Option<B256> {
        self.revoking().map(|operation| operation.user_op_hash)
    }

    /// The operation that takes it out, while that is on its way.
    pub fn revoking(&self) -> Option<&RevocationOperation> {
        match self {
            Self::Revoking { operation } => Some(operation),
            _ => None,
        }
    }

    /// How it ended, when it is revoked.
    pub fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Revoked(ending) => Some(ending),
            _ => None,
        }
    }

    /// Is this operation to grant it?
    pub fn is_granted_by(&self, user_op_hash: B256) -> bool {
        self.grant().is_some_and(|grant| grant.user_op_hash == Some(user_op_hash))
    }

    /// Was it under a root before, and is to be so again?
    pub fn is_returning(&self) -> bool {
        matches!(self, Self::Returning { .. })
    }

    /// Under the root on chain.
    fn in_tree(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Revoking { .. })
    }

    /// An operation of this browser took it out.
    fn was_ended_here(&self) -> bool {
        self.ending().is_some_and(|ending| ending.operation.is_some())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Returning { .. } => "returning",
            Self::Confirmed => "confirmed",
            Self::Revoking { .. } => "being revoked",
            Self::Revoked(_) | Self::ImportedWhileRevoking { .. } => "revoked",
        }
    }
}

impl SessionEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::GrantPrepared(_) => "a grant",
            Self::GrantInDoubt => "a grant in doubt",
            Self::GrantFailed => "a failed grant",
            Self::EnteredTree => "entering the tree",
            Self::RevocationSent { .. } => "a revocation",
            Self::RevocationFailed => "a failed revocation",
            Self::LeftTree { .. } => "leaving the tree",
            Self::Imported => "an import",
        }
    }
}

/// How long the chain's clock must be past the end of the paymaster's signature, seconds: the latest block may be taken
/// back by a reorganisation.
const GRACE: u64 = 60;

impl GrantOperation {
    /// Is it dead, given that its leaf is not under the root on chain? Its nonce is used, or its paymaster's signature
    /// is over *by the chain's own clock* (this device's may be fast). `next_nonce` is the next one of lane 0, read no
    /// later than the root. A chain without blocks has a clock all the same: its next block's.
    pub fn can_never_be_included(&self, next_nonce: U256, clocks: Clocks) -> bool {
        can_never_be_included(self.nonce, self.valid_until, next_nonce, clocks)
    }
}

impl RevocationOperation {
    /// As [`GrantOperation::can_never_be_included`], given that its leaf is still under the root on chain.
    pub fn can_never_be_included(&self, next_nonce: U256, clocks: Clocks) -> bool {
        can_never_be_included(self.nonce, self.valid_until, next_nonce, clocks)
    }
}

fn can_never_be_included(nonce: Option<U256>, valid_until: Option<u64>, next_nonce: U256, clocks: Clocks) -> bool {
    let is_used = |nonce: U256| nonce >> 64 == next_nonce >> 64 && nonce < next_nonce;
    let is_over = |until: u64| until != 0 && clocks.is_past_on_chain(until, GRACE);
    nonce.is_some_and(is_used) || valid_until.is_some_and(is_over)
}
