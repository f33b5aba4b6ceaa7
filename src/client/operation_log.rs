//! Operations that were sent from this browser, so that a wait goes on after a reload.

use serde::{Deserialize, Serialize};

use crate::protocol::user_op_response::UserOpResponse;

/// So many operations are kept, the newest ones; unsettled ones go last.
const MOST: usize = 50;
/// An operation that nobody settled within this is given up. Milliseconds.
const LIFETIME: u64 = 24 * 60 * 60 * 1_000;

/// What an operation was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// A grant.
    CreateSession,
    /// A use of a session.
    UseSession,
    /// Calls signed by the owner.
    SendTransaction,
    /// A grant for batches.
    CreateBatchSession,
    /// A use of several sessions at once.
    UseBatchSession,
    /// Sessions taken back.
    RevokeSessions,
    /// Revoked sessions brought back.
    RestoreSessions,
    /// A deployment.
    DeploySmartAccount,
    /// A grant with a distributed key.
    CreateDistributedSession,
    /// A use of a session with a distributed key.
    UseDistributedSession,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedOperation {
    /// What the bundler answered.
    #[serde(flatten)]
    pub response: UserOpResponse,
    /// What it was sent for.
    pub kind: OperationKind,
    /// When, milliseconds since the epoch.
    pub sent_at: u64,
    /// Its end was seen.
    pub settled: bool,
}

/// Adds an operation and keeps the list short.
pub fn add(log: &mut Vec<LoggedOperation>, operation: LoggedOperation, now: u64) {
    log.retain(|known| known.response.user_op_hash != operation.response.user_op_hash);
    log.push(operation);
    for known in log.iter_mut() {
        known.settled |= now.saturating_sub(known.sent_at) > LIFETIME;
    }
    while log.len() > MOST {
        let oldest = log.iter().position(|known| known.settled).unwrap_or(0);
        log.remove(oldest);
    }
}

/// The newest operation of this kind whose end was not seen.
pub fn newest_unsettled(log: &[LoggedOperation], kind: OperationKind, now: u64) -> Option<UserOpResponse> {
    log.iter()
        .rev()
        .find(|known| known.kind == kind)
        .filter(|known| !known.settled && now.saturating_sub(known.sent_at) <= LIFETIME)
        .map(|known| known.response.clone())
}

#[cfg(feature = "hydrate")]
mod browser {
    use alloy::primitives::{Address, B256};

    use super::{LoggedOperation, OperationKind, add, newest_unsettled};
    use crate::{
        client::{
            browser_storage,
            session_store::{changes, forgetting::is_forgotten},
            time::now_millis,
            web_locks::with_lock,
        },
        error::AppError,
        protocol::user_op_response::UserOpResponse,
    };

    fn key(account: Address) -> String {
        format!("{account:#x}_operations")
    }

    async fn change(account: Address, change: impl FnOnce(&mut Vec<LoggedOperation>)) -> Result<(), AppError> {
        let key = key(account);
        with_lock(&key, async {
            if is_forgotten(account) {
                return Ok(());
            }
            // An unreadable log is worth nothing: the operations themselves are on chain.
            let mut log = browser_storage::get(&key).unwrap_or_default();
            change(&mut log);
            browser_storage::set(&key, &log)
        })
        .await??;
        changes::notify(account);
        Ok(())
    }

    /// Notes an operation that is being sent, or was.
    pub async fn record(account: Address, kind: OperationKind, response: UserOpResponse) -> Result<(), AppError> {
        let now = now_millis();
        change(account, |log| add(log, LoggedOperation { response, kind, sent_at: now, settled: false }, now)).await
    }

    /// Takes back the note of an operation that could not be sent.
    pub async fn forget(account: Address, user_op_hash: B256) -> Result<(), AppError> {
        if kind_of(account, user_op_hash).is_none() {
            return Ok(());
        }
        change(account, |log| log.retain(|known| known.response.user_op_hash != user_op_hash)).await
    }

    /// Notes that the end of an operation was seen.
    pub async fn settle(account: Address, user_op_hash: B256) -> Result<(), AppError> {
        let is_open = |known: &LoggedOperation| known.response.user_op_hash == user_op_hash && !known.settled;
        if !browser_storage::get::<Vec<LoggedOperation>>(&key(account)).unwrap_or_default().iter().any(is_open) {
            return Ok(());
        }
        change(account, |log| log.iter_mut().filter(|known| is_open(known)).for_each(|known| known.settled = true))
            .await
    }

    /// What an operation was sent for.
    pub fn kind_of(account: Address, user_op_hash: B256) -> Option<OperationKind> {
        let log = browser_storage::get::<Vec<LoggedOperation>>(&key(account))?;
        log.into_iter().find(|known| known.response.user_op_hash == user_op_hash).map(|known| known.kind)
    }

    /// The newest operation of this kind, unless its end was seen.
    pub fn unsettled(account: Address, kind: OperationKind) -> Option<UserOpResponse> {
        newest_unsettled(&browser_storage::get::<Vec<_>>(&key(account))?, kind, now_millis())
    }
}
#[cfg(feature = "hydrate")]
pub use browser::{forget, kind_of, record, settle, unsettled};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, U256};

    use super::*;

    fn operation(number: u64, settled: bool) -> LoggedOperation {
        let response = UserOpResponse { user_op_hash: B256::from(U256::from(number)), session: None };
        LoggedOperation { response, kind: OperationKind::UseSession, sent_at: number, settled }
    }

    #[test]
    fn the_list_stays_short_and_unsettled_ones_stay_longest() {
        let mut log = Vec::new();
        for number in 0..200 {
            add(&mut log, operation(number, number != 3), number);
        }
        assert_eq!(log.len(), MOST);
        assert_eq!(log[0], operation(3, false));
        assert_eq!(log[1].sent_at, 151);
    }

    #[test]
    fn only_the_newest_counts_and_not_forever() {
        let log = [operation(1, false), operation(2, true)];
        assert_eq!(newest_unsettled(&log, OperationKind::UseSession, 3), None);
        assert_eq!(newest_unsettled(&log[..1], OperationKind::UseSession, 3), Some(log[0].response.clone()));
        assert_eq!(newest_unsettled(&log[..1], OperationKind::CreateSession, 3), None);
        assert_eq!(newest_unsettled(&log[..1], OperationKind::UseSession, 2 + LIFETIME), None);
    }

    #[test]
    fn entries_are_flat_json() {
        let text = serde_json::to_string(&operation(1, false)).unwrap();
        assert!(text.starts_with("{\"userOpHash\":\"0x") && text.contains("\"kind\":\"use-session\""), "{text}");
        assert_eq!(serde_json::from_str::<LoggedOperation>(&text).unwrap(), operation(1, false));
    }
}
