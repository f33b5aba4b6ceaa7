//! The state that all hooks below one [`SmartAccountProvider`](super::SmartAccountProvider) share.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};
use leptos::prelude::*;

use super::{
    connection::{Away, Turns, WalletLink},
    query_status::QueryStatus,
};
use crate::{
    actions::scheme_sessions::{LimitLeft, ListedNote},
    client::wallet::info::WalletInfo,
    error::AppError,
    protocol::{kind::AccountKind, rpc::ChainInfo, session::SessionLeaf},
};

/// What the provider is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartAccountConfig {
    /// The kind of account that the hooks work with (default Smart Account V2). What a hook cannot do with it is refused
    /// with `AccountKindCannot`.
    pub account: AccountKind,
    /// Let the person choose ([`use_account_kind`](super::use_account_kind)) among the kinds that the server offers, and begin
    /// with the server's own (`USE_AA_ACCOUNT`) instead of `account`. The choice outlives a reload. Default false.
    pub offers_kinds: bool,
    /// Connect the wallet of the last visit again without asking (default true).
    pub reconnect: bool,
}

impl Default for SmartAccountConfig {
    fn default() -> Self {
        Self { account: AccountKind::default(), offers_kinds: false, reconnect: true }
    }
}

/// The connected wallet, by name: ports are made inside the chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectedOwner {
    /// The wallet's id ([`WalletInfo::id`](crate::client::wallet::info::WalletInfo::id)).
    pub wallet: String,
    /// Its account.
    pub address: Address,
}

/// Signals of the provider; `Copy`.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
pub(crate) struct SmartAccountContext {
    pub config: StoredValue<SmartAccountConfig>,
    pub chain_info: RwSignal<Option<ChainInfo>>,
    /// The account kind that the person chose, now or in an earlier visit.
    pub chosen_kind: RwSignal<Option<AccountKind>>,
    /// The kind of `account`, or of the one that is being found.
    pub account_kind: RwSignal<AccountKind>,
    pub wallets: RwSignal<Vec<WalletInfo>>,
    pub connected: RwSignal<Option<WalletInfo>>,
    /// The account that the connected wallet shares.
    pub shared: RwSignal<Option<Address>>,
    /// The same once it is known to sign by a key.
    pub owner: RwSignal<Option<Address>>,
    /// Why the shared account can own no smart account (`OwnerIsContract`).
    pub owner_refused: RwSignal<Option<AppError>>,
    /// How the connected wallet is reached.
    pub link: RwSignal<WalletLink>,
    /// Whether the connected wallet is away, and who looks for it.
    pub away: StoredValue<Away>,
    /// Which wallet's answer counts.
    pub turns: StoredValue<Turns>,
    /// A script that the content policy stopped, and that a wallet may have added.
    pub stopped_script: RwSignal<Option<String>>,
    pub wallet_chain: RwSignal<Option<u64>>,
    pub is_connecting: RwSignal<bool>,
    pub wallet_error: RwSignal<Option<AppError>>,
    pub account: RwSignal<Option<Address>>,
    pub account_status: RwSignal<QueryStatus>,
    pub account_error: RwSignal<Option<AppError>>,
    pub is_deployed: RwSignal<Option<bool>>,
    /// A hook that works with sessions is there.
    pub sessions_wanted: RwSignal<bool>,
    pub sessions: RwSignal<Vec<SessionLeaf>>,
    pub sessions_status: RwSignal<QueryStatus>,
    pub sessions_error: RwSignal<Option<AppError>>,
    /// What is left of the limits that the chain counts.
    pub limits_left: RwSignal<Vec<LimitLeft>>,
    /// What a person must know of sessions beside what they may do.
    pub session_notes: RwSignal<Vec<ListedNote>>,
    /// Session keys that are stored here and cannot be opened any more.
    pub lost_keys: RwSignal<BTreeSet<Address>>,
    /// Are the stored sessions those on chain?
    pub in_sync: RwSignal<Option<bool>>,
    /// Modules that the account has enabled, as of the last comparison with the chain.
    pub modules: RwSignal<Vec<Address>>,
    /// The older session key manager holds sessions that are not stored here.
    pub older_unknown: RwSignal<bool>,
    /// Ids of sessions that another device's root was seen to leave out, in this visit.
    pub ended_elsewhere: RwSignal<Vec<String>>,
    /// The root on chain when somebody last looked for changes by other devices.
    pub seen_root: RwSignal<Option<B256>>,
    /// Clear-text keys of the JavaScript SDK that were encrypted in this visit.
    pub keys_taken_over: RwSignal<usize>,
    /// Counter, incremented when something stored for the account changed, here or in another tab.
    pub stored: RwSignal<u64>,
    /// Counter, incremented when the chain's part of the account should be read again.
    pub refetch: RwSignal<u64>,
}

impl SmartAccountContext {
    pub fn new(config: SmartAccountConfig) -> Self {
        let kind = config.account;
        Self {
            config: StoredValue::new(config),
            chain_info: RwSignal::new(None),
            chosen_kind: RwSignal::new(None),
            account_kind: RwSignal::new(kind),
            wallets: RwSignal::new(Vec::new()),
            connected: RwSignal::new(None),
            shared: RwSignal::new(None),
            owner: RwSignal::new(None),
            owner_refused: RwSignal::new(None),
            link: RwSignal::new(WalletLink::Steady),
            away: StoredValue::new(Away::default()),
            turns: StoredValue::new(Turns::default()),
            stopped_script: RwSignal::new(None),
            wallet_chain: RwSignal::new(None),
            is_connecting: RwSignal::new(false),
            wallet_error: RwSignal::new(None),
            account: RwSignal::new(None),
            account_status: RwSignal::new(QueryStatus::Pending),
            account_error: RwSignal::new(None),
            is_deployed: RwSignal::new(None),
            sessions_wanted: RwSignal::new(false),
            sessions: RwSignal::new(Vec::new()),
            sessions_status: RwSignal::new(QueryStatus::Pending),
            sessions_error: RwSignal::new(None),
            limits_left: RwSignal::new(Vec::new()),
            session_notes: RwSignal::new(Vec::new()),
            lost_keys: RwSignal::new(BTreeSet::new()),
            in_sync: RwSignal::new(None),
            modules: RwSignal::new(Vec::new()),
            older_unknown: RwSignal::new(false),
            ended_elsewhere: RwSignal::new(Vec::new()),
            seen_root: RwSignal::new(None),
            keys_taken_over: RwSignal::new(0),
            stored: RwSignal::new(0),
            refetch: RwSignal::new(0),
        }
    }
}

impl SmartAccountContext {
    /// The same, whose sessions are read from now on.
    pub fn with_sessions(self) -> Self {
        if self.sessions_wanted.try_get_untracked() == Some(false) {
            self.sessions_wanted.try_set(true);
        }
        self
    }

    #[cfg(feature = "hydrate")]
    /// The kind of account that is wanted; `None` until the server has said which one it begins with.
    pub fn wanted_kind(self) -> Option<AccountKind> {
        let (account, offers_kinds) = self.config.try_with_value(|config| (config.account, config.offers_kinds))?;
        if !offers_kinds {
            return Some(account);
        }
        let chosen = self.chosen_kind.get();
        match self.chain_info.get() {
            None => chosen,
            Some(chain) => chosen.filter(|kind| chain.account_kinds.contains(kind)).or(Some(chain.account)),
        }
    }

    /// Is the account that is shown of this kind?
    pub fn is_of(self, kind: AccountKind) -> bool {
        self.account_kind.try_get_untracked() == Some(kind)
    }

    #[cfg(feature = "hydrate")]
    /// Is this the account that is shown?
    pub fn shows(self, account: Address) -> bool {
        self.account.try_get_untracked() == Some(Some(account))
    }

    /// The kind of an account that sessions act for.
    pub fn kind_of(self, account: Address) -> AccountKind {
        if self.account.try_get_untracked() == Some(Some(account)) {
            return self.account_kind.try_get_untracked().unwrap_or_default();
        }
        #[cfg(feature = "hydrate")]
        if crate::client::browser_storage::has(&crate::client::browser_storage::nexus_key(account)) {
            return AccountKind::Nexus;
        }
        AccountKind::BiconomyV2
    }

    /// Reads the store again and compares it with the chain.
    pub fn compare_again(self) {
        self.in_sync.try_set(None);
        self.stored.try_update(|version| *version += 1);
    }

    /// The connected owner, or why there is none.
    pub fn connected_owner(self) -> Result<ConnectedOwner, AppError> {
        let connected = self.connected.try_get_untracked().flatten();
        let owner = self.owner.try_get_untracked().flatten();
        let (Some(wallet), Some(address)) = (connected, owner) else {
            let refused = self.owner_refused.try_get_untracked().flatten();
            return Err(refused.unwrap_or(AppError::NoSmartAccount));
        };
        Ok(ConnectedOwner { wallet: wallet.id().to_owned(), address })
    }

    /// The account that sessions act for when the caller names none.
    pub fn account_or(self, named: Option<Address>) -> Result<Address, AppError> {
        named.or_else(|| self.account.try_get_untracked().flatten()).ok_or(AppError::NoSmartAccount)
    }
}
