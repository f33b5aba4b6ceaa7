//! Policies that the ERC-20 session validation module judges (docs/protocol.md 3.4), and policies of either kind.

use alloy::primitives::{Address, U256};

use super::{Policy, SessionEpoch, check_destination};
use crate::{ProtocolError, session::SessionLeaf, session_data::Erc20SessionData};

/// Transfers of one token to one recipient.
///
/// Mind: the module on chain does not check which function of the token is called, so `approve(recipient, …)` up to
/// the same amount passes, too. [`Policy`] with rules on `transfer(address,uint256)` is stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erc20Policy {
    /// Address of the session key; `None` = the key made for this grant.
    pub session_key_address: Option<Address>,
    /// The token.
    pub token: Address,
    /// The only recipient.
    pub recipient: Address,
    /// Most **per call**, in the token's smallest unit; above 0.
    pub max_amount: U256,
    /// When the session works.
    pub interval: SessionEpoch,
}

impl Erc20Policy {
    /// At any time, by the key made for this grant.
    pub fn new(token: Address, recipient: Address, max_amount: U256) -> Self {
        Self { session_key_address: None, token, recipient, max_amount, interval: SessionEpoch::INDEFINITELY }
    }

    /// Ends the session after this second, unix seconds; 0 = no end.
    pub fn with_valid_until(mut self, valid_until: u64) -> Self {
        self.interval.valid_until = valid_until;
        self
    }

    /// Refuses what must not or cannot be granted; names the field. `now` is in unix seconds.
    pub fn check(&self, account: Address, now: u64) -> Result<(), ProtocolError> {
        check_destination(account, self.token).map_err(|error| match error {
            ProtocolError::PolicyRefused { reason, .. } => ProtocolError::refused("token", reason),
            other => other,
        })?;
        if self.session_key_address.is_some_and(|address| address.is_zero()) {
            return Err(ProtocolError::refused("sessionKeyAddress", "nobody holds the key of the zero address"));
        }
        self.interval.check(now)?;
        // Some key or other: that of the grant is not made yet.
        self.data(self.session_key_address.unwrap_or(Address::repeat_byte(1))).check()
    }

    fn data(&self, session_key_address: Address) -> Erc20SessionData {
        let Self { token, recipient, max_amount, .. } = *self;
        Erc20SessionData { session_key_address, token, recipient, max_amount }
    }
}

/// What one session may do, whichever module judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionPolicy {
    /// Judged by the ABI module: one function of one contract, with conditions on its arguments.
    Abi(Policy),
    /// Judged by the ERC-20 module: transfers of one token to one recipient.
    Erc20(Erc20Policy),
}

impl From<Policy> for SessionPolicy {
    fn from(policy: Policy) -> Self {
        Self::Abi(policy)
    }
}

impl From<Erc20Policy> for SessionPolicy {
    fn from(policy: Erc20Policy) -> Self {
        Self::Erc20(policy)
    }
}

impl SessionPolicy {
    /// Address of the session key; `None` = the key made for this grant.
    pub fn session_key_address(&self) -> Option<Address> {
        match self {
            Self::Abi(policy) => policy.session_key_address,
            Self::Erc20(policy) => policy.session_key_address,
        }
    }

    /// The contract that it lets a session call.
    pub fn contract(&self) -> Address {
        match self {
            Self::Abi(policy) => policy.contract_address,
            Self::Erc20(policy) => policy.token,
        }
    }

    /// When the session works.
    pub fn interval(&self) -> SessionEpoch {
        match self {
            Self::Abi(policy) => policy.interval,
            Self::Erc20(policy) => policy.interval,
        }
    }

    /// Ends the session after this second, unix seconds; 0 = no end.
    pub fn with_valid_until(self, valid_until: u64) -> Self {
        match self {
            Self::Abi(policy) => Self::Abi(policy.with_valid_until(valid_until)),
            Self::Erc20(policy) => Self::Erc20(policy.with_valid_until(valid_until)),
        }
    }

    /// Refuses what must not or cannot be granted; names the field. `now` is in unix seconds.
    pub fn check(&self, account: Address, now: u64) -> Result<(), ProtocolError> {
        match self {
            Self::Abi(policy) => policy.check(account, now),
            Self::Erc20(policy) => policy.check(account, now),
        }
    }

    /// The leaf, pending, for this key.
    pub fn leaf(
        &self,
        session_key_address: Address,
        session_id: impl Into<String>,
    ) -> Result<SessionLeaf, ProtocolError> {
        match self {
            Self::Abi(policy) => SessionLeaf::from_policy(policy, session_key_address, session_id),
            Self::Erc20(policy) => SessionLeaf::erc20(&policy.data(session_key_address), policy.interval, session_id),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::addresses::{
        ABI_SESSION_VALIDATION_MODULE, DEMO_TOKEN, ERC20_SESSION_VALIDATION_MODULE, SESSION_KEY_MANAGER,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const KEY: Address = Address::repeat_byte(0xbb);
    const NOW: u64 = 1_000;

    fn policy() -> Erc20Policy {
        Erc20Policy::new(DEMO_TOKEN, ACCOUNT, U256::from(5)).with_valid_until(NOW + 1)
    }

    #[test]
    fn what_cannot_be_meant_names_its_field() {
        assert_eq!(policy().check(ACCOUNT, NOW), Ok(()));
        let wrong = [
            ("token", Erc20Policy { token: ACCOUNT, ..policy() }),
            ("token", Erc20Policy { token: SESSION_KEY_MANAGER, ..policy() }),
            ("token", Erc20Policy { token: Address::ZERO, ..policy() }),
            ("recipient", Erc20Policy { recipient: Address::ZERO, ..policy() }),
            ("maxAmount", Erc20Policy { max_amount: U256::ZERO, ..policy() }),
            ("interval.validUntil", policy().with_valid_until(NOW)),
            ("sessionKeyAddress", Erc20Policy { session_key_address: Some(Address::ZERO), ..policy() }),
        ];
        for (field, policy) in wrong {
            let error = policy.check(ACCOUNT, NOW).unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }

    #[test]
    fn each_kind_becomes_a_leaf_of_its_module() {
        let leaf = SessionPolicy::from(policy()).leaf(KEY, "a").unwrap();
        assert_eq!(leaf.session_validation_module, ERC20_SESSION_VALIDATION_MODULE);
        assert_eq!((leaf.session_key_address, leaf.valid_until), (KEY, NOW + 1));
        let data = Erc20SessionData::decode(&leaf.session_key_data).unwrap();
        assert_eq!((data.session_key_address, data.token, data.max_amount), (KEY, DEMO_TOKEN, U256::from(5)));

        let mint = Policy::new(DEMO_TOKEN, "mint(address,uint256)");
        let leaf = SessionPolicy::from(mint).leaf(KEY, "b").unwrap();
        assert_eq!(leaf.session_validation_module, ABI_SESSION_VALIDATION_MODULE);
        assert_eq!(leaf.session_key_data[..20], KEY[..]);
    }
}
