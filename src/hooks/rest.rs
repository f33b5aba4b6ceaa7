//! The way to what few people come to, as [`gateway`](super::gateway) is to the rest: the owner's other operations, fees
//! in tokens, distributed keys, moving and forgetting sessions. Loaded at the first call, too, and apart.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use alloy::primitives::{Address, B256, U256};
use zeroize::Zeroizing;

#[cfg(feature = "hydrate")]
use super::chunk;
use super::{
    Progress, answers::OpenedImport, context::ConnectedOwner, operations::OwnerOperation, variables::CostArguments,
    verbs::verbs,
};
use crate::{
    actions::prove_revocation::RevocationProof,
    protocol::{
        distributed_key::KeyNetwork, kind::AccountKind, paymaster::FeeQuotes, rpc::GasFees,
        user_op_response::UserOpResponse,
    },
};

verbs! {
    in rest:

    /// Sends what the owner signs.
    fn send_owner_operation(
        owner: ConnectedOwner,
        operation: OwnerOperation,
        progress: Progress,
    ) -> UserOpResponse = chunk::owner_operations::send(owner, operation, progress);

    /// What an operation would cost in tokens.
    fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> FeeQuotes = chunk::token_fees(owner, arguments);

    /// What an operation would cost at most, wei.
    fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> U256 = chunk::gas_estimate(owner, arguments);

    /// How the network of nodes that share distributed keys is.
    fn key_network() -> KeyNetwork = chunk::distributed::network();

    /// Tells the nodes to sign no more with a session's key.
    fn revoke_at_nodes(account: Address, session_id: String) -> () = chunk::distributed::revoke(account, session_id);

    /// Overtakes an operation with the same and higher fees.
    fn speed_up(
        owner: Option<ConnectedOwner>,
        stuck: UserOpResponse,
        fees: Option<GasFees>,
        progress: Progress,
    ) -> UserOpResponse = chunk::speeding_up::speed_up(owner, stuck, fees, progress);

    /// Says why an operation cannot be overtaken.
    fn can_speed_up(user_op_hash: B256) -> () = chunk::speeding_up::can_speed_up(user_op_hash);

    /// Follows a revocation to its end.
    fn settle_revocation(account: Address, user_op_hash: B256) -> () =
        chunk::following::settle_revocation(account, user_op_hash);

    /// Tries a session on the chain, without sending anything.
    fn prove_revocation(account: Address, session_id: String) -> RevocationProof =
        chunk::prove_revocation(account, session_id);

    /// The stored sessions and keys as a text that a passphrase opens.
    fn export_sessions(kind: AccountKind, account: Address, passphrase: Zeroizing<String>) -> String =
        chunk::custody::export(kind, account, passphrase);

    /// Brings in such a text and compares with the chain.
    fn import_sessions(text: String, passphrase: Zeroizing<String>) -> OpenedImport =
        chunk::custody::import(text, passphrase);

    /// Forgets an account in this browser.
    fn forget_device(account: Address) -> () = chunk::custody::forget_device(account);
}
