//! [`SmartAccountClient`]: an owner's smart account and the ways to act for it.

use std::rc::Rc;

use alloy::primitives::{Address, Bytes, U256};

use super::ports::{Relay, Wallet};
use use_aa_protocol::smart_account::{counterfactual_address, init_code};

/// The owner's side of a smart account: address, wallet, relay.
///
/// The account is the counterfactual one of index 0 with the ECDSA module (docs/protocol.md 2.2); it need not be
/// deployed. A change of wallet or server means a new client (docs/protocol.md 10-U4).
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
}

impl SmartAccountClient {
    /// The account of `wallet`'s address.
    pub fn new(wallet: Rc<dyn Wallet>, relay: Rc<dyn Relay>) -> Self {
        let owner = wallet.address();
        Self { owner, account: counterfactual_address(owner, U256::ZERO), wallet, relay }
    }

    /// Init code for the account's first operation, empty once it is deployed (docs/protocol.md 2.3).
    pub fn init_code(&self, deployed: bool) -> Bytes {
        if deployed { Bytes::new() } else { init_code(self.owner, U256::ZERO) }
    }
}

impl std::fmt::Debug for SmartAccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmartAccountClient")
            .field("owner", &self.owner)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
