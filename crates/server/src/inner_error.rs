//! What other libraries say of a failure is for the log: their words may name files, tables, hosts and values. Whoever
//! called gets a sentence of ours, and the id by which the operator finds the rest.

use std::fmt::Display;

use super::request_id::current_request_id;

/// Logs the inner words of a failure of `what`, and says where they are to be found: "the server's log says why".
pub(super) fn logged(what: &str, error: &dyn Display) -> String {
    tracing::error!(what, %error, "failed");
    match current_request_id().as_ref().and_then(|id| id.to_str().ok()) {
        Some(id) => format!("the server's log says why (request {id})"),
        None => "the server's log says why".into(),
    }
}
