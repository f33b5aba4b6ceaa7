//! Follows whatever change of an account's sessions is on its way: a grant or a revocation.

use alloy::primitives::B256;

use super::{
    account::SmartAccountClient, ports::SessionStore, settle_revocation::settle_revocation,
    settle_session::settle_session,
};
use crate::error::AppError;
use use_aa_protocol::rpc::UserOpReceipt;

/// Follows a grant or a revocation to its end.
pub(super) async fn settle_change(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    user_op_hash: B256,
) -> Result<UserOpReceipt, AppError> {
    let (relay, account) = (client.relay.as_ref(), client.account);
    // A grant may take sessions out, too: it is settled as a grant.
    let book = store.load(account).await?;
    match book.revocations().contains(&user_op_hash) && !book.grants().contains(&user_op_hash) {
        true => settle_revocation(relay, store, account, user_op_hash, |_| {}).await,
        false => settle_session(relay, store, account, user_op_hash, |_| {}).await,
    }
}
