//! The states of a mutation, against TanStack v5's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use MutationStatus::{Error, Idle, Pending, Success};
use tokio::task::{LocalSet, yield_now};

use super::*;
use crate::client::time::now_millis;

type Gate = oneshot::Sender<Result<u32, AppError>>;
type Log = Arc<Mutex<Vec<String>>>;

/// A mutation whose runs end when the test says so. The callbacks note what they hear, and the status at that time.
struct Bench {
    owner: Owner,
    mutation: UseMutationReturn<&'static str, u32>,
    gates: Arc<Mutex<HashMap<&'static str, Gate>>>,
    log: Log,
}

impl Bench {
    fn new(retry: u32) -> Self {
        static EXECUTOR: OnceLock<()> = OnceLock::new();
        EXECUTOR.get_or_init(|| {
            any_spawner::Executor::init_tokio().ok();
        });
        let owner = Owner::new();
        let gates = Arc::<Mutex<HashMap<&'static str, Gate>>>::default();
        let log = Log::default();
        let mutation = owner.with(|| {
            let gates = Arc::clone(&gates);
            let status = StoredValue::new(None::<Signal<MutationStatus>>);
            let now = move || status.get_value().map(|status| status.get_untracked());
            let MutateOptions { on_success, on_error, on_settled } = noting(&log, "options", now);
            let begun = Arc::clone(&log);
            let on_mutate = Callback::new(move |variables| begun.lock().unwrap().push(format!("mutate {variables}")));
            let options = MutationOptions { on_mutate: Some(on_mutate), on_success, on_error, on_settled, retry };
            let mutation = use_mutation(options, move |variables: &'static str, progress: Progress| {
                let (open, gate) = oneshot::channel();
                gates.lock().unwrap().insert(variables, open);
                progress.set(UserOpStatus::Preparing);
                async move { gate.await.unwrap() }
            });
            status.set_value(Some(mutation.status));
            mutation
        });
        Self { owner, mutation, gates, log }
    }

    /// Callbacks of one run.
    fn noting(&self, who: &'static str) -> MutateOptions<&'static str, u32> {
        let status = self.mutation.status;
        self.owner.with(|| noting(&self.log, who, move || status.try_get_untracked()))
    }

    async fn settle(&self, variables: &'static str, result: Result<u32, AppError>) {
        self.gates.lock().unwrap().remove(variables).unwrap().send(result).unwrap();
        settle_tasks().await;
    }

    fn is_running(&self, variables: &'static str) -> bool {
        self.gates.lock().unwrap().contains_key(variables)
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn seen(&self) -> Seen {
        let of = &self.mutation;
        let flags = [of.is_idle, of.is_pending, of.is_success, of.is_error].map(|flag| flag.get_untracked());
        let status = of.status.get_untracked();
        assert_eq!(flags, [Idle, Pending, Success, Error].map(|wanted| wanted == status), "flags follow the status");
        Seen {
            status,
            data: of.data.get_untracked(),
            error: of.error.get_untracked().map(|error| error.name()),
            variables: of.variables.get_untracked(),
            progress: of.progress.get_untracked(),
            submitted: of.submitted_at.get_untracked() != 0,
            failures: of.failure_count.get_untracked(),
            failure_reason: of.failure_reason.get_untracked().map(|error| error.name()),
        }
    }
}

fn noting(
    log: &Log,
    who: &'static str,
    status: impl Fn() -> Option<MutationStatus> + Copy + Send + Sync + 'static,
) -> MutateOptions<&'static str, u32> {
    let note = |log: &Log| {
        let log = Arc::clone(log);
        move |line: String| log.lock().unwrap().push(format!("{who} {line} [{:?}]", status().unwrap()))
    };
    let (successes, errors, settled) = (note(log), note(log), note(log));
    MutateOptions {
        on_success: Some(Callback::new(move |(data, variables): (u32, &str)| {
            successes(format!("success {data} {variables}"));
        })),
        on_error: Some(Callback::new(move |(error, variables): (AppError, &str)| {
            errors(format!("error {} {variables}", error.name()));
        })),
        on_settled: Some(Callback::new(move |(result, variables): (Result<u32, AppError>, &str)| {
            settled(format!("settled {} {variables}", result.is_ok()));
        })),
    }
}

/// All state fields at one moment.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    status: MutationStatus,
    data: Option<u32>,
    error: Option<&'static str>,
    variables: Option<&'static str>,
    progress: Option<UserOpStatus>,
    submitted: bool,
    failures: u32,
    failure_reason: Option<&'static str>,
}

impl Seen {
    fn pending(variables: &'static str) -> Self {
        let progress = Some(UserOpStatus::Preparing);
        Self { status: Pending, variables: Some(variables), progress, submitted: true, ..Self::default() }
    }

    fn success(variables: &'static str, data: u32) -> Self {
        Self { status: Success, data: Some(data), progress: None, ..Self::pending(variables) }
    }

    fn error(variables: &'static str, error: &'static str, failures: u32) -> Self {
        let (error, failure_reason) = (Some(error), Some(error));
        Self { status: Error, error, failures, failure_reason, progress: None, ..Self::pending(variables) }
    }
}

async fn settle_tasks() {
    for _ in 0..8 {
        yield_now().await;
    }
}

fn network() -> AppError {
    AppError::Network { reason: "cut".into() }
}

enum Do {
    Mutate(&'static str),
    /// With callbacks of its own.
    MutateWith(&'static str),
    Settle(&'static str, Result<u32, AppError>),
    Wait(u64),
    Reset,
    Dispose,
}
use Do::{Dispose, Mutate, MutateWith, Reset, Settle, Wait};

/// What is done, what is seen then (`None`: the signals are gone), and what the callbacks heard.
type Row = (Do, Option<Seen>, &'static [&'static str]);

async fn check(name: &str, retry: u32, rows: Vec<Row>) {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new(retry);
            assert_eq!(bench.seen(), Seen::default(), "{name}: idle at first");
            for (index, (step, seen, log)) in rows.into_iter().enumerate() {
                match step {
                    Mutate(variables) => bench.mutation.mutate.run(variables),
                    MutateWith(variables) => bench.mutation.mutate_with.run((variables, bench.noting("run"))),
                    Settle(variables, result) => bench.settle(variables, result).await,
                    Wait(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                    Reset => bench.mutation.reset.run(()),
                    Dispose => bench.owner.cleanup(),
                }
                settle_tasks().await;
                match seen {
                    Some(seen) => assert_eq!(bench.seen(), seen, "{name}, step {index}"),
                    None => assert_eq!(bench.mutation.status.try_get_untracked(), None, "{name}, step {index}"),
                }
                assert_eq!(bench.log(), log, "{name}, step {index}");
            }
        })
        .await;
}

const REJECTED: AppError = AppError::WalletRejected;

#[tokio::test(start_paused = true)]
async fn states_follow_tanstack() {
    check(
        "success, then failure, the person's retry, reset",
        0,
        vec![
            (Mutate("a"), Some(Seen::pending("a")), &["mutate a"]),
            (
                Settle("a", Ok(1)),
                Some(Seen::success("a", 1)),
                &["options success 1 a [Pending]", "options settled true a [Pending]"],
            ),
            (Mutate("b"), Some(Seen::pending("b")), &["mutate b"]),
            (
                Settle("b", Err(REJECTED)),
                Some(Seen::error("b", "WalletRejected", 1)),
                &["options error WalletRejected b [Pending]", "options settled false b [Pending]"],
            ),
            (Mutate("b"), Some(Seen::pending("b")), &["mutate b"]),
            (
                Settle("b", Ok(2)),
                Some(Seen::success("b", 2)),
                &["options success 2 b [Pending]", "options settled true b [Pending]"],
            ),
            (Reset, Some(Seen::default()), &[]),
        ],
    )
    .await;
    check(
        "callbacks of a run follow the options' and see the end",
        0,
        vec![
            (MutateWith("a"), Some(Seen::pending("a")), &["mutate a"]),
            (
                Settle("a", Err(REJECTED)),
                Some(Seen::error("a", "WalletRejected", 1)),
                &[
                    "options error WalletRejected a [Pending]",
                    "options settled false a [Pending]",
                    "run error WalletRejected a [Error]",
                    "run settled false a [Error]",
                ],
            ),
            (MutateWith("b"), Some(Seen::pending("b")), &["mutate b"]),
            (
                Settle("b", Ok(1)),
                Some(Seen::success("b", 1)),
                &[
                    "options success 1 b [Pending]",
                    "options settled true b [Pending]",
                    "run success 1 b [Success]",
                    "run settled true b [Success]",
                ],
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_of_two_overlapping_runs_wins() {
    let first_heard: &[&str] =
        &["options error WalletRejected first [Success]", "options settled false first [Success]"];
    let second_heard: &[&str] = &[
        "options success 2 second [Pending]",
        "options settled true second [Pending]",
        "run success 2 second [Success]",
        "run settled true second [Success]",
    ];
    check(
        "the later ends first",
        0,
        vec![
            (MutateWith("first"), Some(Seen::pending("first")), &["mutate first"]),
            (MutateWith("second"), Some(Seen::pending("second")), &["mutate second"]),
            (Settle("second", Ok(2)), Some(Seen::success("second", 2)), second_heard),
            (Settle("first", Err(REJECTED)), Some(Seen::success("second", 2)), first_heard),
        ],
    )
    .await;
    check(
        "the earlier ends first",
        0,
        vec![
            (MutateWith("first"), Some(Seen::pending("first")), &["mutate first"]),
            (MutateWith("second"), Some(Seen::pending("second")), &["mutate second"]),
            (
                Settle("first", Ok(1)),
                Some(Seen::pending("second")),
                &["options success 1 first [Pending]", "options settled true first [Pending]"],
            ),
            (Settle("second", Ok(2)), Some(Seen::success("second", 2)), second_heard),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_run_goes_on_unseen() {
    let heard: &[&str] = &["options success 1 a [Idle]", "options settled true a [Idle]"];
    check(
        "reset while pending",
        0,
        vec![
            (MutateWith("a"), Some(Seen::pending("a")), &["mutate a"]),
            (Reset, Some(Seen::default()), &[]),
            (Settle("a", Ok(1)), Some(Seen::default()), heard),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_outlives_its_owner_without_a_panic() {
    for result in [Ok(1), Err(REJECTED), Err(network())] {
        check(
            "disposed while pending",
            0,
            vec![
                (MutateWith("a"), Some(Seen::pending("a")), &["mutate a"]),
                (Dispose, None, &[]),
                (Settle("a", result), None, &[]),
            ],
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_after_1_2_4_seconds() {
    let tried = |failures| Seen { failures, failure_reason: Some("Network"), ..Seen::pending("a") };
    check(
        "mends at the third try",
        2,
        vec![
            (Mutate("a"), Some(Seen::pending("a")), &["mutate a"]),
            (Settle("a", Err(network())), Some(tried(1)), &[]),
            (Wait(1), Some(tried(1)), &[]),
            (Settle("a", Err(network())), Some(tried(2)), &[]),
            (Wait(2), Some(tried(2)), &[]),
            (
                Settle("a", Ok(1)),
                Some(Seen::success("a", 1)),
                &["options success 1 a [Pending]", "options settled true a [Pending]"],
            ),
        ],
    )
    .await;
    let heard: &[&str] = &["options error Network a [Pending]", "options settled false a [Pending]"];
    check(
        "given up after the last",
        1,
        vec![
            (Mutate("a"), Some(Seen::pending("a")), &["mutate a"]),
            (Settle("a", Err(network())), Some(tried(1)), &[]),
            (Wait(1), Some(tried(1)), &[]),
            (Settle("a", Err(network())), Some(Seen::error("a", "Network", 2)), heard),
        ],
    )
    .await;
    let heard: &[&str] = &["options error WalletRejected a [Pending]", "options settled false a [Pending]"];
    check(
        "a refusal is told at once",
        3,
        vec![
            (Mutate("a"), Some(Seen::pending("a")), &["mutate a"]),
            (Settle("a", Err(REJECTED)), Some(Seen::error("a", "WalletRejected", 1)), heard),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_not_shorter() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new(3);
            bench.mutation.mutate.run("a");
            settle_tasks().await;
            for seconds in [1, 2, 4] {
                bench.settle("a", Err(network())).await;
                tokio::time::sleep(Duration::from_millis(seconds * 1_000 - 1)).await;
                assert!(!bench.is_running("a"), "not before {seconds} s");
                tokio::time::sleep(Duration::from_millis(2)).await;
                assert!(bench.is_running("a"), "after {seconds} s");
            }
        })
        .await;
}

#[tokio::test]
async fn mutate_async_resolves_with_its_own_run() {
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new(0);
            let before = now_millis();
            let first = tokio::task::spawn_local(bench.mutation.mutate_async("first"));
            settle_tasks().await;
            assert!((before..=now_millis()).contains(&bench.mutation.submitted_at.get_untracked()));
            let second = tokio::task::spawn_local(bench.mutation.mutate_async("second"));
            settle_tasks().await;
            bench.settle("second", Ok(2)).await;
            bench.settle("first", Err(REJECTED)).await;
            assert_eq!(first.await.unwrap(), Err(REJECTED));
            assert_eq!(second.await.unwrap(), Ok(2));
            assert_eq!(bench.seen(), Seen::success("second", 2));

            bench.owner.cleanup();
            let error = bench.mutation.mutate_async("third").await.unwrap_err();
            assert_eq!(error.name(), "Internal");
        })
        .await;
}

#[tokio::test]
async fn a_key_that_is_waited_for_hides_no_request_for_a_signature() {
    any_spawner::Executor::init_tokio().ok();
    let task = async {
        let owner = Owner::new();
        let mutation = owner.with(|| {
            use_mutation(MutationOptions::default(), |status: UserOpStatus, progress: Progress| async move {
                progress.set(status);
                progress.set_awaits_key(true);
                std::future::pending::<Result<(), AppError>>().await
            })
        });
        for (now, then) in [
            (UserOpStatus::Preparing, UserOpStatus::AwaitingKey),
            (UserOpStatus::AwaitingSignature, UserOpStatus::AwaitingSignature),
            (UserOpStatus::AwaitingHigherFees, UserOpStatus::AwaitingHigherFees),
            (UserOpStatus::Submitted, UserOpStatus::Submitted),
        ] {
            mutation.mutate.run(now);
            settle_tasks().await;
            assert_eq!(mutation.progress.get_untracked(), Some(then), "{now:?}");
        }
    };
    LocalSet::new().run_until(task).await;
}
