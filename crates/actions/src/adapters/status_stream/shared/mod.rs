//! One stream for all tabs of a browser. Over HTTP/1.1 a browser opens six connections to a site, for all tabs together;
//! status streams last for minutes: with one for each tab, seven tabs that wait leave none for anything else.
//!
//! One tab leads: it holds a lock that the browser gives to one tab at a time, and the stream. It follows what any tab
//! waits for, and tells all of them the latest line of each operation, again and again (`board.rs`, `message.rs`). What may
//! turn out otherwise, an error or an end that no block proves, is told once and kept nowhere: whoever asks again has the
//! server asked again. When it is closed, the browser gives the lock to the next tab that waits; when it is frozen and says nothing for some seconds,
//! another tab takes the lock away (`tab.rs`).

mod board;
mod message;
mod tab;
#[cfg(all(test, feature = "native"))]
mod tests;

use std::{cell::RefCell, rc::Rc};

use alloy::primitives::B256;
use futures::{
    channel::mpsc::{UnboundedSender, unbounded},
    future::LocalBoxFuture,
};

use super::watch::TextStream;
use crate::error::AppError;
use board::Board;
pub use message::{Message, TabId};

/// The lead: resolves when it was taken away; dropped, it is given up.
pub type Lead = LocalBoxFuture<'static, ()>;

/// What a browser has for its tabs.
pub trait Ports: 'static {
    /// Tells all other tabs.
    fn tell(&self, message: &Message);

    /// Waits until this tab has the lead; takes it away from another one with `steal`. Who stops waiting is out of the
    /// queue.
    fn lead(&self, steal: bool) -> LocalBoxFuture<'static, Lead>;

    /// Opens a stream of lines as [`read_named_line`](super::read_named_line) reads them.
    fn connect(&self, hashes: Vec<B256>) -> LocalBoxFuture<'static, Result<TextStream, AppError>>;

    /// A number in 0..1, another one each time.
    fn jitter(&self) -> f64;
}

/// This tab's part in the stream that all tabs share.
pub struct SharedStream<P> {
    ports: Rc<P>,
    board: Rc<RefCell<Board>>,
    changed: UnboundedSender<()>,
}

impl<P> Clone for SharedStream<P> {
    fn clone(&self) -> Self {
        Self { ports: self.ports.clone(), board: self.board.clone(), changed: self.changed.clone() }
    }
}

impl<P: Ports> SharedStream<P> {
    /// The tab `me`, and what has to run for as long as it is there.
    pub fn new(me: TabId, ports: P) -> (Self, impl Future<Output = ()> + use<P>) {
        let (changed, changes) = unbounded();
        let stream = Self { ports: Rc::new(ports), board: Rc::new(RefCell::new(Board::new(me))), changed };
        let running = tab::run(stream.clone(), changes);
        (stream, running)
    }

    /// Follows an operation: the text that a stream of its own would bring.
    pub fn listen(&self, user_op_hash: B256) -> TextStream {
        let pieces = self.board.borrow_mut().listen(user_op_hash);
        self.changed.unbounded_send(()).ok();
        Box::pin(pieces)
    }

    /// Takes what another tab told.
    pub fn hear(&self, message: Message) {
        let heard = self.board.borrow_mut().hear(message);
        if let Some(reply) = heard.reply {
            self.ports.tell(&reply);
        }
        if heard.changed {
            self.changed.unbounded_send(()).ok();
        }
    }
}
