//! The session that a batch pays with.

use leptos::prelude::*;

use crate::{
    hooks::UseSessionListReturn,
    protocol::{
        session::{SessionLeaf, SessionStatus},
        session_data::Erc20SessionData,
    },
};

/// What the newest session that may send tokens allows; one whose key is gone from this browser only when there is no
/// other.
///
/// # Server-Side Rendering
/// None: sessions are known to the browser only.
pub fn use_transfer_session(list: UseSessionListReturn) -> Memo<Option<Erc20SessionData>> {
    Memo::new(move |_| {
        let lost = list.lost_keys.get();
        let has_key = |leaf: &&SessionLeaf| !lost.contains(&leaf.session_key_address);
        list.sessions.with(|leaves| {
            let newest_first = || leaves.iter().rev().filter(|leaf| leaf.status == SessionStatus::Active);
            newest_first()
                .filter(has_key)
                .find_map(SessionLeaf::transfers)
                .or_else(|| newest_first().find_map(SessionLeaf::transfers))
        })
    })
}
