//! [`use_mutation`]: TanStack Query v5's `useMutation` over futures that are not `Send`.
//!
//! Two differences, on purpose. Only failures that may be gone a moment later are tried again (`retry`): a refusal of
//! the wallet or of a policy is told at once. And a run does not wait for the network when the browser is offline, it
//! fails: nobody should find an operation sent long after the click.

use std::{future::Future, sync::Arc};

use futures::channel::oneshot;
use leptos::prelude::*;

use super::{OperationKind, UserOpStatus, retry};
use crate::{client::time::sleep, error::AppError};

mod options;
mod state;
#[cfg(all(test, feature = "ssr"))]
mod tests;

pub use options::{MutateOptions, MutationOptions};
use state::State;
pub use state::{MutationStatus, Progress};

/// What every mutation hook returns. `Copy`: pass it around like a signal.
pub struct UseMutationReturn<V, T>
where
    V: Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    /// Starts a run: clears `data` and `error`, shows the variables. A run started while another is pending
    /// overtakes it: the state shows the last one.
    pub mutate: Callback<V>,
    /// [`mutate`](Self::mutate) with callbacks of this one run.
    pub mutate_with: Callback<(V, MutateOptions<V, T>)>,
    /// Does what can be done before the person confirms, so that [`mutate`](Self::mutate) with the same variables is
    /// faster. Changes no state; does nothing in hooks that have nothing to prepare.
    pub prepare: Callback<V>,
    /// Result of the last run, while it is a success.
    pub data: Signal<Option<T>>,
    /// Error of the last run, while it is a failure.
    pub error: Signal<Option<AppError>>,
    /// Variables of the last run.
    pub variables: Signal<Option<V>>,
    /// When the last run was started, milliseconds since the epoch; 0 before the first.
    pub submitted_at: Signal<u64>,
    /// Where the last run stands.
    pub status: Signal<MutationStatus>,
    /// How far the user operation of a pending run is: preparing, awaiting the signature, submitted.
    pub progress: Signal<Option<UserOpStatus>>,
    /// How many tries of the last run failed; 0 again after a success.
    pub failure_count: Signal<u32>,
    /// Why the last of them failed.
    pub failure_reason: Signal<Option<AppError>>,
    /// `status` is idle.
    pub is_idle: Signal<bool>,
    /// `status` is pending.
    pub is_pending: Signal<bool>,
    /// `status` is success.
    pub is_success: Signal<bool>,
    /// `status` is error.
    pub is_error: Signal<bool>,
    /// Back to idle; a pending run goes on, but the state no longer follows it.
    pub reset: Callback<()>,
    pub(super) start: Callback<Start<V, T>>,
    /// As what a grant is noted while it is on its way; `None` in mutations that grant nothing.
    pub(super) grants: Option<OperationKind>,
}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> Copy for UseMutationReturn<V, T> {}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> Clone for UseMutationReturn<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> UseMutationReturn<V, T> {
    /// Starts a run, as [`mutate`](Self::mutate) does; resolves with the result of this very run.
    ///
    /// # Errors
    /// Those of the run; `Internal` when the hook's owner was gone before it began.
    pub async fn mutate_async(self, variables: V) -> Result<T, AppError> {
        let (sender, receiver) = oneshot::channel();
        self.start.try_run(Start { variables, options: MutateOptions::default(), answer_to: Some(sender) });
        receiver.await.unwrap_or_else(|_| Err(AppError::Internal { reason: "the mutation is gone".into() }))
    }
}

/// What a run begins with.
pub(super) struct Start<V: 'static, T: 'static> {
    variables: V,
    options: MutateOptions<V, T>,
    /// Hears the result.
    answer_to: Option<oneshot::Sender<Result<T, AppError>>>,
}

/// A mutation over `run`, with TanStack v5's states.
///
/// Unlike a Leptos `Action`, `mutate` clears `data` and `error` and keeps the variables until the next run, and when
/// two runs overlap the state follows the one started last, whichever ends first.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{MutationOptions, use_mutation};
///
/// #[component]
/// fn Doubler() -> impl IntoView {
///     let double = use_mutation(MutationOptions::default(), |n: u32, _progress| async move { Ok(n * 2) });
///     view! {
///         <button on:click=move |_| double.mutate.run(21) disabled=double.is_pending>"Double"</button>
///         <output>{move || double.data.get()}</output>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// The state is idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useMutation` of `@tanstack/react-query`.
pub fn use_mutation<V, T, F, Fut>(options: MutationOptions<V, T>, run: F) -> UseMutationReturn<V, T>
where
    V: Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
    F: Fn(V, Progress) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, AppError>> + 'static,
{
    let state = State::<V, T>::new();
    let run = Arc::new(run);
    let start = Callback::new(move |start: Start<V, T>| {
        let Start { variables, options: of_this_run, answer_to } = start;
        let Some(id) = state.begin(variables.clone()) else { return };
        if let Some(on_mutate) = options.on_mutate {
            on_mutate.try_run(variables.clone());
        }
        let run = Arc::clone(&run);
        leptos::task::spawn_local(async move {
            let result = run_with_retries(&*run, &variables, state, id, options.retry).await;
            options.callbacks().call(&result, &variables);
            if state.end(id, result.clone()) {
                of_this_run.call(&result, &variables);
            }
            if let Some(answer_to) = answer_to {
                answer_to.send(result).ok();
            }
        });
    });
    let begin = move |variables, options| start.run(Start { variables, options, answer_to: None });
    let is = move |wanted| Signal::derive(move || state.status.get() == wanted);
    UseMutationReturn {
        mutate: Callback::new(move |variables| begin(variables, MutateOptions::default())),
        mutate_with: Callback::new(move |(variables, options)| begin(variables, options)),
        prepare: Callback::new(|_| ()),
        data: state.data.into(),
        error: state.error.into(),
        variables: state.variables.into(),
        submitted_at: state.submitted_at.into(),
        status: state.status.into(),
        progress: state.progress.into(),
        failure_count: Signal::derive(move || state.failures.with(|(count, _)| *count)),
        failure_reason: Signal::derive(move || state.failures.with(|(_, reason)| reason.clone())),
        is_idle: is(MutationStatus::Idle),
        is_pending: is(MutationStatus::Pending),
        is_success: is(MutationStatus::Success),
        is_error: is(MutationStatus::Error),
        reset: Callback::new(move |()| state.reset()),
        start,
        grants: None,
    }
}

async fn run_with_retries<V, T, F, Fut>(
    run: &F,
    variables: &V,
    state: State<V, T>,
    id: u64,
    retries: u32,
) -> Result<T, AppError>
where
    V: Clone + Send + Sync + 'static,
    T: Send + Sync + 'static,
    F: Fn(V, Progress) -> Fut,
    Fut: Future<Output = Result<T, AppError>>,
{
    let progress = Progress(Arc::new(move |status, if_now| {
        if state.is_current(id) && state.progress.try_get_untracked().is_some_and(if_now) {
            state.progress.try_set(Some(status));
        }
    }));
    let mut failures = 0;
    loop {
        match run(variables.clone(), progress.clone()).await {
            Err(error) if failures < retries && retry::is_transient(&error) => {
                state.fail_once(id, &error);
                sleep(retry::delay(failures)).await;
                failures += 1;
            }
            settled => return settled,
        }
    }
}
