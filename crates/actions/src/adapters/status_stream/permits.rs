//! Permits: so many at a time do a thing, the others queue in order.
//!
//! Over HTTP/1.1 a browser opens six connections to a server. Status streams last for minutes; without a limit six
//! open operations would leave none for anything else, sending included.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use futures::channel::oneshot;

/// Hands out permits, first come, first served. Clones share them.
#[derive(Clone)]
pub struct Permits(Rc<RefCell<State>>);

struct State {
    free: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// A permit; over when dropped.
pub struct Permit(Permits);

impl Permits {
    /// As many at a time.
    pub fn new(at_a_time: usize) -> Self {
        Self(Rc::new(RefCell::new(State { free: at_a_time, waiting: VecDeque::new() })))
    }

    /// Waits for a permit.
    pub async fn take(&self) -> Permit {
        let place = {
            let mut state = self.0.borrow_mut();
            if state.free > 0 {
                state.free -= 1;
                return Permit(self.clone());
            }
            let (call, place) = oneshot::channel();
            state.waiting.push_back(call);
            place
        };
        match place.await {
            Ok(permit) => permit,
            // The queue lives as long as `self`; were it gone, nobody else would be in the way.
            Err(oneshot::Canceled) => Permit(self.clone()),
        }
    }
}

impl Permit {
    /// Somebody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.0.0.borrow().waiting.iter().any(|waiting| !waiting.is_canceled())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.0.borrow_mut();
            state.waiting.retain(|waiting| !waiting.is_canceled());
            let next = state.waiting.pop_front();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Should the one that waited leave just now, this permit is handed on in the same way.
            drop(next.send(Permit(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_came_first_is_first_and_who_left_is_passed_over() {
        let permits = Permits::new(1);
        let first = permits.take().now_or_never().unwrap();
        assert!(!first.is_wanted());
        let mut second = Box::pin(permits.take());
        let mut third = Box::pin(permits.take());
        let mut fourth = Box::pin(permits.take());
        for waiting in [&mut second, &mut third, &mut fourth] {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(first.is_wanted());
        drop(second);
        drop(first);
        assert!((&mut fourth).now_or_never().is_none());
        let third = third.now_or_never().unwrap();
        drop(third);
        // Called, but gone before it heard.
        drop(fourth);
        assert!(permits.take().now_or_never().is_some());
    }
}
