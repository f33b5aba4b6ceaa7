//! `@biconomy/use-aa`'s helpers around policies, under their names.

use alloy::primitives::U256;

use super::{Condition, Erc20Policy, Policy, Rule, SessionEpoch, SessionPolicy};
use crate::ProtocolError;

/// Values for a policy (`@biconomy/use-aa`'s `PolicyHelpers`).
#[derive(Clone, Copy, Debug)]
pub struct PolicyHelpers;

impl PolicyHelpers {
    /// No limit in time (`PolicyHelpers.Indefinitely`).
    pub const INDEFINITELY: SessionEpoch = SessionEpoch::INDEFINITELY;

    /// `@biconomy/use-aa`'s `PolicyHelpers.NoValueLimit`. Mind: it is 0, and 0 allows **no** native value.
    pub const NO_VALUE_LIMIT: U256 = U256::ZERO;
}

/// Values for a rule (`@biconomy/use-aa`'s `RuleHelpers`).
#[derive(Clone, Copy, Debug)]
pub struct RuleHelpers;

impl RuleHelpers {
    /// Offset of argument `index`, 0 for the first, of a function with static arguments (`RuleHelpers.OffsetByIndex`).
    pub fn offset_by_index(index: u32) -> u32 {
        Rule::offset_by_index(index)
    }

    /// The condition of that name: `EQUAL`, `LESS_THAN_OR_EQUAL`, … (`RuleHelpers.Condition`).
    ///
    /// # Errors
    /// `Invalid` for a name that is none; `@biconomy/use-aa` answers −1, which fails when it is encoded (docs/protocol.md 10-S37).
    pub fn condition(name: &str) -> Result<Condition, ProtocolError> {
        Condition::from_name(name)
    }
}

/// A leaf for a grant, judged by the ABI module (`@biconomy/use-aa`'s `createABISessionDatum`). The policy must name its session
/// key, for instance that of `actions::session_key::create_session_key_eoa`.
///
/// # Errors
/// `Invalid` or `Refused`, with the field, when the policy has no key or cannot be encoded.
pub fn create_abi_session_datum(policy: Policy) -> Result<SessionPolicy, ProtocolError> {
    datum(policy.into())
}

/// A leaf for a grant, judged by the ERC-20 module (`@biconomy/use-aa`'s `createERC20SessionDatum`). Mind: that module does not
/// check which function of the token is called; [`create_abi_session_datum`] with rules on
/// `transfer(address,uint256)` is stricter.
///
/// # Errors
/// As [`create_abi_session_datum`].
pub fn create_erc20_session_datum(policy: Erc20Policy) -> Result<SessionPolicy, ProtocolError> {
    datum(policy.into())
}

fn datum(policy: SessionPolicy) -> Result<SessionPolicy, ProtocolError> {
    let key = policy
        .session_key_address()
        .ok_or_else(|| ProtocolError::invalid("sessionKeyAddress", "the address of a session key", "none"))?;
    policy.leaf(key, "").map(|_| policy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;

    use super::*;
    use crate::addresses::{DEMO_NFT, DEMO_TOKEN};

    const KEY: Address = Address::repeat_byte(7);

    /// docs/protocol.md 3.3.
    #[test]
    fn helpers_have_the_js_sdks_values() {
        assert_eq!(RuleHelpers::offset_by_index(3), 96);
        assert_eq!(RuleHelpers::condition("LASS_THAN_OR_EQUAL").unwrap().code(), 1);
        assert!(RuleHelpers::condition("ROUGHLY").is_err());
        assert_eq!(PolicyHelpers::INDEFINITELY, SessionEpoch { valid_until: 0, valid_after: 0 });
        assert!(PolicyHelpers::NO_VALUE_LIMIT.is_zero());
    }

    #[test]
    fn a_datum_names_its_key_and_can_be_encoded() {
        let abi = Policy { session_key_address: Some(KEY), ..Policy::new(DEMO_NFT, "safeMint(address)") };
        assert_eq!(create_abi_session_datum(abi.clone()).unwrap(), SessionPolicy::Abi(abi.clone()));
        let without_key = Policy { session_key_address: None, ..abi.clone() };
        assert!(create_abi_session_datum(without_key).unwrap_err().to_string().contains("sessionKeyAddress"));
        let too_much = Policy { value_limit: U256::MAX, ..abi };
        assert!(create_abi_session_datum(too_much).unwrap_err().to_string().contains("valueLimit"));

        let erc20 = Erc20Policy { session_key_address: Some(KEY), ..Erc20Policy::new(DEMO_TOKEN, KEY, U256::from(5)) };
        assert_eq!(create_erc20_session_datum(erc20.clone()).unwrap(), SessionPolicy::Erc20(erc20.clone()));
        let nothing = Erc20Policy { max_amount: U256::ZERO, ..erc20 };
        assert!(create_erc20_session_datum(nothing).unwrap_err().to_string().contains("maxAmount"));
    }
}
