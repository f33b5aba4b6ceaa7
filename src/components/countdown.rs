//! How long a session still lasts.

use leptos::prelude::*;

use super::time::{local_time, span};

/// Time left until `valid_until`, with the exact end as tooltip.
#[component]
pub fn Countdown(
    /// End of the window, unix seconds; 0 = no end.
    valid_until: u64,
    /// The clock, unix seconds.
    #[prop(into)]
    now: Signal<u64>,
) -> impl IntoView {
    // Changes once per shown text, not once per second.
    let text = Memo::new(move |_| match (valid_until, valid_until.saturating_sub(now.get())) {
        (0, _) => "No end".to_owned(),
        (_, 0) => "Ended".to_owned(),
        (_, left) => ["Ends in ", &span(left)].concat(),
    });
    view! {
        <time data-testid="session-countdown" title=(valid_until > 0).then(|| local_time(valid_until))>
            {text}
        </time>
    }
}
