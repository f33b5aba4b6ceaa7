//! User operations (docs/protocol.md 2.4) and their nonces. What their versions differ in is
//! [`entry_point`](crate::entry_point)'s.

use alloy::primitives::U256;

pub use super::entry_point::{EntryPoint, UserOperation};

/// A nonce in lane `key` (192 bits; higher bits are cut off) at `sequence` (docs/protocol.md 2.8).
pub fn nonce_with_key(key: U256, sequence: u64) -> U256 {
    (key << 64) | U256::from(sequence)
}

/// Splits a nonce into its lane key and its sequence.
pub fn split_nonce(nonce: U256) -> (U256, u64) {
    (nonce >> 64, nonce.as_limbs()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_its_lane_and_its_sequence() {
        let key = U256::from(1_723_000_000_000u64);
        let nonce = nonce_with_key(key, 5);
        assert_eq!(format!("{nonce:#x}"), "0x1912acd8e000000000000000005");
        assert_eq!(split_nonce(nonce), (key, 5));
    }
}
