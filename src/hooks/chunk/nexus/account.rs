//! The browser's Nexus account: its owner's client, and its sessions.

use std::rc::Rc;

use alloy::primitives::Address;

use crate::{
    actions::{
        account::SmartAccountClient,
        account_kind::nexus::{self, Nexus, NexusSessions},
        ports::Relay,
    },
    client::{
        relay::ServerRelay,
        remembered,
        session_store::{forgetting::Beginning, nexus::NexusStore},
    },
    hooks::{
        Progress,
        chunk::{Outcome, wallet_of},
        context::ConnectedOwner,
    },
    protocol::kind::AccountKind,
};

pub(super) fn sessions_of(account: Address) -> Outcome<NexusSessions> {
    let kind = Nexus::stored(NexusStore.account(account)?)?;
    Ok(NexusSessions::new(Rc::new(kind), Rc::new(ServerRelay), Rc::new(NexusStore)))
}

pub(super) async fn client_of(owner: &ConnectedOwner, progress: Option<&Progress>) -> Outcome<SmartAccountClient> {
    let wallet = wallet_of(owner, progress).await?;
    let relay: Rc<dyn Relay> = Rc::new(ServerRelay);
    // The one that is shown and was reviewed, where the owner has been here: it is asked for again and must be the same.
    let last = remembered::account(AccountKind::Nexus).filter(|last| last.owner_address == Some(owner.address));
    let known = last.map(|last| NexusStore.account(last.smart_account_address)).transpose()?;
    let begun = known.as_ref().map(|known| Beginning::now(known.address));
    let (client, account) = nexus::connect(wallet, relay, known, &nexus::owner_setup()).await?;
    begun.map_or(Ok(()), Beginning::check)?;
    NexusStore.put_account(&account)?;
    Ok(client)
}
