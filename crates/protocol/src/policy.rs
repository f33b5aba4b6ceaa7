//! Policies: what a session may do, as a person or an app states it (docs/protocol.md 3.3).

use alloy::primitives::{Address, Bytes, U256};

use super::{
    ProtocolError,
    addresses::{ECDSA_MODULE, MULTICHAIN_MODULE, PASSKEY_MODULE, SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0},
    entry_point::EntryPoint,
    session_data::AbiSessionData,
};

mod condition;
mod declaration;
mod erc20;
mod helpers;
mod named;
mod reference_value;
mod selector;
mod use_aa_json;
mod widen;

pub use condition::Condition;
pub use erc20::{Erc20Policy, SessionPolicy};
pub use helpers::{PolicyHelpers, RuleHelpers, create_abi_session_datum, create_erc20_session_datum};
pub use reference_value::ReferenceValue;
pub use selector::FunctionSelector;
pub use widen::{allowed_by, nearest, widen_for};

/// First value beyond uint48, the type of time on chain.
pub const UINT48_END: u64 = 1 << 48;

/// One condition on one 32-byte word of the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where the word begins: bytes after the 4-byte selector, at most 65,535. Argument `i` of a
    /// function with static arguments is at `32·i`.
    pub offset: u32,
    /// The comparison.
    pub condition: Condition,
    /// What the word is compared with.
    pub reference_value: ReferenceValue,
}

impl Rule {
    /// Refuses an order on signed numbers: on chain they compare as unsigned, so that `< -5` would let nearly
    /// everything through.
    fn check(&self, index: usize) -> Result<(), ProtocolError> {
        let is_order = !matches!(self.condition, Condition::Equal | Condition::NotEqual);
        if is_order && matches!(self.reference_value, ReferenceValue::Int(_)) {
            let reason =
                "signed numbers are compared as unsigned on chain; only equal and not equal mean what they say";
            return Err(ProtocolError::refused(format!("rules[{index}].condition"), reason));
        }
        Ok(())
    }

    /// Offset of argument `index` (`@biconomy/use-aa`'s `RuleHelpers.OffsetByIndex`).
    pub fn offset_by_index(index: u32) -> u32 {
        index.saturating_mul(32)
    }
}

/// Time window of a session, unix seconds. Both 0: valid without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionEpoch {
    /// Last second at which the session works; 0 = no end.
    pub valid_until: u64,
    /// First second at which the session works.
    pub valid_after: u64,
}

impl SessionEpoch {
    /// No limit in time (`@biconomy/use-aa`'s `PolicyHelpers.Indefinitely`).
    pub const INDEFINITELY: Self = Self { valid_until: 0, valid_after: 0 };
}

/// What one session may do: one function of one contract, with conditions on its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Address of the session key; `None` = the key made for this grant.
    pub session_key_address: Option<Address>,
    /// The contract.
    pub contract_address: Address,
    /// The function.
    pub function_selector: FunctionSelector,
    /// Conditions; all must hold.
    pub rules: Vec<Rule>,
    /// When the session works.
    pub interval: SessionEpoch,
    /// Native value allowed **per call**, wei, below 2^128. 0 allows none: it does not mean "no limit".
    pub value_limit: U256,
}

/// Contracts that obey the account: a session that may call them could give itself everything.
const FORBIDDEN_DESTINATIONS: [(Address, &str); 5] = [
    (SESSION_KEY_MANAGER, "the session key manager: the session could grant itself anything"),
    (SESSION_KEY_MANAGER_V1_0_0, "the session key manager: the session could grant itself anything"),
    (ECDSA_MODULE, "the ownership module: the session could take the account over"),
    (MULTICHAIN_MODULE, "the ownership module: the session could take the account over"),
    (PASSKEY_MODULE, "the ownership module: the session could take the account over"),
];

/// Refuses destinations that obey the account, and the zero address.
pub(crate) fn check_destination(account: Address, destination: Address) -> Result<(), ProtocolError> {
    if destination.is_zero() {
        return Err(ProtocolError::refused("contractAddress", "the zero address is no contract"));
    }
    if destination == account {
        let reason = "the account itself: the session could change its modules";
        return Err(ProtocolError::refused("contractAddress", reason));
    }
    if EntryPoint::from_address(destination).is_some() {
        let reason = "the entry point: the session could withdraw the account's deposit";
        return Err(ProtocolError::refused("contractAddress", reason));
    }
    match FORBIDDEN_DESTINATIONS.iter().find(|(address, _)| *address == destination) {
        Some((_, reason)) => Err(ProtocolError::refused("contractAddress", *reason)),
        None => Ok(()),
    }
}

impl Policy {
    /// One function of one contract, called with anything, at any time, without native value. `signature` as in
    /// Solidity: `safeMint(address)`.
    pub fn new(contract_address: Address, signature: impl Into<String>) -> Self {
        Self {
            session_key_address: None,
            contract_address,
            function_selector: FunctionSelector::Signature(signature.into()),
            rules: Vec::new(),
            interval: SessionEpoch::INDEFINITELY,
            value_limit: U256::ZERO,
        }
    }

    /// Adds a condition on argument `index` (0 is the first) of a function with static arguments.
    pub fn with_rule(mut self, index: u32, condition: Condition, reference_value: impl Into<ReferenceValue>) -> Self {
        let reference_value = reference_value.into();
        self.rules.push(Rule { offset: Rule::offset_by_index(index), condition, reference_value });
        self
    }

    /// As [`Self::with_rule`], on the argument of this name in the signature that the policy was made with: `"to"` of
    /// `transfer(address to, uint256 amount)`, `"params.recipient"` for a member of a tuple that stands in place. It
    /// finds places that [`Self::with_rule`] does not: behind tuples and arrays of a fixed length.
    ///
    /// # Errors
    /// `Invalid` when the signature has no such argument, when its content stands behind a pointer (`bytes`, `string`,
    /// arrays: a rule looks at 32 bytes at a fixed place), or when the value is not of its type.
    pub fn with_rule_on(
        mut self,
        argument: &str,
        condition: Condition,
        reference_value: impl Into<ReferenceValue>,
    ) -> Result<Self, ProtocolError> {
        let reference_value = reference_value.into();
        let offset = self.function_selector.offset_of(argument, &reference_value)?;
        self.rules.push(Rule { offset, condition, reference_value });
        Ok(self)
    }

    /// Allows each call to send up to this much of the native currency, wei.
    pub fn with_value_limit(mut self, value_limit: U256) -> Self {
        self.value_limit = value_limit;
        self
    }

    /// Ends the session after this second, unix seconds; 0 = no end.
    pub fn with_valid_until(mut self, valid_until: u64) -> Self {
        self.interval.valid_until = valid_until;
        self
    }

    /// Refuses what must not or cannot be granted; names the field. `now` is in unix seconds.
    pub fn check(&self, account: Address, now: u64) -> Result<(), ProtocolError> {
        check_destination(account, self.contract_address)?;
        if self.session_key_address.is_some_and(|address| address.is_zero()) {
            return Err(ProtocolError::refused("sessionKeyAddress", "nobody holds the key of the zero address"));
        }
        self.interval.check(now)?;
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(index)?;
        }
        self.session_key_data(Address::ZERO).map(drop)
    }

    /// The data that the ABI session validation module judges by.
    pub fn session_key_data(&self, session_key_address: Address) -> Result<Bytes, ProtocolError> {
        self.abi_session_data(session_key_address)?.encode()
    }

    /// [`Self::session_key_data`] before it is packed.
    pub fn abi_session_data(&self, session_key_address: Address) -> Result<AbiSessionData, ProtocolError> {
        let rule = |(index, rule): (usize, &Rule)| {
            let offset = u16::try_from(rule.offset).map_err(|_| {
                ProtocolError::invalid(
                    format!("rules[{index}].offset"),
                    "bytes after the selector, at most 65535",
                    rule.offset,
                )
            })?;
            let word = rule.reference_value.word(&format!("rules[{index}].referenceValue"))?;
            Ok((offset, rule.condition.code(), word))
        };
        Ok(AbiSessionData {
            session_key_address,
            contract_address: self.contract_address,
            selector: self.function_selector.selector()?,
            value_limit: u128::try_from(self.value_limit)
                .map_err(|_| ProtocolError::invalid("valueLimit", "wei below 2^128", self.value_limit))?,
            rules: self.rules.iter().enumerate().map(rule).collect::<Result<_, ProtocolError>>()?,
        })
    }
}

impl SessionEpoch {
    /// Refuses windows that are over, empty, or beyond uint48.
    pub fn check(&self, now: u64) -> Result<(), ProtocolError> {
        for (field, time) in [("interval.validUntil", self.valid_until), ("interval.validAfter", self.valid_after)] {
            if time >= UINT48_END {
                return Err(ProtocolError::invalid(field, "unix seconds below 2^48", time));
            }
        }
        if self.valid_until == 0 {
            return Ok(());
        }
        if self.valid_until <= now {
            let reason = format!("the session would be over already ({} is not after {now})", self.valid_until);
            return Err(ProtocolError::refused("interval.validUntil", reason));
        }
        if self.valid_after > self.valid_until {
            let reason = format!("the session would end ({}) before it begins", self.valid_until);
            return Err(ProtocolError::refused("interval.validAfter", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::addresses::DEMO_NFT;

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const NOW: u64 = 1_000;

    fn policy() -> Policy {
        Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT)
    }

    #[test]
    fn built_step_by_step_it_is_what_it_says() {
        let rule = |offset| Rule { offset, condition: Condition::Equal, reference_value: ACCOUNT.into() };
        let expected = Policy {
            session_key_address: None,
            contract_address: DEMO_NFT,
            function_selector: FunctionSelector::Signature("safeMint(address)".into()),
            rules: vec![rule(0), rule(64)],
            interval: SessionEpoch { valid_until: 0, valid_after: 0 },
            value_limit: U256::ZERO,
        };
        assert_eq!(policy().with_rule(2, Condition::Equal, ACCOUNT), expected);
    }

    fn error(change: impl FnOnce(&mut Policy)) -> String {
        let mut policy = policy();
        change(&mut policy);
        policy.check(ACCOUNT, NOW).unwrap_err().to_string()
    }

    #[test]
    fn a_session_must_not_reach_what_obeys_the_account() {
        assert_eq!(policy().check(ACCOUNT, NOW), Ok(()));
        let modules = [ACCOUNT, SESSION_KEY_MANAGER, ECDSA_MODULE, MULTICHAIN_MODULE, Address::ZERO];
        let forbidden = modules.into_iter().chain(EntryPoint::ALL.map(EntryPoint::address));
        for destination in forbidden {
            let error = error(|policy| policy.contract_address = destination);
            assert!(error.contains("contractAddress"), "{destination}: {error}");
        }
    }

    #[test]
    fn windows_that_are_over_empty_or_too_far_are_refused() {
        let window = |valid_until, valid_after| SessionEpoch { valid_until, valid_after };
        for (epoch, field) in [
            (window(NOW, 0), "interval.validUntil"),
            (window(NOW + 1, NOW + 2), "interval.validAfter"),
            (window(1 << 48, 0), "interval.validUntil"),
            (window(0, 1 << 48), "interval.validAfter"),
        ] {
            let error = error(|policy| policy.interval = epoch);
            assert!(error.contains(field), "{error}");
        }
        let fine = Policy { interval: window(NOW + 1, NOW + 1), ..policy() };
        assert_eq!(fine.check(ACCOUNT, NOW), Ok(()));
    }

    #[test]
    fn what_does_not_fit_names_its_field() {
        let offset = error(|policy| policy.rules[0].offset = 65_536);
        assert!(offset.starts_with("rules[0].offset"), "{offset}");
        let value = error(|policy| policy.value_limit = U256::from(1) << 128);
        assert!(value.starts_with("valueLimit"), "{value}");
        let long = error(|policy| policy.rules[0].reference_value = ReferenceValue::BytesN(vec![0; 33].into()));
        assert!(long.starts_with("rules[0].referenceValue"), "{long}");
        let selector = error(|policy| policy.function_selector = FunctionSelector::Signature("mint".into()));
        assert!(selector.starts_with("functionSelector"), "{selector}");
        let signed = error(|policy| {
            let minus_five = ReferenceValue::Int(alloy::primitives::I256::try_from(-5).unwrap());
            *policy = policy.clone().with_rule(1, Condition::NotEqual, minus_five.clone());
            *policy = policy.clone().with_rule(1, Condition::LessThan, minus_five);
        });
        assert!(signed.contains("rules[2].condition"), "{signed}");
        let key = error(|policy| policy.session_key_address = Some(Address::ZERO));
        assert!(key.contains("sessionKeyAddress"), "{key}");
    }
}
