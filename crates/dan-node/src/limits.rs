//! How often a key signs: so many signatures in each minute of the clock.
//!
//! The count is written down ahead, several at a time, so that few signatures wait for the disk; what a crash leaves
//! counts as used.

use serde::{Deserialize, Serialize};

/// The count of one key, as written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteCount {
    /// Which minute since 1970.
    minute: u64,
    /// Signatures that may have been given in it.
    reserved: u32,
    /// Signatures that were given in it, as far as this process knows.
    #[serde(skip)]
    used: u32,
}

/// What a signature needs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing.
    Covered,
    /// The limit must be written down.
    ToBeWritten,
}

impl MinuteCount {
    /// As found on disk: all that was reserved counts as used.
    pub fn resumed(self) -> Self {
        Self { used: self.reserved, ..self }
    }

    /// Counts one signature at `now` (unix seconds), or says in how many seconds there is room again.
    pub fn take(&mut self, per_minute: u32, now: u64) -> Result<Taken, u64> {
        // A clock that went back does not make room.
        if now / 60 > self.minute {
            *self = Self { minute: now / 60, reserved: 0, used: 0 };
        }
        if self.used >= per_minute {
            return Err(((self.minute + 1) * 60).saturating_sub(now));
        }
        self.used += 1;
        if self.used <= self.reserved {
            return Ok(Taken::Covered);
        }
        self.reserved = per_minute.min(self.used + (per_minute / 8).min(63));
        Ok(Taken::ToBeWritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_room_for_so_many() {
        let mut limit = MinuteCount::default();
        for count in 0..20 {
            assert!(limit.take(20, 6000).is_ok(), "{count}");
        }
        assert_eq!((limit.take(20, 6000), limit.take(20, 6059)), (Err(60), Err(1)));
        assert!(limit.take(20, 6060).is_ok());
        // The clock goes back: the newer minute counts on.
        assert!(limit.take(20, 6000).is_ok());
        assert_eq!(limit.minute, 101);
    }

    #[test]
    fn what_was_reserved_survives_as_used() {
        let mut limit = MinuteCount::default();
        assert_eq!(limit.take(16, 6000), Ok(Taken::ToBeWritten));
        assert_eq!(limit.take(16, 6000), Ok(Taken::Covered));
        assert_eq!(limit.reserved, 3);
        let mut again = limit.resumed();
        let left = (0..).take_while(|_| again.take(16, 6010).is_ok()).count();
        assert_eq!(left, 13);
        assert!(again.take(16, 6060).is_ok());
    }
}
