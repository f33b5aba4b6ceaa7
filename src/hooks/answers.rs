//! What the [gateway](super::gateway) answers beyond the wire's own types.

use std::{collections::BTreeSet, rc::Rc};

use alloy::primitives::{Address, B256};

use crate::{
    actions::scheme_sessions::LimitLeft,
    protocol::{rpc::UserOpUpdate, session::SessionLeaf},
};

/// Hears each update of an operation that is waited for.
pub(super) type OnUpdate = Rc<dyn Fn(&UserOpUpdate)>;

/// What is stored for an account, compared with the chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredSessions {
    /// All leaves, oldest first.
    pub leaves: Vec<SessionLeaf>,
    /// Operations of unconfirmed leaves.
    pub pending: Vec<B256>,
    /// Operations that take leaves out.
    pub revocations: Vec<B256>,
    /// Ids of sessions that turned out to be ended by another device.
    pub ended: Vec<String>,
    /// The stored root is the one on chain.
    pub in_sync: bool,
    /// Modules that the account has enabled.
    pub modules: Vec<Address>,
    /// So is that of the older session key manager.
    pub older_in_sync: bool,
    /// Clear-text keys of the JavaScript SDK that were encrypted on the way.
    pub taken_over: usize,
}

/// What is stored for an account whose sessions stand each for itself, compared with the chain.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KindSessions {
    /// What they may do, oldest first.
    pub leaves: Vec<SessionLeaf>,
    /// What is left of their limits.
    pub left: Vec<LimitLeft>,
    /// Operations that grant or end sessions and are on their way.
    pub pending: Vec<B256>,
    /// Modules of the account.
    pub modules: Vec<Address>,
    /// The account has code.
    pub is_deployed: bool,
    /// Session keys that are stored here and cannot be opened any more.
    pub lost_keys: BTreeSet<Address>,
}

/// What an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedSessions {
    /// Whose sessions they are.
    pub account: Address,
    /// Sessions that were not listed here before.
    pub sessions: usize,
    /// Keys that were in the text.
    pub keys: usize,
    /// Sessions of the account that can be used here now, in all.
    pub usable: usize,
    /// Are the sessions here those on chain? `None`: the chain could not be asked; it will be at the next visit.
    pub is_in_sync: Option<bool>,
}
