//! An account's address before deployment, and what deploys it (docs/protocol.md 2.2, 2.3).

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolValue},
};

use crate::{
    abi::{IEcdsaModule, ISmartAccount, ISmartAccountFactory},
    addresses::{ACCOUNT_FACTORY, ECDSA_MODULE, FALLBACK_HANDLER, PROXY_INIT_CODE_HASH},
};

/// What decides the address of an account beside owner and index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTemplate {
    /// The factory.
    pub factory: Address,
    /// Fallback handler that the factory gives to `init`.
    pub fallback_handler: Address,
    /// `keccak(proxyCreationCode ‖ uint256(implementation))`.
    pub proxy_init_code_hash: B256,
    /// Default validation module (not the active one).
    pub module: Address,
    /// What the module is set up with.
    pub setup_data: Bytes,
}

impl AccountTemplate {
    /// The public factory with the ECDSA module, owned by `owner`.
    pub fn ecdsa(owner: Address) -> Self {
        Self::with_module(ECDSA_MODULE, owner)
    }

    /// The public factory with another module whose set-up is `initForSmartAccount(owner)`,
    /// such as the multichain module.
    pub fn with_module(module: Address, owner: Address) -> Self {
        Self {
            factory: ACCOUNT_FACTORY,
            fallback_handler: FALLBACK_HANDLER,
            proxy_init_code_hash: PROXY_INIT_CODE_HASH,
            module,
            setup_data: IEcdsaModule::initForSmartAccountCall { eoaOwner: owner }.abi_encode().into(),
        }
    }

    /// Call data of the proxy's `init`, whose hash goes into the salt.
    pub fn init_call(&self) -> Vec<u8> {
        ISmartAccount::initCall {
            handler: self.fallback_handler,
            moduleSetupContract: self.module,
            moduleSetupData: self.setup_data.clone(),
        }
        .abi_encode()
    }

    /// CREATE2 salt of the account with this index.
    pub fn salt(&self, index: U256) -> B256 {
        keccak256((keccak256(self.init_call()), index).abi_encode())
    }

    /// Address of the account with this index, deployed or not.
    pub fn address(&self, index: U256) -> Address {
        self.factory.create2(self.salt(index), self.proxy_init_code_hash)
    }

    /// Call data for the factory that deploys the account with this index.
    pub fn factory_data(&self, index: U256) -> Bytes {
        ISmartAccountFactory::deployCounterFactualAccountCall {
            module: self.module,
            setupData: self.setup_data.clone(),
            index,
        }
        .abi_encode()
        .into()
    }

    /// `initCode` of the first user operation.
    pub fn init_code(&self, index: U256) -> Bytes {
        [self.factory.as_slice(), &self.factory_data(index)].concat().into()
    }
}

/// Address of the owner's account with the default ECDSA module.
pub fn counterfactual_address(owner: Address, index: U256) -> Address {
    AccountTemplate::ecdsa(owner).address(index)
}

/// `initCode` that deploys the owner's account with the default ECDSA module.
pub fn init_code(owner: Address, index: U256) -> Bytes {
    AccountTemplate::ecdsa(owner).init_code(index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::address;

    use super::*;

    /// A pair quoted in `@biconomy/account`'s tests (vectors/05).
    #[test]
    fn the_counterfactual_address_is_the_factorys() {
        let owner = address!("FA66E705cf2582cF56528386Bb9dFCA119767262");
        let account = address!("e6dBb5C8696d2E0f90B875cbb6ef26E3bBa575AC");
        assert_eq!(counterfactual_address(owner, U256::ZERO), account);
        assert_eq!(init_code(owner, U256::ZERO).len(), 216);
    }
}
