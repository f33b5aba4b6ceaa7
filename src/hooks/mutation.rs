//! [`use_mutation`]: TanStack Query v5's `useMutation` over futures that are not `Send`.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use leptos::prelude::*;

use super::{UserOpStatus, retry};
use crate::{client::time::sleep, error::AppError};

/// Where a mutation stands (TanStack's `status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MutationStatus {
    /// Not run yet, or reset.
    #[default]
    Idle,
    /// Running.
    Pending,
    /// The last run succeeded; `data` is set.
    Success,
    /// The last run failed; `error` is set.
    Error,
}

/// What a caller may add to any mutation hook. Callbacks run for every run of the mutation, also for one that a
/// later run overtook; a callback whose owner is gone is skipped.
pub struct MutationOptions<V: 'static, T: 'static> {
    /// After a success: result and variables.
    pub on_success: Option<Callback<(T, V)>>,
    /// After a failure: error and variables.
    pub on_error: Option<Callback<(AppError, V)>>,
    /// After either: result, and variables.
    pub on_settled: Option<Callback<(Result<T, AppError>, V)>>,
    /// How often to try again (default 0) after a failure that trying again can mend: our server or an upstream
    /// does not answer. Waits 1, 2, 4 … seconds, at most 30. Mind: when only the answer to a sent operation was lost,
    /// the next run sends another one. Leave it 0 where doing something twice is worse than not doing it.
    pub retry: u32,
}

impl<V, T> Clone for MutationOptions<V, T> {
    fn clone(&self) -> Self {
        Self { on_success: self.on_success, on_error: self.on_error, on_settled: self.on_settled, retry: self.retry }
    }
}

impl<V, T> Default for MutationOptions<V, T> {
    fn default() -> Self {
        Self { on_success: None, on_error: None, on_settled: None, retry: 0 }
    }
}

/// What every mutation hook returns. `Copy`: pass it around like a signal.
pub struct UseMutationReturn<V, T>
where
    V: Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    /// Starts a run: clears `data` and `error`, keeps the variables. A run started while another is pending
    /// overtakes it: the state shows the last one.
    pub mutate: Callback<V>,
    /// Does what can be done before the person confirms, so that [`mutate`](Self::mutate) with the same variables is
    /// faster. Changes no state; does nothing in hooks that have nothing to prepare.
    pub prepare: Callback<V>,
    /// Result of the last run, while it is a success.
    pub data: Signal<Option<T>>,
    /// Error of the last run, while it is a failure.
    pub error: Signal<Option<AppError>>,
    /// Variables of the last run.
    pub variables: Signal<Option<V>>,
    /// Where the last run stands.
    pub status: Signal<MutationStatus>,
    /// How far the user operation of a pending run is: preparing, awaiting the signature, submitted.
    pub progress: Signal<Option<UserOpStatus>>,
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
}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> Copy for UseMutationReturn<V, T> {}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> Clone for UseMutationReturn<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// The signals behind one mutation. Writes never panic: the owner may be gone while a run is pending.
struct State<V: 'static, T: 'static> {
    data: RwSignal<Option<T>>,
    error: RwSignal<Option<AppError>>,
    variables: RwSignal<Option<V>>,
    status: RwSignal<MutationStatus>,
    progress: RwSignal<Option<UserOpStatus>>,
    /// Number of the run that the state follows.
    current: StoredValue<Arc<AtomicU64>>,
}

impl<V, T> Copy for State<V, T> {}

impl<V, T> Clone for State<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> State<V, T> {
    fn new() -> Self {
        Self {
            data: RwSignal::new(None),
            error: RwSignal::new(None),
            variables: RwSignal::new(None),
            status: RwSignal::new(MutationStatus::Idle),
            progress: RwSignal::new(None),
            current: StoredValue::new(Arc::new(AtomicU64::new(0))),
        }
    }

    /// Takes the next run's number; from now on the state follows that run.
    fn next_run(self) -> Option<u64> {
        self.current.try_with_value(|current| current.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn is_current(self, run: u64) -> bool {
        self.current.try_with_value(|current| current.load(Ordering::Relaxed) == run).unwrap_or(false)
    }

    fn write(self, status: MutationStatus, data: Option<T>, error: Option<AppError>, progress: Option<UserOpStatus>) {
        self.data.try_set(data);
        self.error.try_set(error);
        self.progress.try_set(progress);
        self.status.try_set(status);
    }
}

/// How a running mutation tells its progress.
pub struct Progress(Arc<dyn Fn(UserOpStatus) + Send + Sync>);

impl Progress {
    /// Shows `status`, unless a later run has overtaken this one or its owner is gone.
    pub fn set(&self, status: UserOpStatus) {
        (self.0)(status);
    }
}

impl Clone for Progress {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
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
    let mutate = Callback::new(move |variables: V| {
        let Some(id) = state.next_run() else { return };
        state.variables.try_set(Some(variables.clone()));
        state.write(MutationStatus::Pending, None, None, None);
        let progress = Progress(Arc::new(move |status| {
            if state.is_current(id) {
                state.progress.try_set(Some(status));
            }
        }));
        let (run, options) = (Arc::clone(&run), options.clone());
        leptos::task::spawn_local(async move {
            let result = run_with_retries(&*run, &variables, &progress, options.retry).await;
            if state.is_current(id) {
                match result.clone() {
                    Ok(data) => state.write(MutationStatus::Success, Some(data), None, None),
                    Err(error) => state.write(MutationStatus::Error, None, Some(error), None),
                }
            }
            call_back(&options, result, variables);
        });
    });
    let reset = Callback::new(move |()| {
        state.next_run();
        state.variables.try_set(None);
        state.write(MutationStatus::Idle, None, None, None);
    });
    let is = move |wanted| Signal::derive(move || state.status.get() == wanted);
    UseMutationReturn {
        mutate,
        prepare: Callback::new(|_| ()),
        data: state.data.into(),
        error: state.error.into(),
        variables: state.variables.into(),
        status: state.status.into(),
        progress: state.progress.into(),
        is_idle: is(MutationStatus::Idle),
        is_pending: is(MutationStatus::Pending),
        is_success: is(MutationStatus::Success),
        is_error: is(MutationStatus::Error),
        reset,
    }
}

async fn run_with_retries<V: Clone, T, F, Fut>(
    run: &F,
    variables: &V,
    progress: &Progress,
    retries: u32,
) -> Result<T, AppError>
where
    F: Fn(V, Progress) -> Fut,
    Fut: Future<Output = Result<T, AppError>>,
{
    let mut failures = 0;
    loop {
        match run(variables.clone(), progress.clone()).await {
            Err(error) if failures < retries && retry::may_mend(&error) => {
                sleep(retry::delay(failures)).await;
                failures += 1;
            }
            settled => return settled,
        }
    }
}

fn call_back<V: Clone, T: Clone>(options: &MutationOptions<V, T>, result: Result<T, AppError>, variables: V) {
    match &result {
        Ok(data) => {
            if let Some(on_success) = options.on_success {
                on_success.try_run((data.clone(), variables.clone()));
            }
        }
        Err(error) => {
            if let Some(on_error) = options.on_error {
                on_error.try_run((error.clone(), variables.clone()));
            }
        }
    }
    if let Some(on_settled) = options.on_settled {
        on_settled.try_run((result, variables));
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::{
        collections::HashMap,
        sync::{Mutex, OnceLock},
    };

    use futures::channel::oneshot;
    use tokio::task::{LocalSet, yield_now};

    use super::*;

    type Gate = oneshot::Sender<Result<u32, AppError>>;

    /// A mutation whose runs end when the test says so.
    struct Bench {
        owner: Owner,
        mutation: UseMutationReturn<&'static str, u32>,
        gates: Arc<Mutex<HashMap<&'static str, Gate>>>,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Bench {
        fn new() -> Self {
            static EXECUTOR: OnceLock<()> = OnceLock::new();
            EXECUTOR.get_or_init(|| {
                any_spawner::Executor::init_tokio().ok();
            });
            let owner = Owner::new();
            let gates = Arc::<Mutex<HashMap<&'static str, Gate>>>::default();
            let log = Arc::<Mutex<Vec<String>>>::default();
            let mutation = owner.with(|| {
                let gates = Arc::clone(&gates);
                let note = |log: &Arc<Mutex<Vec<String>>>, line: String| log.lock().unwrap().push(line);
                let logs = [Arc::clone(&log), Arc::clone(&log), Arc::clone(&log)];
                let [successes, errors, settled] = logs;
                let options = MutationOptions {
                    on_success: Some(Callback::new(move |(data, variables): (u32, &str)| {
                        note(&successes, format!("success {data} {variables}"));
                    })),
                    on_error: Some(Callback::new(move |(error, variables): (AppError, &str)| {
                        note(&errors, format!("error {} {variables}", error.name()));
                    })),
                    on_settled: Some(Callback::new(move |(result, variables): (Result<u32, AppError>, &str)| {
                        note(&settled, format!("settled {} {variables}", result.is_ok()));
                    })),
                    retry: 0,
                };
                use_mutation(options, move |variables: &'static str, progress: Progress| {
                    let (open, gate) = oneshot::channel();
                    gates.lock().unwrap().insert(variables, open);
                    progress.set(UserOpStatus::Preparing);
                    async move { gate.await.unwrap() }
                })
            });
            Self { owner, mutation, gates, log }
        }

        async fn settle(&self, variables: &'static str, result: Result<u32, AppError>) {
            self.gates.lock().unwrap().remove(variables).unwrap().send(result).unwrap();
            settle_tasks().await;
        }

        fn state(&self) -> (MutationStatus, Option<u32>, Option<&'static str>, Option<&'static str>) {
            (
                self.mutation.status.get_untracked(),
                self.mutation.data.get_untracked(),
                self.mutation.error.get_untracked().map(|error| error.name()),
                self.mutation.variables.get_untracked(),
            )
        }
    }

    async fn settle_tasks() {
        for _ in 0..5 {
            yield_now().await;
        }
    }

    use MutationStatus::{Error, Idle, Pending, Success};

    #[tokio::test]
    async fn states_follow_tanstack() {
        LocalSet::new()
            .run_until(async {
                let bench = Bench::new();
                assert_eq!(bench.state(), (Idle, None, None, None));

                bench.mutation.mutate.run("a");
                settle_tasks().await;
                assert_eq!(bench.state(), (Pending, None, None, Some("a")));
                assert_eq!(bench.mutation.progress.get_untracked(), Some(UserOpStatus::Preparing));

                bench.settle("a", Ok(1)).await;
                assert_eq!(bench.state(), (Success, Some(1), None, Some("a")));
                assert_eq!(bench.mutation.progress.get_untracked(), None);

                bench.mutation.mutate.run("b");
                settle_tasks().await;
                assert_eq!(bench.state(), (Pending, None, None, Some("b")), "data is cleared, variables are kept");

                bench.settle("b", Err(AppError::WalletRejected)).await;
                assert_eq!(bench.state(), (Error, None, Some("WalletRejected"), Some("b")));

                bench.mutation.reset.run(());
                assert_eq!(bench.state(), (Idle, None, None, None));
                assert_eq!(
                    *bench.log.lock().unwrap(),
                    ["success 1 a", "settled true a", "error WalletRejected b", "settled false b"]
                );
            })
            .await;
    }

    #[tokio::test]
    async fn the_last_of_two_overlapping_runs_wins() {
        LocalSet::new()
            .run_until(async {
                let bench = Bench::new();
                bench.mutation.mutate.run("first");
                bench.mutation.mutate.run("second");
                settle_tasks().await;

                bench.settle("second", Ok(2)).await;
                assert_eq!(bench.state(), (Success, Some(2), None, Some("second")));
                bench.settle("first", Err(AppError::WalletRejected)).await;
                assert_eq!(bench.state(), (Success, Some(2), None, Some("second")));
                assert_eq!(bench.log.lock().unwrap().len(), 4, "callbacks run for both");
            })
            .await;
    }

    #[tokio::test]
    async fn a_run_outlives_its_owner_without_a_panic() {
        LocalSet::new()
            .run_until(async {
                let bench = Bench::new();
                bench.mutation.mutate.run("a");
                settle_tasks().await;
                bench.owner.cleanup();
                bench.settle("a", Ok(1)).await;
                assert_eq!(bench.mutation.data.try_get_untracked(), None);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_mend_is_tried_again() {
        LocalSet::new()
            .run_until(async {
                any_spawner::Executor::init_tokio().ok();
                let owner = Owner::new();
                for (error, expected_runs) in
                    [(AppError::Network { reason: "cut".into() }, 3), (AppError::WalletRejected, 1)]
                {
                    let runs = Arc::new(AtomicU64::new(0));
                    let counter = Arc::clone(&runs);
                    let mutation = owner.with(|| {
                        use_mutation(MutationOptions { retry: 2, ..Default::default() }, move |(): (), _| {
                            counter.fetch_add(1, Ordering::Relaxed);
                            let error = error.clone();
                            async move { Err::<(), _>(error) }
                        })
                    });
                    mutation.mutate.run(());
                    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
                    assert_eq!(runs.load(Ordering::Relaxed), expected_runs);
                    assert_eq!(mutation.status.get_untracked(), Error);
                }
            })
            .await;
    }
}
