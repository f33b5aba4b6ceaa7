//! The sentences of grants without a version. Nothing in here may change: grants that were signed with them are
//! verified for as long as they last.

use alloy::primitives::{Address, B256, U256};

use super::GrantedLeaf;
use crate::{ProtocolError, describe::utc, session_data::AbiSessionData};

const SYMBOLS: [&str; 6] = ["=", "≤", "<", "≥", ">", "≠"];

pub(super) fn sentence(leaf: &GrantedLeaf) -> Result<String, ProtocolError> {
    let data = AbiSessionData::decode(&leaf.session_key_data)?;
    let value = match data.value_limit {
        0 => "without native value".to_owned(),
        limit => format!("with at most {limit} wei"),
    };
    let mut text = format!("call function 0x{} of {} {value}", hex::encode(data.selector), data.contract_address);
    for (index, (offset, condition, reference)) in data.rules.iter().enumerate() {
        let joint = if index == 0 { ", where" } else { " and" };
        let symbol = SYMBOLS.get(usize::from(*condition)).unwrap_or(&"(never)");
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
