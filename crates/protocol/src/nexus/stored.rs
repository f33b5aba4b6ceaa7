//! What is remembered of an account.

use alloy::primitives::{Address, U256};
use serde::{Deserialize, Serialize};

use super::release::NexusRelease;
use crate::{ProtocolError, quantity};

/// How the owner signs grants of sessions. It belongs to the account's configuration and is derived from no address:
/// the same validator takes both, depending on how it was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GrantSigning {
    /// The bare digest: the lab's validator, and a K1 validator that has Smart Sessions for a safe sender.
    Plain,
    /// Nested in the account's domain (ERC-7739): any other K1 validator.
    Nested,
}

/// An account, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NexusAccount {
    /// Its release, which decides how it is created and spoken to.
    pub release: NexusRelease,
    /// Its address, as the factory told it.
    pub address: Address,
    /// Its owner.
    pub owner: Address,
    /// The owner's validator.
    pub owner_validator: Address,
    /// Which of the owner's accounts.
    #[serde(with = "quantity")]
    pub index: U256,
    /// How the owner signs grants.
    pub grant_signing: GrantSigning,
}

impl NexusAccount {
    /// Compares with what the factory answers now: before funds are sent there.
    ///
    /// # Errors
    /// `Invalid` when the factory names another address.
    pub fn check_address(&self, computed: Address) -> Result<(), ProtocolError> {
        if self.address.is_zero() || computed != self.address {
            return Err(ProtocolError::invalid("address", format!("{}, which is stored", self.address), computed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_account_without_its_release_is_not_read() {
        let account = NexusAccount {
            release: NexusRelease::V1_2_0,
            address: Address::repeat_byte(1),
            owner: Address::repeat_byte(2),
            owner_validator: Address::repeat_byte(3),
            index: U256::from(4),
            grant_signing: GrantSigning::Nested,
        };
        let mut json = serde_json::to_value(&account).unwrap();
        assert_eq!((&json["release"], &json["grantSigning"]), (&"1.2.0".into(), &"nested".into()));
        assert_eq!(serde_json::from_value::<NexusAccount>(json.clone()).unwrap(), account);
        json.as_object_mut().unwrap().remove("release");
        let error = serde_json::from_value::<NexusAccount>(json).unwrap_err().to_string();
        assert!(error.contains("release"), "{error}");
        assert_eq!(account.check_address(account.address), Ok(()));
        assert!(account.check_address(account.owner).unwrap_err().to_string().starts_with("address"));
    }
}
