//! [`use_user_op_wait`].

use std::rc::Rc;

use alloy::primitives::B256;
use leptos::{prelude::*, task::spawn_local};

use super::{
    MutationOptions, UseMutationReturn, UserOpResponse, UserOpStatus, effects::effect, gateway,
    provider::use_context_or_detached, rest, use_mutation,
};
use crate::{
    client::time::sleep,
    error::AppError,
    protocol::rpc::{UserOpReceipt, UserOpUpdate},
};

/// What a caller may add to [`use_user_op_wait`].
#[derive(Clone, Copy, Default)]
pub struct UserOpWaitOptions {
    /// After the operation succeeded.
    pub on_success: Option<Callback<UserOpReceipt>>,
    /// After it failed, or could not be followed to its end.
    pub on_error: Option<Callback<AppError>>,
}

/// What [`use_user_op_wait`] returns.
#[derive(Clone, Copy)]
pub struct UseUserOpWaitReturn {
    /// The receipt of the operation that succeeded.
    pub data: Signal<Option<UserOpReceipt>>,
    /// The latest news of it.
    pub update: Signal<Option<UserOpUpdate>>,
    /// The same in one word; `Preparing` while there is no operation, `Failed` when it could not be followed.
    pub status: Signal<UserOpStatus>,
    /// Why it failed.
    pub error: Signal<Option<AppError>>,
    /// It is being waited for.
    pub is_loading: Signal<bool>,
    /// It succeeded.
    pub is_success: Signal<bool>,
    /// It reverted, was dropped, or could not be followed.
    pub is_error: Signal<bool>,
    /// Overtakes the operation with the same and higher fees, signed by whoever signed it, and follows that one from then
    /// on. Only one of the two can be included. For an operation that is stuck or was dropped.
    pub speed_up: UseMutationReturn<(), UserOpResponse>,
    /// Why [`Self::speed_up`] could only fail, known once the operation is stuck or was dropped: it is paid in a token, it
    /// changes sessions that were given up, or uses one of a Nexus account that has ended.
    pub cannot_speed_up: Signal<Option<AppError>>,
    /// The operation that is waited for: the one that was given, or the one that overtook it.
    pub response: Signal<Option<UserOpResponse>>,
}

/// A dropped operation is asked for again after such pauses, ms: it may be included all the same.
const LATER: [u64; 6] = [3_000, 5_000, 10_000, 20_000, 60_000, 120_000];

/// Follows an operation to its end: the server pushes each step, the page reconnects by itself. Needs neither wallet
/// nor account. Follows another one as soon as `response` holds another; `None` waits for nothing.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_user_op_wait.rs"), "```")]
///
/// # Server-Side Rendering
/// Waits for nothing.
///
/// In React: `useUserOpWait`.
pub fn use_user_op_wait(response: Signal<Option<UserOpResponse>>) -> UseUserOpWaitReturn {
    use_user_op_wait_with(response, UserOpWaitOptions::default())
}

/// As [`use_user_op_wait`], with options: what is to be done at its end.
pub fn use_user_op_wait_with(
    response: Signal<Option<UserOpResponse>>,
    options: UserOpWaitOptions,
) -> UseUserOpWaitReturn {
    let context = use_context_or_detached();
    let followed = StoredValue::new(None::<B256>);
    // What overtook the operation of this hash.
    let faster = RwSignal::new(None::<(B256, UserOpResponse)>);
    let sent = response;
    let response = Signal::derive(move || {
        // A grant that the first use carries has sent nothing.
        let sent = sent.get().filter(UserOpResponse::has_operation)?;
        let faster = faster.get().filter(|(of, _)| *of == sent.user_op_hash);
        Some(faster.map_or(sent, |(_, faster)| faster))
    });
    let data = RwSignal::new(None::<UserOpReceipt>);
    let update = RwSignal::new(None::<UserOpUpdate>);
    let error = RwSignal::new(None::<AppError>);
    let is_loading = RwSignal::new(false);

    effect(move || {
        let next = response.get();
        let hash = next.as_ref().map(|response| response.user_op_hash);
        if followed.try_get_value().flatten() == hash {
            return;
        }
        followed.try_set_value(hash);
        data.try_set(None);
        update.try_set(None);
        error.try_set(None);
        is_loading.try_set(next.is_some());
        let Some(response) = next else { return };
        let account = context.account.get_untracked();
        spawn_local(async move {
            let is_current = move || followed.try_get_value().flatten() == hash;
            let on_update = move |news: &UserOpUpdate| {
                if is_current() {
                    if matches!(news, UserOpUpdate::Included { .. } | UserOpUpdate::Confirmed { .. }) {
                        error.try_set(None);
                    }
                    update.try_set(Some(news.clone()));
                }
            };
            let mut later = LATER.into_iter();
            loop {
                let outcome = gateway::wait_for_user_operation(account, response.clone(), Rc::new(on_update)).await;
                if !is_current() {
                    return;
                }
                is_loading.try_set(false);
                let failure = match outcome {
                    Ok(receipt) => {
                        error.try_set(None);
                        data.try_set(Some(receipt.clone()));
                        if let Some(on_success) = options.on_success {
                            on_success.try_run(receipt);
                        }
                        return;
                    }
                    Err(failure) => failure,
                };
                // The first one was included after all, and not what was to overtake it.
                let first = sent.try_get_untracked().flatten();
                let by = match update.try_get_untracked().flatten() {
                    Some(UserOpUpdate::Replaced { by, transaction_hash: Some(_) }) => Some(by),
                    _ => None,
                };
                if first.is_some_and(|first| by == Some(first.user_op_hash)) && hash != by {
                    faster.try_set(None);
                    return;
                }
                let dropped = matches!(failure, AppError::UserOpDropped { .. });
                let is_news = error.try_get_untracked().flatten().as_ref() != Some(&failure);
                if is_news {
                    error.try_set(Some(failure.clone()));
                    if let Some(on_error) = options.on_error {
                        on_error.try_run(failure);
                    }
                }
                let Some(pause) = later.next().filter(|_| dropped && by.is_none()) else { return };
                sleep(pause).await;
            }
        });
    });

    let cannot_speed_up = RwSignal::new(None::<(B256, AppError)>);
    let in_trouble = move || {
        let is_in_trouble =
            |news: &UserOpUpdate| matches!(news, UserOpUpdate::Stuck { .. } | UserOpUpdate::Dropped { .. });
        update.with(|update| update.as_ref().is_some_and(is_in_trouble))
    };
    // Asked anew at each piece of such news: what could be sent again a minute ago may have been given up since.
    effect(move || {
        let Some(hash) = response.with(|response| response.as_ref().map(|response| response.user_op_hash)) else {
            return;
        };
        // Set once the end was written into the stored sessions, which may have given up what waited for it.
        error.track();
        if !in_trouble() {
            return;
        }
        spawn_local(async move {
            // What cannot be found out now is no reason: trying says it.
            let refusal = rest::can_speed_up(hash)
                .await
                .err()
                .filter(|error| matches!(error, AppError::InvalidInput { .. } | AppError::UserOpDropped { .. }));
            cannot_speed_up.try_set(refusal.map(|refusal| (hash, refusal)));
        });
    });
    let speed_up = use_mutation(MutationOptions::default(), move |(), progress| async move {
        let stuck = response.try_get_untracked().flatten();
        let first = sent.try_get_untracked().flatten();
        let (Some(stuck), Some(first)) = (stuck, first) else {
            return Err(AppError::invalid("operation", "one that was sent", "none"));
        };
        let fees = match update.try_get_untracked().flatten() {
            Some(UserOpUpdate::Stuck { fees, .. }) => Some(fees),
            _ => None,
        };
        let overtaking = rest::speed_up(context.connected_owner().ok(), stuck, fees, progress).await?;
        faster.try_set(Some((first.user_op_hash, overtaking.clone())));
        Ok(overtaking)
    });
    let status = move || match (error.get(), update.get(), response.get()) {
        (_, Some(news), _) if news.is_final() => UserOpStatus::from(&news),
        (Some(_), ..) => UserOpStatus::Failed,
        (None, Some(news), _) => UserOpStatus::from(&news),
        (None, None, Some(_)) => UserOpStatus::Submitted,
        (None, None, None) => UserOpStatus::Preparing,
    };
    UseUserOpWaitReturn {
        data: data.into(),
        update: update.into(),
        status: Signal::derive(status),
        error: error.into(),
        is_loading: is_loading.into(),
        is_success: Signal::derive(move || data.with(Option::is_some)),
        is_error: Signal::derive(move || error.with(Option::is_some)),
        speed_up,
        cannot_speed_up: Signal::derive(move || {
            let hash = response.with(|response| response.as_ref().map(|response| response.user_op_hash))?;
            cannot_speed_up.get().filter(|(of, _)| *of == hash).map(|(_, refusal)| refusal)
        }),
        response,
    }
}
