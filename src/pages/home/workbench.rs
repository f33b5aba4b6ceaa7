//! The interactive part of the front page.

use leptos::prelude::*;

use super::outline::Outline;
use crate::{
    components::hydrated::use_hydrated,
    hooks::{use_smart_account, use_wallets},
};

/// The flow: the outline in words until a wallet is wanted or an account is known, then the real thing.
///
/// Grant, review, sessions and status are more code than the rest of the page together, so they are loaded when they
/// are needed and not before.
///
/// # Server-Side Rendering
/// Renders the outline.
#[island]
pub fn Workbench() -> impl IntoView {
    let hydrated = use_hydrated();
    let account = use_smart_account();
    let wallets = use_wallets();
    // Once known, always known: the flow itself says what is missing when the account goes away.
    let known = Memo::new(move |before: Option<&bool>| {
        before.is_some_and(|known| *known) || hydrated.get() && account.smart_account_address.get().is_some()
    });
    let wanted = Memo::new(move |_| known.get() || wallets.is_connecting.get() || wallets.connected.get().is_some());
    let flow = use_flow(wanted.into());
    view! {
        {move || {
            // The view can be taken once only, and this runs again only when it arrives.
            known.get().then(|| flow.run(())).flatten().unwrap_or_else(|| view! { <Outline ready=hydrated /> }.into_any())
        }}
    }
    .into_any()
}

/// Loads the flow once it is wanted. The callback hands its view out, once.
#[cfg(feature = "hydrate")]
fn use_flow(wanted: Signal<bool>) -> UnsyncCallback<(), Option<AnyView>> {
    let loaded = RwSignal::new_local(None::<AnyView>);
    let owner = Owner::current();
    Effect::new(move |begun: Option<bool>| {
        let begun = begun.unwrap_or(false);
        if let (true, false, Some(owner)) = (wanted.get(), begun, owner.clone()) {
            leptos::task::spawn_local(async move {
                let view = super::flow::load(owner).await;
                loaded.try_set(Some(view));
            });
            return true;
        }
        begun
    });
    UnsyncCallback::new(move |()| {
        loaded.track();
        loaded.try_update_untracked(Option::take).flatten()
    })
}

/// Nothing is ever loaded on the server.
#[cfg(not(feature = "hydrate"))]
fn use_flow(wanted: Signal<bool>) -> Callback<(), Option<AnyView>> {
    let _ = wanted;
    Callback::new(|()| None)
}
