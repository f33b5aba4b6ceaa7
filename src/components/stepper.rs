//! Where an operation stands: six steps, and one sentence that is read out.

use std::borrow::Cow;

use leptos::prelude::*;

use super::live_text::live;
use crate::hooks::UserOpStatus;

const STEPS: [(UserOpStatus, &str); 6] = [
    (UserOpStatus::Preparing, "Prepared"),
    (UserOpStatus::AwaitingSignature, "Signed"),
    (UserOpStatus::Submitted, "Submitted"),
    (UserOpStatus::Bundled, "Bundled"),
    (UserOpStatus::Included, "Included"),
    (UserOpStatus::Confirmed, "Confirmed"),
];

/// What is going on, for people. `reached` is the last step that was reached.
fn sentence(status: UserOpStatus, reached: usize, by_session: bool) -> Cow<'static, str> {
    let text = match status {
        UserOpStatus::Preparing => "Preparing: limits, gas and sponsor are looked up.",
        UserOpStatus::AwaitingKey => {
            "No key is ready: the nodes are making one for you, which takes some seconds. It goes on by itself."
        }
        UserOpStatus::AwaitingApproval => {
            "Your approval of the fee is on its way to the chain. Then your wallet asks once more, for the operation itself."
        }
        UserOpStatus::Continuing { done, left } => {
            let done = [&done.to_string(), " of ", &(done + left).to_string(), " are done. "].concat();
            return [&done, "The rest follows, one operation after the other: your wallet asks again for each."]
                .concat()
                .into();
        }
        UserOpStatus::AwaitingSignature if by_session => "Signing with the session key.",
        UserOpStatus::AwaitingSignature => "Waiting for your signature in the wallet.",
        UserOpStatus::AwaitingHigherFees => {
            "The bundler wants a higher fee than the one you signed, and nothing was sent. Your wallet asks once more, for \
             the same with the higher fee."
        }
        UserOpStatus::Submitted => "Submitted: the bundler has the operation.",
        UserOpStatus::Stuck => "Stuck: the bundler has the operation and puts it into no block.",
        UserOpStatus::Bundled => "Bundled: it is in a transaction that waits for a block.",
        UserOpStatus::Included => "Included in a block; waiting until that is certain.",
        UserOpStatus::Confirmed => "Confirmed on the chain.",
        UserOpStatus::Reverted => "Reverted: the chain undid the call.",
        UserOpStatus::Dropped => "Dropped: the bundler gave the operation up.",
        UserOpStatus::Failed if reached < position(UserOpStatus::Submitted) => {
            "Stopped. Nothing was sent to the chain."
        }
        UserOpStatus::Failed => "Lost sight of it. It may still be included.",
    };
    text.into()
}

/// How many steps were passed when the operation is (or was last) at `status`.
fn position(status: UserOpStatus) -> usize {
    let status = match status {
        UserOpStatus::AwaitingKey | UserOpStatus::AwaitingApproval | UserOpStatus::Continuing { .. } => {
            UserOpStatus::Preparing
        }
        UserOpStatus::AwaitingHigherFees => UserOpStatus::AwaitingSignature,
        UserOpStatus::Stuck => UserOpStatus::Submitted,
        status => status,
    };
    STEPS.iter().position(|(step, _)| *step == status).unwrap_or(0)
}

/// The state of step `index`: `done`, `now`, `failed` or `todo`.
fn step_state(index: usize, status: UserOpStatus, reached: usize) -> &'static str {
    let failed = status.is_final() && status != UserOpStatus::Confirmed;
    match index.cmp(&reached) {
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal if failed => "failed",
        std::cmp::Ordering::Equal if status == UserOpStatus::Confirmed => "done",
        std::cmp::Ordering::Equal => "now",
        std::cmp::Ordering::Greater => "todo",
    }
}

/// The stepper of one operation. Nothing is shown while there is no operation.
#[component]
pub fn Stepper(
    /// Where the operation stands.
    #[prop(into)]
    status: Signal<Option<UserOpStatus>>,
    /// The session key signs, not the wallet.
    #[prop(optional)]
    by_session: bool,
) -> impl IntoView {
    // The last step that was reached, so that a failure is shown where it happened.
    let reached = Memo::new(move |before: Option<&usize>| match status.get() {
        Some(UserOpStatus::Reverted) => position(UserOpStatus::Included),
        Some(UserOpStatus::Dropped) => position(UserOpStatus::Bundled),
        Some(UserOpStatus::Failed) => before.copied().unwrap_or(0),
        Some(status) => position(status),
        None => 0,
    });
    let shown = Memo::new(move |_| status.get().is_some());
    let at = move || status.get().unwrap_or_default();
    let step = move |(index, (_, name)): (usize, (UserOpStatus, &'static str))| {
        let state = move || step_state(index, at(), reached.get());
        view! {
            <li data-state=state aria-current=move || (state() == "now").then_some("step")>
                {live(name)}
            </li>
        }
    };
    view! {
        {move || {
            shown
                .get()
                .then(|| {
                    view! {
                        <div
                            class="stepper"
                            data-testid="user-op-status"
                            data-status=move || at().as_str()
                            data-busy=move || (!at().is_final()).to_string()
                        >
                            <ol aria-label="Progress of the operation">
                                {STEPS.into_iter().enumerate().map(step).collect_view()}
                            </ol>
                        </div>
                    }
                })
        }}
        <p class="stepper-text" role="status">
            {move || status.get().map(|status| live(sentence(status, reached.get(), by_session)))}
        </p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_whether_something_was_sent() {
        assert!(sentence(UserOpStatus::Failed, 1, false).contains("Nothing was sent"));
        assert!(sentence(UserOpStatus::Failed, 2, false).contains("may still be included"));
    }

    #[test]
    fn a_failure_marks_the_step_it_happened_at() {
        let states = |status, reached| (0..6).map(|index| step_state(index, status, reached)).collect::<Vec<_>>();
        assert_eq!(states(UserOpStatus::Confirmed, 5), ["done"; 6]);
        assert_eq!(states(UserOpStatus::Submitted, 2), ["done", "done", "now", "todo", "todo", "todo"]);
        let stuck = position(UserOpStatus::Stuck);
        assert_eq!(states(UserOpStatus::Stuck, stuck), ["done", "done", "now", "todo", "todo", "todo"]);
        let waiting = position(UserOpStatus::AwaitingKey);
        assert_eq!(states(UserOpStatus::AwaitingKey, waiting)[..2], ["now", "todo"]);
        assert_eq!(states(UserOpStatus::Failed, 1), ["done", "failed", "todo", "todo", "todo", "todo"]);
    }
}
