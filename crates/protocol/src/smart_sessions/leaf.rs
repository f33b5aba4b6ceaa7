//! An action as the V2 session that lets the same single calls through. What words and linter know of V2's sessions is
//! so said of actions, too; what is counted over many calls stands beside it.

use alloy::primitives::{Address, B256, U256};

use super::{
    addresses::VALUE_SELECTOR,
    policy_data::PolicyConfig,
    session::{ActionData, PolicyData},
};
use crate::{
    addresses::ABI_SESSION_VALIDATION_MODULE,
    policy::{Condition, SessionEpoch},
    session::SessionLeaf,
    session_data::{AbiSessionData, Erc20SessionData},
};

/// What single calls an action lets through; `None` when a policy is not known here or cannot be read, or says what
/// no V2 session can say.
pub(super) fn as_leaf(action: &ActionData, key: Address) -> Option<SessionLeaf> {
    let configs = action.action_policies.iter().map(PolicyConfig::read).collect::<Result<Vec<_>, _>>().ok()?;
    let mut rules = Vec::new();
    // Where no policy looks at it, a call may send everything.
    let mut value_limit = U256::from(u128::MAX);
    for config in &configs {
        match config {
            PolicyConfig::UniversalAction(universal) => {
                value_limit = value_limit.min(universal.value_limit_per_use);
                for rule in universal.rules.iter().filter(|rule| !rule.limits_nothing()) {
                    let offset = u16::try_from(rule.offset).ok()?;
                    let conditions = rule.condition.as_conditions(rule.reference).into_iter();
                    rules.extend(conditions.map(|(condition, word)| (offset, condition.code(), word)));
                    // What all calls may add up to, one call may not exceed.
                    let most = rule.limit.map(|limit| (offset, Condition::LessThanOrEqual.code(), B256::from(limit)));
                    rules.extend(most);
                }
            }
            PolicyConfig::ValueLimit(limit) => value_limit = value_limit.min(*limit),
            PolicyConfig::SpendingLimit(tokens) => {
                value_limit = U256::ZERO;
                let limit = tokens.iter().rev().find(|(token, _)| *token == action.action_target);
                let limit = limit.map_or(U256::ZERO, |(_, limit)| *limit);
                let offset = amount_offset(action.action_target_selector.0)?;
                rules.push((offset, Condition::LessThanOrEqual.code(), B256::from(limit)));
            }
            PolicyConfig::Sudo | PolicyConfig::TimeFrame(_) | PolicyConfig::UsageLimit(_) => {}
        }
    }
    let window = window_of(&action.action_policies);
    let data = AbiSessionData {
        session_key_address: key,
        contract_address: action.action_target,
        selector: action.action_target_selector.0,
        value_limit: value_limit.saturating_to(),
        rules,
    };
    Some(SessionLeaf {
        valid_until: window.valid_until,
        valid_after: window.valid_after,
        session_validation_module: ABI_SESSION_VALIDATION_MODULE,
        session_key_address: key,
        session_key_data: data.encode().ok()?,
        ..SessionLeaf::default()
    })
}

/// A leaf that lets nothing but transfers of one token to one recipient through, said as those are: as a leaf of V2's ERC-20
/// module. Where there are two limits the lower one holds.
pub(super) fn as_transfer(leaf: &SessionLeaf) -> Option<SessionLeaf> {
    let data = AbiSessionData::decode(&leaf.session_key_data).ok()?;
    let [(0, equal, recipient), limits @ ..] = data.rules.as_slice() else { return None };
    let is_limit =
        |(offset, condition, _): &(u16, u8, B256)| *offset == 32 && *condition == Condition::LessThanOrEqual.code();
    if data.selector != TRANSFER || *equal != Condition::Equal.code() || !limits.iter().all(is_limit) {
        return None;
    }
    let data = Erc20SessionData {
        session_key_address: leaf.session_key_address,
        token: data.contract_address,
        recipient: Address::from_word(*recipient),
        max_amount: limits.iter().map(|(.., most)| U256::from_be_bytes(most.0)).min()?,
    };
    SessionLeaf::erc20(&data, leaf.interval(), "").ok()
}

/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// Where the amount stands that the spending limit counts; `None` for functions that it lets nobody call.
fn amount_offset(selector: [u8; 4]) -> Option<u16> {
    match selector {
        [0xa9, 0x05, 0x9c, 0xbb] | [0x09, 0x5e, 0xa7, 0xb3] | [0x39, 0x50, 0x93, 0x51] => Some(32),
        [0x23, 0xb8, 0x72, 0xdd] => Some(64),
        _ => None,
    }
}

/// Is it about calls without a function?
pub(super) fn is_plain_transfer(action: &ActionData) -> bool {
    action.action_target_selector.0 == VALUE_SELECTOR
}

/// The time that policies leave.
pub(super) fn window_of(policies: &[PolicyData]) -> SessionEpoch {
    let windows = policies.iter().filter_map(|policy| match PolicyConfig::read(policy) {
        Ok(PolicyConfig::TimeFrame(window)) => Some(window),
        _ => None,
    });
    windows.fold(SessionEpoch::INDEFINITELY, both)
}

/// The time that both leave.
pub(super) fn both(one: SessionEpoch, other: SessionEpoch) -> SessionEpoch {
    let ends = [one.valid_until, other.valid_until].into_iter().filter(|end| *end != 0);
    SessionEpoch { valid_until: ends.min().unwrap_or(0), valid_after: one.valid_after.max(other.valid_after) }
}
