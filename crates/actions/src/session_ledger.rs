//! Sessions of several devices: leaf sets are published after each change, and fetched when the root on chain is one that
//! the stored leaves cannot make (docs/protocol.md 3.18, 10-C1, U13). The chain's root decides what is believed.

use alloy::primitives::{Address, B256};

use super::{
    ports::{Relay, SessionStore},
    session_tree::has_trees_of,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::rpc::AccountState;
use use_aa_protocol::session::{Adoption, PublishedLeaves, SessionBook, SessionKeyManager};

/// Own field of a book: root of the set that was published last.
const PUBLISHED_ROOT: &str = "publishedRoot";
/// The same for the older session key manager.
const PUBLISHED_OLDER_ROOT: &str = "publishedOlderRoot";

/// The roots may be relied on for what is signed or taken over.
///
/// # Errors
/// `NodesDisagree`.
pub(super) fn agreed_roots(state: &AccountState) -> Result<(), AppError> {
    match state.roots_disputed {
        None => Ok(()),
        Some(second) => Err(AppError::NodesDisagree { first: state.merkle_root, second }),
    }
}

/// Publishes the stored leaves when they make the root on chain and were not published since it changed.
/// Best called after a grant or a revocation is settled; `true` when something was published.
///
/// # Errors
/// Those of the [`Relay`] and of the store; `SessionsOutOfSync` when the chain has another root by now.
pub async fn publish_sessions(relay: &dyn Relay, store: &dyn SessionStore, account: Address) -> Result<bool, AppError> {
    let book = store.load(account).await?;
    let root = book.root().to_string();
    let is_known = book.extra.get(PUBLISHED_ROOT).is_some_and(|published| published == root.as_str());
    let older = book.part_of(SessionKeyManager::Older);
    let older_root = older.root().to_string();
    let is_older_known = book.extra.get(PUBLISHED_OLDER_ROOT).is_some_and(|published| published == older_root.as_str());
    // No session needs no set; more than a set may hold stay with this device.
    let sets = [
        (PUBLISHED_ROOT, root, book.published().filter(|_| !is_known)),
        (PUBLISHED_OLDER_ROOT, older_root, older.published().filter(|_| !is_older_known)),
    ];
    let mut is_published = false;
    for (field, root, leaves) in sets {
        let Some(leaves) = leaves else { continue };
        relay.publish_sessions(account, &leaves).await?;
        is_published = true;
        let change = |book: &mut SessionBook| {
            book.extra.insert(field.into(), root.into());
            Ok(())
        };
        store.update(account, Box::new(change)).await?;
    }
    Ok(is_published)
}

/// Takes over the leaves behind `chain_root` when another device has published them: stores them, and gives the book
/// with what changed in it. `None` when nobody has.
///
/// # Errors
/// Those of the [`Relay`] and of the store; `UpstreamMalformed` when the set does not make that root.
pub async fn adopt_published(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    chain_root: B256,
) -> Result<Option<(SessionBook, Adoption)>, AppError> {
    let seen = store.load(account).await?;
    adopt_published_over(relay, store, account, chain_root, &seen).await
}

/// [`adopt_published`] in place of `seen`, the book that was compared with that root.
///
/// # Errors
/// As [`adopt_published`]; `SessionsOutOfSync` when the stored sessions are others by now: to them that root may be an old
/// one, and their newest sessions would count as ended.
pub(super) async fn adopt_published_over(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    chain_root: B256,
    seen: &SessionBook,
) -> Result<Option<(SessionBook, Adoption)>, AppError> {
    let Some(leaves) = published(relay, account, chain_root).await? else { return Ok(None) };
    let mut adoption = Adoption::default();
    let change = |book: &mut SessionBook| {
        // Another tab may have been faster.
        if book.root() != chain_root {
            refuse_others(book, seen, chain_root)?;
            adoption = book.adopt(&leaves)?;
        }
        book.extra.insert(PUBLISHED_ROOT.into(), chain_root.to_string().into());
        Ok(())
    };
    let book = store.update(account, Box::new(change)).await?;
    Ok(Some((book, adoption)))
}

/// Refuses what was made of another look at the stored sessions than they are now.
pub(super) fn refuse_others(book: &SessionBook, seen: &SessionBook, chain_root: B256) -> Result<(), AppError> {
    match has_trees_of(book, seen) {
        true => Ok(()),
        false => Err(AppError::SessionsOutOfSync { local: book.root(), chain: chain_root }),
    }
}

/// The same for the sessions that the older session key manager holds.
///
/// # Errors
/// As [`adopt_published_over`].
pub(super) async fn adopt_older(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    older_root: B256,
    seen: &SessionBook,
) -> Result<Option<SessionBook>, AppError> {
    let Some(leaves) = published(relay, account, older_root).await? else { return Ok(None) };
    let change = |book: &mut SessionBook| {
        if book.part_of(SessionKeyManager::Older).root() != older_root {
            refuse_others(book, seen, older_root)?;
            book.adopt_older(&leaves)?;
        }
        book.extra.insert(PUBLISHED_OLDER_ROOT.into(), older_root.to_string().into());
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(Some)
}

/// What was published under this root, if it can be leaves, all of them.
async fn published(relay: &dyn Relay, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
    let Some(leaves) = relay.published_sessions(account, root).await? else { return Ok(None) };
    // Anybody may have put it there: what is no set of leaves is as good as none.
    if leaves.check().is_err() {
        return Ok(None);
    }
    if leaves.root() != root {
        let reason = format!("the published sessions do not make the root on chain, {root}");
        return Err(AppError::UpstreamMalformed { upstream: Upstream::Database, reason });
    }
    Ok(Some(leaves))
}

/// What `read` makes of the stored leaves; when they do not make the root on chain, of a published set that is taken over
/// first.
///
/// # Errors
/// `NodesDisagree`; `SessionsOutOfSync` when nobody published what is on chain; those of [`adopt_published_over`].
pub(super) async fn stored_or_published<T>(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    book: &mut SessionBook,
    state: &AccountState,
    read: impl Fn(&mut SessionBook, B256) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let chain_root = state.merkle_root;
    // Stored leaves that make the root need nobody's word.
    if book.root() != chain_root {
        agreed_roots(state)?;
    }
    let stored = read(book, chain_root);
    if matches!(stored, Err(AppError::SessionsOutOfSync { .. }))
        && let Some((adopted, _)) = adopt_published_over(relay, store, account, chain_root, book).await?
    {
        *book = adopted;
        return read(book, chain_root);
    }
    stored
}
