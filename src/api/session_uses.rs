//! Uses of an account's sessions, counted from the chain: the entry point's events say which operations succeeded, the
//! bundlers' transactions carry their signatures, and those name the sessions.

use alloy::primitives::Address;
use leptos::server;

use super::call::FunctionCall;
use crate::{error::AppError, protocol::session::SessionUses};

#[cfg(feature = "ssr")]
use use_aa_server::caller::Caller;

/// How often each session of the account was used lately: in the last 10,000 blocks, of those the newest 200
/// transactions. The answer says from which block on it counts.
#[server(name = GetSessionUses, protocol = FunctionCall, prefix = "/api/fn", endpoint = "session_uses")]
pub async fn session_uses(account: Address) -> Result<SessionUses, AppError> {
    let caller = leptos::prelude::use_context::<http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<Caller>().map(Caller::counted_as));
    super::server_state()?.node().session_uses(account, caller).await
}
