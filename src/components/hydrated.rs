//! [`use_hydrated`]: what only the browser knows is rendered after hydration.

use leptos::prelude::*;

use crate::hooks::effect;

/// False while the server renders and while the browser takes its markup over, true afterwards.
///
/// Islands hydrate one after the other, and the outer one may have found a wallet before an inner one begins: an
/// island that shows such state renders what the server rendered until this turns true.
pub fn use_hydrated() -> Signal<bool> {
    let hydrated = RwSignal::new(false);
    effect(move || hydrated.set(true));
    hydrated.into()
}
