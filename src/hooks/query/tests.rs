//! The states of a query, against TanStack v5's. Effects do not run natively, so the tests do what the hook's effect
//! does: they tell an [`Observer`] where to look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{cell::RefCell, sync::OnceLock, time::Duration};

use FetchStatus::{Fetching, Idle, Paused};
use QueryStatus::{Error, Pending, Success};
use futures::channel::oneshot;
use tokio::task::{LocalSet, yield_now};

use super::*;

type Gate = Option<oneshot::Sender<Result<u32, AppError>>>;
type Gates = Rc<RefCell<Vec<(&'static str, Gate)>>>;

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);

/// A query whose fetches end when the test says so.
struct Bench {
    owner: Owner,
    observer: Observer<&'static str, u32>,
    query: UseQueryReturn<u32>,
    /// Every fetch that was begun, in order.
    gates: Gates,
}

impl Bench {
    fn new(options: QueryOptions, gates: &Gates) -> Self {
        static EXECUTOR: OnceLock<()> = OnceLock::new();
        EXECUTOR.get_or_init(|| {
            any_spawner::Executor::init_tokio().ok();
        });
        let owner = Owner::new();
        let (observer, query) = owner.with(|| {
            let shown = RwSignal::new(None);
            let begun = Rc::clone(gates);
            let fetcher_of = Rc::new(move |key: QueryKey<&'static str>| {
                let begun = Rc::clone(&begun);
                Rc::new(move || {
                    let (open, gate) = oneshot::channel();
                    begun.borrow_mut().push((key.arguments, Some(open)));
                    async move { gate.await.unwrap() }.boxed_local()
                }) as Fetcher<u32>
            });
            let query = returned(shown, Signal::stored(false), Callback::new(|()| ()));
            (Observer::new(shown, options, fetcher_of), query)
        });
        Self { owner, observer, query, gates: Rc::clone(gates) }
    }

    fn seen(&self) -> Seen {
        let of = &self.query;
        let (status, fetch_status) = (of.status.get_untracked(), of.fetch_status.get_untracked());
        let flags =
            [of.is_pending, of.is_success, of.is_error, of.is_fetching, of.is_loading].map(|flag| flag.get_untracked());
        let expected = [
            status == Pending,
            status == Success,
            status == Error,
            fetch_status == Fetching,
            status == Pending && fetch_status == Fetching,
        ];
        assert_eq!(flags, expected, "flags follow the statuses");
        assert_eq!(of.data_updated_at.get_untracked() != 0, of.data.get_untracked().is_some());
        Seen {
            status,
            fetch_status,
            data: of.data.get_untracked(),
            error: of.error.get_untracked().map(|error| error.name()),
            failures: of.failure_count.get_untracked(),
            reason: of.failure_reason.get_untracked().map(|error| error.name()),
            fetches: self.gates.borrow().len(),
        }
    }
}

/// All state fields at one moment, and how many fetches were begun.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    status: QueryStatus,
    fetch_status: FetchStatus,
    data: Option<u32>,
    error: Option<&'static str>,
    failures: u32,
    reason: Option<&'static str>,
    fetches: usize,
}

const NOTHING: Seen =
    Seen { status: Pending, fetch_status: Idle, data: None, error: None, failures: 0, reason: None, fetches: 0 };

fn loading(fetches: usize) -> Seen {
    Seen { fetch_status: Fetching, fetches, ..NOTHING }
}

fn got(data: u32, fetches: usize) -> Seen {
    Seen { status: Success, data: Some(data), fetches, ..NOTHING }
}

fn again(data: u32, fetches: usize) -> Seen {
    Seen { fetch_status: Fetching, ..got(data, fetches) }
}

fn failed(error: &'static str, failures: u32, fetches: usize) -> Seen {
    Seen { status: Error, error: Some(error), failures, reason: Some(error), fetches, ..NOTHING }
}

fn tried(failures: u32, fetches: usize) -> Seen {
    Seen { failures, reason: Some("Network"), ..loading(fetches) }
}

enum Do {
    Look(Option<&'static str>, bool),
    /// Ends the fetch with this number, 0 is the first.
    End(usize, Result<u32, AppError>),
    Wait(u64),
    Refetch,
    Invalidate,
    OperationOf(Address),
    Focus(bool),
    Online(bool),
    Leave,
}
use Do::{End, Focus, Invalidate, Leave, Look, Online, OperationOf, Refetch, Wait};

fn key(arguments: &'static str) -> QueryKey<&'static str> {
    QueryKey { name: "test", chain_id: Some(31_337), account: Some(ACCOUNT), arguments }
}

async fn tasks() {
    for _ in 0..12 {
        yield_now().await;
    }
}

async fn step(bench: &Bench, step: Do) {
    match step {
        Look(arguments, enabled) => bench.observer.observe(arguments.map(key), enabled),
        End(fetch, result) => {
            let gate = bench.gates.borrow_mut()[fetch].1.take().unwrap();
            gate.send(result).unwrap();
        }
        Wait(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        Refetch => bench.observer.refetch(),
        Invalidate => invalidate_queries(Some("test")),
        OperationOf(account) => cache::operation_ended(Some(account)),
        Focus(focused) => {
            if environment::set_focused(focused) {
                cache::on_focus();
            }
        }
        Online(online) => {
            if environment::set_online(online) {
                cache::on_reconnect();
            }
        }
        Leave => bench.observer.leave(),
    }
    tasks().await;
}

async fn check(name: &str, options: QueryOptions, rows: Vec<(Do, Seen)>) {
    LocalSet::new()
        .run_until(async {
            cache::clear();
            let bench = Bench::new(options, &Gates::default());
            assert_eq!(bench.seen(), NOTHING, "{name}: at first");
            for (index, (what, seen)) in rows.into_iter().enumerate() {
                step(&bench, what).await;
                assert_eq!(bench.seen(), seen, "{name}, step {index}");
            }
            bench.observer.leave();
        })
        .await;
}

/// TanStack's, below an owner that lives as long as the test.
fn defaults() -> QueryOptions {
    thread_local! {
        static OWNER: Owner = Owner::new();
    }
    OWNER.with(Owner::set);
    QueryOptions::default()
}

fn plain() -> QueryOptions {
    QueryOptions { retry: 0, ..defaults() }
}

fn lasting() -> QueryOptions {
    QueryOptions { stale_time: u64::MAX, ..plain() }
}

fn network() -> AppError {
    AppError::Network { reason: "cut".into() }
}

const REFUSED: AppError = AppError::NoSmartAccount;

#[tokio::test(start_paused = true)]
async fn an_answer_stays_while_it_is_read_again() {
    check(
        "success",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Refetch, again(1, 2)),
            (End(1, Ok(2)), got(2, 2)),
        ],
    )
    .await;
    let error_beside = Seen { data: Some(1), ..failed("NoSmartAccount", 1, 2) };
    check(
        "failure of a later fetch",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Refetch, again(1, 2)),
            (End(1, Err(REFUSED)), error_beside),
            (Refetch, Seen { fetch_status: Fetching, failures: 0, reason: None, fetches: 3, ..error_beside }),
            (End(2, Ok(3)), got(3, 3)),
        ],
    )
    .await;
    check(
        "failure of the first, and the person's retry",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Err(REFUSED)), failed("NoSmartAccount", 1, 1)),
            (Refetch, loading(2)),
            (End(1, Ok(1)), got(1, 2)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_an_enabled_query_with_a_key_reads_by_itself() {
    check(
        "disabled, then enabled",
        plain(),
        vec![
            (Look(Some("a"), false), NOTHING),
            (Refetch, loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Focus(false), got(1, 1)),
            (Focus(true), got(1, 1)),
            (Invalidate, got(1, 1)),
            (Look(Some("a"), true), again(1, 2)),
            (End(1, Ok(2)), got(2, 2)),
            (Look(Some("a"), true), got(2, 2)),
        ],
    )
    .await;
    check(
        "no key",
        plain(),
        vec![
            (Look(None, true), NOTHING),
            (Refetch, NOTHING),
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Look(None, true), Seen { fetches: 1, ..NOTHING }),
        ],
    )
    .await;
    check(
        "a fresh answer is not read again",
        lasting(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Look(Some("a"), false), got(1, 1)),
            (Look(Some("a"), true), got(1, 1)),
            (Focus(false), got(1, 1)),
            (Focus(true), got(1, 1)),
            (Invalidate, again(1, 2)),
            (End(1, Ok(2)), got(2, 2)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_key_has_an_answer_of_its_own() {
    check(
        "there and back",
        lasting(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (Look(Some("b"), true), loading(2)),
            (End(1, Ok(2)), got(2, 2)),
            (End(0, Ok(1)), got(2, 2)),
            (Look(Some("a"), true), got(1, 2)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_fetch_wins() {
    check(
        "overtaken by a refetch",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            // The first is joined.
            (Refetch, loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Refetch, again(1, 2)),
            (Refetch, again(1, 3)),
            (End(2, Ok(3)), got(3, 3)),
            (End(1, Ok(2)), got(3, 3)),
        ],
    )
    .await;
    check(
        "out of date while it is first read",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (Invalidate, loading(2)),
            (End(0, Ok(1)), loading(2)),
            (End(1, Ok(2)), got(2, 2)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_after_1_2_4_seconds() {
    check(
        "mends",
        defaults(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Err(network())), tried(1, 1)),
            (Wait(999), tried(1, 1)),
            (Wait(2), tried(1, 2)),
            (End(1, Err(network())), tried(2, 2)),
            (Wait(1_999), tried(2, 2)),
            (Wait(2), tried(2, 3)),
            (End(2, Ok(1)), got(1, 3)),
        ],
    )
    .await;
    check(
        "given up after three more",
        defaults(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Err(network())), tried(1, 1)),
            (Wait(1_001), tried(1, 2)),
            (End(1, Err(network())), tried(2, 2)),
            (Wait(2_001), tried(2, 3)),
            (End(2, Err(network())), tried(3, 3)),
            (Wait(4_001), tried(3, 4)),
            (End(3, Err(network())), failed("Network", 4, 4)),
        ],
    )
    .await;
    check(
        "a refusal is told at once",
        defaults(),
        vec![(Look(Some("a"), true), loading(1)), (End(0, Err(REFUSED)), failed("NoSmartAccount", 1, 1))],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hidden_or_offline_page_waits() {
    let paused = |seen: Seen| Seen { fetch_status: Paused, ..seen };
    check(
        "offline from the start",
        plain(),
        vec![
            (Online(false), NOTHING),
            (Look(Some("a"), true), paused(NOTHING)),
            (Online(true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
        ],
    )
    .await;
    check(
        "hidden between two tries",
        defaults(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (Focus(false), loading(1)),
            (End(0, Err(network())), tried(1, 1)),
            (Wait(1_001), paused(tried(1, 1))),
            (Focus(true), tried(1, 2)),
            (End(1, Ok(1)), got(1, 2)),
        ],
    )
    .await;
    check(
        "read again when the person or the network is back",
        plain(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Focus(false), got(1, 1)),
            (Focus(true), again(1, 2)),
            (End(1, Ok(2)), got(2, 2)),
            (Online(false), got(2, 2)),
            (Online(true), again(2, 3)),
            (End(2, Ok(3)), got(3, 3)),
        ],
    )
    .await;
    let deaf = QueryOptions { refetch_on_window_focus: false, refetch_on_reconnect: false, ..plain() };
    check(
        "unless told not to",
        deaf,
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (Focus(false), got(1, 1)),
            (Focus(true), got(1, 1)),
            (Online(false), got(1, 1)),
            (Online(true), got(1, 1)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_ended_operation_has_what_it_changes_read_again() {
    check(
        "own and foreign",
        lasting(),
        vec![
            (Look(Some("a"), true), loading(1)),
            (End(0, Ok(1)), got(1, 1)),
            (OperationOf(OTHER), got(1, 1)),
            (OperationOf(ACCOUNT), again(1, 2)),
            (End(1, Ok(2)), got(2, 2)),
        ],
    )
    .await;
    // What is known of the chain may have changed by any operation.
    LocalSet::new()
        .run_until(async {
            let bench = Bench::new(lasting(), &Gates::default());
            bench.observer.observe(Some(QueryKey { account: None, ..key("chain") }), true);
            tasks().await;
            step(&bench, End(0, Ok(1))).await;
            step(&bench, OperationOf(OTHER)).await;
            assert_eq!(bench.seen(), again(1, 2));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_the_same_shares_answer_and_fetch() {
    LocalSet::new()
        .run_until(async {
            let gates = Gates::default();
            let (first, second) = (Bench::new(lasting(), &gates), Bench::new(lasting(), &gates));
            step(&first, Look(Some("shared"), true)).await;
            step(&second, Look(Some("shared"), true)).await;
            assert_eq!(gates.borrow().len(), 1, "one fetch");
            step(&first, End(0, Ok(7))).await;
            assert_eq!((first.seen(), second.seen()), (got(7, 1), got(7, 1)));
            for (what, change) in [
                ("chain", QueryKey { chain_id: Some(1), ..key("shared") }),
                ("account", QueryKey { account: Some(OTHER), ..key("shared") }),
                ("arguments", key("others")),
                ("name", QueryKey { name: "another", ..key("shared") }),
            ] {
                let begun = gates.borrow().len();
                second.observer.observe(Some(change), true);
                tasks().await;
                assert_eq!((second.query.data.get_untracked(), gates.borrow().len()), (None, begun + 1), "{what}");
            }
            assert_eq!(first.query.data.get_untracked(), Some(7));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_its_observers_without_a_panic_and_is_not_tried_again() {
    LocalSet::new()
        .run_until(async {
            let gates = Gates::default();
            let bench = Bench::new(defaults(), &gates);
            step(&bench, Look(Some("left"), true)).await;
            step(&bench, Leave).await;
            bench.owner.cleanup();
            step(&bench, End(0, Err(network()))).await;
            step(&bench, Wait(60_000)).await;
            assert_eq!(gates.borrow().len(), 1, "nobody wants to know any more");

            // Who comes later finds what was read in the meantime.
            let (before, after) = (Bench::new(lasting(), &gates), Bench::new(lasting(), &gates));
            step(&before, Look(Some("kept"), true)).await;
            step(&before, Leave).await;
            step(&before, End(1, Ok(5))).await;
            step(&after, Look(Some("kept"), true)).await;
            assert_eq!(after.seen(), got(5, 2));
        })
        .await;
}

#[test]
fn an_answer_that_nobody_shows_is_kept_for_five_minutes() {
    let state = QueryState { data: Some(1), data_updated_at: 1_000, ..QueryState::default() };
    assert_eq!([999, 1_000, 1_499, 1_500].map(|now| state.is_stale(500, now)), [false, false, false, true]);
    let _: Rc<cache::Entry<u32>> = cache::entry(&key("unused"));
    assert_eq!(cache::count_after(cache::KEPT - 1_000), 1);
    assert_eq!(cache::count_after(cache::KEPT + 1_000), 0);
}
