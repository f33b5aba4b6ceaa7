//! What can be done about an operation that is stuck, or was dropped.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use super::{code_split::split_function, deferred_view::when_wanted, error_notice::ErrorNotice, live_text::live};
use crate::{
    error::AppError,
    hooks::{UseUserOpWaitReturn, UserOpStatus},
    protocol::{
        describe::{TokenFacts, exact_amount_words},
        rpc::UserOpUpdate,
    },
};

/// Says what can be done, with the button that does it. Nothing is shown, nor loaded, while the
/// operation goes its way.
#[component]
pub fn SpeedUp(
    /// The wait for the operation.
    wait: UseUserOpWaitReturn,
    /// The session key signs, not the wallet.
    by_session: bool,
) -> impl IntoView {
    let wanted = move || {
        matches!(wait.update.get(), Some(UserOpUpdate::Stuck { .. } | UserOpUpdate::Dropped { .. }))
            || wait.speed_up.error.with(Option::is_some)
    };
    when_wanted(wanted, move |owner| load((wait, by_session, owner)))
}

split_function! {
    /// Makes the view below the owner.
    in rest: fn load(parts: (UseUserOpWaitReturn, bool, Owner)) -> AnyView {
        let (wait, by_session, owner) = parts;
        owner.with(|| way_out(wait, by_session))
    }
}

fn way_out(wait: UseUserOpWaitReturn, by_session: bool) -> AnyView {
    let UseUserOpWaitReturn { speed_up, cannot_speed_up, .. } = wait;
    let trouble = Memo::new(move |_| wait.update.with(|update| update.as_ref().and_then(Trouble::of)));
    let help = move |trouble: Trouble| {
        let (testid, words, button) = match trouble {
            Trouble::Stuck { seconds, fee } => (
                "user-op-stuck",
                [
                    "The bundler has had it for ",
                    &seconds.to_string(),
                    " seconds and has put it into no block. You can wait: it may still come. Or send the same again with a \
                     higher fee (up to ",
                    &fee,
                    " for each unit of gas): only one of the two can happen.",
                ]
                .concat(),
                "Speed it up",
            ),
            Trouble::Dropped => (
                "user-op-dropped",
                "It was in no block. Send the same again with the fee of now: should the first one turn up after all, only \
                 one of the two can happen."
                    .into(),
                "Send it again",
            ),
        };
        let signs = if by_session {
            "The session key signs; your wallet is not asked."
        } else {
            "Your wallet asks you to sign."
        };
        let label = move || match speed_up.is_pending.get() {
            false => button,
            true if speed_up.progress.get() == Some(UserOpStatus::AwaitingHigherFees) => {
                "The bundler wants a still higher fee: sign once more"
            }
            true => "Sending",
        };
        let offer = move || {
            view! {
                <p>{live(words.clone())}</p>
                <p class="detail">{live(signs)}</p>
                <div class="actions">
                    <button
                        type="button"
                        class="button quiet small"
                        data-testid="speed-up"
                        disabled=speed_up.is_pending
                        on:click=move |_| speed_up.mutate.run(())
                    >
                        {move || live(label())}
                    </button>
                </div>
            }
        };
        view! {
            <div class="notice" data-testid=testid>
                {move || match cannot_speed_up.with(|refusal| refusal.as_ref().map(instead)) {
                    Some(words) => view! { <p data-testid="no-speed-up">{live(words)}</p> }.into_any(),
                    None => offer().into_any(),
                }}
            </div>
        }
    };
    view! {
        <div role="status">{move || trouble.get().map(help)}</div>
        <ErrorNotice error=speed_up.error />
    }
    .into_any()
}

/// What to do where sending the same again could only fail.
fn instead(refusal: &AppError) -> &'static str {
    match refusal {
        AppError::InvalidInput { field, .. } if field == "stuck.paymasterAndData" => {
            "No block holds it. It pays its fee in a token by a quote that holds for the first fee only, so it cannot be sent \
             again with a higher one. You can wait: it may still come. Once it is too late for it, start anew."
        }
        AppError::InvalidInput { field, .. } if field == "stuck.sender" => {
            "No block holds it. It was sent by an account that this browser does not know: send it again where that account is \
             at home, or wait: it may still come."
        }
        AppError::InvalidInput { field, .. } if field == "stuck.signature" => {
            "No block holds it. The session that it uses has ended, or is not stored here, so it cannot be sent again."
        }
        AppError::InvalidInput { .. } => {
            "No block holds it, and no stored session waits for it any more: it has ended or was given up. Grant, or revoke, \
             anew."
        }
        _ => {
            "No block holds it, and nobody keeps it any more, so it cannot be sent again as it was. It may still come: starting \
             anew could make it happen twice."
        }
    }
}

/// What an operation suffers from.
#[derive(Clone, PartialEq)]
enum Trouble {
    /// For so long; a replacement pays up to this for each unit of gas.
    Stuck {
        seconds: u64,
        fee: String,
    },
    Dropped,
}

impl Trouble {
    fn of(update: &UserOpUpdate) -> Option<Self> {
        match update {
            UserOpUpdate::Stuck { seconds, fees } => {
                let fee = exact_amount_words(fees.max_fee_per_gas, &TokenFacts::native("gwei", 9));
                Some(Self::Stuck { seconds: *seconds, fee })
            }
            UserOpUpdate::Dropped { .. } => Some(Self::Dropped),
            _ => None,
        }
    }
}
