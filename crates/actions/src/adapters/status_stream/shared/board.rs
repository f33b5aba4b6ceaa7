//! What one tab knows: who waits for which operation, and what was last heard of it.

use alloy::primitives::B256;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use use_aa_protocol::rpc::MOST_FOLLOWED;

use super::{
    super::read_line,
    message::{Message, TabId},
};
use crate::error::AppError;

/// Ticks that an operation is kept after its last listener left: one that lost its line comes back.
const KEPT: u8 = 8;
/// Most operations that one tab may ask another one to follow.
const MOST_OF_A_TAB: usize = 256;

/// A piece of text for whoever follows an operation.
pub(super) type Piece = Result<String, AppError>;

struct Operation {
    hash: B256,
    /// Tabs that wait for it.
    tabs: Vec<TabId>,
    line: Option<String>,
    /// The line is final.
    over: bool,
    listeners: Vec<UnboundedSender<Piece>>,
    ticks_unheard: u8,
}

pub(super) struct Board {
    me: TabId,
    operations: Vec<Operation>,
    leader: Option<TabId>,
    /// The leader said something since the last tick.
    heard: bool,
}

/// What a line says of those that may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// There may be more.
    Open,
    /// It is the last one, for ever: a block proves it.
    Proved,
    /// It is the last one of this connection. Who asks again may hear another one, and the operation is forgotten, so that it
    /// is followed anew then.
    Last,
}

/// What a message leads to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) reply: Option<Message>,
    /// Other operations are to be followed.
    pub(super) changed: bool,
}

impl Board {
    pub(super) fn new(me: TabId) -> Self {
        Self { me, operations: Vec::new(), leader: None, heard: false }
    }

    /// Follows an operation for this tab: the latest line first, where there is one.
    pub(super) fn listen(&mut self, hash: B256) -> UnboundedReceiver<Piece> {
        let (listener, pieces) = unbounded();
        let me = self.me;
        let operation = self.wanted_by(me, hash);
        operation.ticks_unheard = 0;
        if let Some(line) = &operation.line {
            listener.unbounded_send(Ok(format!("{line}\n"))).ok();
        }
        operation.listeners.push(listener);
        pieces
    }

    fn wanted_by(&mut self, tab: TabId, hash: B256) -> &mut Operation {
        let place = self.operations.iter().position(|operation| operation.hash == hash).unwrap_or_else(|| {
            let (tabs, listeners) = (Vec::new(), Vec::new());
            self.operations.push(Operation { hash, tabs, line: None, over: false, listeners, ticks_unheard: 0 });
            self.operations.len() - 1
        });
        let operation = &mut self.operations[place];
        if !operation.tabs.contains(&tab) {
            operation.tabs.push(tab);
        }
        operation
    }

    pub(super) fn me(&self) -> TabId {
        self.me
    }

    /// Somebody in this tab waits.
    pub(super) fn waits(&self) -> bool {
        self.operations.iter().any(|operation| operation.tabs.contains(&self.me))
    }

    /// Nobody waits in any tab that we know of.
    pub(super) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    pub(super) fn lead(&mut self, leading: bool) {
        self.leader = leading.then_some(self.me);
        self.heard = false;
        if !leading {
            // What other tabs wait for is the next leader's matter.
            let me = self.me;
            self.operations.retain_mut(|operation| {
                operation.tabs.retain(|tab| *tab == me);
                !operation.tabs.is_empty()
            });
        }
    }

    fn leads(&self) -> bool {
        self.leader == Some(self.me)
    }

    /// What a stream of this tab is to follow, those that came first, first.
    pub(super) fn open(&self) -> Vec<B256> {
        let open = self.operations.iter().filter(|operation| !operation.over);
        open.map(|operation| operation.hash).take(MOST_FOLLOWED).collect()
    }

    /// Strikes out of `following` what is open no more. True when a connection that still follows the rest is not the right
    /// one: there is more to follow, or nothing.
    pub(super) fn outdates(&self, following: &mut Vec<B256>) -> bool {
        let open = self.open();
        following.retain(|hash| open.contains(hash));
        open.is_empty() || open.len() > following.len()
    }

    /// When there are more than one stream can follow, the others have their turn.
    pub(super) fn next_turn(&mut self) {
        if self.operations.len() > MOST_FOLLOWED {
            self.operations.rotate_left(MOST_FOLLOWED);
        }
    }

    pub(super) fn wants(&self) -> Message {
        Message::Wants { tab: self.me, hashes: self.own().collect() }
    }

    /// What this tab waits for, no more of it than a leader takes.
    fn own(&self) -> impl Iterator<Item = B256> {
        let own = self.operations.iter().filter(|operation| operation.tabs.contains(&self.me));
        own.map(|operation| operation.hash).take(MOST_OF_A_TAB)
    }

    pub(super) fn states(&self) -> Message {
        let lines = self.operations.iter().map(|operation| (operation.hash, operation.line.clone()));
        Message::States { leader: self.me, lines: lines.collect() }
    }

    /// Asks all tabs again, so that what no tab waits for any more is forgotten at the next tick, and not sooner: until then
    /// they answer.
    pub(super) fn who(&mut self) -> Message {
        let me = self.me;
        self.operations.iter_mut().for_each(|operation| operation.tabs.retain(|tab| *tab == me));
        Message::Who { leader: me }
    }

    /// Takes what another tab says.
    pub(super) fn hear(&mut self, message: Message) -> Heard {
        match message {
            // Who was robbed of the lead hears of it by its lock, not here.
            Message::Who { leader } if !self.leads() => {
                (self.leader, self.heard) = (Some(leader), true);
                Heard { reply: self.waits().then(|| self.wants()), changed: false }
            }
            Message::Wants { tab, hashes } if self.leads() => {
                let unwanted = self.operations.iter_mut().filter(|operation| !hashes.contains(&operation.hash));
                unwanted.for_each(|operation| operation.tabs.retain(|other| *other != tab));
                for hash in hashes.into_iter().take(MOST_OF_A_TAB) {
                    self.wanted_by(tab, hash);
                }
                Heard { reply: Some(self.states()), changed: true }
            }
            Message::States { leader, lines } if self.is_led_by(leader) => {
                self.heard = true;
                self.heartbeat();
                let missing = self.own().any(|own| lines.iter().all(|(hash, _)| *hash != own));
                for (hash, line) in lines {
                    if let Some(line) = line
                        && self.operations.iter().any(|operation| operation.hash == hash)
                    {
                        self.line(hash, line);
                    }
                }
                Heard { reply: missing.then(|| self.wants()), changed: false }
            }
            Message::Last { leader, hash, line } if self.is_led_by(leader) => {
                self.heard = true;
                self.line(hash, line);
                Heard::default()
            }
            Message::Failed { leader, hashes, error, given_up } if self.is_led_by(leader) => {
                self.heard = true;
                self.fail(&hashes, &error, given_up);
                Heard::default()
            }
            _ => Heard::default(),
        }
    }

    /// Whether to believe this leader. One that was frozen may still say what it knew then.
    fn is_led_by(&mut self, leader: TabId) -> bool {
        !self.leads() && *self.leader.get_or_insert(leader) == leader
    }

    /// Takes a line of the stream.
    pub(super) fn line(&mut self, hash: B256, line: String) -> Told {
        let told = match read_line(&line) {
            Some(Ok(update)) if update.is_proved() => Told::Proved,
            Some(Ok(update)) if update.is_final() => Told::Last,
            Some(Ok(_)) => Told::Open,
            Some(Err(error)) => {
                self.fail(&[hash], &error, true);
                return Told::Last;
            }
            None => return Told::Open,
        };
        let Some(place) = self.operations.iter().position(|operation| operation.hash == hash) else { return told };
        let operation = &mut self.operations[place];
        if operation.line.as_ref() != Some(&line) {
            operation.tell(&Ok(format!("{line}\n")));
            (operation.line, operation.over) = (Some(line), told == Told::Proved);
        }
        if told == Told::Last {
            self.operations.remove(place);
        }
        told
    }

    /// Tells who listens in this tab that the line lives.
    pub(super) fn heartbeat(&mut self) {
        self.operations.iter_mut().for_each(|operation| operation.tell(&Ok("\n".into())));
    }

    /// Tells who listens in this tab that following did not work.
    pub(super) fn fail(&mut self, hashes: &[B256], error: &AppError, given_up: bool) {
        for operation in self.operations.iter_mut().filter(|operation| hashes.contains(&operation.hash)) {
            operation.tell(&Err(error.clone()));
            operation.listeners.clear();
        }
        if given_up {
            self.operations.retain(|operation| !hashes.contains(&operation.hash));
        }
    }

    /// Forgets what nobody waits for any more; true when this tab waits for less.
    pub(super) fn tick(&mut self) -> bool {
        let (me, mut less) = (self.me, false);
        for operation in &mut self.operations {
            operation.listeners.retain(|listener| !listener.is_closed());
            operation.ticks_unheard = match operation.listeners.is_empty() {
                true => operation.ticks_unheard.saturating_add(1),
                false => 0,
            };
            if operation.ticks_unheard > KEPT && operation.tabs.contains(&me) {
                operation.tabs.retain(|tab| *tab != me);
                less = true;
            }
        }
        self.operations.retain(|operation| !operation.tabs.is_empty());
        less
    }

    /// Whether the leader said anything since this was asked last.
    pub(super) fn was_led(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }
}

impl Operation {
    fn tell(&mut self, piece: &Piece) {
        self.listeners.retain(|listener| listener.unbounded_send(piece.clone()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use use_aa_protocol::rpc::UserOpUpdate;

    use super::*;

    const SUBMITTED: &str = r#"{"status":"submitted"}"#;
    const STUCK: &str = r#"{"status":"stuck","seconds":30,"fees":{"maxFeePerGas":"0x2","maxPriorityFeePerGas":"0x1"}}"#;
    const DROPPED: &str = r#"{"status":"dropped","reason":"x"}"#;

    /// An end that a block proves.
    fn proved() -> String {
        let (by, transaction_hash) = (hash(70), Some(hash(71)));
        serde_json::to_string(&UserOpUpdate::Replaced { by, transaction_hash }).unwrap()
    }

    fn hash(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    fn pieces(receiver: &mut UnboundedReceiver<Piece>) -> Vec<Piece> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[test]
    fn a_leader_that_was_replaced_is_not_believed() {
        let mut board = Board::new(1);
        let mut listener = board.listen(hash(1));
        let states = |leader, line: &str| Message::States { leader, lines: vec![(hash(1), Some(line.to_owned()))] };
        assert_eq!(board.hear(states(2, SUBMITTED)), Heard::default());
        assert_eq!(pieces(&mut listener).len(), 2, "a sign of life, and the line");
        assert!(board.hear(Message::Who { leader: 3 }).reply.is_some());
        board.hear(states(2, &proved()));
        board.hear(Message::Last { leader: 2, hash: hash(1), line: DROPPED.into() });
        assert_eq!(pieces(&mut listener), []);
        board.hear(states(3, &proved()));
        assert_eq!(pieces(&mut listener).last(), Some(&Ok(format!("{}\n", proved()))));
        // Whoever listens later hears the latest line at once.
        assert_eq!(pieces(&mut board.listen(hash(1))), [Ok(format!("{}\n", proved()))]);
    }

    #[test]
    fn what_no_block_proves_is_told_and_not_kept() {
        let by_word = serde_json::to_string(&UserOpUpdate::Replaced { by: hash(70), transaction_hash: None }).unwrap();
        for line in [DROPPED.to_owned(), by_word] {
            let (mut leader, mut tab) = (Board::new(1), Board::new(2));
            leader.lead(true);
            let (mut first, mut second) = (leader.listen(hash(1)), tab.listen(hash(1)));
            assert_eq!(leader.line(hash(1), line.clone()), Told::Last);
            tab.hear(Message::Last { leader: 1, hash: hash(1), line: line.clone() });
            assert_eq!(
                [pieces(&mut first), pieces(&mut second)],
                [[Ok(format!("{line}\n"))], [Ok(format!("{line}\n"))]]
            );
            assert!(leader.is_empty() && tab.is_empty());
            for board in [&mut leader, &mut tab] {
                assert_eq!(pieces(&mut board.listen(hash(1))), []);
                assert_eq!(board.open(), [hash(1)], "it is followed anew");
            }
        }
    }

    #[test]
    fn what_the_leader_does_not_follow_is_asked_for_again() {
        let mut board = Board::new(1);
        let _listener = board.listen(hash(1));
        let reply = board.hear(Message::States { leader: 2, lines: vec![(hash(7), None)] }).reply;
        assert_eq!(reply, Some(Message::Wants { tab: 1, hashes: vec![hash(1)] }));
        assert_eq!(board.hear(Message::States { leader: 2, lines: vec![(hash(1), None)] }).reply, None);
    }

    #[test]
    fn tabs_that_are_gone_are_forgotten_and_the_others_are_not() {
        let mut leader = Board::new(1);
        leader.lead(true);
        for tab in [2, 3] {
            let heard = leader.hear(Message::Wants { tab, hashes: vec![hash(9), hash(tab as u8)] });
            assert!(heard.changed && heard.reply.is_some());
        }
        assert_eq!(leader.open(), [hash(9), hash(2), hash(3)]);
        assert_eq!(leader.line(hash(9), proved()), Told::Proved);
        assert_eq!(leader.open(), [hash(2), hash(3)]);
        leader.who();
        leader.hear(Message::Wants { tab: 3, hashes: vec![hash(9), hash(3)] });
        leader.tick();
        assert_eq!(leader.open(), [hash(3)]);
        leader.hear(Message::Wants { tab: 3, hashes: vec![] });
        leader.tick();
        assert!(leader.is_empty());
    }

    #[test]
    fn a_round_loses_nothing_of_tabs_that_have_not_answered_yet() {
        let mut leader = Board::new(1);
        leader.lead(true);
        let wants = |tab: TabId| Message::Wants { tab, hashes: vec![hash(tab as u8)] };
        for tab in [2, 3] {
            leader.hear(wants(tab));
            // Told once: the server says it again only over another connection.
            leader.line(hash(tab as u8), STUCK.into());
        }
        for _ in 0..3 {
            leader.who();
            for tab in [2, 3] {
                let lines = [2, 3].map(|of| (hash(of), Some(STUCK.to_owned()))).to_vec();
                assert_eq!(leader.hear(wants(tab)).reply, Some(Message::States { leader: 1, lines }));
            }
            leader.tick();
        }
        // One that lost the lead has only its own to care for.
        leader.lead(false);
        assert!(leader.is_empty());
    }

    #[test]
    fn a_tab_that_wants_more_than_a_leader_takes_is_answered_once() {
        let (mut leader, mut tab) = (Board::new(1), Board::new(2));
        leader.lead(true);
        let many = u32::try_from(MOST_OF_A_TAB).unwrap() + 44;
        let listeners: Vec<_> =
            (0..many).map(|number| tab.listen(B256::left_padding_from(&number.to_be_bytes()))).collect();
        let states = leader.hear(tab.wants()).reply.expect("a leader answers");
        assert_eq!(tab.hear(states).reply, None);
        // Neither does one that has led, for what others wanted of it.
        tab.lead(true);
        tab.hear(Message::Wants { tab: 3, hashes: vec![B256::repeat_byte(3)] });
        tab.lead(false);
        assert_eq!(tab.hear(leader.states()).reply, None);
        drop(listeners);
    }

    #[test]
    fn a_connection_is_right_for_what_it_still_follows() {
        let mut board = Board::new(1);
        board.lead(true);
        let _listeners = [1, 2].map(|byte| board.listen(hash(byte)));
        let mut following = board.open();
        assert!(!board.outdates(&mut following));
        board.line(hash(1), DROPPED.into());
        assert!(!board.outdates(&mut following));
        assert_eq!(following, [hash(2)]);
        // Asked for again, it is followed by another connection only.
        let _listener = board.listen(hash(1));
        assert!(board.outdates(&mut following));
        assert!(Board::new(1).outdates(&mut following));
    }

    #[test]
    fn who_lost_its_line_may_come_back_for_a_while() {
        let mut board = Board::new(1);
        drop(board.listen(hash(1)));
        for _ in 0..KEPT {
            assert!(!board.tick() && board.waits());
        }
        assert!(board.tick() && !board.waits() && board.is_empty());
    }

    #[test]
    fn all_have_their_turn_when_there_are_more_than_a_stream_can_follow() {
        let mut board = Board::new(1);
        let all: Vec<_> = (0..=u8::try_from(MOST_FOLLOWED).unwrap()).map(hash).collect();
        board.lead(true);
        board.hear(Message::Wants { tab: 2, hashes: all.clone() });
        assert_eq!(board.open(), all[..MOST_FOLLOWED]);
        board.next_turn();
        assert_eq!(board.open()[0], all[MOST_FOLLOWED]);
    }

    #[test]
    fn an_error_ends_one_wait_only() {
        let mut board = Board::new(1);
        board.lead(true);
        let (mut first, mut second) = (board.listen(hash(1)), board.listen(hash(2)));
        let error = AppError::WaitTimedOut { user_op_hash: hash(1), seconds: 60 };
        assert_eq!(board.line(hash(1), serde_json::to_string(&error).unwrap()), Told::Last);
        assert_eq!(pieces(&mut first), [Err(error)]);
        assert_eq!((pieces(&mut second), board.open()), (vec![], vec![hash(2)]));
    }
}
