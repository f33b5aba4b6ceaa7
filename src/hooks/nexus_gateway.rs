//! The way to Nexus accounts, as [`gateway`](super::gateway) and [`rest`](super::rest) are to Smart Account V2's: the same
//! verbs in a part of their own, which only a page that shows such an account loads.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use alloy::primitives::{Address, U256};

#[cfg(feature = "hydrate")]
use super::chunk::nexus;
use super::{
    Progress,
    context::{ConnectedOwner, SmartAccountContext},
    operations::{GrantVariables, OwnerOperation, UseVariables},
    variables::CostArguments,
    verbs::verbs,
};
use crate::{
    actions::fee_funds::FeeFunds,
    protocol::{paymaster::FeeQuotes, user_op_response::UserOpResponse},
};

verbs! {
    in nexus:

    /// Asks the factory for the owner's account, keeps and shows it.
    fn find_account(context: SmartAccountContext, owner: Address) -> () = nexus::shown::find_account(context, owner);

    /// Compares the stored sessions with the chain, and shows them.
    fn show_sessions(context: SmartAccountContext, account: Address) -> () =
        nexus::shown::show_sessions(context, account);

    /// Builds a grant ahead of the confirmation.
    fn prepare_grant(owner: ConnectedOwner, variables: GrantVariables) -> () =
        nexus::grants::prepare(owner, variables);

    /// Grants sessions.
    fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> UserOpResponse =
        nexus::grants::grant(owner, variables, progress);

    /// Builds a use of sessions ahead of the click.
    fn prepare_use(account: Address, variables: UseVariables) -> () = nexus::uses::prepare(account, variables);

    /// Uses sessions.
    fn use_sessions_with(account: Address, variables: UseVariables, progress: Progress) -> UserOpResponse =
        nexus::uses::use_sessions_with(account, variables, progress);

    /// Sends what the owner signs.
    fn send_owner_operation(
        owner: ConnectedOwner,
        operation: OwnerOperation,
        progress: Progress,
    ) -> UserOpResponse = nexus::send_owner_operation(owner, operation, progress);

    /// What an operation would cost in tokens.
    fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> FeeQuotes = nexus::token_fees(owner, arguments);

    /// What an operation would cost at most, wei.
    fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> U256 = nexus::gas_estimate(owner, arguments);

    /// What an account can be made to pay fees with.
    fn fee_funds(account: Address) -> FeeFunds = nexus::fee_funds(account);
}
