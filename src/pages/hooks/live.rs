//! The demo at work, loaded when somebody chooses a wallet.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use crate::{
    components::{code_split::split_function, connect_button::ConnectButton, deferred_view::when_account_known},
    demos,
};

split_function! {
    /// Makes the view of a hook's demo below the owner, so that it finds the provider.
    in gallery: fn load(demo: (Owner, String)) -> AnyView {
        let (owner, hook) = demo;
        owner.with(|| demos::live(&hook).unwrap_or_else(|| ().into_any()))
    }
}

/// A place for the demo of the page's hook: asks for a wallet, then works. The hook is read from the page's address:
/// properties of islands would bring a JSON parser into the first load.
///
/// # Server-Side Rendering
/// Says that a wallet is needed.
#[island]
pub(super) fn LiveDemo() -> impl IntoView {
    when_account_known(
        |owner| load((owner, hook_of_this_page())),
        || {
            view! {
                <div class="panel">
                    <p>"Connect the wallet that owns your smart account to try it. In the lab the wallet and its money are play."</p>
                    <div class="actions">
                        <ConnectButton />
                    </div>
                </div>
            }
            .into_any()
        },
    )
}

/// The last part of the page's path.
fn hook_of_this_page() -> String {
    let path = window().location().pathname().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}
