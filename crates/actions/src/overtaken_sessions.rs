//! What it means for the stored sessions that an operation is sent once more with higher fees: the leaves that wait for it
//! have to wait for its new hash, before anybody can include it. Otherwise the root on chain would hold a leaf that the
//! book has thrown away, and no session of the account could be used any more.

use alloy::primitives::{Address, B256};

use super::{
    ports::{Relay, SessionStore},
    send_user_operation::may_have_arrived,
    settle_revocation::doubt_revocation,
    settle_session::doubt,
    sync_sessions::sync_sessions,
};
use crate::error::AppError;
use use_aa_protocol::{
    entry_point::sponsored_until,
    session::{Overtaken, SessionBook, SessionKeyManager},
    smart_account::{decode_calls, set_merkle_root},
    user_operation::UserOperation,
};

/// Which sessions an operation is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionChange {
    /// None.
    Nothing,
    /// All are taken back. The book understands that root whatever it waits for.
    AllEnd,
    /// It sets a root that only the book's leaves explain.
    Root,
}

impl SessionChange {
    pub fn of(operation: &UserOperation) -> Self {
        let calls = decode_calls(&operation.call_data).unwrap_or_default();
        let managers = [SessionKeyManager::Current, SessionKeyManager::Older].map(SessionKeyManager::address);
        let ends_all = set_merkle_root(B256::ZERO).data;
        let to_managers = calls.iter().filter(|call| managers.contains(&call.to));
        to_managers.fold(Self::Nothing, |found, call| match call.data == ends_all {
            true if found != Self::Root => Self::AllEnd,
            _ => Self::Root,
        })
    }
}

/// The sessions in a store that wait for the operation that is to be overtaken.
pub(super) struct OvertakenSessions<'a> {
    store: &'a dyn SessionStore,
    account: Address,
    first: B256,
    change: SessionChange,
}

impl<'a> OvertakenSessions<'a> {
    /// # Errors
    /// `InvalidInput` when the operation would set a root for which no stored leaf waits: it was given up, or has
    /// ended.
    pub async fn of(store: &'a dyn SessionStore, stuck: &UserOperation, first: B256) -> Result<Self, AppError> {
        let sessions = Self { store, account: stuck.sender, first, change: SessionChange::of(stuck) };
        match sessions.change == SessionChange::Root && !store.load(stuck.sender).await?.waits_for(first) {
            true => Err(given_up()),
            false => Ok(sessions),
        }
    }

    /// Lets them wait for `faster`, which is about to be sent.
    ///
    /// # Errors
    /// As [`Self::of`], for what has happened since; `Storage`. Then nothing was written, and nothing may be sent.
    pub async fn wait_for(&self, faster: &UserOperation, user_op_hash: B256) -> Result<Vec<Overtaken>, AppError> {
        if self.change == SessionChange::Nothing {
            return Ok(Vec::new());
        }
        let mut overtaken = Vec::new();
        let change = |book: &mut SessionBook| {
            overtaken = book.overtake(self.first, user_op_hash, faster.nonce, sponsored_until(faster));
            match overtaken.is_empty() && self.change == SessionChange::Root {
                true => Err(given_up()),
                false => Ok(()),
            }
        };
        self.store.update(self.account, Box::new(change)).await?;
        Ok(overtaken)
    }

    /// Sending failed. What the bundler has refused is not waited for. Should the store refuse, they wait on: the root on
    /// chain tells in the end.
    pub async fn not_sent(&self, relay: &dyn Relay, user_op_hash: B256, overtaken: &[Overtaken], error: &AppError) {
        if overtaken.is_empty() {
            return;
        }
        if may_have_arrived(error) {
            let _ = doubt(self.store, self.account, user_op_hash).await;
            let _ = doubt_revocation(self.store, self.account, user_op_hash).await;
            return;
        }
        let change = |book: &mut SessionBook| {
            book.restore_overtaken(user_op_hash, overtaken);
            Ok(())
        };
        let _ = self.store.update(self.account, Box::new(change)).await;
        // The first one may have been included meanwhile, when nobody waited for it.
        let _ = sync_sessions(relay, self.store, self.account).await;
    }
}

fn given_up() -> AppError {
    let expected = "a grant or revocation that the stored sessions still wait for";
    AppError::invalid("stuck.userOpHash", expected, "one that has ended or was given up: grant or revoke anew")
}

#[cfg(test)]
mod tests;
