//! [`Turns`]: of several wallets that were asked, the one chosen last counts, whoever answers first.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]

/// Which request counts. A request that asks nobody, when the page opens or a wallet is unlocked, never takes the turn from
/// one that a person made.
#[derive(Debug, Default)]
pub struct Turns {
    latest: u64,
    person_waits: bool,
}

impl Turns {
    /// Somebody asks; `None` where a silent request has to stand back.
    pub fn begin(&mut self, silent: bool) -> Option<u64> {
        if silent && self.person_waits {
            return None;
        }
        self.latest += 1;
        self.person_waits = !silent;
        Some(self.latest)
    }

    /// The answer is there: is it still wanted?
    pub fn end(&mut self, turn: u64) -> bool {
        let wanted = turn == self.latest;
        self.person_waits &= !wanted;
        wanted
    }

    /// No answer is wanted any more.
    pub fn stop(&mut self) {
        self.latest += 1;
        self.person_waits = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_late_answer_never_replaces_a_later_choice() {
        let mut turns = Turns::default();
        let slow = turns.begin(false).unwrap();
        let quick = turns.begin(false).unwrap();
        assert!(turns.end(quick) && !turns.end(slow));
        // In the other order, too.
        let slow = turns.begin(false).unwrap();
        let quick = turns.begin(false).unwrap();
        assert!(!turns.end(slow));
        assert_eq!(turns.begin(true), None, "the person still waits for the later one");
        assert!(turns.end(quick));
    }

    #[test]
    fn a_silent_request_stands_back_behind_a_choice_and_a_choice_replaces_it() {
        let mut turns = Turns::default();
        let silent = turns.begin(true).unwrap();
        let chosen = turns.begin(false).unwrap();
        assert!(!turns.end(silent));
        assert!(turns.end(chosen));
        let silent = turns.begin(true).unwrap();
        assert!(turns.end(silent), "nobody waits: it counts");
    }

    #[test]
    fn after_letting_go_no_answer_is_wanted() {
        let mut turns = Turns::default();
        let asked = turns.begin(false).unwrap();
        turns.stop();
        assert!(!turns.end(asked));
        assert!(turns.begin(true).is_some());
    }
}
