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
        let Some(rdns) = remembered::wallet().filter(|_| wanted) else { return };
        if context.wallets.try_with_untracked(|wallets| wallets.iter().any(|wallet| wallet.rdns == rdns)) == Some(true)
        {
            open(context, rdns, true);
        }
    }

    /// Asks the wallet for its account.
    pub fn connect(context: SmartAccountContext, rdns: String) {
        context.wallet_error.try_set(None);
        open(context, rdns, false);
    }

    fn open(context: SmartAccountContext, rdns: String, silent: bool) {
        let Some(wallet) = context
            .wallets
            .try_with_untracked(|wallets| wallets.iter().find(|wallet| wallet.rdns == rdns).cloned())
            .flatten()
        else {
            let reason = format!("{rdns} is not installed in this browser");
            context.wallet_error.try_set(Some(AppError::NoWallet { reason }));
            return;
        };
        context.is_connecting.try_set(true);
        spawn_local(async move {
            let lab_chain = context.chain_info.try_get_untracked().flatten().map(|info| info.chain_id);
            let opened = Connected::open(&wallet.rdns, silent, lab_chain).await;
            context.is_connecting.try_set(false);
            match opened {
                Ok(Some(connected)) => {
                    remembered::set_wallet(Some(&wallet.rdns));
                    context.wallet_chain.try_set(connected.chain_id);
                    context.connected.try_set(Some(wallet));
                    context.owner.try_set(Some(connected.address));
                    if connected.rdns != LAB_WALLET {
                        eip1193::follow(&connected.rdns, move |event| on_event(context, event));
                    }
                }
                // The wallet no longer shares an account with this page: that is an answer, not a failure.
                Ok(None) => remembered::set_wallet(None),
                Err(error) => drop(context.wallet_error.try_set(Some(error))),
            }
        });
    }

    fn on_event(context: SmartAccountContext, event: WalletEvent) {
        match event {
            WalletEvent::Account(Some(owner)) => drop(context.owner.try_set(Some(owner))),
            WalletEvent::Account(None) => disconnect(context),
            WalletEvent::Chain(id) => drop(context.wallet_chain.try_set(Some(id))),
            WalletEvent::Disconnected => let_go(context),
        }
    }

    /// Forgets the wallet; sessions and the account's address stay.
    pub fn disconnect(context: SmartAccountContext) {
        remembered::set_wallet(None);
        let_go(context);
    }

    fn let_go(context: SmartAccountContext) {
        eip1193::unfollow();
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
        let Some(provider) = registry::provider(&wallet.rdns) else { return };
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
