//! Sessions of a Nexus account from another device.

use super::{Outcome, sessions_of};
use crate::{
    actions::account_kind::nexus::NexusSessions,
    client::session_store::{
        nexus::NexusStore,
        transfer::{self, NexusTransfer},
    },
    hooks::answers::ImportedSessions,
    protocol::kind::AccountKind,
};

/// Keeps them, unless one of them cannot be read: then nothing is kept. What is here already stays.
pub async fn bring_in(transfer: NexusTransfer) -> Outcome<ImportedSessions> {
    let NexusTransfer { account, sessions, keys } = transfer;
    let theirs = NexusSessions::read_records(sessions)?;
    let address = account.address;
    NexusStore.put_account(&account)?;
    transfer::put_keys(address, &keys).await?;
    let here = sessions_of(address)?;
    let sessions = here.take_in(theirs).await?;
    // What came in stays, whether or not the chain can be asked now.
    let usable = here.usable_here().await.ok();
    Ok(ImportedSessions {
        account: address,
        kind: AccountKind::Nexus,
        sessions,
        keys: keys.len(),
        usable: usable.unwrap_or_default(),
        is_in_sync: usable.map(|_| true),
    })
}
