//! The way to Nexus accounts, as [`gateway`](super::gateway) and [`rest`](super::rest) are to Smart Account V2's: the same
//! verbs in a part of their own, which only a page that shows such an account loads.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use alloy::primitives::{Address, U256};

#[cfg(feature = "hydrate")]
use super::chunk::nexus;
use super::{
    ImportedSessions, Progress,
    context::{ConnectedOwner, SmartAccountContext},
    operations::{GrantVariables, OwnerOperation, UseVariables},
    variables::CostArguments,
    verbs::verbs,
};
use crate::{
    actions::{fee_funds::FeeFunds, prove_revocation::RevocationProof},
    client::session_store::transfer::NexusTransfer,
    protocol::{
        paymaster::FeeQuotes,
        policy::SessionPolicy,
        rpc::GasFees,
        session_scheme::{ActionLimits, SchemeFinding},
        user_op_response::UserOpResponse,
        user_operation::UserOperation,
    },
};

verbs! {
    in nexus:

    /// Asks the factory for the owner's account, keeps it, and shows it where that kind is shown.
    fn find_account(context: SmartAccountContext, owner: Address) -> Address =
        nexus::shown::find_account(context, owner);

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

    /// Says why an operation cannot be overtaken.
    fn can_speed_up(operation: Box<UserOperation>) -> () = nexus::speeding_up::can_speed_up(*operation);

    /// Overtakes an operation with the same and higher fees.
    fn speed_up(
        owner: Option<ConnectedOwner>,
        stuck: UserOpResponse,
        operation: Box<UserOperation>,
        fees: GasFees,
        progress: Progress,
    ) -> UserOpResponse = nexus::speeding_up::speed_up(owner, stuck, *operation, fees, progress);

    /// Tries a session that was taken back.
    fn prove_revocation(account: Address, session_id: String) -> RevocationProof =
        nexus::prove_revocation(account, session_id);

    /// What an operation would cost in tokens.
    fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> FeeQuotes = nexus::token_fees(owner, arguments);

    /// What an operation would cost at most, wei.
    fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> U256 = nexus::gas_estimate(owner, arguments);

    /// What an account can be made to pay fees with.
    fn fee_funds(account: Address) -> FeeFunds = nexus::fee_funds(account);

    /// Keeps sessions from another device.
    fn bring_in(transfer: NexusTransfer) -> ImportedSessions = nexus::transfer::bring_in(transfer);

    /// What a review says of these policies.
    fn grant_findings(account: Address, policies: Vec<(SessionPolicy, ActionLimits)>) -> Vec<(Option<usize>, SchemeFinding)> =
        nexus::grant_findings(account, policies);
}
