//! What the page remembers between visits: the wallet last connected and the account last used.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

/// Key of the wallet's rdns in `localStorage`.
pub const WALLET_KEY: &str = "use_aa_wallet";
/// Key of the last account in `localStorage`.
pub const ACCOUNT_KEY: &str = "use_aa_account";

/// A smart account and what it was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RememberedAccount {
    /// Address of the owner; `None` when the account came with imported sessions and no owner was connected yet.
    #[serde(default)]
    pub owner_address: Option<Address>,
    /// Address of the smart account.
    pub smart_account_address: Address,
}

/// Is anything remembered at all?
#[cfg(feature = "hydrate")]
pub fn anything() -> bool {
    [WALLET_KEY, ACCOUNT_KEY].into_iter().any(super::browser_storage::has)
}

/// The wallet last connected, unless it was disconnected since.
#[cfg(feature = "hydrate")]
pub fn wallet() -> Option<String> {
    super::browser_storage::get(WALLET_KEY)
}

/// Remembers the connected wallet by its lasting name; `None` forgets it. A blocked storage only costs the comfort.
#[cfg(feature = "hydrate")]
pub fn set_wallet(rdns: Option<&str>) {
    match rdns {
        Some(rdns) => drop(super::browser_storage::set(WALLET_KEY, &rdns)),
        None => super::browser_storage::remove(WALLET_KEY),
    }
}

/// The account last used; it outlives the wallet's connection, because sessions work without it.
#[cfg(feature = "hydrate")]
pub fn account() -> Option<RememberedAccount> {
    super::browser_storage::get(ACCOUNT_KEY)
}

/// Remembers the account.
#[cfg(feature = "hydrate")]
pub fn set_account(account: &RememberedAccount) {
    super::browser_storage::set(ACCOUNT_KEY, account).ok();
}

/// Forgets the account.
#[cfg(feature = "hydrate")]
pub fn forget_account() {
    super::browser_storage::remove(ACCOUNT_KEY);
}
