//! What a factory is told: accounts of known set-ups are paid for, nothing else.
//!
//! A factory lets the new account call any contract with any data while it is set up. Only its address being known, that
//! would be a way to run anything on the sponsor's gas, past targets and caps. So the call must be, byte for byte, the
//! one that this crate would make for a module that the policy names and some owner.

pub(super) mod nexus;

use alloy::primitives::Address;

use super::policy::SponsorPolicy;
use use_aa_protocol::{
    abi::{IEcdsaModule, ISmartAccountFactory, decode},
    addresses::ACCOUNT_FACTORY,
    entry_point::EntryPoint,
    smart_account::AccountTemplate,
    user_operation::UserOperation,
};

impl SponsorPolicy {
    /// Is the account that this operation deploys, if it does, one that is paid for? The error is the reason.
    pub(super) fn check_deployment(&self, operation: &UserOperation) -> Result<(), String> {
        if operation.init_code.is_empty() {
            return Ok(());
        }
        if self.factories.is_empty() {
            return Err("the policy does not pay for deploying accounts".into());
        }
        let Some((factory, call)) = operation.init_code.split_first_chunk::<20>() else {
            return Err("initCode is shorter than an address".into());
        };
        let factory = Address::from(*factory);
        if !self.factories.contains(&factory) {
            return Err(format!("the policy does not pay for accounts of the factory {factory}"));
        }
        match operation.entry_point {
            EntryPoint::V06 => self.check_v2(factory, call, operation),
            EntryPoint::V07 => nexus::check(self, factory, operation),
        }
    }

    fn check_v2(&self, factory: Address, call: &[u8], operation: &UserOperation) -> Result<(), String> {
        let unknown = || "initCode asks the factory for something else than an account of a known set-up".to_owned();
        let told = decode::call::<ISmartAccountFactory::deployCounterFactualAccountCall>(call);
        let told = told.map_err(|_| unknown())?;
        if !self.deployment_modules.contains(&told.module) {
            return Err(format!("the policy does not pay for accounts that are set up by {}", told.module));
        }
        let owner = decode::call::<IEcdsaModule::initForSmartAccountCall>(&told.setupData);
        let owner = owner.map_err(|_| unknown())?.eoaOwner;
        let template = AccountTemplate { factory, ..AccountTemplate::with_module(told.module, owner) };
        if template.init_code(told.index) != operation.init_code {
            return Err(unknown());
        }
        // Of other factories only the chain knows which account they make.
        if factory == ACCOUNT_FACTORY && template.address(told.index) != operation.sender {
            return Err(format!("initCode deploys another account than {}", operation.sender));
        }
        Ok(())
    }
}
