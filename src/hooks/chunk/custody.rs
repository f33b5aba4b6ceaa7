//! Moving sessions to another device, and forgetting them on this one.

use alloy::primitives::Address;
use zeroize::Zeroizing;

use super::{Outcome, shown_sessions::compared};
use crate::{
    actions::ports::SessionStore,
    client::{
        session_store::{
            forgetting,
            local::LocalSessionStore,
            transfer::{self, Imported, Opened},
        },
        time::now_seconds,
    },
    hooks::{
        answers::{ImportedSessions, OpenedImport},
        built_ahead,
    },
    protocol::{
        kind::AccountKind,
        session::{SessionLeaf, SessionStatus},
    },
};

pub async fn export(kind: AccountKind, account: Address, passphrase: Zeroizing<String>) -> Outcome<String> {
    match kind {
        AccountKind::BiconomyV2 => transfer::export_sessions(account, &passphrase).await,
        AccountKind::Nexus => transfer::export_nexus(account, &passphrase).await,
    }
}

pub async fn import(text: String, passphrase: Zeroizing<String>) -> Outcome<OpenedImport> {
    let Imported { account, sessions, keys } = match transfer::import_sessions(&text, &passphrase).await? {
        Opened::Nexus(transfer) => return Ok(OpenedImport::Nexus(transfer)),
        Opened::V2(imported) => imported,
    };
    // What came in stays, whether or not the chain can be asked now.
    let compared = compared(account).await.ok();
    let now = now_seconds();
    let usable = |leaf: &&SessionLeaf| leaf.status_at(now) == SessionStatus::Active && !leaf.is_on_other_device();
    let usable = LocalSessionStore.load(account).await?.leaf_nodes.iter().filter(usable).count();
    let is_in_sync = compared.map(|(synced, _)| synced.in_sync);
    let kind = AccountKind::BiconomyV2;
    Ok(OpenedImport::Done(ImportedSessions { account, kind, sessions, keys, usable, is_in_sync }))
}

pub async fn forget_device(account: Address) -> Outcome<()> {
    // What was built ahead may hold a key.
    built_ahead::forget_all();
    forgetting::forget_device(account).await
}
