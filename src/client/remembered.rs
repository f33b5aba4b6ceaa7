//! What the page remembers between visits: the wallet last connected and the account last used.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

#[cfg(feature = "hydrate")]
use crate::protocol::kind::AccountKind;

/// Key of the wallet's rdns in `localStorage`.
pub const WALLET_KEY: &str = "use_aa_wallet";
/// Key of the last account in `localStorage`.
pub const ACCOUNT_KEY: &str = "use_aa_account";

/// Key of the last Nexus account in `localStorage`.
pub const NEXUS_ACCOUNT_KEY: &str = "use_aa_nexus_account";
/// Key of the account kind that was last chosen in `localStorage`.
pub const KIND_KEY: &str = "use_aa_account_kind";

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
    [WALLET_KEY, ACCOUNT_KEY, NEXUS_ACCOUNT_KEY].into_iter().any(super::browser_storage::has)
}

/// Is anything of this account kept in this browser?
#[cfg(feature = "hydrate")]
pub fn is_known(account: Address) -> bool {
    let own = format!("{account:#x}_");
    account_at(account).is_some()
        || super::browser_storage::names().is_ok_and(|names| names.iter().any(|name| name.starts_with(&own)))
}

/// Are sessions stored, of whichever account?
#[cfg(feature = "hydrate")]
pub fn sessions() -> bool {
    let is_list = |name: &String| name.ends_with("_sessions") || name.ends_with("_smart-sessions");
    super::browser_storage::names().is_ok_and(|names| names.iter().any(is_list))
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

/// The account kind last shown. Who was here before there were two had an account of the first.
#[cfg(feature = "hydrate")]
pub fn kind() -> Option<AccountKind> {
    let before = || super::browser_storage::has(ACCOUNT_KEY).then(AccountKind::default);
    let kept = super::browser_storage::raw().ok()?.get_item(KIND_KEY).ok().flatten();
    kept.and_then(|name| name.parse().ok()).or_else(before)
}

/// Remembers the account kind.
#[cfg(feature = "hydrate")]
pub fn set_kind(kind: AccountKind) {
    super::browser_storage::set_text(KIND_KEY, kind.as_str()).ok();
}

#[cfg(feature = "hydrate")]
fn key_of(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::BiconomyV2 => ACCOUNT_KEY,
        AccountKind::Nexus => NEXUS_ACCOUNT_KEY,
    }
}

/// The account of this kind that was last used; it outlives the wallet's connection, because sessions work without it.
#[cfg(feature = "hydrate")]
pub fn account(kind: AccountKind) -> Option<RememberedAccount> {
    super::browser_storage::get(key_of(kind))
}

/// Remembers the account.
#[cfg(feature = "hydrate")]
pub fn set_account(kind: AccountKind, account: &RememberedAccount) {
    super::browser_storage::set(key_of(kind), account).ok();
}

/// Forgets the account of this kind.
#[cfg(feature = "hydrate")]
pub fn forget_account(kind: AccountKind) {
    super::browser_storage::remove(key_of(kind));
}

/// The account of any kind at this address, while it is remembered.
#[cfg(feature = "hydrate")]
pub fn account_at(address: Address) -> Option<(AccountKind, RememberedAccount)> {
    let found = AccountKind::ALL.into_iter().filter_map(|kind| Some((kind, account(kind)?)));
    found.into_iter().find(|(_, last)| last.smart_account_address == address)
}
