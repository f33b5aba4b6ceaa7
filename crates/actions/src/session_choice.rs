//! Which stored session is meant.

use std::collections::HashMap;

use alloy::primitives::Address;

use crate::{error::AppError, ports::SessionStore};
use use_aa_protocol::{
    clocks::Clocks,
    distributed_key::is_distributed,
    session::{SessionBook, SessionKeyManager, SessionLeaf, SessionStatus},
    simulate::{Violation, judge_batch_call},
    smart_account::Call,
};

/// Who holds the key of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyPlace {
    /// The store.
    Store,
    /// The nodes that share it.
    Nodes,
}

impl KeyPlace {
    fn holds_key_of(self, leaf: &SessionLeaf) -> bool {
        (self == Self::Nodes) == is_distributed(leaf)
    }
}

/// What `find` finds when nobody names a session: first among those whose key the store can still open. When there is
/// nothing among them, `find` says of all what is wrong.
pub(super) async fn choose<T>(
    store: &dyn SessionStore,
    account: Address,
    book: &SessionBook,
    find: impl Fn(&SessionBook) -> Result<T, AppError>,
) -> Result<T, AppError> {
    // A store that cannot say so says it when the key is asked for.
    let lost = store.lost_keys(account).await.unwrap_or_default();
    if !lost.is_empty() {
        let mut kept = book.clone();
        kept.leaf_nodes.retain(|leaf| !lost.contains(&leaf.session_key_address));
        if let Ok(found) = find(&kept) {
            return Ok(found);
        }
    }
    find(book)
}

/// Of the sessions whose key is held there: the session with this id; else the one at `index` among the usable; else the newest usable one.
pub(super) fn find_usable<'a>(
    book: &'a SessionBook,
    holder: KeyPlace,
    session_id: Option<&str>,
    index: Option<usize>,
    now: Clocks,
) -> Result<&'a SessionLeaf, AppError> {
    if let Some(wanted) = session_id {
        let mut found = book.leaf_nodes.iter().rev().filter(|leaf| leaf.session_id == wanted);
        let leaf = found.next().filter(|leaf| holder.holds_key_of(leaf));
        let leaf = leaf.ok_or_else(|| AppError::SessionNotFound { wanted: wanted.to_owned() })?;
        return check_usable(leaf, now).map(|()| leaf);
    }
    let is_usable = |leaf: &&SessionLeaf| {
        let is_active = leaf.status_by(now) == SessionStatus::Active;
        is_active && holder.holds_key_of(leaf) && !leaf.is_on_other_device() && leaf.is_in_tree()
    };
    let mut usable = book.leaf_nodes.iter().filter(is_usable);
    if let Some(index) = index {
        let count = book.leaf_nodes.iter().filter(is_usable).count();
        let wanted = format!("number {index} of {count} usable sessions (0 is the first)");
        return usable.nth(index).ok_or(AppError::SessionNotFound { wanted });
    }
    if let Some(leaf) = usable.next_back() {
        return Ok(leaf);
    }
    // Nothing usable: say what is wrong with the newest one.
    let newest = book.leaf_nodes.iter().rfind(|leaf| holder.holds_key_of(leaf));
    let newest = newest.ok_or_else(|| AppError::SessionNotFound { wanted: "any session".into() })?;
    check_usable(newest, now).map(|()| newest)
}

/// May the session be used now? Both ends of its window are inclusive (docs/protocol.md 3.8).
pub(super) fn check_usable(leaf: &SessionLeaf, now: Clocks) -> Result<(), AppError> {
    let session_id = leaf.session_id.clone();
    match leaf.status_by(now) {
        SessionStatus::Active if leaf.manager() == SessionKeyManager::Older => {
            let expected = "a session of the session key manager that grants go to";
            Err(AppError::invalid("sessionId", expected, format!("{session_id}, which the older one holds")))
        }
        SessionStatus::Active if leaf.is_on_other_device() => {
            Err(AppError::Key { reason: format!("that of session {session_id} is in another browser or app") })
        }
        SessionStatus::Active => Ok(()),
        SessionStatus::Pending => Err(AppError::SessionPending { session_id }),
        SessionStatus::Revoked => Err(AppError::SessionRevoked { session_id }),
        SessionStatus::Expired => Err(AppError::SessionExpired { session_id, valid_until: leaf.valid_until }),
        SessionStatus::Inactive => Err(AppError::SessionNotYetValid { session_id, valid_after: leaf.valid_after }),
    }
}

/// One leaf for each call, by ids; else by places among the usable ones; else as [`newest_permitting`].
pub(super) fn find_usable_for_each<'a>(
    book: &'a SessionBook,
    calls: &[Call],
    session_ids: Option<&[String]>,
    indexes: Option<&[usize]>,
    now: Clocks,
) -> Result<Vec<&'a SessionLeaf>, AppError> {
    let named = session_ids.map(<[_]>::len).map(|count| ("sessionIds", count));
    if let Some((field, count)) = named.or(indexes.map(|indexes| ("correspondingIndexes", indexes.len())))
        && count != calls.len()
    {
        return Err(AppError::invalid(field, format!("one for each of the {} calls", calls.len()), count));
    }
    let leaves = match (session_ids, indexes) {
        (Some(ids), _) => ids
            .iter()
            .map(|id| find_usable(book, KeyPlace::Store, Some(id), None, now))
            .collect::<Result<Vec<_>, _>>()?,
        (None, Some(indexes)) => indexes
            .iter()
            .map(|index| find_usable(book, KeyPlace::Store, None, Some(*index), now))
            .collect::<Result<Vec<_>, _>>()?,
        (None, None) => return newest_permitting(book, calls, now),
    };
    share_one_key(&leaves).map(|()| leaves)
}

/// One key signs for all sessions of a batch (docs/protocol.md 10-S40).
fn share_one_key(leaves: &[&SessionLeaf]) -> Result<(), AppError> {
    let mut keys = leaves.iter().map(|leaf| leaf.session_key_address);
    let Some(first) = keys.next() else { return Ok(()) };
    match keys.find(|key| *key != first) {
        Some(other) => Err(AppError::SessionKeysDiffer { first, other }),
        None => Ok(()),
    }
}

/// The newest `n` usable leaves for `n` calls, as `@biconomy/use-aa` has it, when they allow the calls in this order. Otherwise
/// the newest key that has a usable leaf for every call, and for each call its newest such leaf.
fn newest_permitting<'a>(book: &'a SessionBook, calls: &[Call], now: Clocks) -> Result<Vec<&'a SessionLeaf>, AppError> {
    let is_usable = |leaf: &&SessionLeaf| {
        let is_active = leaf.status_by(now) == SessionStatus::Active;
        is_active && KeyPlace::Store.holds_key_of(leaf) && !leaf.is_on_other_device() && leaf.is_in_tree()
    };
    let usable: Vec<_> = book.leaf_nodes.iter().filter(is_usable).collect();
    if usable.is_empty() {
        return find_usable(book, KeyPlace::Store, None, None, now).map(|leaf| vec![leaf]);
    }
    if let Some(last) = usable.len().checked_sub(calls.len()).and_then(|start| usable.get(start..)) {
        let allowed = last.iter().zip(calls).all(|(leaf, call)| judge_batch_call(leaf, call).is_ok());
        if allowed && share_one_key(last).is_ok() {
            return Ok(last.to_vec());
        }
    }
    let mut keys = Vec::new();
    let mut of_key = HashMap::<Address, Vec<&SessionLeaf>>::new();
    for leaf in usable.iter().rev() {
        let leaves = of_key.entry(leaf.session_key_address).or_insert_with(|| {
            keys.push(leaf.session_key_address);
            Vec::new()
        });
        leaves.push(leaf);
    }
    let mut found = keys.iter().filter_map(|key| of_key.get(key)).map(|leaves| one_for_each(leaves, calls));
    // When no key can do it all: what the newest one does not allow.
    let newest = found.next().unwrap_or_else(|| Err(no_session()));
    match newest {
        Ok(leaves) => Ok(leaves),
        Err(objection) => found.find_map(Result::ok).ok_or_else(|| objection.into()),
    }
}

/// For each call the first leaf that allows it; else what the leaf that comes nearest objects to.
fn one_for_each<'a>(leaves: &[&'a SessionLeaf], calls: &[Call]) -> Result<Vec<&'a SessionLeaf>, Violation> {
    let find = |(index, call): (usize, &Call)| {
        let mut objection: Option<Violation> = None;
        for leaf in leaves {
            match judge_batch_call(leaf, call) {
                Ok(()) => return Ok(*leaf),
                // A leaf for this very function says more than one for another.
                Err(found) if objection.as_ref().is_none_or(|known| is_general(known) && !is_general(&found)) => {
                    objection = Some(found);
                }
                Err(_) => {}
            }
        }
        let objection = objection.unwrap_or_else(no_session);
        Err(Violation { rule: format!("call {index}: {}", objection.rule), ..objection })
    };
    calls.iter().enumerate().map(find).collect()
}

fn no_session() -> Violation {
    Violation { rule: "session".into(), reason: "there is none".into(), revert_text: String::new() }
}

fn is_general(violation: &Violation) -> bool {
    matches!(violation.rule.as_str(), "destination" | "token" | "selector")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;
    use crate::fake::Fake;

    #[test]
    fn a_session_whose_key_is_lost_is_chosen_only_when_no_other_is() {
        let store = Fake::new();
        let leaf = |id: &str, key: u8| SessionLeaf {
            session_id: id.into(),
            session_key_address: Address::repeat_byte(key),
            status: SessionStatus::Active,
            ..SessionLeaf::default()
        };
        let book = SessionBook { leaf_nodes: vec![leaf("old", 1), leaf("new", 2)], ..SessionBook::default() };
        let chosen = || {
            let find = |book: &SessionBook| {
                find_usable(book, KeyPlace::Store, None, None, Clocks::default()).map(|leaf| leaf.session_id.clone())
            };
            block_on(choose(&store, Address::ZERO, &book, find)).unwrap()
        };
        assert_eq!(chosen(), "new", "all keys are there");
        store.lose_key(Address::repeat_byte(2));
        assert_eq!(chosen(), "old");
        store.lose_key(Address::repeat_byte(1));
        assert_eq!(chosen(), "new", "asking for its key says what is wrong");
    }
}
