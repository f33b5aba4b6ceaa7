//! What goes where, and the keys of the lab that the contracts know.

use alloy::{
    primitives::{Address, B256, Bytes, address},
    sol_types::SolValue,
};

use super::{
    CREATE2_DEPLOYER, PlaceError,
    artifacts::Artifacts,
    nexus::{
        ENTRY_POINT_V07, ENTRY_POINT_V07_SALT, ERC20_SPENDING_LIMIT_POLICY, NEXUS_BOOTSTRAP, NEXUS_FACTORY,
        NEXUS_FACTORY_OWNER, NEXUS_IMPLEMENTATION, NEXUS_K1_FACTORY, OWNER_VALIDATOR, SESSION_VALIDATOR, SMART_SESSION,
        SUDO_POLICY, TIME_FRAME_POLICY, TOKEN_PAYMASTER_V07, UNI_ACTION_POLICY, USAGE_LIMIT_POLICY, VALUE_LIMIT_POLICY,
        VERIFYING_PAYMASTER_V07,
    },
};
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

/// Published code that comes out at its address by itself, through CREATE2.
pub struct Deployment {
    /// What it is called.
    pub name: &'static str,
    /// Where it comes out.
    pub address: Address,
    /// CREATE2's salt.
    pub salt: B256,
    /// Creation code with the constructor's arguments behind it.
    pub creation_code: Bytes,
}

/// Everything that is deployed as published; another code than the known one is refused, since it would not be found.
pub fn deployments(artifacts: &Artifacts) -> Result<Vec<Deployment>, PlaceError> {
    let nexus = &artifacts.nexus;
    let with = |code: &Bytes, arguments: Vec<u8>| Bytes::from([code.as_ref(), &arguments].concat());
    let factory_owner = (NEXUS_IMPLEMENTATION, NEXUS_FACTORY_OWNER).abi_encode_params();
    let all = [
        ("EntryPoint", ENTRY_POINT, B256::ZERO, artifacts.entry_point.clone()),
        ("EntryPointV07", ENTRY_POINT_V07, ENTRY_POINT_V07_SALT, artifacts.entry_point_v07.clone()),
        ("Nexus", NEXUS_IMPLEMENTATION, B256::ZERO, with(&nexus.implementation, ENTRY_POINT_V07.abi_encode())),
        ("NexusAccountFactory", NEXUS_FACTORY, B256::ZERO, with(&nexus.factory, factory_owner)),
        ("NexusBootstrap", NEXUS_BOOTSTRAP, B256::ZERO, nexus.bootstrap.clone()),
    ];
    let check = |(name, address, salt, creation_code)| {
        let comes_out: Address = CREATE2_DEPLOYER.create2_from_code(salt, &creation_code);
        if comes_out == address {
            Ok(Deployment { name, address, salt, creation_code })
        } else {
            Err(PlaceError::WrongCode { name, address, comes_out })
        }
    };
    all.into_iter().map(check).collect()
}

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
    let paymaster_v07 = (ENTRY_POINT_V07, DEPLOYER, VERIFYING_SIGNER).abi_encode_params();
    let k1_factory = (NEXUS_FACTORY, NEXUS_BOOTSTRAP, OWNER_VALIDATOR).abi_encode_params();
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
        ("OwnerValidator", OWNER_VALIDATOR, none()),
        ("SimpleSigner", SESSION_VALIDATOR, none()),
        ("NexusK1Factory", NEXUS_K1_FACTORY, k1_factory),
        ("SmartSession", SMART_SESSION, none()),
        ("UniActionPolicy", UNI_ACTION_POLICY, none()),
        ("TimeFramePolicy", TIME_FRAME_POLICY, none()),
        ("UsageLimitPolicy", USAGE_LIMIT_POLICY, none()),
        ("ValueLimitPolicy", VALUE_LIMIT_POLICY, none()),
        ("ERC20SpendingLimitPolicy", ERC20_SPENDING_LIMIT_POLICY, none()),
        ("SudoPolicy", SUDO_POLICY, none()),
        ("VerifyingPaymasterV07", VERIFYING_PAYMASTER_V07, paymaster_v07.clone()),
        ("TokenPaymasterV07", TOKEN_PAYMASTER_V07, paymaster_v07),
    ]
    .into_iter()
    .map(|(name, address, arguments)| {
        let mut creation_code = artifacts.creation_code(name)?.to_vec();
        creation_code.extend_from_slice(&arguments);
        Ok(Contract { name, address, creation_code: creation_code.into() })
    })
    .collect()
}
