//! What the [gateway](super::gateway) answers beyond the wire's own types.

use std::rc::Rc;

use alloy::primitives::Address;

use crate::protocol::rpc::UserOpUpdate;

/// Hears each update of an operation that is waited for.
pub(super) type OnUpdate = Rc<dyn Fn(&UserOpUpdate)>;

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
