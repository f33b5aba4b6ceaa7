//! What goes where, and the keys of the lab that the contracts know.

use alloy::{
    primitives::{Address, Bytes, address},
    sol_types::SolValue,
};

use super::{PlaceError, artifacts::Artifacts};
use use_aa_protocol::addresses::{
    ABI_SESSION_VALIDATION_MODULE, ACCOUNT_FACTORY, ACCOUNT_IMPLEMENTATION, BATCHED_SESSION_ROUTER, DEMO_NFT,
    DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, ERC20_SESSION_VALIDATION_MODULE, MULTICHAIN_MODULE, SESSION_KEY_MANAGER,
    SESSION_KEY_MANAGER_V1_0_0, TOKEN_PAYMASTER, VERIFYING_PAYMASTER,
};

/// Account 9 of the test mnemonic: sends the placing transactions and owns the paymasters.
pub const DEPLOYER: Address = address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720");
/// Account 10 of the test mnemonic: its signature makes both paymasters pay.
pub const VERIFYING_SIGNER: Address = address!("BcD4042DE499D14e55001CcbB24a551F3b954096");
/// Account 11 of the test mnemonic: the paymaster id whose deposit sponsors the lab's operations.
pub const PAYMASTER_ID: Address = address!("71bE63f3384f5fb98995898A86B02Fb2426c5788");

/// A contract and its place.
pub struct Contract {
    /// Name in the artifacts.
    pub name: &'static str,
    /// Canonical address.
    pub address: Address,
    /// Creation code with the constructor's arguments behind it.
    pub creation_code: Bytes,
}

/// Everything that is placed by setting code.
pub fn contracts(artifacts: &Artifacts) -> Result<Vec<Contract>, PlaceError> {
    let paymaster = (ENTRY_POINT, DEPLOYER, VERIFYING_SIGNER).abi_encode_params();
    let none = Vec::new;
    [
        ("SmartAccount", ACCOUNT_IMPLEMENTATION, ENTRY_POINT.abi_encode()),
        ("SmartAccountFactory", ACCOUNT_FACTORY, ACCOUNT_IMPLEMENTATION.abi_encode()),
        ("EcdsaOwnershipModule", ECDSA_MODULE, none()),
        ("MultichainModule", MULTICHAIN_MODULE, none()),
        ("SessionKeyManager", SESSION_KEY_MANAGER, none()),
        ("SessionKeyManager", SESSION_KEY_MANAGER_V1_0_0, none()),
        ("BatchedSessionRouter", BATCHED_SESSION_ROUTER, none()),
        ("AbiSessionValidationModule", ABI_SESSION_VALIDATION_MODULE, none()),
        ("Erc20SessionValidationModule", ERC20_SESSION_VALIDATION_MODULE, none()),
        ("VerifyingPaymaster", VERIFYING_PAYMASTER, paymaster.clone()),
        ("TokenPaymaster", TOKEN_PAYMASTER, paymaster),
        ("DemoNft", DEMO_NFT, none()),
        ("DemoToken", DEMO_TOKEN, none()),
    ]
    .into_iter()
    .map(|(name, address, arguments)| {
        let mut creation_code = artifacts.creation_code(name)?.to_vec();
        creation_code.extend_from_slice(&arguments);
        Ok(Contract { name, address, creation_code: creation_code.into() })
    })
    .collect()
}
