//! The way from granting and using to distributed keys, which are loaded with [`rest`](super::rest).

#![allow(unsafe_code)] // inside `wasm_split`'s expansion: the import of the chunk's entry points

use super::{chunk, verbs::verbs};
use crate::{
    actions::{
        create_session::CreateSessionVariables, create_session_with_distributed_key::PreparedDistributedGrant,
        send_with_distributed_session::PreparedDistributedUse, send_with_session::SendWithSessionRequest,
        session_client::SessionClient,
    },
    protocol::user_op_response::UserOpResponse,
};

verbs! {
    in rest:

    /// Builds a grant whose key nodes share.
    fn prepare_grant(client: SessionClient, variables: CreateSessionVariables) -> Box<PreparedDistributedGrant> =
        chunk::distributed::prepare_grant(client, variables);

    /// Has it signed, and sends it.
    fn complete_grant(client: SessionClient, prepared: Box<PreparedDistributedGrant>) -> UserOpResponse =
        chunk::distributed::complete_grant(client, *prepared);

    /// Builds a use of such a session.
    fn prepare_use(request: SendWithSessionRequest) -> Box<PreparedDistributedUse> =
        chunk::distributed::prepare_use(request);

    /// Has the nodes sign it, and sends it.
    fn complete_use(prepared: Box<PreparedDistributedUse>) -> UserOpResponse = chunk::distributed::complete_use(&prepared);
}
