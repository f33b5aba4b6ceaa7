//! Hooks: what a component calls. They wire signals to [`crate::actions`] and never compute.
//!
//! State fields are signals, the rest are callbacks; every returned struct is `Copy`. Futures of wallets are not
//! `Send`, so all work runs on the page's own thread.

#[cfg(feature = "hydrate")]
mod account;
mod connection;
mod context;
mod mutation;
mod provider;
mod query;
mod use_smart_account;
mod use_wallets;
mod user_op_status;

pub use context::SmartAccountConfig;
pub use mutation::{MutationOptions, MutationStatus, Progress, UseMutationReturn, use_mutation};
pub use provider::{
    BiconomyProvider, BiconomyProviderProps, SmartAccountProvider, SmartAccountProviderProps, provide_smart_account,
};
pub use query::QueryStatus;
pub use use_smart_account::{UseSmartAccountReturn, use_smart_account};
pub use use_wallets::{UseWalletsReturn, use_wallets};
pub use user_op_status::UserOpStatus;

pub use crate::client::wallet::info::{LAB_WALLET, WalletInfo};
