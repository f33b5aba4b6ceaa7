//! Nexus accounts: what their factories are told, and which account comes out.
//!
//! A bootstrap can install any module with any data, so init data must be, byte for byte, what this crate would make for
//! some owner: the owner's validator, alone or with Smart Sessions beside it.

use alloy::{
    primitives::{Address, Bytes},
    sol_types::SolCall,
};
use serde_json::json;

use super::super::{super::node::ChainNode, policy::SponsorPolicy};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    abi::{
        decode,
        nexus::{IK1ValidatorFactory, INexusFactory},
    },
    entry_point::v07,
    nexus::{InitialModules, NexusRelease, computed_address, factory_data, init_data},
    smart_sessions::addresses::SMART_SESSION,
    user_operation::UserOperation,
};

/// Stands for the owner while init data are compared; nobody's address.
const SOMEBODY: Address = Address::new(*b"use-aa: some owner..");

/// Is the account that the operation creates of a known set-up? The factory is one that the policy names.
pub(super) fn check(policy: &SponsorPolicy, factory: Address, operation: &UserOperation) -> Result<(), String> {
    let unknown = || "the factory is asked for something else than a Nexus account of a known set-up".to_owned();
    let call = operation.factory_data();
    let releases: Vec<NexusRelease> =
        NexusRelease::ALL.into_iter().filter(|release| release.parts().factory == factory).collect();
    if releases.is_empty() {
        return by_owner(factory, operation).then_some(()).ok_or_else(unknown);
    }
    let told = decode::call::<INexusFactory::createAccountCall>(call).map_err(|_| unknown())?;
    let is_known = |release: &NexusRelease| {
        let with = |modules: InitialModules| {
            let again = v07::init_code(factory, &factory_data(init_data(*release, &modules).ok()?, told.salt));
            (again == operation.init_code).then_some(())
        };
        set_ups(policy, *release).any(|modules| {
            let owner = owner_in(*release, &modules, &told.initData);
            owner.and_then(|owner| with(InitialModules { owner, ..modules })).is_some()
        })
    };
    releases.iter().any(is_known).then_some(()).ok_or_else(unknown)
}

/// A factory that takes an owner and an index, and sets the account up by itself.
fn by_owner(factory: Address, operation: &UserOperation) -> bool {
    let told = decode::call::<IK1ValidatorFactory::createAccountCall>(operation.factory_data());
    // Who attests modules is no matter of set-ups that are known here.
    told.is_ok_and(|told| {
        let is_plain = told.attesters.is_empty() && told.threshold == 0 && !told.eoaOwner.is_zero();
        is_plain && v07::init_code(factory, &told.abi_encode()) == operation.init_code
    })
}

/// All that an account may be made with, but for its owner.
fn set_ups(policy: &SponsorPolicy, release: NexusRelease) -> impl Iterator<Item = InitialModules> {
    let modules = policy.deployment_modules.clone();
    let own = modules.contains(&release.parts().owner_validator).then_some(None);
    let validators = own.into_iter().chain(modules.into_iter().map(Some));
    validators.flat_map(|owner_validator| {
        let alone = InitialModules { owner_validator, ..InitialModules::new(SOMEBODY) };
        // Named a safe sender, Smart Sessions takes the owner's grants as they are signed.
        let safe = InitialModules { safe_senders: vec![SMART_SESSION], ..alone.clone() };
        [alone.clone(), alone.with_validator(SMART_SESSION), safe.clone(), safe.with_validator(SMART_SESSION)]
    })
}

/// What stands in the place of the owner.
fn owner_in(release: NexusRelease, modules: &InitialModules, init: &[u8]) -> Option<Address> {
    let template = init_data(release, modules).ok()?;
    let place = template.windows(20).position(|bytes| bytes == SOMEBODY.as_slice())?;
    init.get(place..place + 20).filter(|_| init.len() == template.len()).map(Address::from_slice)
}

/// The account that the factory makes of what it is told must be the operation's: asked of the factory itself.
///
/// # Errors
/// Those of the node.
pub(in super::super) async fn makes_the_sender(
    node: &ChainNode,
    operation: &UserOperation,
) -> Result<Result<(), String>, AppError> {
    let Some(factory) = operation.factory() else { return Ok(Ok(())) };
    // Both take the same arguments in their two functions.
    let (selector, arguments) = match operation.factory_data().split_first_chunk() {
        Some((&IK1ValidatorFactory::createAccountCall::SELECTOR, arguments)) => {
            (IK1ValidatorFactory::computeAccountAddressCall::SELECTOR, arguments)
        }
        Some((_, arguments)) => (INexusFactory::computeAccountAddressCall::SELECTOR, arguments),
        None => return Ok(Err("the factory is told nothing".into())),
    };
    let data = Bytes::from([&selector, arguments].concat());
    let answer = node.read("eth_call", json!([{"to": factory, "data": data}, "latest"])).await?;
    let answer = serde_json::from_value::<Bytes>(answer).unwrap_or_default();
    let other = || format!("initCode deploys another account than {}", operation.sender);
    Ok(match computed_address(&answer) {
        Ok(address) if address == operation.sender => Ok(()),
        _ => Err(other()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;
    use use_aa_protocol::{entry_point::EntryPoint, nexus::salt};

    use super::*;

    fn policy() -> SponsorPolicy {
        SponsorPolicy::parse("targets = []\n[budgets]\nglobal_per_day = 0\n", |_| None).unwrap()
    }

    fn creating(release: NexusRelease, init: Bytes) -> UserOperation {
        let data = factory_data(init, salt(U256::from(5)));
        let init_code = v07::init_code(release.parts().factory, &data);
        UserOperation { entry_point: EntryPoint::V07, init_code, ..Default::default() }
    }

    #[test]
    fn accounts_of_any_owner_with_known_modules_are_paid_for_and_no_others() {
        let policy = policy();
        let owner = Address::repeat_byte(7);
        for release in NexusRelease::ALL {
            let alone = InitialModules::new(owner);
            let safe = InitialModules { safe_senders: vec![SMART_SESSION], ..alone.clone() };
            for modules in
                [alone.clone(), alone.clone().with_validator(SMART_SESSION), safe.with_validator(SMART_SESSION)]
            {
                let good = creating(release, init_data(release, &modules).unwrap());
                assert_eq!(policy.check_deployment(&good), Ok(()), "{release:?} {modules:?}");
                let longer = UserOperation { init_code: [&good.init_code[..], &[0; 32]].concat().into(), ..good };
                assert!(policy.check_deployment(&longer).is_err(), "nothing stands behind it");
            }
            let stranger = Address::repeat_byte(9);
            for modules in [
                alone.clone().with_validator(stranger),
                alone.clone().with_validator(SMART_SESSION).with_validator(stranger),
                InitialModules { owner_validator: Some(stranger), ..alone.clone() },
                InitialModules { safe_senders: vec![stranger], ..alone.clone() },
            ] {
                let bad = creating(release, init_data(release, &modules).unwrap());
                let error = policy.check_deployment(&bad).unwrap_err();
                assert!(error.contains("known set-up"), "{release:?} {modules:?}: {error}");
            }
        }
        let mut other = creating(NexusRelease::V1_2_0, Bytes::new());
        other.init_code = v07::init_code(Address::repeat_byte(3), other.factory_data());
        assert!(policy.check_deployment(&other).unwrap_err().contains("factory"), "not one that the policy names");
    }

    #[test]
    fn a_factory_by_owner_is_taken_where_the_policy_names_it() {
        let mut policy = policy();
        let factory = Address::repeat_byte(3);
        let call = |owner, attesters: Vec<Address>| {
            let call =
                IK1ValidatorFactory::createAccountCall { eoaOwner: owner, index: U256::ZERO, attesters, threshold: 0 };
            let init_code = v07::init_code(factory, &call.abi_encode());
            UserOperation { entry_point: EntryPoint::V07, init_code, ..Default::default() }
        };
        let plain = call(Address::repeat_byte(1), Vec::new());
        assert!(policy.check_deployment(&plain).is_err());
        policy.factories.push(factory);
        assert_eq!(policy.check_deployment(&plain), Ok(()));
        assert!(policy.check_deployment(&call(Address::ZERO, Vec::new())).is_err());
        assert!(policy.check_deployment(&call(Address::repeat_byte(1), vec![factory])).is_err());
        let old = UserOperation { entry_point: EntryPoint::V06, ..plain };
        assert!(policy.check_deployment(&old).is_err(), "V2 accounts are made otherwise");
    }
}
