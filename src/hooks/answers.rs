//! What the [gateway](super::gateway) answers beyond the wire's own types.

use std::rc::Rc;

use alloy::primitives::Address;

use crate::{
    client::session_store::transfer::NexusTransfer,
    protocol::{kind::AccountKind, rpc::UserOpUpdate},
};

/// Hears each update of an operation that is waited for.
pub(super) type OnUpdate = Rc<dyn Fn(&UserOpUpdate)>;

/// What a text held that another device exported.
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
pub(super) enum OpenedImport {
    /// Sessions of a Smart Account V2, which are stored.
    Done(ImportedSessions),
    /// Sessions of a Nexus account, which are still to be read.
    Nexus(NexusTransfer),
}

/// What an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedSessions {
    /// Whose sessions they are.
    pub account: Address,
    /// The kind of that account.
    pub kind: AccountKind,
    /// Sessions that were not listed here before.
    pub sessions: usize,
    /// Keys that were in the text.
    pub keys: usize,
    /// Sessions of the account that can be used here now, in all.
    pub usable: usize,
    /// Are the sessions here those on chain? `None`: the chain could not be asked; it will be at the next visit.
    pub is_in_sync: Option<bool>,
}
