//! The wallet's side of the provider: finds wallets, connects, follows their events.

use super::context::SmartAccountContext;

#[cfg(feature = "hydrate")]
pub(super) use browser::{connect, disconnect, start, switch_chain};

/// On the server nobody can connect.
#[cfg(not(feature = "hydrate"))]
mod server {
    use super::SmartAccountContext;

    pub fn connect(_: SmartAccountContext, _: String) {}
    pub fn disconnect(_: SmartAccountContext) {}
    pub fn switch_chain(_: SmartAccountContext) {}
}
#[cfg(not(feature = "hydrate"))]
pub(super) use server::{connect, disconnect, switch_chain};

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::{prelude::*, task::spawn_local};

    use super::SmartAccountContext;
    use crate::{
        client::{
            relay, remembered,
            wallet::{
                Connected,
                eip1193::{self, WalletEvent},
                info::{LAB_WALLET, WalletInfo},
                registry,
            },
        },
        error::AppError,
    };

    /// Looks for wallets, asks the server for its chain, and connects the wallet of the last visit again.
    pub fn start(context: SmartAccountContext) {
        registry::discover(move |_| {
            offer(context);
            reconnect(context);
        });
        offer(context);
        spawn_local(async move {
            match relay::chain_info().await {
                Ok(info) => {
                    context.chain_info.try_set(Some(info));
                    offer(context);
                }
                Err(error) => drop(context.wallet_error.try_set(Some(error))),
            }
            reconnect(context);
        });
    }

    /// Shows the wallets that can be connected now.
    fn offer(context: SmartAccountContext) {
        let mut wallets = registry::known();
        if context.chain_info.try_get_untracked().flatten().is_some_and(|info| info.lab) {
            wallets.push(WalletInfo::lab());
        }
        if context.wallets.try_with_untracked(|shown| *shown != wallets) == Some(true) {
            context.wallets.try_set(wallets);
        }
    }

    /// Connects the remembered wallet without asking, as soon as it is there.
    fn reconnect(context: SmartAccountContext) {
        let wanted = context.config.try_with_value(|config| config.reconnect) == Some(true)
            && context.connected.try_get_untracked().flatten().is_none()
            && context.is_connecting.try_get_untracked() == Some(false);
        let Some(lasting) = remembered::wallet().filter(|_| wanted) else { return };
        let found = context.wallets.try_with_untracked(|all| WalletInfo::find_lasting(all, &lasting).cloned());
        if let Some(wallet) = found.flatten() {
            open(context, wallet, true);
        }
    }

    /// Asks the wallet for its account.
    pub fn connect(context: SmartAccountContext, id: String) {
        context.wallet_error.try_set(None);
        let called = |all: &Vec<WalletInfo>| {
            let exactly = all.iter().find(|wallet| wallet.id() == id);
            exactly.or_else(|| all.iter().find(|wallet| wallet.is_called(&id))).cloned()
        };
        match context.wallets.try_with_untracked(called).flatten() {
            Some(wallet) => open(context, wallet, false),
            None => {
                let reason = format!("{id} is not installed in this browser");
                context.wallet_error.try_set(Some(AppError::NoWallet { reason }));
            }
        }
    }

    fn open(context: SmartAccountContext, wallet: WalletInfo, silent: bool) {
        context.is_connecting.try_set(true);
        spawn_local(async move {
            let lab_chain = context.chain_info.try_get_untracked().flatten().map(|info| info.chain_id);
            let opened = Connected::open(wallet.id(), silent, lab_chain).await;
            context.is_connecting.try_set(false);
            match opened {
                Ok(Some(connected)) => {
                    let lasting = context.wallets.try_with_untracked(|all| wallet.lasting_name(all));
                    remembered::set_wallet(lasting.as_deref());
                    follow(context, &wallet);
                    context.wallet_chain.try_set(connected.chain_id);
                    context.connected.try_set(Some(wallet));
                    context.owner.try_set(Some(connected.address));
                }
                // The wallet is locked, or no longer shares an account with this page: an answer, not a failure. When
                // it is unlocked it says so.
                Ok(None) => follow(context, &wallet),
                Err(error) => drop(context.wallet_error.try_set(Some(error))),
            }
        });
    }

    fn follow(context: SmartAccountContext, wallet: &WalletInfo) {
        if wallet.rdns == LAB_WALLET {
            return eip1193::unfollow();
        }
        let followed = wallet.clone();
        eip1193::follow(wallet.id(), move |event| on_event(context, &followed, event));
    }

    fn on_event(context: SmartAccountContext, wallet: &WalletInfo, event: WalletEvent) {
        let is_connected = context.connected.try_get_untracked().flatten().is_some();
        match event {
            WalletEvent::Account(Some(owner)) if is_connected => drop(context.owner.try_set(Some(owner))),
            WalletEvent::Account(Some(_)) => open(context, wallet.clone(), true),
            // Locked, most often, or out of reach for a while: it stays the remembered one, and comes back by itself.
            WalletEvent::Account(None) | WalletEvent::Disconnected => clear(context),
            WalletEvent::Chain(id) if is_connected => drop(context.wallet_chain.try_set(Some(id))),
            WalletEvent::Chain(_) => {}
        }
    }

    /// Forgets the wallet; sessions and the account's address stay.
    pub fn disconnect(context: SmartAccountContext) {
        remembered::set_wallet(None);
        eip1193::unfollow();
        clear(context);
    }

    fn clear(context: SmartAccountContext) {
        context.connected.try_set(None);
        context.owner.try_set(None);
        context.wallet_chain.try_set(None);
        context.wallet_error.try_set(None);
    }

    /// Brings the connected wallet to the server's chain.
    pub fn switch_chain(context: SmartAccountContext) {
        let connected = context.connected.try_get_untracked().flatten();
        let chain = context.chain_info.try_get_untracked().flatten();
        let (Some(wallet), Some(chain)) = (connected, chain) else { return };
        let Some(provider) = registry::provider(wallet.id()) else { return };
        context.wallet_error.try_set(None);
        spawn_local(async move {
            let switched = match eip1193::switch_chain(&provider, &chain).await {
                Ok(()) => eip1193::chain_id(&provider).await,
                Err(error) => Err(error),
            };
            match switched {
                Ok(id) => drop(context.wallet_chain.try_set(Some(id))),
                Err(error) => drop(context.wallet_error.try_set(Some(error))),
            }
        });
    }
}
