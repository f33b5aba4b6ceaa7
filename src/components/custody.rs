//! "This device": where the keys are, taking them to another device, and forgetting them here.

mod export;
mod forget;
mod import;

use leptos::prelude::*;

use self::{export::Export, forget::Forget, import::Import};
use super::{
    icon::{Glyph, Icon},
    live_text::live,
};
use crate::hooks::{MutationOptions, use_session_transfer};

/// One section with everything that concerns the keys in this browser.
#[component]
pub fn Custody() -> impl IntoView {
    let transfer = use_session_transfer(MutationOptions::default(), MutationOptions::default());
    view! {
        <section class="secondary custody" aria-labelledby="custody-title" data-testid="custody">
            <h2 id="custody-title">"This device"</h2>
            <p>
                "The keys of your sessions are kept in this browser only, encrypted with a key that cannot leave it. No server has a copy."
            </p>
            <p class="reason" data-testid="custody-limits">
                "A browser may delete them: Safari after seven days without a visit, others when storage runs short, all when you clear this site's data. At the first grant this page asks the browser to keep them. What is deleted cannot be brought back from here: keep an exported file, or grant again and revoke the old sessions."
            </p>
            <TakenOver keys=transfer.keys_taken_over />
            <div class="pair">
                <Export export=transfer.export />
                <Import import=transfer.import />
            </div>
            <Forget />
        </section>
    }
    .into_any()
}

/// Says once that keys lay here in clear text.
#[component]
fn TakenOver(
    /// How many were encrypted in this visit.
    keys: Signal<usize>,
) -> impl IntoView {
    let understood = RwSignal::new(false);
    let notice = move || {
        let keys = keys.get();
        (keys > 0 && !understood.get()).then(|| {
            let what = match keys {
                1 => "1 session key was stored here in clear text.".to_owned(),
                _ => [&keys.to_string(), " session keys were stored here in clear text."].concat(),
            };
            view! {
                <div class="notice" data-testid="keys-taken-over" data-keys=keys>
                    <Icon glyph=Glyph::Key />
                    <strong>{live(what)}</strong>
                    <p class="detail">
                        "The JavaScript SDK had left them so. They are encrypted now and go on working. If somebody else could read this browser's data before, revoke these sessions."
                    </p>
                    <div class="actions">
                        <button type="button" class="button quiet small" on:click=move |_| understood.set(true)>
                            "Understood"
                        </button>
                    </div>
                </div>
            }
        })
    };
    view! { <div role="status">{notice}</div> }.into_any()
}
