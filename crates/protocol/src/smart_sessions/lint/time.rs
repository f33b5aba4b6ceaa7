//! From when to when.

use super::{Findings, SessionFindingKind as Kind, session_window};
use crate::smart_sessions::{
    leaf::{both, window_of},
    session::Session,
};

/// A year in seconds: longer windows are pointed out.
const YEAR: u64 = 365 * 24 * 60 * 60;

/// The time of each action, within that of the session.
pub(super) fn check(session: &Session, now: u64, found: &mut Findings) {
    let whole = session_window(session);
    for (index, action) in session.actions.iter().enumerate() {
        found.action = Some(index);
        let window = both(whole, window_of(&action.action_policies));
        match window.valid_until {
            0 => found.warn(Kind::NoExpiry, "It never ends by itself. Set an end, unless you have a reason not to."),
            end if end <= now => found.stop(Kind::WindowOver, "Its time is over already."),
            end if window.valid_after > end => found.stop(Kind::EmptyWindow, "It would end before it begins."),
            end if end - now > YEAR => found.warn(Kind::LongWindow, "It lasts longer than a year."),
            _ => {}
        }
    }
    found.action = None;
}
