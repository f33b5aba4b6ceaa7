//! The way from Nexus accounts to distributed keys, in a part of its own: most people who come to such an account never ask
//! the nodes.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]
#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use alloy::primitives::Address;

#[cfg(feature = "hydrate")]
use super::chunk::nexus::distributed;
use super::{Progress, context::ConnectedOwner, verbs::verbs};
use crate::{
    actions::{create_session::CreateSessionVariables, send_with_session::SendWithSessionRequest},
    protocol::{rpc::GasFees, user_op_response::UserOpResponse, user_operation::UserOperation},
};

verbs! {
    in nexus_distributed:

    /// Grants sessions whose key nodes share; the account, and what was sent.
    fn grant(
        owner: ConnectedOwner,
        variables: Box<CreateSessionVariables>,
        progress: Progress,
    ) -> (Address, UserOpResponse) = distributed::grant(owner, *variables, progress);

    /// Uses such a session.
    fn use_session(request: Box<SendWithSessionRequest>) -> UserOpResponse = distributed::use_session(*request);

    /// Overtakes such a use.
    fn speed_up_use(operation: Box<UserOperation>, fees: GasFees) -> UserOpResponse =
        distributed::speed_up_use(*operation, fees);

    /// Tells the nodes to sign no more for one.
    fn revoke_at_nodes(account: Address, session_id: String) -> () = distributed::revoke_at_nodes(account, session_id);
}
