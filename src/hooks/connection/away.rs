//! [`Away`]: a wallet that is away is asked by one round of questions at a time.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]

/// Whether the connected wallet is away, and which round of questions to it counts.
#[derive(Debug, Default)]
pub struct Away {
    round: u64,
    is_away: bool,
    /// A round goes on.
    is_asked: bool,
}

impl Away {
    /// Somebody has a reason to ask at once: a new round, in place of the one before.
    pub fn begin(&mut self) -> Option<u64> {
        self.round += 1;
        (self.is_away, self.is_asked) = (true, true);
        Some(self.round)
    }

    /// The wallet says that it is away. Said again, it is no reason to ask again: a wallet may say it at each question.
    pub fn hiccup(&mut self) -> Option<u64> {
        if self.is_asked { None } else { self.begin() }
    }

    /// The round has asked often enough.
    pub fn rest(&mut self, round: u64) {
        self.is_asked &= !self.is_current(round);
    }

    /// The wallet is reached, or let go.
    pub fn end(&mut self) {
        self.round += 1;
        (self.is_away, self.is_asked) = (false, false);
    }

    /// Nothing was heard of the wallet since it said so.
    pub fn is_away(&self) -> bool {
        self.is_away
    }

    /// Whether this round still counts.
    pub fn is_current(&self, round: u64) -> bool {
        self.is_away && self.round == round
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_wallet_that_says_again_that_it_is_away_is_not_asked_again_for_that() {
        let mut away = Away::default();
        let round = away.hiccup().unwrap();
        assert!((0..100).all(|_| away.hiccup().is_none()) && away.is_current(round));
        // Who has a reason begins anew.
        let next = away.begin().unwrap();
        assert!(!away.is_current(round) && away.is_current(next));
        away.rest(round);
        assert_eq!(away.hiccup(), None, "the later round goes on");
        away.rest(next);
        assert!(away.is_away() && away.hiccup().is_some(), "nobody asks any more");
        away.end();
        assert!(!away.is_away() && away.hiccup().is_some());
    }
}
