//! [`UnlessForgotten`]: the sessions of this browser, for work that goes on in the background.

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use async_trait::async_trait;

use super::{forgetting::Beginning, local::LocalSessionStore};
use crate::{
    actions::ports::{SessionBookChange, SessionStore},
    error::AppError,
    protocol::session::SessionBook,
};

/// [`LocalSessionStore`] for work that nobody waits for, as comparing with the chain: it writes nothing of an account that
/// was forgotten since it began.
#[derive(Clone, Copy, Debug)]
pub struct UnlessForgotten(Beginning);

impl UnlessForgotten {
    /// The work begins now.
    pub fn from_now(account: Address) -> Self {
        Self(Beginning::now(account))
    }
}

#[async_trait(?Send)]
impl SessionStore for UnlessForgotten {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        LocalSessionStore.load(account).await
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        let checked = |book: &mut SessionBook| {
            self.0.check()?;
            change(book)
        };
        LocalSessionStore.update(account, Box::new(checked)).await
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        self.0.check()?;
        LocalSessionStore.put_signer(account, signer).await
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        LocalSessionStore.signer(account, session_key_address).await
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        LocalSessionStore.remove_signer(account, session_key_address).await
    }
}
