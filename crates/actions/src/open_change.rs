//! Changes of an account's sessions that are on their way: grants and revocations.

use alloy::primitives::B256;

use super::{
    account::SmartAccountClient, grant_mark::is_in_doubt, ports::SessionStore, settle_revocation::settle_revocation,
    settle_session::settle_session,
};
use crate::error::AppError;
use use_aa_protocol::{
    rpc::UserOpReceipt,
    session::{SessionBook, SessionLeaf, SessionStatus},
};

/// The oldest change that is on its way, by one of its sessions and its operation. Those that may never have arrived
/// count only when `skip_doubtful` is false; those in `passed_over` do not.
pub(super) fn open_change(
    book: &SessionBook,
    skip_doubtful: bool,
    passed_over: impl Fn(&B256) -> bool,
) -> Option<(String, B256)> {
    let operation = |leaf: &SessionLeaf| match leaf.status {
        SessionStatus::Pending if skip_doubtful && is_in_doubt(leaf) => None,
        SessionStatus::Pending => leaf.user_op_hash,
        _ => leaf.revoked_by(),
    };
    book.leaf_nodes.iter().find_map(|leaf| {
        let user_op_hash = operation(leaf).filter(|hash| !passed_over(hash))?;
        Some((leaf.session_id.clone(), user_op_hash))
    })
}

/// Follows a grant or a revocation to its end.
pub(super) async fn settle_change(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    user_op_hash: B256,
) -> Result<UserOpReceipt, AppError> {
    let (relay, account) = (client.relay.as_ref(), client.account);
    match store.load(account).await?.revocations().contains(&user_op_hash) {
        true => settle_revocation(relay, store, account, user_op_hash, |_| {}).await,
        false => settle_session(relay, store, account, user_op_hash, |_| {}).await,
    }
}
