//! Books for tests.

use super::{SessionBook, SessionLeaf, SessionStatus};

/// A leaf for each name, with this status.
pub(super) fn book(leaves: &[(&str, SessionStatus)]) -> SessionBook {
    let leaf = |(id, status): &(&str, SessionStatus)| SessionLeaf {
        session_id: (*id).into(),
        status: *status,
        session_key_data: id.as_bytes().to_vec().into(),
        ..SessionLeaf::default()
    };
    SessionBook { leaf_nodes: leaves.iter().map(leaf).collect(), ..SessionBook::default() }
}
