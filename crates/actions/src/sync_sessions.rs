//! Brings the stored sessions in line with the chain, after a reload or when something is in doubt.

use alloy::primitives::{Address, B256, U256};

use super::{
    ports::{Relay, SessionStore},
    session_ledger::{adopt_older, adopt_published_over, agreed_roots, refuse_others},
    session_tree::reconcile,
    settle_revocation::fail_revocation,
    settle_session::take_out,
};
use crate::error::AppError;
use use_aa_protocol::{
    rpc::AccountState,
    session::{Adoption, Reconciliation, SessionBook, SessionKeyManager},
};

/// How often the comparison begins again because the stored sessions became others meanwhile.
const TRIES: usize = 3;

/// What [`sync_sessions`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncedSessions {
    /// The sessions as they are stored now.
    pub book: SessionBook,
    /// The account at the latest block, with the nonce of lane 0.
    pub account: AccountState,
    /// The stored leaves make the root on chain. When false, another device or app changed the sessions
    /// and the ones here cannot be used.
    pub in_sync: bool,
    /// The older session key manager holds no sessions but stored ones. When false, only all of them can be ended.
    pub older_in_sync: bool,
    /// Operations whose grants are still open: settle each with [`super::settle_session`].
    pub pending: Vec<B256>,
    /// What was taken over from another device, when the root on chain was not ours.
    pub adopted: Option<Adoption>,
    /// Operations on their way that take sessions out: settle each with [`super::settle_revocation`].
    pub revocations: Vec<B256>,
}

/// Compares the store with the chain and sets what the root on chain proves: unconfirmed leaves that are
/// in it become `ACTIVE` (also those of the JavaScript SDK, which never does that itself, docs/protocol.md 10-S34),
/// confirmed ones that are not become `REVOKED`. Grants that can provably never be included any more (the
/// nonce is used, or the paymaster's signature is over) are taken out; revocations like that are forgotten.
///
/// # Errors
/// Those of the [`Relay`] and of the store, and `NodesDisagree`; then the store is as before. A root that the stored leaves
/// cannot make is no error here: the set behind it is taken over when another device has published it, else see
/// [`SyncedSessions::in_sync`]. `SessionsOutOfSync` when another tab changes the stored ones all the time.
pub async fn sync_sessions(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
) -> Result<SyncedSessions, AppError> {
    for _ in 1..TRIES {
        match compared(relay, store, account).await {
            // Another tab has changed the sessions since they were read: nothing was written.
            Err(AppError::SessionsOutOfSync { .. }) => {}
            done => return done,
        }
    }
    compared(relay, store, account).await
}

async fn compared(relay: &dyn Relay, store: &dyn SessionStore, account: Address) -> Result<SyncedSessions, AppError> {
    let (state, mut book) =
        futures::future::try_join(relay.account_state(account, U256::ZERO), store.load(account)).await?;
    agreed_roots(&state)?;
    // First: what the older manager holds is not to be taken for revoked.
    let older_in_sync = sync_older(relay, store, account, &state, &mut book).await?;
    let outcome = reconcile(&mut book, state.merkle_root);
    if let Ok(Some(stale)) = &outcome {
        book = stale.write(store, account).await?;
    }
    let mut adopted = None;
    if outcome.is_err()
        && let Some((known, adoption)) = adopt_published_over(relay, store, account, state.merkle_root, &book).await?
    {
        (book, adopted) = (known, Some(adoption));
    }
    let in_sync = outcome.is_ok() || adopted.is_some();
    if in_sync {
        let dead = book.dead_grants(state.nonce, state.clocks);
        for user_op_hash in &dead {
            take_out(store, account, *user_op_hash).await?;
        }
        let dead_revocations = book.dead_revocations(state.nonce, state.clocks);
        for user_op_hash in &dead_revocations {
            fail_revocation(store, account, *user_op_hash).await?;
        }
        if !dead.is_empty() || !dead_revocations.is_empty() {
            book = store.load(account).await?;
        }
    }
    let pending = book.grants();
    let revocations = book.revocations();
    Ok(SyncedSessions { book, account: state, in_sync, older_in_sync, pending, adopted, revocations })
}

/// The same for the older session key manager: `false` when it holds sessions that nobody here knows.
async fn sync_older(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    state: &AccountState,
    book: &mut SessionBook,
) -> Result<bool, AppError> {
    let (older_root, current_root) = (state.older_root(), state.merkle_root);
    if book.part_of(SessionKeyManager::Older).root() == older_root {
        return Ok(true);
    }
    let seen = book.clone();
    match book.reconcile_older(older_root, current_root) {
        Reconciliation::InSync => return Ok(true),
        Reconciliation::Settled { .. } => {
            let change = |book: &mut SessionBook| {
                refuse_others(book, &seen, older_root)?;
                book.reconcile_older(older_root, current_root);
                Ok(())
            };
            *book = store.update(account, Box::new(change)).await?;
            return Ok(true);
        }
        Reconciliation::Unknown { .. } => {}
    }
    let adopted = adopt_older(relay, store, account, older_root, &seen).await?;
    let is_known = adopted.is_some();
    *book = adopted.unwrap_or_else(|| std::mem::take(book));
    Ok(is_known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;
    use crate::fake::{BesideAnotherTab, Fake};
    use use_aa_protocol::session::{SessionLeaf, SessionStatus};

    const ACCOUNT: Address = Address::repeat_byte(1);

    fn book(ids: &[u8]) -> SessionBook {
        let leaf = |id: &u8| SessionLeaf {
            session_id: id.to_string(),
            session_key_data: vec![*id; 70].into(),
            status: SessionStatus::Active,
            ..SessionLeaf::default()
        };
        SessionBook { leaf_nodes: ids.iter().map(leaf).collect(), ..SessionBook::default() }
    }

    fn write(fake: &Fake, ids: &[u8]) {
        let change = |stored: &mut SessionBook| {
            *stored = book(ids);
            Ok(())
        };
        block_on(fake.update(ACCOUNT, Box::new(change))).unwrap();
        fake.set_root(book(ids).root());
    }

    /// Another device granted 2; while that is looked up, another tab has taken it over and grants 3.
    #[tokio::test]
    async fn what_another_tab_granted_meanwhile_is_not_taken_for_ended() {
        let fake = Fake::new();
        write(&fake, &[1]);
        let theirs = book(&[1, 2]);
        fake.publish_sessions(ACCOUNT, &theirs.published().unwrap()).await.unwrap();
        fake.set_root(theirs.root());
        let another_tab = fake.clone();
        let store = BesideAnotherTab::that(fake.clone(), move || write(&another_tab, &[1, 2, 3]));
        let synced = sync_sessions(&fake, &store, ACCOUNT).await.unwrap();
        assert!(synced.in_sync);
        assert_eq!(fake.book(ACCOUNT).root(), book(&[1, 2, 3]).root());
        // Nobody wrote: it is taken over.
        write(&fake, &[1]);
        fake.set_root(theirs.root());
        assert!(sync_sessions(&fake, &fake, ACCOUNT).await.unwrap().adopted.is_some());
    }
}
