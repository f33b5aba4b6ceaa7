//! Requests for a distributed key that are on their way: whoever waits for one hears so.

use std::cell::RefCell;

use crate::client::time::now_millis;

/// With a key in the pool an answer takes less than this, milliseconds.
const AT_ONCE: u64 = 800;

thread_local! {
    /// When each of them began, milliseconds since the epoch.
    static BEGAN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A request, from its making until it is dropped, however it ends.
pub(super) struct KeyRequest(u64);

impl KeyRequest {
    /// One that begins now.
    pub fn begin() -> Self {
        Self::begun_at(now_millis())
    }

    fn begun_at(began: u64) -> Self {
        BEGAN.with_borrow_mut(|all| all.push(began));
        Self(began)
    }
}

impl Drop for KeyRequest {
    fn drop(&mut self) {
        // Two that began at once are the same.
        BEGAN.with_borrow_mut(|all| all.iter().position(|began| *began == self.0).map(|place| all.swap_remove(place)));
    }
}

/// One of them takes longer than a key that is there already.
pub(super) fn waits_for_a_key() -> bool {
    let now = now_millis();
    BEGAN.with_borrow(|all| all.iter().any(|began| now.saturating_sub(*began) > AT_ONCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_waited_for_until_it_ends_itself() {
        let long_ago = now_millis() - AT_ONCE - 1;
        assert!(!waits_for_a_key());
        let (first, second) = (KeyRequest::begun_at(long_ago), KeyRequest::begun_at(long_ago - 1));
        drop(KeyRequest::begin());
        assert!(waits_for_a_key(), "one that was answered at once ends no other");
        drop(first);
        assert!(waits_for_a_key(), "the second goes on");
        drop(second);
        assert!(!waits_for_a_key(), "also when it was given up");
        let _now = KeyRequest::begin();
        assert!(!waits_for_a_key(), "a key of the pool may come");
    }
}
