//! What an account is made with: init data, salt, and the factory's call data (vectors 16).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolValue},
};

use super::release::NexusRelease;
use crate::{
    ProtocolError,
    abi::nexus::{BootstrapConfig, INexusBootstrap, INexusBootstrapNoRegistry, INexusFactory, NexusInitData},
};

/// What an account is made with. Everything here decides its address, so nothing that differs from one day to the next
/// belongs in it: sessions are enabled later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialModules {
    /// The owner.
    pub owner: Address,
    /// The owner's validator; `None` = the release's own. A named one of release 1.2 is installed like any other.
    pub owner_validator: Option<Address>,
    /// Contracts that the owner's validator takes plain signatures from (K1 validator: "safe senders").
    pub safe_senders: Vec<Address>,
    /// Validators beside the owner's, installed without data. Smart Sessions here saves an operation later.
    pub further_validators: Vec<Address>,
}

impl InitialModules {
    /// The owner alone.
    pub fn new(owner: Address) -> Self {
        Self { owner, owner_validator: None, safe_senders: Vec::new(), further_validators: Vec::new() }
    }

    /// With a further validator, such as Smart Sessions.
    #[must_use]
    pub fn with_validator(mut self, validator: Address) -> Self {
        self.further_validators.push(validator);
        self
    }

    /// 20 bytes of the owner, then of each safe sender: no words.
    fn owner_data(&self) -> Bytes {
        std::iter::once(self.owner).chain(self.safe_senders.iter().copied()).flat_map(|address| address.0.0).collect()
    }

    fn check(&self) -> Result<(), ProtocolError> {
        let named = [("owner", Some(self.owner)), ("ownerValidator", self.owner_validator)];
        for (field, address) in named {
            if address.is_some_and(|address| address.is_zero()) {
                return Err(ProtocolError::invalid(field, "an address", Address::ZERO));
            }
        }
        let own = self.owner_validator;
        for (index, validator) in self.further_validators.iter().enumerate() {
            let twice = self.further_validators.iter().take(index).any(|other| other == validator);
            if validator.is_zero() || twice || Some(*validator) == own {
                let field = format!("furtherValidators[{index}]");
                return Err(ProtocolError::invalid(field, "an address that is not there yet", validator));
            }
        }
        Ok(())
    }
}

/// `initData` for the factory: `abi(bootstrap, call)`.
///
/// # Errors
/// `Invalid` for zero addresses, and for a validator that is named twice.
pub fn init_data(release: NexusRelease, modules: &InitialModules) -> Result<Bytes, ProtocolError> {
    modules.check()?;
    let bootstrap = release.parts().bootstrap;
    let call = bootstrap_call(release, modules);
    Ok(NexusInitData { bootstrap, bootstrapCall: call.into() }.abi_encode_params().into())
}

fn bootstrap_call(release: NexusRelease, modules: &InitialModules) -> Vec<u8> {
    let data = modules.owner_data();
    let further = modules.further_validators.iter().map(|module| BootstrapConfig { module: *module, ..none() });
    let with_owner = |validator| {
        let own = BootstrapConfig { module: validator, data: data.clone() };
        std::iter::once(own).chain(further.clone()).collect::<Vec<_>>()
    };
    let is_alone = modules.further_validators.is_empty();
    let own = release.parts().owner_validator;
    if !release.has_default_validator() {
        let (validator, registry, attesters, threshold) =
            (modules.owner_validator.unwrap_or(own), Address::ZERO, Vec::new(), 0);
        return if is_alone {
            let call =
                INexusBootstrap::initNexusWithSingleValidatorCall { validator, data, registry, attesters, threshold };
            call.abi_encode()
        } else {
            let validators = with_owner(validator);
            INexusBootstrap::initNexusScopedCall { validators, hook: none(), registry, attesters, threshold }
                .abi_encode()
        };
    }
    match (modules.owner_validator, is_alone) {
        (None, true) => INexusBootstrapNoRegistry::initNexusWithDefaultValidatorCall { data }.abi_encode(),
        (None, false) => INexusBootstrapNoRegistry::initNexusWithDefaultValidatorAndOtherModulesNoRegistryCall {
            defaultValidatorInitData: data,
            validators: further.collect(),
            executors: Vec::new(),
            hook: none(),
            fallbacks: Vec::new(),
            preValidationHooks: Vec::new(),
        }
        .abi_encode(),
        (Some(validator), true) => {
            INexusBootstrapNoRegistry::initNexusWithSingleValidatorNoRegistryCall { validator, data }.abi_encode()
        }
        (Some(validator), false) => INexusBootstrapNoRegistry::initNexusNoRegistryCall {
            validators: with_owner(validator),
            executors: Vec::new(),
            hook: none(),
            fallbacks: Vec::new(),
            preValidationHooks: Vec::new(),
        }
        .abi_encode(),
    }
}

/// No module: the bootstrap skips it.
fn none() -> BootstrapConfig {
    BootstrapConfig::default()
}

/// Salt of the owner's account with this index.
pub fn salt(index: U256) -> B256 {
    B256::from(index)
}

/// Call data for the factory that creates the account.
pub fn factory_data(init_data: Bytes, salt: B256) -> Bytes {
    INexusFactory::createAccountCall { initData: init_data, salt }.abi_encode().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::abi::decode;

    const OWNER: Address = Address::repeat_byte(1);
    const OTHER: Address = Address::repeat_byte(2);

    fn call_of(release: NexusRelease, modules: &InitialModules) -> Bytes {
        let data = init_data(release, modules).unwrap();
        let read = decode::params::<NexusInitData>(&data).unwrap();
        assert_eq!(read.bootstrap, release.parts().bootstrap);
        read.bootstrapCall
    }

    #[test]
    fn releases_are_set_up_by_their_own_functions() {
        let (alone, two) = (InitialModules::new(OWNER), InitialModules::new(OWNER).with_validator(OTHER));
        let named = |modules: &InitialModules| InitialModules { owner_validator: Some(OWNER), ..modules.clone() };
        for (release, modules, selector) in [
            (NexusRelease::V1_0_2, alone.clone(), "01fe9ff2"),
            (NexusRelease::V1_0_2, two.clone(), "55470cf1"),
            (NexusRelease::Modulekit0_5_9, named(&alone), "01fe9ff2"),
            (NexusRelease::V1_2_0, alone.clone(), "31025984"),
            (NexusRelease::V1_2_0, two.clone(), "41bede03"),
            (NexusRelease::V1_2_0, named(&alone), "10b7fca9"),
            (NexusRelease::V1_2_0, named(&two), "86437876"),
        ] {
            assert_eq!(hex::encode(&call_of(release, &modules)[..4]), selector, "{release:?} {modules:?}");
        }
        assert_eq!(hex::encode(INexusBootstrap::initNexusCall::SELECTOR), "d6fe71f1");
        let safe = InitialModules { safe_senders: vec![OTHER], ..alone };
        let call =
            decode::call::<INexusBootstrap::initNexusWithSingleValidatorCall>(&call_of(NexusRelease::V1_0_2, &safe));
        assert_eq!(call.unwrap().data, Bytes::from([OWNER.0.0, OTHER.0.0].concat()));
    }

    #[test]
    fn nobody_and_twice_are_refused() {
        let good = InitialModules::new(OWNER);
        let twice = good.clone().with_validator(OTHER).with_validator(OTHER);
        for (modules, field) in [
            (InitialModules::new(Address::ZERO), "owner"),
            (InitialModules { owner_validator: Some(Address::ZERO), ..good.clone() }, "ownerValidator"),
            (good.clone().with_validator(Address::ZERO), "furtherValidators[0]"),
            (twice, "furtherValidators[1]"),
            (InitialModules { owner_validator: Some(OTHER), ..good.with_validator(OTHER) }, "furtherValidators[0]"),
        ] {
            let error = init_data(NexusRelease::V1_2_0, &modules).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }
}
