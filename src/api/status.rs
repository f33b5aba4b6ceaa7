//! The state of an operation, or of several, as a stream: one JSON object per line, pushed as it changes.

use alloy::primitives::B256;
use leptos::{
    server,
    server_fn::codec::{StreamingText, TextStream},
};

use super::call::FunctionCall;
use crate::error::AppError;

/// Follows an operation. Each line is a [`UserOpUpdate`](crate::protocol::rpc::UserOpUpdate) or an [`AppError`] as JSON (see [`read_line`](use_aa_actions::adapters::status_stream::read_line));
/// the first line is the latest known state, empty lines are heartbeats. The stream ends after a final
/// update or an error. Call it again when it ends early: nothing is lost. A server that stops ends it with
/// [`RECONNECT`](crate::protocol::rpc::RECONNECT).
#[server(protocol = FunctionCall<StreamingText>, prefix = "/api/fn", endpoint = "user_operation_status")]
pub async fn user_operation_status(user_op_hash: B256) -> Result<TextStream<AppError>, AppError> {
    use futures::StreamExt;
    Ok(TextStream::new(use_aa_server::status::lines(&super::server_state()?, user_op_hash)?.map(Ok)))
}

/// Follows several operations over one stream, as [`user_operation_status`] does one: each line says of which one it is (see
/// [`read_named_line`](use_aa_actions::adapters::status_stream::read_named_line)). At most
/// [`MOST_FOLLOWED`](crate::protocol::rpc::MOST_FOLLOWED).
#[server(protocol = FunctionCall<StreamingText>, prefix = "/api/fn", endpoint = "user_operation_statuses")]
pub async fn user_operation_statuses(user_op_hashes: Vec<B256>) -> Result<TextStream<AppError>, AppError> {
    use futures::StreamExt;
    let calls = leptos::prelude::use_context::<use_aa_server::call_count::CallCount>();
    let lines = use_aa_server::status::lines_of_several(&super::server_state()?, user_op_hashes, calls.as_ref())?;
    Ok(TextStream::new(lines.map(Ok)))
}
