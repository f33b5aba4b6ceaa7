//! Modules that the account enables and disables on itself, and roots of sessions that it stores (docs/protocol.md 2.10).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};

use crate::{
    abi::{ISessionKeyManager, ISmartAccount},
    addresses::SESSION_KEY_MANAGER,
    call::Call,
};

/// The account enables a module on itself. Reverts on chain when it is enabled already.
pub fn enable_module(account: Address, module: Address) -> Call {
    Call::to_self(account, ISmartAccount::enableModuleCall { module }.abi_encode())
}

/// The account sets a module up and enables it.
pub fn setup_and_enable_module(account: Address, setup_contract: Address, setup_data: Bytes) -> Call {
    let call = ISmartAccount::setupAndEnableModuleCall { setupContract: setup_contract, setupData: setup_data };
    Call::to_self(account, call.abi_encode())
}

/// The account disables a module; `previous` comes before it in the linked list of modules.
pub fn disable_module(account: Address, previous: Address, module: Address) -> Call {
    Call::to_self(account, ISmartAccount::disableModuleCall { prevModule: previous, module }.abi_encode())
}

/// The account stores a Merkle root of sessions; the zero root takes all of them back.
pub fn set_merkle_root(root: B256) -> Call {
    set_merkle_root_at(SESSION_KEY_MANAGER, root)
}

/// As [`set_merkle_root`], at this session key manager.
pub fn set_merkle_root_at(manager: Address, root: B256) -> Call {
    let data = ISessionKeyManager::setMerkleRootCall { merkleRoot: root }.abi_encode().into();
    Call { to: manager, value: U256::ZERO, data }
}
