//! What a grant allows, in sentences: the owner reads them in the wallet, and since they are part of what is signed
//! each node builds them again from the leaves.

use alloy::primitives::{Address, B256, U256};

use super::GrantedLeaf;
use crate::{ProtocolError, policy::Condition, session_data::AbiSessionData};

/// One sentence for each leaf.
///
/// # Errors
/// When the data of a leaf is not that of the ABI session validation module.
pub fn permissions(leaves: &[GrantedLeaf]) -> Result<Vec<String>, ProtocolError> {
    leaves.iter().map(sentence).collect()
}

fn sentence(leaf: &GrantedLeaf) -> Result<String, ProtocolError> {
    let data = AbiSessionData::decode(&leaf.session_key_data)?;
    let value = match data.value_limit {
        0 => "without native value".to_owned(),
        limit => format!("with at most {limit} wei"),
    };
    let mut text = format!("call function 0x{} of {} {value}", hex::encode(data.selector), data.contract_address);
    for (index, (offset, condition, reference)) in data.rules.iter().enumerate() {
        let joint = if index == 0 { ", where" } else { " and" };
        let symbol = Condition::from_code(*condition).map_or("(never)", |condition| condition.symbol());
        text.push_str(&format!("{joint} argument byte {offset} {symbol} {}", readable(*reference)));
    }
    if leaf.valid_after != 0 {
        text.push_str(&format!(", from {}", utc(leaf.valid_after)));
    }
    if leaf.valid_until != 0 {
        text.push_str(&format!(", until {}", utc(leaf.valid_until)));
    }
    Ok(text)
}

/// A word as a number or an address where it looks like one, else as hex.
fn readable(word: B256) -> String {
    let number = U256::from_be_bytes(word.0);
    match number.bit_len() {
        0..=96 => number.to_string(),
        97..=160 => Address::from_word(word).to_string(),
        _ => word.to_string(),
    }
}

/// `2026-11-22 06:30:00 UTC` of unix seconds. (Days to date: Howard Hinnant's `civil_from_days`.)
pub(super) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::addresses::ABI_SESSION_VALIDATION_MODULE;

    #[test]
    fn seconds_become_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_735_689_600, "2025-01-01 00:00:00 UTC"),
            (281_474_976_710_655, "8921556-12-07 10:44:15 UTC"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn a_leaf_is_a_sentence() {
        let data = AbiSessionData {
            session_key_address: Address::repeat_byte(1),
            contract_address: Address::repeat_byte(2),
            selector: [0x40, 0xd0, 0x97, 0xc3],
            value_limit: 0,
            rules: vec![(0, 0, Address::repeat_byte(3).into_word()), (32, 1, U256::from(7).into())],
        };
        let leaf = GrantedLeaf {
            valid_until: 86_400,
            valid_after: 0,
            session_validation_module: ABI_SESSION_VALIDATION_MODULE,
            session_key_data: data.encode().unwrap(),
        };
        assert_eq!(
            permissions(&[leaf]).unwrap(),
            ["call function 0x40d097c3 of 0x0202020202020202020202020202020202020202 without native value, \
              where argument byte 0 = 0x0303030303030303030303030303030303030303 and argument byte 32 ≤ 7, \
              until 1970-01-02 00:00:00 UTC"]
        );
    }
}
