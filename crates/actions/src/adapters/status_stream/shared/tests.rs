//! Several tabs of one browser, with a lock, a channel and a server like the real ones, in a time of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::oneshot, stream};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use use_aa_protocol::rpc::{UserOpReceipt, UserOpUpdate};

use super::{
    super::{read_line, watch::watch},
    *,
};
use crate::error::Upstream;

type Waiting = oneshot::Sender<oneshot::Receiver<()>>;
type OpenTab = (SharedStream<Tab>, JoinHandle<()>);

/// What the tabs have in common.
#[derive(Default)]
struct Browser {
    tabs: RefCell<HashMap<TabId, OpenTab>>,
    /// Tabs that hear and say nothing, and whose timers stand still.
    frozen: RefCell<Vec<TabId>>,
    /// Ends the holder's lead; dropped by it when it leaves.
    holder: RefCell<Option<(TabId, oneshot::Sender<()>)>>,
    queue: RefCell<VecDeque<(TabId, Waiting)>>,
    server: Server,
}

#[derive(Default)]
struct Server {
    lines: RefCell<HashMap<B256, String>>,
    down: Cell<bool>,
    refuses: RefCell<Option<AppError>>,
    open: Rc<Cell<usize>>,
    most: Cell<usize>,
    connections: Cell<usize>,
}

struct Tab {
    me: TabId,
    browser: Rc<Browser>,
}

struct Closes(Rc<Cell<usize>>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Browser {
    fn open(self: &Rc<Self>, me: TabId) -> SharedStream<Tab> {
        let (stream, running) = SharedStream::new(me, Tab { me, browser: self.clone() });
        let running = spawn_local(running);
        self.tabs.borrow_mut().insert(me, (stream.clone(), running));
        stream
    }

    /// Closed without a word, as browsers do: its lock goes to the next one.
    async fn close(&self, me: TabId) {
        let (_, running) = self.tabs.borrow_mut().remove(&me).unwrap();
        running.abort();
        let _ = running.await;
        self.queue.borrow_mut().retain(|(tab, _)| *tab != me);
        if self.holder.borrow().as_ref().is_some_and(|(holder, _)| *holder == me) {
            self.holder.take();
        }
        self.grant();
    }

    fn grant(&self) {
        while self.holder.borrow().is_none() {
            let Some((tab, waiting)) = self.queue.borrow_mut().pop_front() else { return };
            let (end, ended) = oneshot::channel();
            if waiting.send(ended).is_ok() {
                self.holder.replace(Some((tab, end)));
            }
        }
    }

    fn leader(&self) -> TabId {
        self.holder.borrow().as_ref().expect("somebody leads").0
    }

    fn is_frozen(&self, tab: TabId) -> bool {
        self.frozen.borrow().contains(&tab)
    }
}

impl Ports for Tab {
    fn tell(&self, message: &Message) {
        if self.browser.is_frozen(self.me) {
            return;
        }
        let message = serde_json::to_string(message).unwrap();
        for (tab, (stream, _)) in self.browser.tabs.borrow().iter().filter(|(tab, _)| **tab != self.me) {
            if !self.browser.is_frozen(*tab) {
                let (stream, message) = (stream.clone(), message.clone());
                spawn_local(async move { stream.hear(serde_json::from_str(&message).unwrap()) });
            }
        }
    }

    #[expect(clippy::async_yields_async, reason = "as in a browser: the lead is a future of its own")]
    fn lead(&self, steal: bool) -> LocalBoxFuture<'static, Lead> {
        let (browser, me) = (self.browser.clone(), self.me);
        let (waiting, turn) = oneshot::channel();
        match steal {
            true => {
                if let Some((_, end)) = browser.holder.take() {
                    end.send(()).ok();
                }
                browser.queue.borrow_mut().push_front((me, waiting));
            }
            false => browser.queue.borrow_mut().push_back((me, waiting)),
        }
        browser.grant();
        async move {
            let mut held = Held { ended: turn.await.unwrap(), browser, me };
            async move { (&mut held.ended).await.unwrap_or_default() }.boxed_local()
        }
        .boxed_local()
    }

    fn connect(&self, hashes: Vec<B256>) -> LocalBoxFuture<'static, Result<TextStream, AppError>> {
        let (browser, me) = (self.browser.clone(), self.me);
        async move {
            let server = &browser.server;
            server.connections.set(server.connections.get() + 1);
            if let Some(error) = server.refuses.borrow().clone() {
                return Err(error);
            }
            if server.down.get() {
                return Err(AppError::Network { reason: "down".into() });
            }
            server.open.set(server.open.get() + 1);
            server.most.set(server.most.get().max(server.open.get()));
            let closes = Closes(server.open.clone());
            let rest = stream::unfold((HashMap::<B256, String>::new(), closes), move |(mut told, closes)| {
                let (browser, hashes) = (browser.clone(), hashes.clone());
                async move {
                    for _ in 0..30 {
                        if browser.server.down.get() {
                            return None;
                        }
                        if browser.is_frozen(me) {
                            std::future::pending::<()>().await;
                        }
                        // As the real one: nothing follows an operation's final line, or its error.
                        let goes_on = |line: &String| matches!(read_line(line), Some(Ok(update)) if !update.is_final());
                        let open = || hashes.iter().filter(|hash| told.get(*hash).is_none_or(goes_on));
                        open().next()?;
                        let lines = browser.server.lines.borrow().clone();
                        let news = open().find(|hash| lines.get(*hash) != told.get(*hash)).copied();
                        if let Some(hash) = news {
                            told.insert(hash, lines[&hash].clone());
                            let line = format!("{{\"userOpHash\":\"{hash}\",\"line\":{}}}\n", lines[&hash]);
                            return Some((Ok(line), (told, closes)));
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Some((Ok("\n".to_owned()), (told, closes)))
                }
            });
            Ok(Box::pin(rest) as TextStream)
        }
        .boxed_local()
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// Gives the lock back.
struct Held {
    ended: oneshot::Receiver<()>,
    browser: Rc<Browser>,
    me: TabId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ended.close();
        // One that was taken away is another tab's.
        let mine = |(tab, end): &(TabId, oneshot::Sender<()>)| *tab == self.me && end.is_canceled();
        if self.browser.holder.borrow().as_ref().is_some_and(mine) {
            self.browser.holder.take();
            self.browser.grant();
        }
    }
}

fn hash(tab: TabId) -> B256 {
    B256::repeat_byte(u8::try_from(tab).unwrap())
}

type Heard = Rc<RefCell<Vec<Result<UserOpUpdate, AppError>>>>;

/// Waits in a tab until its operation is final.
fn wait(stream: &SharedStream<Tab>, of: TabId) -> (Heard, JoinHandle<()>) {
    let (heard, stream) = (Heard::default(), stream.clone());
    let updates = watch(move || std::future::ready(Ok(stream.listen(hash(of)))), || 0.5);
    let told = heard.clone();
    let waiting = spawn_local(updates.for_each(move |update| {
        told.borrow_mut().push(update);
        std::future::ready(())
    }));
    (heard, waiting)
}

const SUBMITTED: &str = r#"{"status":"submitted"}"#;
const DROPPED: &str = r#"{"status":"dropped","reason":"too cheap"}"#;

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn in_a_browser<F: Future<Output = ()>>(test: impl FnOnce(Rc<Browser>) -> F) {
    LocalSet::new().run_until(test(Rc::default())).await;
}

/// Seven tabs, each of which has heard that its operation is submitted.
async fn seven_that_wait(browser: &Rc<Browser>) -> Vec<(TabId, Heard)> {
    let mut tabs = Vec::new();
    for me in 1..=7 {
        browser.server.lines.borrow_mut().insert(hash(me), SUBMITTED.into());
        tabs.push((me, wait(&browser.open(me), me).0));
    }
    seconds(2).await;
    for (tab, heard) in &tabs {
        assert_eq!(*heard.borrow(), [Ok(UserOpUpdate::Submitted)], "tab {tab}");
    }
    assert_eq!((browser.server.open.get(), browser.server.most.get()), (1, 1));
    assert!(browser.server.connections.get() <= 3, "{}", browser.server.connections.get());
    tabs
}

fn end(browser: &Browser, tabs: impl IntoIterator<Item = TabId>) {
    tabs.into_iter().for_each(|tab| drop(browser.server.lines.borrow_mut().insert(hash(tab), DROPPED.into())));
}

fn ended(heard: &Heard) -> bool {
    *heard.borrow() == [Ok(UserOpUpdate::Submitted), Ok(UserOpUpdate::Dropped { reason: "too cheap".into() })]
}

#[tokio::test(start_paused = true)]
async fn seven_tabs_share_a_stream_also_when_the_one_that_holds_it_is_closed() {
    in_a_browser(|browser| async move {
        let tabs = seven_that_wait(&browser).await;
        let first = browser.leader();
        browser.close(first).await;
        end(&browser, 1..=7);
        seconds(1).await;
        for (tab, heard) in tabs.iter().filter(|(tab, _)| *tab != first) {
            assert!(ended(heard), "tab {tab}: {heard:?}");
        }
        assert_eq!(browser.server.most.get(), 1);
        // Nobody waits any more: no stream is left, and no lock.
        seconds(60).await;
        assert_eq!(browser.server.open.get(), 0);
        assert!(browser.holder.borrow().is_none());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_frozen_tab_loses_the_stream_and_hears_the_rest_when_it_is_back() {
    in_a_browser(|browser| async move {
        let tabs = seven_that_wait(&browser).await;
        let first = browser.leader();
        browser.frozen.borrow_mut().push(first);
        // Somebody goes on waiting: the lead is not given back.
        let other = browser.tabs.borrow()[&(first % 7 + 1)].0.clone();
        let _goes_on = wait(&other, 8);
        end(&browser, (1..=7).filter(|tab| *tab != first));
        seconds(12).await;
        assert_ne!(browser.leader(), first);
        for (tab, heard) in tabs.iter().filter(|(tab, _)| *tab != first) {
            assert!(ended(heard), "tab {tab}: {heard:?}");
        }
        browser.frozen.borrow_mut().clear();
        end(&browser, [first]);
        seconds(12).await;
        assert!(ended(&tabs[first as usize - 1].1), "{:?}", tabs[first as usize - 1].1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_found_again_by_all() {
    in_a_browser(|browser| async move {
        let tabs = seven_that_wait(&browser).await;
        browser.server.down.set(true);
        seconds(40).await;
        assert_eq!(browser.server.open.get(), 0);
        browser.server.down.set(false);
        end(&browser, 1..=7);
        seconds(25).await;
        for (tab, heard) in &tabs {
            assert!(ended(heard), "tab {tab}: {heard:?}");
        }
        assert_eq!(browser.server.most.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_waiting_cannot_mend_is_told_at_once_and_a_dead_server_after_minutes() {
    in_a_browser(|browser| async move {
        let (one, two) = (browser.open(1), browser.open(2));
        let refused = AppError::invalid("user_op_hashes", "hashes", "0x");
        browser.server.refuses.replace(Some(refused.clone()));
        let waits = [wait(&one, 1), wait(&two, 2)];
        seconds(2).await;
        for (heard, _) in &waits {
            assert_eq!(*heard.borrow(), [Err(refused.clone())]);
        }
        let lost = AppError::Network { reason: "gone".into() };
        browser.server.refuses.replace(Some(lost.clone()));
        let waits = [wait(&one, 1), wait(&two, 2)];
        seconds(120).await;
        assert!(waits.iter().all(|(heard, _)| heard.borrow().is_empty()), "not yet");
        seconds(900).await;
        for (heard, waiting) in &waits {
            assert_eq!(*heard.borrow(), [Err(lost.clone())]);
            assert!(waiting.is_finished());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_and_a_new_operation_take_their_place() {
    in_a_browser(|browser| async move {
        let tabs = seven_that_wait(&browser).await;
        let other = (1..=7).find(|tab| *tab != browser.leader()).unwrap();
        browser.close(other).await;
        // The same page again is another tab, which waits for the same.
        let back = browser.open(other + 10);
        let (heard, _) = wait(&back, other);
        browser.server.lines.borrow_mut().insert(hash(30), SUBMITTED.into());
        let (new, _) = wait(&back, 30);
        seconds(1).await;
        assert_eq!((heard.borrow().len(), new.borrow().len()), (1, 1));
        end(&browser, (1..=7).chain([30]));
        seconds(1).await;
        assert!(ended(&heard) && ended(&new));
        assert!(tabs.iter().filter(|(tab, _)| *tab != other).all(|(_, heard)| ended(heard)));
        assert_eq!(browser.server.most.get(), 1);
    })
    .await;
}

/// Two tabs: the one that leads waits for an operation that stays as it is, so that the connection lives on.
async fn two_tabs(browser: &Rc<Browser>) -> [SharedStream<Tab>; 2] {
    browser.server.lines.borrow_mut().insert(hash(1), SUBMITTED.into());
    let tabs = [1, 2].map(|me| browser.open(me));
    let (heard, _) = wait(&tabs[0], 1);
    seconds(1).await;
    assert_eq!((browser.leader(), heard.borrow().len()), (1, 1));
    tabs
}

fn says(browser: &Browser, of: TabId, line: &impl serde::Serialize) {
    browser.server.lines.borrow_mut().insert(hash(of), serde_json::to_string(line).unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_followed_is_asked_for_again_while_the_connection_lives() {
    in_a_browser(|browser| async move {
        let tabs = two_tabs(&browser).await;
        says(&browser, 2, &AppError::UpstreamUnavailable { upstream: Upstream::Bundler, reason: "restarting".into() });
        // In the tab that leads, and in the other one.
        let waits = [&tabs[0], &tabs[1]].map(|tab| wait(tab, 2));
        seconds(3).await;
        assert!(waits.iter().all(|(heard, _)| heard.borrow().is_empty()), "it is tried again");
        end(&browser, [2]);
        seconds(20).await;
        for (heard, waiting) in &waits {
            assert_eq!(*heard.borrow(), [Ok(UserOpUpdate::Dropped { reason: "too cheap".into() })]);
            assert!(waiting.is_finished());
        }
        assert_eq!(browser.server.most.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_bundler_dropped_is_asked_for_anew_and_what_a_block_proves_is_not() {
    in_a_browser(|browser| async move {
        let tabs = two_tabs(&browser).await;
        end(&browser, [2]);
        let dropped = Ok(UserOpUpdate::Dropped { reason: "too cheap".into() });
        for (heard, waiting) in [&tabs[0], &tabs[1]].map(|tab| wait(tab, 2)) {
            seconds(1).await;
            assert_eq!((&*heard.borrow(), waiting.is_finished()), (&vec![dropped.clone()], true));
        }
        let confirmed = UserOpUpdate::Confirmed {
            receipt: UserOpReceipt {
                user_op_hash: hash(2),
                sender: Default::default(),
                success: true,
                reason: None,
                transaction_hash: hash(3),
                block_number: 7,
                actual_gas_cost: Default::default(),
                actual_gas_used: Default::default(),
            },
        };
        says(&browser, 2, &confirmed);
        seconds(3).await;
        for tab in [&tabs[1], &tabs[0]] {
            let (heard, _) = wait(tab, 2);
            seconds(1).await;
            assert_eq!(*heard.borrow(), [Ok(confirmed.clone())]);
        }
        // A tab that is closed before the end, and opened again after it.
        let connections = browser.server.connections.get();
        let (heard, _) = wait(&browser.open(5), 2);
        seconds(1).await;
        assert_eq!(*heard.borrow(), [Ok(confirmed)]);
        assert_eq!(browser.server.connections.get(), connections, "all tabs know it");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tab_that_comes_back_long_after_its_operation_ended_hears_of_it() {
    in_a_browser(|browser| async move {
        let tabs = two_tabs(&browser).await;
        browser.server.lines.borrow_mut().insert(hash(2), SUBMITTED.into());
        let (heard, _) = wait(&tabs[1], 2);
        seconds(1).await;
        assert_eq!(*heard.borrow(), [Ok(UserOpUpdate::Submitted)]);
        browser.close(2).await;
        let proved = UserOpUpdate::Replaced { by: hash(8), transaction_hash: Some(hash(9)) };
        says(&browser, 2, &proved);
        // All tabs are asked again meanwhile, and nobody waits for it.
        seconds(130).await;
        let (heard, _) = wait(&browser.open(3), 2);
        seconds(5).await;
        assert_eq!(*heard.borrow(), [Ok(proved)]);
    })
    .await;
}
