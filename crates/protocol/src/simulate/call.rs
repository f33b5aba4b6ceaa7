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

/// By which way a call reaches a module: the ERC-20 module's two differ in a text and in how they read the recipient.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    /// The session key manager: one call.
    Single,
    /// The batched session router.
    Batch,
}

/// Judges one decoded call against one session, as the session key manager has it judged.
pub fn judge_call(leaf: &SessionLeaf, call: &Call) -> Result<(), Violation> {
    judge(leaf, call, Path::Single)
}

/// As [`judge_call`], for a call of a batch, as the batched session router has it judged.
pub fn judge_batch_call(leaf: &SessionLeaf, call: &Call) -> Result<(), Violation> {
    judge(leaf, call, Path::Batch)
}

fn judge(leaf: &SessionLeaf, call: &Call, path: Path) -> Result<(), Violation> {
    match leaf.session_validation_module {
        ABI_SESSION_VALIDATION_MODULE => judge_abi(&leaf.session_key_data, call),
        ERC20_SESSION_VALIDATION_MODULE => judge_erc20(&leaf.session_key_data, call, path),
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
fn judge_erc20(data: &[u8], call: &Call, path: Path) -> Result<(), Violation> {
    let allowed =
        Erc20SessionData::decode(data).map_err(|error| Violation::new("session data", error.to_string(), ""))?;
    if call.to != allowed.token {
        let reason = format!("the session is for token {}, the call goes to {}", allowed.token, call.to);
        let text = match path {
            Path::Single => "ERC20SV Wrong Token",
            Path::Batch => "ERC20SV Invalid Token",
        };
        return Err(Violation::new("token", reason, text));
    }
    if !call.value.is_zero() {
        let reason = format!("the session allows no native value, the call sends {} wei", call.value);
        return Err(Violation::new("value", reason, "ERC20SV Non Zero Value"));
    }
    let missing = || Violation::new("arguments", "recipient and amount are missing", "");
    let (upper, recipient) = call.data.get(4..16).zip(call.data.get(16..36)).ok_or_else(missing)?;
    if path == Path::Batch {
        call.data.get(36..68).ok_or_else(missing)?;
        if upper.iter().any(|byte| *byte != 0) {
            return Err(Violation::new("arguments", "the word of the recipient is more than an address", ""));
        }
    }
    let recipient = Address::from_slice(recipient);
    if recipient != allowed.recipient {
        let reason = format!("the session is for recipient {}, the call names {recipient}", allowed.recipient);
        return Err(Violation::new("recipient", reason, "ERC20SV Wrong Recipient"));
    }
    let amount = U256::from_be_slice(call.data.get(36..68).ok_or_else(missing)?);
    if amount > allowed.max_amount {
        let reason = format!("the session allows {} units per call, the call asks for {amount}", allowed.max_amount);
        return Err(Violation::new("amount", reason, "ERC20SV Max Amount Exceeded"));
    }
    Ok(())
}
