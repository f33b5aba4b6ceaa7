//! What became of one operation, asked once. `user_operation_status` follows it.

use alloy::primitives::B256;
use leptos::server;

use super::call::FunctionCall;
use crate::{error::AppError, protocol::rpc::UserOpUpdate};

#[cfg(feature = "ssr")]
use use_aa_server::caller::Caller;

/// Where an operation stands now, as chain and bundler tell.
///
/// Errors: `UserOpNotFound` when neither knows it; `UserOpUntold` when no bundler can say; `RateLimited`, `Busy`; those of
/// the upstream that could not be asked.
#[server(name = LookUpOperation, protocol = FunctionCall, prefix = "/api/fn", endpoint = "operation")]
pub async fn look_up_operation(user_op_hash: B256) -> Result<UserOpUpdate, AppError> {
    let caller = leptos::prelude::use_context::<http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<Caller>().map(Caller::counted_as));
    use_aa_server::operation_lookup::look_up(&super::server_state()?, user_op_hash, caller).await
}
