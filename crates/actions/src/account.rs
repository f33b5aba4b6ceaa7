//! [`SmartAccountClient`]: an owner's smart account and the ways to act for it.

use std::rc::Rc;

use alloy::primitives::{Address, Bytes};

use super::{
    account_kind::{AccountKind, biconomy_v2::BiconomyV2},
    ports::{Relay, Wallet},
};
use crate::error::AppError;

/// The owner's side of a smart account: address, wallet, relay.
///
/// The account need not be deployed. Without another word it is Smart Account V2's counterfactual one of index 0 with the
/// ECDSA module (docs/protocol.md 2.2); [`Self::of_kind`] takes any. A change of wallet or server means a new client
/// (docs/protocol.md 10-U4).
#[derive(Clone)]
pub struct SmartAccountClient {
    /// The externally owned account that owns the smart account.
    pub owner: Address,
    /// The smart account.
    pub account: Address,
    /// Signs as `owner`.
    pub wallet: Rc<dyn Wallet>,
    /// The way to chain, bundler and paymaster.
    pub relay: Rc<dyn Relay>,
    kind: Rc<dyn AccountKind>,
}

impl SmartAccountClient {
    /// The account of `wallet`'s address.
    pub fn new(wallet: Rc<dyn Wallet>, relay: Rc<dyn Relay>) -> Self {
        Self::of_kind(Rc::new(BiconomyV2::of_owner(wallet.address())), wallet, relay)
    }

    /// This account of `wallet`'s address.
    pub fn of_kind(kind: Rc<dyn AccountKind>, wallet: Rc<dyn Wallet>, relay: Rc<dyn Relay>) -> Self {
        Self { owner: wallet.address(), account: kind.address(), wallet, relay, kind }
    }

    /// Refuses an account of another kind than the one that a verb is for.
    pub(super) fn check_kind(&self, name: &'static str) -> Result<(), AppError> {
        let kind = self.kind.name();
        let expected = || format!("an account of kind {name} (`SchemeSessions` has the sessions of other kinds)");
        if kind == name { Ok(()) } else { Err(AppError::invalid("account", expected(), kind)) }
    }

    /// Its kind, for whoever keeps it.
    pub fn shared_kind(&self) -> Rc<dyn AccountKind> {
        Rc::clone(&self.kind)
    }

    /// What is particular about the account.
    pub fn kind(&self) -> &dyn AccountKind {
        self.kind.as_ref()
    }

    /// Init code for the account's first operation, empty once it is deployed (docs/protocol.md 2.3).
    pub fn init_code(&self, deployed: bool) -> Bytes {
        if deployed { Bytes::new() } else { self.kind.init_code() }
    }
}

impl std::fmt::Debug for SmartAccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmartAccountClient")
            .field("kind", &self.kind.name())
            .field("owner", &self.owner)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
