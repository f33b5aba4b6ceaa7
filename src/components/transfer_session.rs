//! The session that a batch pays with.

use leptos::prelude::*;

use crate::{
    hooks::UseSessionListReturn,
    protocol::{
        addresses::ERC20_SESSION_VALIDATION_MODULE,
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
            newest_first().filter(has_key).find_map(transfer_of).or_else(|| newest_first().find_map(transfer_of))
        })
    })
}

/// What the session may send, if it is one of the ERC-20 module.
fn transfer_of(leaf: &SessionLeaf) -> Option<Erc20SessionData> {
    let is_transfer = leaf.session_validation_module == ERC20_SESSION_VALIDATION_MODULE;
    is_transfer.then(|| Erc20SessionData::decode(&leaf.session_key_data).ok()).flatten()
}
