//! Finds wallets, connects them, lets them go.

mod link;

use leptos::{prelude::*, task::spawn_local};

pub use self::link::ask_again;
use self::link::follow;
use super::{super::account, WalletLink};
use crate::{
    client::{
        relay, remembered,
        wallet::{
            Connected, events,
            info::{INJECTED_WALLET, WalletInfo},
            registry,
        },
    },
    error::AppError,
    hooks::{context::SmartAccountContext, gateway},
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
    let stopped = registry::stopped_script();
    if context.stopped_script.try_with_untracked(|shown| *shown != stopped) == Some(true) {
        context.stopped_script.try_set(stopped);
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
    context.link.try_set(WalletLink::Steady);
    let called = |all: &Vec<WalletInfo>| {
        let exactly = all.iter().find(|wallet| wallet.id() == id);
        exactly.or_else(|| all.iter().find(|wallet| wallet.is_called(&id))).cloned()
    };
    match context.wallets.try_with_untracked(called).flatten() {
        Some(wallet) => open(context, wallet, false),
        None => drop(context.wallet_error.try_set(Some(missing(&id)))),
    }
}

/// Why there is no such wallet.
fn missing(id: &str) -> AppError {
    match registry::stopped_script() {
        Some(script) if registry::known().is_empty() => AppError::WalletScriptStopped { script },
        _ if id == INJECTED_WALLET => AppError::NoWallet { reason: "none is installed in this browser".to_owned() },
        _ => AppError::NoWallet { reason: format!("{id} is not installed in this browser") },
    }
}

/// Asks a wallet. Its answer counts unless another one was chosen meanwhile, or the wallet let go.
pub(super) fn open(context: SmartAccountContext, wallet: WalletInfo, silent: bool) {
    let Some(turn) = context.turns.try_update_value(|turns| turns.begin(silent)).flatten() else { return };
    context.is_connecting.try_set(true);
    spawn_local(async move {
        let opened = Connected::open(wallet.id(), silent, lab_chain(context)).await;
        if context.turns.try_update_value(|turns| turns.end(turn)) != Some(true) {
            return;
        }
        context.is_connecting.try_set(false);
        match opened {
            Ok(Some(connected)) => {
                let lasting = context.wallets.try_with_untracked(|all| wallet.lasting_name(all));
                remembered::set_wallet(lasting.as_deref());
                follow(context, &wallet);
                link::steady(context);
                context.wallet_chain.try_set(connected.chain_id);
                context.connected.try_set(Some(wallet));
                account::shared(context, connected.address);
            }
            // The wallet is locked, or no longer shares an account with this page: an answer, not a failure. When
            // it is unlocked it says so.
            Ok(None) => follow(context, &wallet),
            Err(error) => {
                // Nobody chose it now: it may come back by itself.
                if silent {
                    follow(context, &wallet);
                }
                context.wallet_error.try_set(Some(error));
            }
        }
    });
}

/// The chain that the lab wallet is on.
pub(super) fn lab_chain(context: SmartAccountContext) -> Option<u64> {
    context.chain_info.try_get_untracked().flatten().map(|info| info.chain_id)
}

/// Forgets the wallet; sessions and the account's address stay.
pub fn disconnect(context: SmartAccountContext) {
    context.turns.try_update_value(|turns| turns.stop());
    context.is_connecting.try_set(false);
    remembered::set_wallet(None);
    events::unfollow();
    clear(context);
}

pub(super) fn clear(context: SmartAccountContext) {
    link::steady(context);
    context.connected.try_set(None);
    account::taken_back(context);
    context.wallet_chain.try_set(None);
    context.wallet_error.try_set(None);
}

/// Brings the connected wallet to the server's chain. Few people's wallets are on another one, so it is loaded with what
/// they do next.
pub fn switch_chain(context: SmartAccountContext) {
    let Some(wallet) = context.connected.try_get_untracked().flatten() else { return };
    context.wallet_error.try_set(None);
    spawn_local(async move {
        // Another wallet may be connected by then.
        if let Err(error) = gateway::switch_chain(context, wallet.clone()).await
            && context.connected.try_get_untracked().flatten() == Some(wallet)
        {
            context.wallet_error.try_set(Some(error));
        }
    });
}
