//! What the connected wallet tells by itself, and how it is reached again after a hiccup.

use leptos::{prelude::*, task::spawn_local};

use super::{
    super::{super::account, WalletLink, away::Away},
    clear, lab_chain, open,
};
use crate::{
    client::{
        time::sleep,
        wallet::{
            Connected,
            events::{self, WalletEvent},
            info::{LAB_WALLET, WalletInfo},
        },
    },
    hooks::context::SmartAccountContext,
};

/// A hiccup that is over sooner is not worth a word, milliseconds.
const UNSAID: u64 = 700;
/// Pauses before the questions to a wallet that is away, milliseconds: two minutes in all. Then only the wallet itself, or the
/// person, can bring it back.
const PAUSES: [u64; 9] = [0, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];
/// How long a question may take, milliseconds. One to a worker that died is never answered, and the next one starts it anew.
const PATIENCE: u64 = 5_000;

/// Listens to this wallet, and to no other.
pub(super) fn follow(context: SmartAccountContext, wallet: &WalletInfo) {
    if wallet.rdns == LAB_WALLET {
        return events::unfollow();
    }
    let followed = wallet.clone();
    events::follow(wallet.id(), move |event| on_event(context, &followed, event));
}

fn on_event(context: SmartAccountContext, wallet: &WalletInfo, event: WalletEvent) {
    let is_connected = context.connected.try_get_untracked().flatten().is_some();
    match event {
        WalletEvent::Account(Some(owner)) if is_connected => account::shared(context, owner),
        WalletEvent::Account(Some(_)) => open(context, wallet.clone(), true),
        WalletEvent::Reconnecting if is_connected => find_again(context, wallet.clone(), Away::hiccup, 0),
        // Not at once: some say so at each question.
        WalletEvent::Connected if is_connected && is_away(context) => {
            find_again(context, wallet.clone(), Away::begin, 1);
        }
        WalletEvent::Connected if !is_connected => open(context, wallet.clone(), true),
        WalletEvent::Connected | WalletEvent::Reconnecting => {}
        // Locked, most often, or out of reach for a while: it stays the remembered one, and comes back by itself.
        WalletEvent::Account(None) | WalletEvent::Disconnected => clear(context),
        WalletEvent::Chain(id) if is_connected => drop(context.wallet_chain.try_set(Some(id))),
        WalletEvent::Chain(_) => {}
    }
}

/// The person asks for a wallet that is away.
pub fn ask_again(context: SmartAccountContext) {
    if let Some(wallet) = context.connected.try_get_untracked().flatten() {
        find_again(context, wallet, Away::begin, 0);
    }
}

/// The wallet is reached; whoever still looks for it stops.
pub(super) fn steady(context: SmartAccountContext) {
    context.away.try_update_value(Away::end);
    if context.link.try_get_untracked() != Some(WalletLink::Steady) {
        context.link.try_set(WalletLink::Steady);
    }
}

fn is_away(context: SmartAccountContext) -> bool {
    context.away.try_with_value(Away::is_away) == Some(true)
}

/// Asks the wallet for its account until it answers, and asks nobody else: nothing is logged out meanwhile, and nothing
/// that waits for the person is taken away. The first pauses may be passed over.
fn find_again(
    context: SmartAccountContext,
    wallet: WalletInfo,
    begin: fn(&mut Away) -> Option<u64>,
    passed_over: usize,
) {
    let Some(round) = context.away.try_update_value(begin).flatten() else { return };
    let is_current = move || context.away.try_with_value(|away| away.is_current(round)) == Some(true);
    spawn_local(async move {
        sleep(UNSAID).await;
        if is_current() {
            context.link.try_set(WalletLink::Away);
        }
    });
    spawn_local(async move {
        for pause in PAUSES.into_iter().skip(passed_over) {
            sleep(pause).await;
            if !is_current() {
                return;
            }
            let answer = Connected::open_in_time(wallet.id(), PATIENCE, lab_chain(context)).await;
            if !is_current() {
                return;
            }
            match answer {
                Ok(Some(connected)) => {
                    steady(context);
                    if connected.chain_id.is_some()
                        && context.wallet_chain.try_get_untracked() != Some(connected.chain_id)
                    {
                        context.wallet_chain.try_set(connected.chain_id);
                    }
                    return account::shared(context, connected.address);
                }
                Ok(None) => {
                    clear(context);
                    context.link.try_set(WalletLink::Gone);
                    return;
                }
                Err(_) => {}
            }
        }
        context.away.try_update_value(|away| away.rest(round));
    });
}
