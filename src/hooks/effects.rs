//! Effects for the bytes.

use leptos::prelude::Effect;

/// [`Effect::new`], compiled once instead of for each closure (700 bytes).
pub(crate) fn effect(run: impl FnMut() + 'static) {
    effect_of(Box::new(run));
}

fn effect_of(mut run: Box<dyn FnMut()>) {
    Effect::new(move |_| run());
}
