//! A session key made ahead of its grant.

use alloy::primitives::Address;

use super::{ports::SessionStore, random};
use crate::error::AppError;

/// Makes a session key, keeps it in `store` and gives its address, for policies that name their key (`@biconomy/use-aa`'s
/// `createSessionKeyEOA`). Grants whose policies name none make their own key; call this only to choose it yourself, or
/// to let several grants share one.
///
/// # Errors
/// `Key` without randomness, `Storage` when the store refuses.
pub async fn create_session_key_eoa(store: &dyn SessionStore, account: Address) -> Result<Address, AppError> {
    let key = random::session_key()?;
    store.put_signer(account, &key).await?;
    Ok(key.address())
}
