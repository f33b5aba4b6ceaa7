//! The policies, one by one: what they take when they are set, and what they answer to a call or an operation.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::revert::{OUT_OF_BOUNDS, OVERFLOW, data, panic};
use crate::{
    ProtocolError,
    abi::smart_sessions::ISessionPolicy as Abi,
    entry_point::v07::ValidationData,
    policy::SessionEpoch,
    smart_account::Call,
    smart_sessions::{
        PolicyConfig, PolicyContract, PolicyData, UniversalAction, addresses::SMART_SESSION, reads::Spending,
    },
    time_window::Window,
};

/// What a policy knows: what it was set to, and what it has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyState {
    /// Allows everything.
    Sudo,
    /// From when to when.
    TimeFrame(SessionEpoch),
    /// How many times.
    UsageLimit {
        /// Most uses.
        limit: u128,
        /// Uses so far.
        used: u128,
    },
    /// How much native currency in all.
    ValueLimit {
        /// Most in all, wei.
        limit: U256,
        /// Sent so far, wei.
        used: U256,
    },
    /// How much of each token in all.
    SpendingLimit(Vec<(Address, Spending)>),
    /// Which arguments; the rules count in their `used`.
    UniversalAction(UniversalAction),
}

/// Whose policy it is: policies answer with it when they are not set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) account: Address,
    pub(super) config_id: B256,
}

impl Place {
    fn not_initialized(self) -> Bytes {
        data(Abi::PolicyNotInitialized { id: self.config_id, multiplexer: SMART_SESSION, account: self.account })
    }
}

/// A policy's answer that reverts: these bytes.
type Answer = Result<ValidationData, Bytes>;

const PASSES: ValidationData =
    ValidationData { authorizer: Address::ZERO, window: Window { valid_until: 0, valid_after: 0 } };
const FAILS: ValidationData = ValidationData::SIGNATURE_FAILED;

fn passes_if(passes: bool) -> Answer {
    Ok(if passes { PASSES } else { FAILS })
}

impl PolicyState {
    /// As it is after it was set: `Err` = it refuses with these bytes.
    pub(super) fn set(contract: PolicyContract, init_data: &Bytes, place: Place) -> Result<Self, Bytes> {
        let policy = PolicyData { policy: contract.address(), init_data: init_data.clone() };
        let config = PolicyConfig::read(&policy).map_err(|error| match (contract, &error) {
            (PolicyContract::UniversalAction, ProtocolError::Invalid { field, .. }) if field == "rules" => {
                panic(OUT_OF_BOUNDS)
            }
            (PolicyContract::SpendingLimit, ProtocolError::Invalid { expected, .. })
                if expected == "as many limits as tokens" =>
            {
                data(Abi::InvalidInitDataLength {})
            }
            _ => Bytes::new(),
        })?;
        Ok(match config {
            PolicyConfig::Sudo => Self::Sudo,
            PolicyConfig::TimeFrame(SessionEpoch { valid_until, valid_after })
                if valid_until != 0 && valid_after > valid_until =>
            {
                return Err(place.not_initialized());
            }
            PolicyConfig::TimeFrame(window) => Self::TimeFrame(window),
            PolicyConfig::UsageLimit(0) => return Err(place.not_initialized()),
            PolicyConfig::UsageLimit(limit) => Self::UsageLimit { limit, used: 0 },
            PolicyConfig::ValueLimit(limit) if limit.is_zero() => return Err(place.not_initialized()),
            PolicyConfig::ValueLimit(limit) => Self::ValueLimit { limit, used: U256::ZERO },
            PolicyConfig::SpendingLimit(limits) => {
                let mut known = Vec::<(Address, Spending)>::new();
                for (token, limit) in limits {
                    if token.is_zero() {
                        return Err(data(Abi::InvalidTokenAddress { token }));
                    }
                    if limit.is_zero() {
                        return Err(data(Abi::InvalidLimit { limit }));
                    }
                    // Of a token that is named twice the last limit holds.
                    known.retain(|(other, _)| *other != token);
                    known.push((token, Spending { limit, ..Spending::default() }));
                }
                Self::SpendingLimit(known)
            }
            PolicyConfig::UniversalAction(action) => Self::UniversalAction(action),
        })
    }

    /// Its answer to a call, which is counted.
    pub(super) fn check_action(&mut self, place: Place, call: &Call) -> Answer {
        match self {
            Self::ValueLimit { limit, used } => add_value(*limit, used, call.value),
            Self::SpendingLimit(tokens) => spend(tokens, place.account, call),
            Self::UniversalAction(action) => apply_rules(action, place, call),
            _ => self.check_use(place),
        }
    }

    /// Its answer to a whole operation that makes these calls.
    pub(super) fn check_user_op(&mut self, place: Place, calls: &[Call]) -> Answer {
        match self {
            Self::ValueLimit { limit, used } => {
                let sum = calls.iter().try_fold(U256::ZERO, |sum, call| sum.checked_add(call.value));
                add_value(*limit, used, sum.ok_or_else(|| panic(OVERFLOW))?)
            }
            _ => self.check_use(place),
        }
    }

    /// Of policies that look at neither call nor value. The two that judge actions only are never asked here.
    fn check_use(&mut self, place: Place) -> Answer {
        match self {
            Self::TimeFrame(SessionEpoch { valid_until: 0, valid_after: 0 }) => Err(place.not_initialized()),
            Self::TimeFrame(SessionEpoch { valid_until, valid_after }) => {
                let window = Window { valid_until: *valid_until, valid_after: *valid_after };
                Ok(ValidationData { window, ..PASSES })
            }
            Self::UsageLimit { limit, used } => {
                let is_left = *used < *limit;
                *used = used.saturating_add(u128::from(is_left));
                passes_if(is_left)
            }
            _ => Ok(PASSES),
        }
    }
}

fn add_value(limit: U256, used: &mut U256, value: U256) -> Answer {
    let sum = used.checked_add(value).ok_or_else(|| panic(OVERFLOW))?;
    let fits = sum <= limit;
    if fits {
        *used = sum;
    }
    passes_if(fits)
}

/// The spending limit. Every approval adds, though the token replaces; who receives is not looked at.
fn spend(tokens: &mut [(Address, Spending)], account: Address, call: &Call) -> Answer {
    const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
    const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];
    const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
    const INCREASE_ALLOWANCE: [u8; 4] = [0x39, 0x50, 0x93, 0x51];
    if !call.value.is_zero() {
        return Ok(FAILS);
    }
    let (selector, arguments) = call.data.split_first_chunk::<4>().ok_or_else(Bytes::new)?;
    let word = |index: usize| {
        let word = arguments.get(32 * index..32 * index + 32).map(U256::from_be_slice);
        word.ok_or_else(Bytes::new)
    };
    let address = |index: usize| {
        let word = word(index)?;
        if word.bit_len() > 160 { Err(Bytes::new()) } else { Ok(Address::from_word(B256::from(word))) }
    };
    let (spent, approved) = match *selector {
        TRANSFER => {
            address(0)?;
            (word(1)?, U256::ZERO)
        }
        APPROVE | INCREASE_ALLOWANCE => {
            address(0)?;
            (U256::ZERO, word(1)?)
        }
        TRANSFER_FROM => {
            address(0)?;
            let (to, amount) = (address(1)?, word(2)?);
            (if to == account { U256::ZERO } else { amount }, U256::ZERO)
        }
        _ => return Ok(FAILS),
    };
    let overflow = || panic(OVERFLOW);
    let mut unlisted = Spending::default();
    let known = tokens.iter_mut().find(|(token, _)| *token == call.to).map_or(&mut unlisted, |(_, known)| known);
    let spent = known.spent.checked_add(spent).ok_or_else(overflow)?;
    let approved = known.approved.checked_add(approved).ok_or_else(overflow)?;
    let fits = spent.checked_add(approved).ok_or_else(overflow)? <= known.limit;
    if fits {
        *known = Spending { spent, approved, ..*known };
    }
    passes_if(fits)
}

/// The universal policy. A rule counts before the next is looked at; the caller undoes it when one fails.
fn apply_rules(action: &mut UniversalAction, place: Place, call: &Call) -> Answer {
    if action.rules.is_empty() {
        return Err(place.not_initialized());
    }
    if call.value > action.value_limit_per_use {
        let limit = action.value_limit_per_use;
        return Err(data(Abi::ValueLimitExceeded { id: place.config_id, value: call.value, limit }));
    }
    for rule in &mut action.rules {
        let end = rule.offset.checked_add(36).ok_or_else(|| panic(OVERFLOW))?;
        let range = usize::try_from(end - 32).ok().zip(usize::try_from(end).ok());
        let word = range.and_then(|(start, end)| call.data.get(start..end)).ok_or_else(Bytes::new)?;
        let word = B256::from_slice(word);
        if !rule.condition.holds(word, rule.reference) {
            return Ok(FAILS);
        }
        if let Some(limit) = rule.limit {
            let used = rule.used.checked_add(U256::from_be_bytes(word.0)).ok_or_else(|| panic(OVERFLOW))?;
            if used > limit {
                return Ok(FAILS);
            }
            rule.used = used;
        }
    }
    Ok(PASSES)
}
