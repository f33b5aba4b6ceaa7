//! Sessions of several devices: leaf sets are published after each change, and fetched when the root on chain is one that
//! the stored leaves cannot make (docs/protocol.md 3.18, 10-C1, U13). The chain's root decides what is believed.

use alloy::primitives::{Address, B256};

use super::ports::{Relay, SessionStore};
use crate::error::{AppError, Upstream};
use use_aa_protocol::session::{Adoption, SessionBook};

/// Own field of a book: root of the set that was published last.
const PUBLISHED_ROOT: &str = "publishedRoot";

/// Publishes the stored leaves when they make the root on chain and were not published since it changed.
/// Best called after a grant or a revocation is settled; `true` when something was published.
///
/// # Errors
/// Those of the [`Relay`] and of the store; `SessionsOutOfSync` when the chain has another root by now.
pub async fn publish_sessions(relay: &dyn Relay, store: &dyn SessionStore, account: Address) -> Result<bool, AppError> {
    let book = store.load(account).await?;
    let root = book.root().to_string();
    let is_known = book.extra.get(PUBLISHED_ROOT).is_some_and(|published| published == root.as_str());
    // No session needs no set; more than a set may hold stay with this device.
    let Some(leaves) = book.published().filter(|_| !is_known) else { return Ok(false) };
    relay.publish_sessions(account, &leaves).await?;
    let change = |book: &mut SessionBook| {
        book.extra.insert(PUBLISHED_ROOT.into(), root.into());
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    Ok(true)
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
    let Some(leaves) = relay.published_sessions(account, chain_root).await? else { return Ok(None) };
    if leaves.root() != chain_root {
        let reason = format!("the published sessions do not make the root on chain, {chain_root}");
        return Err(AppError::UpstreamMalformed { upstream: Upstream::Database, reason });
    }
    let mut adoption = Adoption::default();
    let change = |book: &mut SessionBook| {
        // Another tab may have been faster.
        if book.root() != chain_root {
            adoption = book.adopt(&leaves)?;
        }
        book.extra.insert(PUBLISHED_ROOT.into(), chain_root.to_string().into());
        Ok(())
    };
    let book = store.update(account, Box::new(change)).await?;
    Ok(Some((book, adoption)))
}

/// What `read` makes of the stored leaves; when they do not make the root on chain, of a published set that is taken over
/// first.
///
/// # Errors
/// `SessionsOutOfSync` when nobody published what is on chain; those of [`adopt_published`].
pub(super) async fn stored_or_published<T>(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    book: &mut SessionBook,
    chain_root: B256,
    read: impl Fn(&mut SessionBook, B256) -> Result<T, AppError>,
) -> Result<T, AppError> {
    let stored = read(book, chain_root);
    if matches!(stored, Err(AppError::SessionsOutOfSync { .. }))
        && let Some((adopted, _)) = adopt_published(relay, store, account, chain_root).await?
    {
        *book = adopted;
        return read(book, chain_root);
    }
    stored
}
