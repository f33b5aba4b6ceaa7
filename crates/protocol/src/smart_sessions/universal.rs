//! What the universal policy is set to: native currency per call, and rules about arguments.

use alloy::{
    primitives::{B256, Bytes, U256},
    sol_types::SolValue,
};

use super::condition::{ParamCondition, range};
use crate::{
    ProtocolError,
    abi::{
        decode,
        smart_sessions::{ActionConfig, LimitUsage, ParamRule as RawRule, ParamRules},
    },
};

/// Most rules of one action.
pub const MAX_RULES: usize = 16;

/// One condition on one 32-byte word of the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParamRule {
    /// The comparison.
    pub condition: ParamCondition,
    /// Where the word begins, bytes after the selector.
    pub offset: u64,
    /// What it is compared with.
    pub reference: B256,
    /// Most that all calls' words may add up to.
    pub limit: Option<U256>,
    /// What they added up to so far. A grant says 0: it is a start value, and what is said here need not be true.
    pub used: U256,
}

impl ParamRule {
    /// A condition without a limit in all.
    pub fn new(offset: u64, condition: ParamCondition, reference: B256) -> Self {
        Self { condition, offset, reference, limit: None, used: U256::ZERO }
    }

    /// Is true of every word. "No rules" cannot be said; this is how it is said of functions with an argument.
    pub fn always() -> Self {
        Self::new(0, ParamCondition::GreaterThanOrEqual, B256::ZERO)
    }

    /// Is it true of every word, and limits nothing in all?
    pub fn limits_nothing(&self) -> bool {
        let everything = match self.condition {
            ParamCondition::GreaterThanOrEqual => self.reference.is_zero(),
            ParamCondition::LessThanOrEqual => self.reference == B256::repeat_byte(0xff),
            _ => false,
        };
        everything && self.limit.is_none()
    }
}

/// What calls the universal policy lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UniversalAction {
    /// Native currency that each call may send, wei. 0 allows none.
    pub value_limit_per_use: U256,
    /// All must hold: 1 to [`MAX_RULES`]. Without a rule the policy can be set, and is never usable.
    pub rules: Vec<ParamRule>,
}

impl UniversalAction {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// `PolicyRefused` or `Invalid` with the field.
    pub fn check(&self) -> Result<(), ProtocolError> {
        if self.rules.is_empty() {
            return Err(ProtocolError::refused("rules", "the policy needs at least one, else no call ever passes"));
        }
        self.check_count()?;
        for (index, rule) in self.rules.iter().enumerate() {
            let field = |name: &str| format!("rules[{index}].{name}");
            if !rule.used.is_zero() {
                return Err(ProtocolError::refused(field("used"), "a grant begins with nothing used"));
            }
            if rule.limit.is_some_and(|limit| limit.is_zero()) {
                return Err(ProtocolError::refused(field("limit"), "a limit of 0 in all lets nothing through"));
            }
            let [low, high] = range(rule.reference);
            if rule.condition == ParamCondition::InRange && low > high {
                return Err(ProtocolError::refused(field("ref"), "the range begins behind its end"));
            }
            if usize::try_from(rule.offset).map_or(true, |offset| offset > decode::MAX_BYTES) {
                let expected = "bytes after the selector, within call data";
                return Err(ProtocolError::invalid(field("offset"), expected, rule.offset));
            }
        }
        Ok(())
    }

    fn check_count(&self) -> Result<(), ProtocolError> {
        match self.rules.len() {
            count if count > MAX_RULES => Err(ProtocolError::invalid("rules", "at most 16", count)),
            _ => Ok(()),
        }
    }

    /// 98 words.
    ///
    /// # Errors
    /// `Invalid` for more than [`MAX_RULES`] rules.
    pub fn encode(&self) -> Result<Bytes, ProtocolError> {
        self.check_count()?;
        let mut rules: [RawRule; MAX_RULES] = Default::default();
        for (raw, rule) in rules.iter_mut().zip(&self.rules) {
            *raw = RawRule {
                condition: rule.condition.code(),
                offset: rule.offset,
                isLimited: rule.limit.is_some(),
                refValue: rule.reference,
                usage: LimitUsage { limit: rule.limit.unwrap_or_default(), used: rule.used },
            };
        }
        let length = U256::from(self.rules.len());
        let config =
            ActionConfig { valueLimitPerUse: self.value_limit_per_use, paramRules: ParamRules { length, rules } };
        Ok(config.abi_encode_params().into())
    }

    /// Reads what the policy would read: the rules that count. Whoever shows it compares with [`Self::encode`], as
    /// more may stand there than counts.
    ///
    /// # Errors
    /// `Invalid` for what the policy refuses.
    pub fn decode(init_data: &[u8]) -> Result<Self, ProtocolError> {
        let config = decode::loose_params::<ActionConfig>(init_data)
            .map_err(|error| ProtocolError::invalid("initData", "98 words of the universal policy", error))?;
        Self::of(config)
    }

    pub(super) fn of(config: ActionConfig) -> Result<Self, ProtocolError> {
        let read = |(index, raw): (usize, RawRule)| {
            let condition = ParamCondition::from_code(raw.condition)
                .ok_or_else(|| ProtocolError::invalid(format!("rules[{index}].condition"), "0 to 6", raw.condition))?;
            let RawRule { offset, refValue: reference, isLimited: limited, usage, .. } = raw;
            let limit = limited.then_some(usage.limit);
            Ok(ParamRule { condition, offset, reference, limit, used: usage.used })
        };
        let rules = config.paramRules.rules.into_iter().enumerate().map(read);
        let mut rules = rules.collect::<Result<Vec<_>, ProtocolError>>()?;
        let length = usize::try_from(config.paramRules.length).ok().filter(|length| *length <= MAX_RULES);
        let length = length.ok_or_else(|| ProtocolError::invalid("rules", "at most 16", config.paramRules.length))?;
        rules.truncate(length);
        Ok(Self { value_limit_per_use: config.valueLimitPerUse, rules })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_field() {
        let good = UniversalAction { rules: vec![ParamRule::always()], ..Default::default() };
        assert_eq!(good.check(), Ok(()));
        let with = |rule: ParamRule| UniversalAction { rules: vec![rule], ..Default::default() };
        let range = B256::from((U256::from(2) << 128) | U256::from(1));
        for (action, field) in [
            (UniversalAction::default(), "rules"),
            (UniversalAction { rules: vec![ParamRule::always(); 17], ..Default::default() }, "rules"),
            (with(ParamRule { used: U256::from(1), ..ParamRule::always() }), "rules[0].used"),
            (with(ParamRule { limit: Some(U256::ZERO), ..ParamRule::always() }), "rules[0].limit"),
            (with(ParamRule::new(0, ParamCondition::InRange, range)), "rules[0].ref"),
            (with(ParamRule { offset: u64::MAX, ..ParamRule::always() }), "rules[0].offset"),
        ] {
            let error = action.check().unwrap_err().to_string();
            assert!(error.contains(&format!("{field}:")), "{error}");
        }
    }

    #[test]
    fn data_is_read_as_the_policy_reads_it() {
        let action = UniversalAction { rules: vec![ParamRule::always(); 2], value_limit_per_use: U256::from(5) };
        let data = action.encode().unwrap();
        assert_eq!(data.len(), 3136);
        assert_eq!(UniversalAction::decode(&data).unwrap(), action);
        assert_eq!(UniversalAction::decode(&[&data[..], &[1]].concat()).unwrap(), action, "a tail is not looked at");
        let changed = |at: usize, byte| {
            let mut data = data.to_vec();
            data[at] = byte;
            UniversalAction::decode(&data)
        };
        assert_eq!(changed(63, 1).unwrap().rules.len(), 1, "the second does not count");
        for (at, byte, field) in [(63, 17, "rules"), (95, 7, "rules[0].condition"), (96, 1, "initData")] {
            assert!(changed(at, byte).unwrap_err().to_string().starts_with(field), "{at}");
        }
        assert!(UniversalAction::decode(&data[..3135]).is_err());
    }
}
