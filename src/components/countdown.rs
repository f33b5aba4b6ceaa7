//! When a session begins, and how long it still lasts.

use leptos::prelude::*;

use super::{
    live_text::live,
    time::{local_time, span},
};

/// Time left until the window begins, then until it ends, with the exact time as tooltip.
#[component]
pub fn Countdown(
    /// Begin of the window, unix seconds; 0 = at once.
    valid_after: u64,
    /// End of the window, unix seconds; 0 = no end.
    valid_until: u64,
    /// The clock, unix seconds.
    #[prop(into)]
    now: Signal<u64>,
) -> impl IntoView {
    // Changes once per shown text, not once per second.
    let text = Memo::new(move |_| words(valid_after, valid_until, now.get()));
    let is_ahead = Memo::new(move |_| now.get() < valid_after);
    let title = move || match (is_ahead.get(), valid_until) {
        (true, _) => Some(local_time(valid_after)),
        (false, 0) => None,
        (false, end) => Some(local_time(end)),
    };
    view! {
        <time data-testid="session-countdown" title=title>
            {move || live(text.get())}
        </time>
    }
}

fn words(valid_after: u64, valid_until: u64, now: u64) -> String {
    match (valid_after.saturating_sub(now), valid_until, valid_until.saturating_sub(now)) {
        (0, 0, _) => "No end".to_owned(),
        (0, _, 0) => "Ended".to_owned(),
        (0, _, left) => ["Ends in ", &span(left)].concat(),
        (ahead, ..) => ["Starts in ", &span(ahead)].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn first_the_start_then_the_end_is_counted_down() {
        let at = |now| words(100, 160, now);
        assert_eq!([at(40), at(100), at(160)], ["Starts in 1 min", "Ends in 1 min", "Ended"]);
        assert_eq!([words(0, 0, 7), words(9, 0, 7)], ["No end", "Starts in 2 s"]);
    }
}
