//! The way from the hooks to what signs, encrypts, hashes or encodes: granting, using and following.
//!
//! With the feature `lazy`, what these functions do, and all that only they reach, lives in a part of its own, loaded
//! at the first call; what fewer people come to is in [`rest`](super::rest). So no hook calls into [`crate::actions`] or
//! the session store by another way. On the server they answer with an error; nobody calls them there.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use alloy::primitives::Address;

#[cfg(feature = "hydrate")]
use super::chunk;
use super::{
    Progress,
    answers::OnUpdate,
    context::{ConnectedOwner, SmartAccountContext},
    operations::{GrantVariables, UseVariables},
    verbs::verbs,
};
use crate::{
    actions::fee_funds::FeeFunds,
    client::wallet::info::WalletInfo,
    protocol::{rpc::UserOpReceipt, user_op_response::UserOpResponse},
};

verbs! {
    in smart_account:

    /// Builds a grant ahead of the confirmation.
    fn prepare_grant(owner: ConnectedOwner, variables: GrantVariables) -> () =
        chunk::grants::prepare(owner, variables);

    /// Grants sessions.
    fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> UserOpResponse =
        chunk::grants::grant(owner, variables, progress);

    /// Builds a use of sessions ahead of the click.
    fn prepare_use(account: Address, variables: UseVariables) -> () = chunk::uses::prepare(account, variables);

    /// Uses sessions.
    fn use_sessions_with(account: Address, variables: UseVariables, progress: Progress) -> UserOpResponse =
        chunk::uses::use_sessions_with(account, variables, progress);

    /// What an account can be made to pay fees with.
    fn fee_funds(account: Address) -> FeeFunds = chunk::fee_funds(account);

    /// Follows an operation to its end and writes the outcome into store and log.
    fn wait_for_user_operation(
        account: Option<Address>,
        response: UserOpResponse,
        on_update: OnUpdate,
    ) -> UserOpReceipt = chunk::following::wait_for_user_operation(account, response, on_update);

    /// Shows the stored sessions as they are.
    fn show_sessions(context: SmartAccountContext, account: Address) -> () =
        chunk::shown_sessions::show(context, account);

    /// Compares the stored sessions with the chain, and shows them.
    fn compare_sessions(context: SmartAccountContext, account: Address) -> () =
        chunk::shown_sessions::compare(context, account);

    /// Brings a wallet to the server's chain.
    fn switch_chain(context: SmartAccountContext, wallet: WalletInfo) -> () = chunk::switch_chain(context, wallet);
}
