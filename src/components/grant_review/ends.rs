//! When a permission begins and ends, and a way to change the end.

use leptos::prelude::*;

use super::draft::Draft;
use crate::{
    components::{
        live_text::live,
        time::{from_input, local_time, now_seconds, span, to_input, use_now},
    },
    protocol::policy::SessionEpoch,
};

const SPANS: [(u64, &str); 3] = [(3_600, "1 hour"), (86_400, "1 day"), (604_800, "7 days")];

/// Start and end of these policies, which the request gives the same window.
pub fn ends(policies: Vec<usize>, requested: SessionEpoch, draft: RwSignal<Option<Draft>>) -> AnyView {
    let now = use_now();
    let first = policies.first().copied().unwrap_or_default();
    let id = ["grant-end-", &first.to_string()].concat();
    let hint_id = [&id, "-hint"].concat();
    let (label_for, described_by) = (id.clone(), hint_id.clone());
    let end = Memo::new(move |_| {
        let policy = draft.with(|draft| draft.as_ref().and_then(|draft| draft.policy(first)));
        policy.map_or(requested.valid_until, |policy| policy.interval().valid_until)
    });
    let set = Callback::new(move |end: Option<u64>| {
        draft.update(|draft| {
            if let Some(draft) = draft {
                draft.set_end(&policies, end);
            }
        });
    });
    let start = match requested.valid_after {
        0 => "As soon as it is confirmed on the chain".to_owned(),
        after => local_time(after),
    };
    let hint = move || match end.get() {
        0 => "Never. It stays valid until you take it back.".to_owned(),
        end if end <= now.get() => "This time is over.".to_owned(),
        end => [&local_time(end), ", in ", &span(end - now.get()), ". Your time zone."].concat(),
    };
    let is_over = move || end.get() != 0 && end.get() <= now.get();
    view! {
        <dl class="rows">
            <div>
                <dt>"Starts"</dt>
                <dd>{live(start)}</dd>
            </div>
        </dl>
        <div class="field">
            <label for=label_for>"Ends"</label>
            <input
                id=id
                type="datetime-local"
                step="any"
                data-testid="grant-end"
                aria-describedby=described_by
                aria-invalid=move || is_over().to_string()
                prop:value=move || if end.get() == 0 { String::new() } else { to_input(end.get()) }
                on:change:target=move |event| {
                    if let Some(time) = from_input(&event.target().value()) {
                        set.run(Some(time));
                    }
                }
            />
            <div class="chips" role="group" aria-label="Ready-made end times">
                {SPANS
                    .into_iter()
                    .map(|(seconds, name)| {
                        view! {
                            <button type="button" on:click=move |_| set.run(Some(now_seconds() + seconds))>
                                {live(name)}
                            </button>
                        }
                    })
                    .collect_view()}
                <button
                    type="button"
                    data-testid="grant-end-asked"
                    aria-pressed=move || (end.get() == requested.valid_until).to_string()
                    on:click=move |_| set.run(None)
                >
                    "As asked for"
                </button>
            </div>
            <span class="hint" id=hint_id data-testid="grant-end-words">
                {move || live(hint())}
            </span>
        </div>
    }
    .into_any()
}
