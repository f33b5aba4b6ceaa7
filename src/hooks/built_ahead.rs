//! What is built ahead of the click that asks for it, while a person reads. It may hold a key, or the nonce of another
//! operation: when the account is another one, or forgotten, all of it is dropped.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    thread::LocalKey,
};

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};

use crate::error::AppError;

/// A result that is being worked on and may be asked for by several.
pub type Eventually<T> = Shared<LocalBoxFuture<'static, Result<T, AppError>>>;

type Forget = Rc<dyn Fn()>;

thread_local! {
    /// One for each place that has kept something.
    static PLACES: RefCell<Vec<Forget>> = const { RefCell::new(Vec::new()) };
}

/// Drops all that was built ahead, whatever part of the page built it.
pub fn forget_all() {
    // Outside of the borrow: what is dropped may be anything.
    let places = PLACES.with_borrow(Vec::clone);
    places.iter().for_each(|forget| forget());
}

/// The place of one sort of work, a `thread_local!`: the work, and what it was built from.
pub struct BuiltAhead<K, T> {
    kept: RefCell<Option<(K, Eventually<T>)>>,
    is_listed: Cell<bool>,
}

impl<K: 'static, T: Clone + 'static> BuiltAhead<K, T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { kept: RefCell::new(None), is_listed: Cell::new(false) }
    }

    /// Is this being built, or built and still good?
    pub fn has(
        place: &'static LocalKey<Self>,
        is_it: impl FnOnce(&K) -> bool,
        is_good: impl FnOnce(&T) -> bool,
    ) -> bool {
        place.with(|place| {
            place.kept.borrow().as_ref().is_some_and(|(from, work)| {
                is_it(from) && work.peek().is_none_or(|built| built.as_ref().is_ok_and(is_good))
            })
        })
    }

    /// Keeps `work` in place of what was built before, and gives it to be waited for.
    pub fn keep(
        place: &'static LocalKey<Self>,
        from: K,
        work: impl Future<Output = Result<T, AppError>> + 'static,
    ) -> Eventually<T> {
        let work = work.boxed_local().shared();
        let (before, is_listed) =
            place.with(|place| (place.kept.replace(Some((from, work.clone()))), place.is_listed.replace(true)));
        drop(before);
        if !is_listed {
            PLACES.with_borrow_mut(|places| places.push(Rc::new(move || Self::forget(place))));
        }
        work
    }

    /// Takes it: it is used once. What was built from something else is dropped.
    pub fn take(place: &'static LocalKey<Self>, is_it: impl FnOnce(&K) -> bool) -> Option<Eventually<T>> {
        let kept = place.with(|place| place.kept.take());
        kept.filter(|(from, _)| is_it(from)).map(|(_, work)| work)
    }

    /// Drops it.
    pub fn forget(place: &'static LocalKey<Self>) {
        drop(place.with(|place| place.kept.take()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::{future::ready, rc::Weak};

    use futures::executor::block_on;

    use super::*;

    thread_local! {
        static GRANT: BuiltAhead<u8, Rc<str>> = const { BuiltAhead::new() };
        static USE: BuiltAhead<u8, Rc<str>> = const { BuiltAhead::new() };
    }

    fn build(place: &'static LocalKey<BuiltAhead<u8, Rc<str>>>, from: u8, key: &str) -> Weak<str> {
        let key = Rc::<str>::from(key);
        let held = Rc::downgrade(&key);
        drop(block_on(BuiltAhead::keep(place, from, ready(Ok(key)))));
        held
    }

    #[test]
    fn whoever_forgets_names_no_place_and_nothing_of_it_stays() {
        for round in 0..3 {
            let held = [build(&GRANT, 1, "key"), build(&USE, 2, "other key")];
            assert!(held.iter().all(|key| key.upgrade().is_some()), "{round}");
            assert!(BuiltAhead::has(&GRANT, |from| *from == 1, |_| true));
            forget_all();
            assert!(held.iter().all(|key| key.upgrade().is_none()), "{round}");
            assert!(!BuiltAhead::has(&GRANT, |_| true, |_| true) && BuiltAhead::take(&USE, |_| true).is_none());
        }
        assert_eq!(PLACES.with_borrow(Vec::len), 2);
    }

    #[test]
    fn it_is_used_once_and_for_what_it_was_built() {
        let first = build(&GRANT, 1, "first");
        let second = build(&GRANT, 2, "second");
        assert!(first.upgrade().is_none(), "there is one");
        assert!(!BuiltAhead::has(&GRANT, |from| *from == 2, |key| &**key == "first"), "no good any more");
        assert_eq!(&*block_on(BuiltAhead::take(&GRANT, |from| *from == 2).unwrap()).unwrap(), "second");
        assert!(BuiltAhead::take(&GRANT, |from| *from == 2).is_none() && second.upgrade().is_none());
        build(&GRANT, 3, "third");
        assert!(BuiltAhead::take(&GRANT, |from| *from == 4).is_none());
        assert!(!BuiltAhead::has(&GRANT, |_| true, |_| true), "what is for something else goes, too");
        drop(BuiltAhead::keep(&GRANT, 5, std::future::pending()));
        assert!(BuiltAhead::has(&GRANT, |from| *from == 5, |_| false), "nobody knows yet");
        let failed = BuiltAhead::keep(&GRANT, 6, ready(Err(AppError::NoSmartAccount)));
        assert_eq!(block_on(failed).unwrap_err(), AppError::NoSmartAccount);
        assert!(!BuiltAhead::has(&GRANT, |from| *from == 6, |_| true), "to be built again");
    }
}
