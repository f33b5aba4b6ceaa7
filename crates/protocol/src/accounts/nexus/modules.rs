//! Modules of an account: installing, uninstalling, and the list of validators (vectors 16).

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolValue},
};

use crate::{
    ProtocolError,
    abi::{
        decode,
        nexus::{INexus, ValidatorRemoval},
    },
    call::Call,
};

pub use crate::addresses::MODULE_SENTINEL;

/// What a module is for (ERC-7579).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModuleType {
    /// Judges signatures.
    Validator,
    /// Has the account call.
    Executor,
    /// Answers calls of the account that it has no function for.
    Fallback,
    /// Runs before and after each call.
    Hook,
    /// Judges signatures for other modules; never installed (a session validator).
    StatelessValidator,
}

impl ModuleType {
    /// Its number.
    pub fn code(self) -> u8 {
        match self {
            Self::Validator => 1,
            Self::Executor => 2,
            Self::Fallback => 3,
            Self::Hook => 4,
            Self::StatelessValidator => 7,
        }
    }
}

fn to_self(account: Address, data: Vec<u8>) -> Call {
    Call { to: account, value: U256::ZERO, data: data.into() }
}

/// The account installs a module on itself. Reverts on chain when it is installed already.
pub fn install_module(account: Address, kind: ModuleType, module: Address, init_data: Bytes) -> Call {
    let kind = U256::from(kind.code());
    to_self(account, INexus::installModuleCall { moduleTypeId: kind, module, initData: init_data }.abi_encode())
}

/// The account uninstalls a module that is no validator.
pub fn uninstall_module(account: Address, kind: ModuleType, module: Address, de_init_data: Bytes) -> Call {
    let kind = U256::from(kind.code());
    to_self(account, INexus::uninstallModuleCall { moduleTypeId: kind, module, deInitData: de_init_data }.abi_encode())
}

/// The account uninstalls a validator; `previous` comes before it in the list ([`previous_validator`]). Uninstalling
/// Smart Sessions removes every session.
pub fn uninstall_validator(account: Address, previous: Address, validator: Address, data: Bytes) -> Call {
    let data = ValidatorRemoval { previous, data }.abi_encode_params();
    uninstall_module(account, ModuleType::Validator, validator, data.into())
}

/// What comes before a validator in the account's list, which begins with the one installed last.
///
/// # Errors
/// `Invalid` for a validator that is not in it. From 1.2 on the default one never is, and cannot be uninstalled.
pub fn previous_validator(list: &[Address], validator: Address) -> Result<Address, ProtocolError> {
    match list.iter().position(|listed| *listed == validator) {
        Some(0) => Ok(MODULE_SENTINEL),
        Some(index) => list.get(index - 1).copied().ok_or_else(|| not_listed(validator)),
        None => Err(not_listed(validator)),
    }
}

fn not_listed(validator: Address) -> ProtocolError {
    ProtocolError::invalid("validator", "one of the account's list", validator)
}

/// Call data that asks for the list of validators, at most `size` of them.
pub fn validators_call(size: u16) -> Bytes {
    INexus::getValidatorsPaginatedCall { cursor: MODULE_SENTINEL, size: U256::from(size) }.abi_encode().into()
}

/// The answer to [`validators_call`].
///
/// # Errors
/// `Invalid` when it is none.
pub fn decode_validators(answer: &[u8]) -> Result<Vec<Address>, ProtocolError> {
    let (list, _) = decode::params::<(Vec<Address>, Address)>(answer)
        .map_err(|error| ProtocolError::invalid("getValidatorsPaginated", "a list of addresses", error))?;
    Ok(list)
}

/// Call data that asks whether a module is installed. Of the default validator (1.2) the answer is no.
pub fn is_module_installed_call(kind: ModuleType, module: Address) -> Bytes {
    let kind = U256::from(kind.code());
    INexus::isModuleInstalledCall { moduleTypeId: kind, module, additionalContext: Bytes::new() }.abi_encode().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_entry_before_is_found_in_the_list() {
        let [first, second, absent] = [1, 2, 3].map(Address::repeat_byte);
        let list = decode_validators(&(vec![first, second], MODULE_SENTINEL).abi_encode_params()).unwrap();
        assert_eq!(previous_validator(&list, first).unwrap(), MODULE_SENTINEL);
        assert_eq!(previous_validator(&list, second).unwrap(), first);
        assert!(previous_validator(&list, absent).unwrap_err().to_string().starts_with("validator"));
        assert!(decode_validators(&[1, 2, 3]).unwrap_err().to_string().starts_with("getValidatorsPaginated"));
        assert_eq!(validators_call(9)[..4], INexus::getValidatorsPaginatedCall::SELECTOR);
    }
}
