//! One call against one session: what the two validation modules check, in their order.

use alloy::primitives::{Address, B256, U256};

use super::Violation;
use crate::{
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    policy::Condition,
    session::SessionLeaf,
    session_data::{ABI_HEADER, AbiSessionData, Erc20SessionData, take_rule},
    smart_account::Call,
};

/// Judges one decoded call against one session, whatever it is wrapped in.
pub fn judge_call(leaf: &SessionLeaf, call: &Call) -> Result<(), Violation> {
    match leaf.session_validation_module {
        ABI_SESSION_VALIDATION_MODULE => judge_abi(&leaf.session_key_data, call),
        ERC20_SESSION_VALIDATION_MODULE => judge_erc20(&leaf.session_key_data, call),
        unknown => Err(Violation::new("validation module", format!("{unknown} is unknown here"), "")),
    }
}

/// The ABI session validation module (docs/protocol.md 3.3), check by check.
fn judge_abi(data: &[u8], call: &Call) -> Result<(), Violation> {
    let unreadable = || Violation::new("session data", "shorter than its 62 fixed bytes", "");
    let (header, mut rules) = data.split_at_checked(ABI_HEADER).ok_or_else(unreadable)?;
    let count = header.last_chunk().copied().map(u16::from_be_bytes).ok_or_else(unreadable)?;
    let mut fixed = header.to_vec();
    fixed.splice(ABI_HEADER - 2.., [0, 0]); // rules are read one by one below, as the contract does
    let allowed = AbiSessionData::decode(&fixed).map_err(|_| unreadable())?;

    if call.to != allowed.contract_address {
        let reason = format!("the session is for {}, the call goes to {}", allowed.contract_address, call.to);
        return Err(Violation::new("destination", reason, "ABISV Destination Forbidden"));
    }
    let Some((called, arguments)) = call.data.split_first_chunk::<4>() else {
        let reason = format!("the session is for function 0x{}, the call names none", hex::encode(allowed.selector));
        return Err(Violation::new("selector", reason, ""));
    };
    if *called != allowed.selector {
        let (allowed, called) = (hex::encode(allowed.selector), hex::encode(called));
        let reason = format!("the session is for function 0x{allowed}, the call is to 0x{called}");
        return Err(Violation::new("selector", reason, "ABISV Selector Forbidden"));
    }
    if call.value > U256::from(allowed.value_limit) {
        let reason = format!("the session allows {} wei per call, the call sends {}", allowed.value_limit, call.value);
        return Err(Violation::new("value limit", reason, "ABISV Permitted Value Exceeded"));
    }
    for index in 0..count {
        let name = format!("rule {index}");
        let Some(rule) = take_rule(&mut rules) else {
            return Err(Violation::new(name, "the session data ends within this rule", ""));
        };
        judge_rule(name, rule, arguments)?;
    }
    Ok(())
}

fn judge_rule(
    name: String,
    (offset, condition, reference): (u16, u8, B256),
    arguments: &[u8],
) -> Result<(), Violation> {
    let offset = usize::from(offset);
    let Some(word) = arguments.get(offset..offset + 32) else {
        let reason = format!("the argument at byte {offset} is missing: there are {} bytes", arguments.len());
        return Err(Violation::new(name, reason, ""));
    };
    let word = B256::from_slice(word);
    let known = Condition::from_code(condition);
    if known.is_some_and(|condition| condition.holds(word, reference)) {
        return Ok(());
    }
    let reason = match known {
        Some(condition) => {
            let (word, reference) = (readable(word), readable(reference));
            format!("the argument at byte {offset} {} {reference}, it is {word}", condition.words())
        }
        None => format!("condition {condition} of the argument at byte {offset} is never true"),
    };
    Err(Violation::new(name, reason, "ABISV Arg Rule Violated"))
}

/// A word as an address or a small number where it looks like one, else as hex.
fn readable(word: B256) -> String {
    let number = U256::from_be_bytes(word.0);
    match number.bit_len() {
        0..=96 => number.to_string(),
        97..=160 => Address::from_word(word).to_string(),
        _ => word.to_string(),
    }
}

/// The ERC-20 session validation module (docs/protocol.md 3.4). Which function is called is not checked there.
fn judge_erc20(data: &[u8], call: &Call) -> Result<(), Violation> {
    let allowed =
        Erc20SessionData::decode(data).map_err(|error| Violation::new("session data", error.to_string(), ""))?;
    if call.to != allowed.token {
        let reason = format!("the session is for token {}, the call goes to {}", allowed.token, call.to);
        return Err(Violation::new("token", reason, "ERC20SV Wrong Token"));
    }
    if !call.value.is_zero() {
        let reason = format!("the session allows no native value, the call sends {} wei", call.value);
        return Err(Violation::new("value", reason, "ERC20SV Non Zero Value"));
    }
    let (Some(recipient), Some(amount)) = (call.data.get(4..36), call.data.get(36..68)) else {
        return Err(Violation::new("arguments", "recipient and amount are missing", ""));
    };
    if recipient != allowed.recipient.into_word().as_slice() {
        let asked = readable(B256::from_slice(recipient));
        let reason = format!("the session is for recipient {}, the call names {asked}", allowed.recipient);
        return Err(Violation::new("recipient", reason, "ERC20SV Wrong Recipient"));
    }
    let amount = U256::from_be_slice(amount);
    if amount > allowed.max_amount {
        let reason = format!("the session allows {} units per call, the call asks for {amount}", allowed.max_amount);
        return Err(Violation::new("amount", reason, "ERC20SV Max Amount Exceeded"));
    }
    Ok(())
}
