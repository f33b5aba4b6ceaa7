//! When a session ends: a time, ready-made spans, or never.

use leptos::prelude::*;

use crate::hooks::effect;

use super::{
    live_text::live,
    time::{from_input, now_seconds, span, to_input, use_now},
};

const SPANS: [(u64, &str); 3] = [(3_600, "1 hour"), (86_400, "1 day"), (604_800, "7 days")];

/// Chooses an end, unix seconds; `None` = no end.
#[component]
pub fn EndTime(
    /// The end. Starts as what is offered.
    ends: RwSignal<Option<u64>>,
) -> impl IntoView {
    let now = use_now();
    // Which ready-made span was chosen last; none after typing a time.
    let chosen = RwSignal::new(Some(3_600_u64));
    let choose = move |seconds: u64| {
        chosen.set(Some(seconds));
        ends.set(Some(now_seconds() + seconds));
    };
    // A ready-made span counts from the review, not from when the page was opened.
    effect(move || {
        let now = now.get();
        if let Some(seconds) = chosen.get()
            && ends.get_untracked().is_none_or(|end| end < now + seconds)
        {
            ends.set(Some(now + seconds));
        }
    });
    let typed = move |text: String| {
        chosen.set(None);
        if let Some(time) = from_input(&text) {
            ends.set(Some(time));
        }
    };
    let hint = move || match ends.get() {
        None => "It stays valid until it is taken back.".to_owned(),
        Some(end) if end <= now.get() => "This time is in the past.".to_owned(),
        Some(end) => ["In ", &span(end - now.get()), ", in your time zone."].concat(),
    };
    let past = move || ends.get().is_some_and(|end| end <= now.get());
    view! {
        <div class="field">
            <label for="session-end">"Ends"</label>
            <input
                id="session-end"
                type="datetime-local"
                step="any"
                data-testid="session-end"
                aria-describedby="session-end-hint"
                aria-invalid=move || past().to_string()
                disabled=move || ends.get().is_none()
                prop:value=move || ends.get().map(to_input).unwrap_or_default()
                on:change:target=move |event| typed(event.target().value())
            />
            <div class="chips" role="group" aria-label="Ready-made end times">
                {SPANS
                    .into_iter()
                    .map(|(seconds, name)| {
                        view! {
                            <button
                                type="button"
                                aria-pressed=move || (ends.get().is_some() && chosen.get() == Some(seconds)).to_string()
                                on:click=move |_| choose(seconds)
                            >
                                {live(name)}
                            </button>
                        }
                    })
                    .collect_view()}
                <button
                    type="button"
                    data-testid="session-no-end"
                    aria-pressed=move || ends.get().is_none().to_string()
                    on:click=move |_| {
                        chosen.set(None);
                        ends.set(None);
                    }
                >
                    "No end"
                </button>
            </div>
            <span class="hint" id="session-end-hint">
                {move || live(hint())}
            </span>
        </div>
    }
    .into_any()
}
