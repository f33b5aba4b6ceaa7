//! What an account or a policy answers to an operation: one word.

use alloy::primitives::{Address, U256};

use crate::{policy::UINT48_END, time_window::Window};

/// `validAfter(6) ‖ validUntil(6) ‖ authorizer(20)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValidationData {
    /// Zero = good, 1 = bad signature, else a contract that aggregates signatures.
    pub authorizer: Address,
    /// When it holds.
    pub window: Window,
}

impl ValidationData {
    /// A bad signature, as accounts and modules say it: the whole word is 1, without a window.
    pub const SIGNATURE_FAILED: Self =
        Self { authorizer: Address::with_last_byte(1), window: Window { valid_until: 0, valid_after: 0 } };

    /// Reads the word.
    pub fn from_word(word: U256) -> Self {
        let bytes = word.to_be_bytes::<32>();
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Self {
            authorizer: Address::from_slice(&bytes[12..]),
            window: Window { valid_after: number(&bytes[..6]), valid_until: number(&bytes[6..12]) },
        }
    }

    /// The word; times from 2^48 on become 2^48 − 1.
    pub fn to_word(self) -> U256 {
        let time = |time: u64| U256::from(time.min(UINT48_END - 1));
        (time(self.window.valid_after) << 208)
            | (time(self.window.valid_until) << 160)
            | U256::from_be_slice(self.authorizer.as_slice())
    }

    /// Accepted, whatever the time.
    pub fn is_accepted(self) -> bool {
        self.authorizer.is_zero()
    }

    /// What holds under both: the later begin, the earlier end (0 counts as 2^48 − 1). It may be empty: the entry point
    /// says so, modules do not. The first authorizer that is not zero stays.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let end = |window: Window| if window.valid_until == 0 { UINT48_END - 1 } else { window.valid_until };
        Self {
            authorizer: if self.authorizer.is_zero() { other.authorizer } else { self.authorizer },
            window: Window {
                valid_after: self.window.valid_after.max(other.window.valid_after),
                valid_until: end(self.window).min(end(other.window)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_and_no_end_is_the_last_second() {
        let of = |valid_until, valid_after| ValidationData {
            window: Window { valid_until, valid_after },
            ..ValidationData::default()
        };
        assert_eq!(of(0, 0).and(of(0, 5)), of(UINT48_END - 1, 5));
        assert_eq!(of(200, 100).and(of(400, 300)), of(200, 300), "empty, and told as it is");
        assert_eq!(ValidationData::SIGNATURE_FAILED.to_word(), U256::from(1));
        assert!(of(UINT48_END - 1, 5).window.contains(5) && !of(7, 5).window.contains(8));
    }
}
