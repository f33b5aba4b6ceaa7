//! One action per file, free of Leptos, over the traits of [`ports`].
//!
//! ## A bot
//!
//! The owner grants it one function; from then on it acts alone. The store is on disk, its keys are encrypted. Whole in
//! `examples/bot.rs`.
//!
//! ```no_run
//! # #[cfg(feature = "native")]
//! # async fn bot(owner: alloy::signers::local::PrivateKeySigner, secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! use std::rc::Rc;
//! use alloy::sol;
//! use use_aa_actions::{
//!     account::SmartAccountClient,
//!     adapters::{file_store::FileSessionStore, http_relay::HttpRelay, local_wallet::LocalWallet},
//!     create_session::CreateSessionVariables,
//!     ports::Relay,
//! };
//! use use_aa_protocol::{addresses::DEMO_NFT, policy::{Condition, Policy}, smart_account::Call};
//!
//! sol! { function safeMint(address to); }
//!
//! let relay = Rc::new(HttpRelay::new("http://127.0.0.1:3000")?);
//! let wallet = Rc::new(LocalWallet::new(owner, relay.chain_info().await?.chain_id));
//! let store = Rc::new(FileSessionStore::open("sessions", &secret)?);
//! let account = SmartAccountClient::new(wallet, relay).with_sessions(store);
//!
//! let me = account.get_account_address();
//! let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, me)?;
//! let granted = account.create_session(CreateSessionVariables { policy: vec![mint], ..Default::default() }).await?;
//! account.settle(&granted).await?;
//!
//! let minted = account.use_session(vec![Call::to(DEMO_NFT, &safeMintCall { to: me })]).await?;
//! println!("{}", account.wait(&minted).await?.transaction_hash);
//! # Ok(()) }
//! ```
//!
//! ## The actions
//!
//! | Action | Does |
//! |---|---|
//! | [`create_session`] | grants sessions: the owner signs, the page keeps the session key |
//! | [`grant_limits`] | what grants limit over many calls, on accounts whose sessions count |
//! | [`enable_mode`] | whether an operation enables the sessions now, or their first use |
//! | [`send_with_session`] | makes the account do what a session allows, without the owner |
//! | [`create_batch_session`], [`send_with_batch_session`] | the same for several calls at once, each under its own leaf |
//! | [`create_session_with_distributed_key`], [`send_with_distributed_session`] | the same with a key that nodes share |
//! | [`send_transaction`], [`send_sponsored_transaction`] | makes the account do anything: the owner signs |
//! | [`send_gas_token_transaction`] | the same, with the gas paid in a token |
//! | [`fee_approval`] | approves the fee in an operation before, where it is taken before the calls |
//! | [`send_withdrawals`] | takes tokens and ether out of the account |
//! | [`fee_funds`] | what an account can be made to pay fees with |
//! | [`token_fees`], [`gas_estimate`] | what an operation would cost, in tokens and in wei |
//! | [`revoke_sessions`] | takes sessions back: the owner signs a root without them |
//! | [`restore_sessions`] | brings revoked sessions back |
//! | [`prove_revocation`] | shows that the chain refuses a session |
//! | [`deploy`] | deploys the account |
//! | [`sign_message`] | signs a message in the account's name, and checks such signatures |
//! | [`scheme_sessions`] | sessions of accounts of any kind: list, grant, use, end |
//! | [`session_client`] | all of these over one account and its store |
//! | [`session_key`], [`session_params`] | `@biconomy/use-aa`'s helpers: a key ahead of its grant, the sessions an operation would use |
//! | [`speed_up_user_operation`] | overtakes a stuck operation, a grant or revocation too: the same again with higher fees |
//! | [`wait_for_user_operation_receipt`] | follows any operation to its end |
//! | [`settle_session`], [`settle_revocation`], [`sync_sessions`] | bring stored sessions in line with what became of their operations |

#![warn(missing_docs)]

pub mod account;
pub mod account_kind;
pub mod adapters;
mod chain_reads;
pub mod clock;
pub mod create_batch_session;
pub mod create_session;
pub mod create_session_with_distributed_key;
mod data_fee;
mod default_paymaster;
pub mod deploy;
pub mod enable_mode;
pub mod error;
pub mod fee_approval;
pub mod fee_funds;
mod gas;
pub mod gas_estimate;
mod grant;
pub mod grant_limits;
mod native_rest;
pub mod options;
mod overtaken_sessions;
mod owner_signature;
pub mod ports;
pub mod prepare_user_operation;
pub mod prove_revocation;
mod raise_fees;
mod random;
pub mod restore_sessions;
pub mod reviewed_sessions;
pub mod revoke_sessions;
pub mod scheme_sessions;
pub mod send_gas_token_transaction;
pub mod send_sponsored_transaction;
pub mod send_transaction;
pub mod send_user_operation;
pub mod send_with_batch_session;
pub mod send_with_distributed_session;
pub mod send_with_session;
pub mod send_withdrawals;
mod session_choice;
pub mod session_client;
pub mod session_key;
pub mod session_ledger;
pub mod session_params;
pub mod session_tree;
mod settle_change;
pub mod settle_revocation;
pub mod settle_session;
pub mod sign_message;
mod smart_account_client;
pub mod speed_up_user_operation;
pub mod sync_sessions;
pub mod token;
pub mod token_fees;
mod token_payment;
pub mod wait_for_user_operation_receipt;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
