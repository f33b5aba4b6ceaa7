//! What is remembered of an account.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, Serialize};

use super::{
    init::{InitialModules, factory_data, init_data, salt},
    nonce::NonceKey,
    release::NexusRelease,
    scheme::AddressScheme,
};
use crate::{ProtocolError, entry_point::v07, quantity};

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

/// All that decides an account's address beside its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NexusSetup {
    /// Its release.
    pub release: NexusRelease,
    /// The owner's validator; `None` = the release's own.
    pub owner_validator: Option<Address>,
    /// Which of the owner's accounts.
    pub index: U256,
    /// How the owner signs grants.
    pub grant_signing: GrantSigning,
    /// Who may ask the owner's validator about a plain signature; a K1 validator knows such a list.
    pub safe_senders: Vec<Address>,
    /// Validators beside the owner's, installed with no data.
    pub further_validators: Vec<Address>,
}

impl NexusSetup {
    /// The owner's first account of a release, with the release's own validator and no module more.
    pub fn new(release: NexusRelease) -> Self {
        Self {
            release,
            owner_validator: None,
            index: U256::ZERO,
            grant_signing: GrantSigning::Plain,
            safe_senders: Vec::new(),
            further_validators: Vec::new(),
        }
    }

    /// With a validator that is there from the beginning: installing it later is an operation of its own.
    #[must_use]
    pub fn with_validator(mut self, validator: Address) -> Self {
        self.further_validators.push(validator);
        self
    }

    /// What the factory is given.
    ///
    /// # Errors
    /// As [`init_data`].
    pub fn init_data(&self, owner: Address) -> Result<Bytes, ProtocolError> {
        let modules = InitialModules {
            owner,
            owner_validator: self.owner_validator,
            safe_senders: self.safe_senders.clone(),
            further_validators: self.further_validators.clone(),
        };
        init_data(self.release, &modules)
    }

    /// Its address, where it follows from the set-up alone. Of the other releases the factory is asked
    /// ([`compute_address_call`](super::compute_address_call)).
    ///
    /// # Errors
    /// As [`init_data`].
    pub fn address(&self, owner: Address) -> Result<Option<Address>, ProtocolError> {
        let AddressScheme::InitDataInSalt { init_code_hash } = self.release.parts().address_scheme else {
            return Ok(None);
        };
        Ok(Some(self.release.address(&self.init_data(owner)?, salt(self.index), init_code_hash)))
    }

    /// The account, once the factory has told its address.
    pub fn account(&self, owner: Address, address: Address) -> NexusAccount {
        NexusAccount {
            release: self.release,
            address,
            owner,
            owner_validator: self.owner_validator.unwrap_or(self.release.parts().owner_validator),
            index: self.index,
            grant_signing: self.grant_signing,
            safe_senders: self.safe_senders.clone(),
            further_validators: self.further_validators.clone(),
        }
    }
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
    /// Who may ask the owner's validator about a plain signature, since its creation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safe_senders: Vec<Address>,
    /// Validators that it was created with beside the owner's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_validators: Vec<Address>,
}

impl NexusAccount {
    /// What it was, or will be, created with.
    pub fn setup(&self) -> NexusSetup {
        let own = self.release.parts().owner_validator;
        NexusSetup {
            release: self.release,
            owner_validator: (self.owner_validator != own).then_some(self.owner_validator),
            index: self.index,
            grant_signing: self.grant_signing,
            safe_senders: self.safe_senders.clone(),
            further_validators: self.further_validators.clone(),
        }
    }

    /// `initCode` of its first operation.
    ///
    /// # Errors
    /// As [`init_data`].
    pub fn init_code(&self) -> Result<Bytes, ProtocolError> {
        let data = factory_data(self.setup().init_data(self.owner)?, salt(self.index));
        Ok(v07::init_code(self.release.parts().factory, &data))
    }

    /// Key of the owner's nonces in a lane.
    ///
    /// # Errors
    /// `Invalid` for a lane that there is not.
    pub fn owner_key(&self, lane: U256) -> Result<NonceKey, ProtocolError> {
        let lane = u32::try_from(lane).unwrap_or(u32::MAX);
        match self.setup().owner_validator {
            None => NonceKey::of_owner(self.release, lane),
            Some(validator) => NonceKey::new(validator, lane),
        }
    }

    /// The owner's validator, as the account knows it: the default one of later releases is zero.
    pub fn validator_for_messages(&self) -> Address {
        let is_default = self.setup().owner_validator.is_none() && self.release.has_default_validator();
        if is_default { Address::ZERO } else { self.owner_validator }
    }

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
            safe_senders: Vec::new(),
            further_validators: Vec::new(),
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

    #[test]
    fn a_stored_account_is_created_as_it_was_set_up() {
        let (owner, module) = (Address::repeat_byte(1), Address::repeat_byte(9));
        for release in NexusRelease::ALL {
            let plain = NexusSetup::new(release).with_validator(module);
            let named = NexusSetup { owner_validator: Some(Address::repeat_byte(8)), ..plain.clone() };
            for setup in [plain, named] {
                let account = setup.account(owner, Address::repeat_byte(2));
                assert_eq!(account.setup(), setup);
                let init_code = account.init_code().unwrap();
                let data = factory_data(setup.init_data(owner).unwrap(), salt(U256::ZERO));
                assert_eq!(init_code[..20], release.parts().factory[..]);
                assert_eq!(init_code[20..], data[..]);
                let key = account.owner_key(U256::from(5)).unwrap();
                assert_eq!((key.lane, key.validator), (5, account.validator_for_messages()));
                let no_lane = account.owner_key(U256::from(super::super::LANES)).unwrap_err().to_string();
                assert!(no_lane.starts_with("lane"), "{no_lane}");
            }
        }
    }
}
