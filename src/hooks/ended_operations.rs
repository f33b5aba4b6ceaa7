//! Operations that came to an end in this page, for state that is no query.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]

use std::{cell::RefCell, rc::Rc};

use alloy::primitives::Address;

type Listener = Rc<dyn Fn(Option<Address>)>;

thread_local! {
    static LISTENERS: RefCell<Vec<Listener>> = const { RefCell::new(Vec::new()) };
}

/// An operation of `account` (`None`: of somebody) came to its end.
pub(super) fn announce(account: Option<Address>) {
    let listeners = LISTENERS.with_borrow(Clone::clone);
    listeners.iter().for_each(|listener| listener(account));
}

/// Hears of each, for as long as the page lives.
pub(super) fn subscribe(listener: impl Fn(Option<Address>) + 'static) {
    LISTENERS.with_borrow_mut(|listeners| listeners.push(Rc::new(listener)));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_listener_hears_of_it() {
        let heard = Rc::new(Cell::new(None));
        let hears = Rc::clone(&heard);
        subscribe(move |account| hears.set(account));
        announce(Some(Address::repeat_byte(1)));
        assert_eq!(heard.get(), Some(Address::repeat_byte(1)));
    }
}
