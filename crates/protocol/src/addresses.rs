//! Address book (docs/protocol.md 0.4): the canonical public addresses, which the lab uses, too.

use alloy::primitives::{Address, B256, address, b256};

use crate::entry_point::EntryPoint;

/// ERC-4337 entry point v0.6, Smart Account V2's. Of an operation or an account ask its
/// [`EntryPoint`] instead: it may be another version's.
pub use crate::entry_point::v06::ENTRY_POINT;
/// Factory of Smart Accounts V2.
pub const ACCOUNT_FACTORY: Address = address!("000000a56Aaca3e9a4C479ea6b6CD0DbcB6634F5");
/// Implementation 2.0.0 behind the account proxies.
pub const ACCOUNT_IMPLEMENTATION: Address = address!("0000002512019Dafb59528B82CB92D3c5D2423aC");
/// Default fallback handler: the first contract that the factory created.
pub const FALLBACK_HANDLER: Address = address!("0bBa6d96BD616BedC6BFaa341742FD43c60b83C1");
/// ECDSA ownership module: the owner's signature.
pub const ECDSA_MODULE: Address = address!("0000001c5b32F37F5beA87BDD5374eB2aC54eA8e");
/// Session key manager, the default ("V1_0_1").
pub const SESSION_KEY_MANAGER: Address = address!("000002FbFfedd9B33F4E7156F2DE8D48945E7489");
/// The older session key manager ("V1_0_0"); never used here, but a policy must not target it either.
pub const SESSION_KEY_MANAGER_V1_0_0: Address = address!("000000456b395c4e107e0302553B90D1eF4a32e9");
/// Batched session router.
pub const BATCHED_SESSION_ROUTER: Address = address!("00000D09967410f8C76752A104c9848b57ebba55");
/// ABI session validation module.
pub const ABI_SESSION_VALIDATION_MODULE: Address = address!("000006bC2eCdAe38113929293d241Cf252D91861");
/// ERC-20 session validation module.
pub const ERC20_SESSION_VALIDATION_MODULE: Address = address!("000000D50C68705bd6897B2d17c7de32FB519fDA");
/// Multichain ECDSA module.
pub const MULTICHAIN_MODULE: Address = address!("000000824dc138db84FD9109fc154bdad332Aa8E");
/// Passkey module.
pub const PASSKEY_MODULE: Address = address!("00000c99cbbb3b0626db6ac76c00ef1839f35773");
/// Token paymaster: the person pays gas in a token.
pub const TOKEN_PAYMASTER: Address = address!("00000f7365cA6C59A2C93719ad53d567ed49c14C");
/// Verifying paymaster v1.1.0: the dapp pays gas.
pub const VERIFYING_PAYMASTER: Address = address!("00000f79b7faf42eebadba19acc07cd08af44789");
/// The gas price oracle of OP-stack chains: tells what the chain below takes for data.
pub const GAS_PRICE_ORACLE: Address = address!("420000000000000000000000000000000000000F");
/// Arbitrum's `NodeInterface`, which tells the same: nodes answer for it, there is no code.
pub const NODE_INTERFACE: Address = address!("00000000000000000000000000000000000000C8");
/// Alias that stands for the chain's native token.
pub const NATIVE_TOKEN: Address = address!("EeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");
/// Head and end of an account's linked list of modules.
pub const MODULE_SENTINEL: Address = address!("0000000000000000000000000000000000000001");
/// Demo NFT: `safeMint(address)`, anyone may call.
pub const DEMO_NFT: Address = address!("1758f42Af7026fBbB559Dc60EcE0De3ef81f665e");
/// Demo ERC-20 with 6 decimals.
pub const DEMO_TOKEN: Address = address!("747A4168DB14F57871fa8cda8B5455D8C2a8e90a");
/// Verifying paymaster of entry point v0.7 in the lab; ours, like its address.
pub const VERIFYING_PAYMASTER_V07: Address = address!("4d809E7a5B3481220529D015a72133B7DAa9047E");
/// Token paymaster of entry point v0.7 in the lab; ours, like its address.
pub const TOKEN_PAYMASTER_V07: Address = address!("61f8c91eF06AE286D6402ec54B1DC1C3f59348f5");
/// `keccak(proxyCreationCode ‖ uint256(implementation))` for [`ACCOUNT_IMPLEMENTATION`] (docs/protocol.md 2.2).
pub const PROXY_INIT_CODE_HASH: B256 = b256!("9e23d82770fbe728cd88babbb4dd51431b0a3c40bfd053a9fba2db0c3edaa369");

/// The paymaster known here that signs what it pays for at this entry point, and never charges an account.
pub const fn verifying_paymaster(entry_point: EntryPoint) -> Address {
    match entry_point {
        EntryPoint::V06 => VERIFYING_PAYMASTER,
        EntryPoint::V07 => VERIFYING_PAYMASTER_V07,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CREATE with nonce 1 of the factory (docs/protocol.md 0.4).
    #[test]
    fn the_fallback_handler_is_the_first_contract_of_the_factory() {
        assert_eq!(ACCOUNT_FACTORY.create(1), FALLBACK_HANDLER);
    }
}
