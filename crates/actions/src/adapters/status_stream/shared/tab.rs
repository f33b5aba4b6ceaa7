//! What a tab does: it queues for the lead while somebody in it waits, and follows for all once it leads.

use std::pin::Pin;

use alloy::primitives::B256;
use futures::{
    StreamExt,
    channel::mpsc::UnboundedReceiver,
    future::{Either, select},
};
use use_aa_protocol::rpc::RECONNECT;

use super::{
    super::{
        super::timer::sleep,
        lines::Lines,
        read_named_line,
        watch::{TextStream, cut, pause_after, worth_another_try},
    },
    Lead, Ports, SharedStream,
    board::Told,
    message::Message,
};
use crate::error::AppError;

/// How often a leader shows that it lives, and others look whether it does. Milliseconds.
const TICK: u64 = 2_000;
/// Ticks of silence after which a leader is taken for frozen.
const FROZEN: u32 = 4;
/// Ticks of silence after which a stream is dead, whatever the browser thinks: the server sends an empty line every three
/// seconds.
const DEAD: u32 = 8;
/// Ticks after which a leader asks all tabs again what they wait for.
const ROUND: u32 = 30;
/// Ticks after which other operations have their turn, where there are too many for one stream.
const TURN: u32 = 5;
/// Tabs often begin to wait at the same time (after the leader is gone, all of them): they are waited for. Milliseconds.
const GATHER: u64 = 30;

type Changes = UnboundedReceiver<()>;

/// Runs for as long as the tab is there.
pub(super) async fn run<P: Ports>(stream: SharedStream<P>, mut changes: Changes) {
    loop {
        while !stream.board.borrow().waits() {
            if changes.next().await.is_none() {
                return;
            }
        }
        if let Some(lead) = queue(&stream, &mut changes).await {
            stream.board.borrow_mut().lead(true);
            select(lead, Box::pin(Leader::new(&stream).follow(&mut changes))).await;
            stream.board.borrow_mut().lead(false);
        }
    }
}

/// Waits for the lead; `None` when nobody in this tab waits any more.
async fn queue<P: Ports>(stream: &SharedStream<P>, changes: &mut Changes) -> Option<Lead> {
    stream.tell_wants();
    let mut lead = stream.ports.lead(false);
    let mut tick = Tick::new();
    let mut silent = 0;
    loop {
        match select(&mut lead, select(changes.next(), tick.next())).await {
            Either::Left((lead, _)) => return Some(lead),
            Either::Right((Either::Left(_), _)) => stream.tell_wants(),
            Either::Right((Either::Right(_), _)) => {
                tick = Tick::new();
                if stream.board.borrow_mut().tick() {
                    stream.tell_wants();
                }
                if !stream.board.borrow().waits() {
                    return None;
                }
                silent = if stream.board.borrow_mut().was_led() { 0 } else { silent + 1 };
                if silent == FROZEN {
                    silent = 0;
                    lead = stream.ports.lead(true);
                }
            }
        }
    }
}

impl<P: Ports> SharedStream<P> {
    fn tell_wants(&self) {
        let wants = self.board.borrow().wants();
        self.ports.tell(&wants);
    }

    fn tell_states(&self) {
        let states = self.board.borrow().states();
        self.ports.tell(&states);
    }
}

/// A timer that goes on while other things happen.
struct Tick(Pin<Box<dyn Future<Output = ()>>>);

impl Tick {
    fn new() -> Self {
        Self(Box::pin(sleep(TICK)))
    }

    fn next(&mut self) -> &mut Pin<Box<dyn Future<Output = ()>>> {
        &mut self.0
    }
}

/// Why a connection is over.
enum End {
    /// Other operations are to be followed, or none.
    Changed,
    /// The server is stopping.
    Elsewhere,
    /// Cut, silent, or unreadable.
    Cut(AppError),
}

struct Leader<'s, P> {
    stream: &'s SharedStream<P>,
    ticks: u32,
    /// Attempts in a row that brought nothing.
    failures: u32,
}

impl<'s, P: Ports> Leader<'s, P> {
    fn new(stream: &'s SharedStream<P>) -> Self {
        Self { stream, ticks: 0, failures: 0 }
    }

    /// Follows what any tab waits for, until none does.
    async fn follow(mut self, changes: &mut Changes) {
        self.ask();
        loop {
            sleep(GATHER).await;
            while changes.try_recv().is_ok() {}
            let hashes = self.stream.board.borrow().open();
            if hashes.is_empty() {
                if self.stream.board.borrow().is_empty() {
                    return;
                }
                if let Either::Right(_) = select(changes.next(), Tick::new().next()).await {
                    self.tick();
                }
                continue;
            }
            let mut following = hashes.clone();
            let connecting = self.stream.ports.connect(hashes);
            let end = match self.ticking(connecting).await {
                Ok(text) => self.read(text, &mut following, changes).await,
                Err(error) => End::Cut(error),
            };
            let pause = match end {
                End::Changed => continue,
                // A server that sends everybody away again and again is one that fails.
                End::Elsewhere => self.failures,
                End::Cut(error) => {
                    let given_up = !worth_another_try(&error);
                    // One cut is nothing that who waits need know.
                    if given_up || self.failures > 0 {
                        self.failed(following, error, given_up);
                    }
                    if given_up {
                        continue;
                    }
                    self.failures + 1
                }
            };
            self.failures += 1;
            let pause = pause_after(pause, self.stream.ports.jitter());
            self.ticking(sleep(pause)).await;
        }
    }

    /// Reads a connection. What it is `following` becomes less: the server says no more of an operation after its last line.
    async fn read(&mut self, mut text: TextStream, following: &mut Vec<B256>, changes: &mut Changes) -> End {
        let (mut lines, mut tick, mut silent) = (Lines::default(), Tick::new(), 0);
        loop {
            match select(text.next(), select(changes.next(), tick.next())).await {
                Either::Left((None, _)) if following.is_empty() => return End::Changed,
                Either::Left((None, _)) => return End::Cut(cut()),
                Either::Left((Some(piece), _)) => {
                    silent = 0;
                    let complete = match piece.and_then(|piece| lines.push(&piece)) {
                        Ok(complete) => complete,
                        Err(error) => return End::Cut(error),
                    };
                    for line in complete {
                        if line == RECONNECT {
                            return End::Elsewhere;
                        }
                        if let Err(error) = self.line(&line, following) {
                            return End::Cut(error);
                        }
                    }
                    self.stream.board.borrow_mut().heartbeat();
                    self.stream.tell_states();
                }
                Either::Right((Either::Left(_), _)) => {}
                Either::Right((Either::Right(_), _)) => {
                    tick = Tick::new();
                    self.tick();
                    silent += 1;
                    if silent >= DEAD {
                        return End::Cut(cut());
                    }
                    if self.ticks.is_multiple_of(TURN) {
                        self.stream.board.borrow_mut().next_turn();
                    }
                }
            }
            if self.stream.board.borrow().outdates(following) {
                return End::Changed;
            }
        }
    }

    fn line(&mut self, line: &str, following: &mut Vec<B256>) -> Result<(), AppError> {
        let (hash, line) = read_named_line(line)?;
        self.failures = 0;
        let (told, leader) = {
            let mut board = self.stream.board.borrow_mut();
            (board.line(hash, line.clone()), board.me())
        };
        if told != Told::Open {
            following.retain(|followed| *followed != hash);
        }
        if told == Told::Last {
            self.stream.ports.tell(&Message::Last { leader, hash, line });
        }
        Ok(())
    }

    /// Tells all tabs, this one included.
    fn failed(&self, hashes: Vec<B256>, error: AppError, given_up: bool) {
        let leader = {
            let mut board = self.stream.board.borrow_mut();
            board.fail(&hashes, &error, given_up);
            board.me()
        };
        self.stream.ports.tell(&Message::Failed { leader, hashes, error, given_up });
    }

    /// Does `work`, and shows meanwhile that this tab lives.
    async fn ticking<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = Box::pin(work);
        loop {
            match select(work, Tick::new().next()).await {
                Either::Left((done, _)) => return done,
                Either::Right(((), rest)) => {
                    work = rest;
                    self.tick();
                }
            }
        }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        {
            let mut board = self.stream.board.borrow_mut();
            board.tick();
            board.heartbeat();
        }
        match self.ticks.is_multiple_of(ROUND) {
            true => self.ask(),
            false => self.stream.tell_states(),
        }
    }

    fn ask(&self) {
        let who = self.stream.board.borrow_mut().who();
        self.stream.ports.tell(&who);
    }
}
