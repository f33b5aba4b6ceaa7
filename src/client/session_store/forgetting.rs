//! Forgetting accounts in this browser. What was begun before goes on meanwhile, in this tab and in others: it must not
//! write again what was forgotten.

use std::{cell::RefCell, collections::HashSet};

use alloy::primitives::Address;

use super::{changes, key_vault};
use crate::{
    client::{browser_storage, remembered, web_locks::with_locks_if_any},
    error::AppError,
};

/// Behind the account's address: what is written under a lock of the same name.
const WRITTEN: [&str; 5] = ["addresses", "operations", "sessions", "signers", "smart-sessions"];

thread_local! {
    /// Accounts that this tab forgot.
    static FORGOTTEN: RefCell<HashSet<Address>> = RefCell::default();
}

/// This tab forgot the account, and it has not come back since. What ends only now is noted nowhere.
pub fn is_forgotten(account: Address) -> bool {
    was_forgotten(account) && !remembered::is_known(account)
}

/// Another tab forgot it: as if this one had.
pub fn forgotten_elsewhere(account: Address) {
    FORGOTTEN.with_borrow_mut(|forgotten| forgotten.insert(account));
}

fn was_forgotten(account: Address) -> bool {
    FORGOTTEN.with_borrow(|forgotten| forgotten.contains(&account))
}

/// Whether something was kept of an account when a work began that ends with a write (or this tab had forgotten it).
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    account: Address,
    was_known: bool,
}

impl Beginning {
    /// It begins now.
    pub fn now(account: Address) -> Self {
        Self { account, was_known: was_forgotten(account) || remembered::is_known(account) }
    }

    /// To be asked in one step with the write, where that has a lock: under the lock.
    ///
    /// # Errors
    /// `Storage` when the account was forgotten since, in this tab or another one.
    pub fn check(self) -> Result<(), AppError> {
        match self.was_known && !remembered::is_known(self.account) {
            true => Err(AppError::Storage { reason: "the account was forgotten in this browser meanwhile".into() }),
            false => Ok(()),
        }
    }
}

/// Removes the account's sessions, keys and log from this browser, with what was set aside as unreadable. On chain
/// nothing changes: what is not revoked stays valid for whoever has a copy of a key.
///
/// # Errors
/// `Storage` when local storage is blocked, or another tab does not let go of it. Nothing was removed then.
pub async fn forget_account(account: Address) -> Result<(), AppError> {
    let own = format!("{account:#x}_");
    // All at once, and nobody writes meanwhile: whoever then asks what is known finds nothing.
    let locks = WRITTEN.map(|name| [own.as_str(), name].concat());
    let forgotten = with_locks_if_any(&locks, async {
        let names = browser_storage::names()?;
        // First: other tabs hear of what goes after it, and find that nothing is left.
        if let Some((kind, _)) = remembered::account_at(account) {
            remembered::forget_account(kind);
        }
        for name in names.iter().filter(|name| name.starts_with(&own)) {
            browser_storage::remove(name);
        }
        FORGOTTEN.with_borrow_mut(|forgotten| forgotten.insert(account));
        Ok::<_, AppError>(())
    });
    forgotten.await??;
    changes::notify(account);
    Ok(())
}

/// Removes the account from this browser ([`forget_account`]), and the key that encrypts session keys when no account
/// is left that needs it.
///
/// # Errors
/// As [`forget_account`]; `Storage` when IndexedDB is blocked.
pub async fn forget_device(account: Address) -> Result<(), AppError> {
    forget_account(account).await?;
    // A key that another tab has encrypted is stored before this looks.
    let lock = [key_vault::LOCK.to_owned()];
    let forgotten = with_locks_if_any(&lock, async {
        let is_of_an_account = |name: &String| name.starts_with("0x") && name.contains("_signers");
        match browser_storage::names()?.iter().any(is_of_an_account) {
            true => Ok(()),
            false => key_vault::forget().await,
        }
    });
    forgotten.await?
}
