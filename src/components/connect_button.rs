//! A button that opens the wallet menu of the header from anywhere in the page.

use leptos::{html, prelude::*};

use crate::hooks::effect;

use super::{code_split::want, connect_state::use_connect_state, hydrated::use_hydrated, live_text::live};

/// Id of the popover with the wallet options.
pub const WALLET_OPTIONS: &str = "wallet-options";

/// Opens the wallet options beside itself; the browser does it, no code runs. While the options are not in the page
/// yet, reaching for the button loads them and a press is kept until they are there.
///
/// # Server-Side Rendering
/// A button that cannot be pressed yet: wallets are known to the browser only.
#[component]
pub fn ConnectButton(
    /// Classes beside `button`.
    #[prop(optional)]
    class: &'static str,
    /// `data-testid`, once it can be pressed.
    #[prop(optional)]
    testid: Option<&'static str>,
) -> impl IntoView {
    let state = use_connect_state();
    let hydrated = use_hydrated();
    let button = NodeRef::<html::Button>::new();
    let pressed = RwSignal::new(false);
    let waiting = move || pressed.get() && state.menu_wanted.get() && !state.ready.get();
    effect(move || {
        if state.ready.get() && pressed.get_untracked() {
            pressed.set(false);
            // The browser opens the options beside the button that was pressed.
            if let Some(button) = button.get_untracked() {
                button.click();
            }
        }
    });
    let press = move |_| {
        if !state.ready.get_untracked() {
            pressed.set(true);
            want(state.menu_wanted);
        }
    };
    let label = move || match (waiting(), state.connecting.get(), state.connected.get()) {
        (true, ..) => "Looking for wallets",
        (_, true, _) => "Waiting for the wallet",
        (.., true) => "Wallet connected",
        _ => "Connect wallet",
    };
    view! {
        <button
            type="button"
            class=["button ", class].concat()
            node_ref=button
            data-testid=move || testid.filter(|_| hydrated.get())
            popovertarget=WALLET_OPTIONS
            popovertargetaction="show"
            aria-busy=move || waiting().then_some("true")
            disabled=move || !hydrated.get() || state.connected.get()
            title=move || (!hydrated.get()).then_some("Needs JavaScript")
            on:pointerenter=move |_| want(state.menu_wanted)
            on:focus=move |_| want(state.menu_wanted)
            on:click=press
        >
            {move || live(label())}
        </button>
    }
    .into_any()
}
