//! Where the parts of Nexus and Smart Sessions stand in the lab, and on which EntryPoint.
//!
//! EntryPoint, Smart Sessions and policies are at their public addresses, so that a client needs no second address book.
//! Owner and session validator are not: they take other signatures than the public ones, and nobody shall confuse them.

use alloy::primitives::{Address, B256, address, b256};

/// ERC-4337 entry point v0.7.
pub const ENTRY_POINT_V07: Address = address!("0000000071727De22E5E9d8BAf0edAc6f37da032");
/// With it the published creation code comes out at [`ENTRY_POINT_V07`].
pub const ENTRY_POINT_V07_SALT: B256 = b256!("90d8084deab30c2a37c45e8d47f49f2f7965183cb6990a98943ef94940681de3");

/// Nexus' implementation, of the build that the package carries.
pub const NEXUS_IMPLEMENTATION: Address = address!("2f4d9ab75E21D3104b7D5e92C04A0C6D0665756D");
/// What sets a new account up.
pub const NEXUS_BOOTSTRAP: Address = address!("d81DBa1CB0aaedE3B613F4352BAdF31C9cF26C1C");
/// Creates account proxies.
pub const NEXUS_FACTORY: Address = address!("defa16E126e6BE98CA8Fb70941A72b594DaDd62A");
/// Account 0 of the test mnemonic, which the factory's address depends on; it has no power over accounts.
pub const NEXUS_FACTORY_OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Session module.
pub const SMART_SESSION: Address = address!("00000000008bDABA73cD9815d79069c247Eb4bDA");
/// Policy: rules for the arguments of a call.
pub const UNI_ACTION_POLICY: Address = address!("0000000000714Cf48FcF88A0bFBa70d313415032");
/// Policy: from when until when.
pub const TIME_FRAME_POLICY: Address = address!("0000000000D30f611fA3bf652ac6879428586930");
/// Policy: how often.
pub const USAGE_LIMIT_POLICY: Address = address!("00000000001d4479FA2A947026204d0283ceDe4B");
/// Policy: how much of the native token in all.
pub const VALUE_LIMIT_POLICY: Address = address!("000000000021dC45451291BCDfc9f0B46d6f0278");
/// Policy: how much of some tokens in all.
pub const ERC20_SPENDING_LIMIT_POLICY: Address = address!("000000000033212E272655D8a22402Db819477A6");
/// Policy: anything.
pub const SUDO_POLICY: Address = address!("0000000000FEEc8D74e3143fBaBbca515358d869");

/// Owner validator, ours, with the K1 interface.
pub const OWNER_VALIDATOR: Address = address!("4741D465b86c6Fdf67B3604698dFF78EF6658974");
/// Session validator, ours: one key by its address.
pub const SESSION_VALIDATOR: Address = address!("8b34EAeAA7cF9b4CB5fA6DcCF05A5Af67441bD0d");
/// Accounts by owner and index, ours, over [`NEXUS_FACTORY`]. Like the paymasters' its address is the hash of its name.
pub const NEXUS_K1_FACTORY: Address = address!("d315fef6e26B247AB24dDD7953d81b43DCc5fF8a");
pub use use_aa_protocol::addresses::{TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07};

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::keccak256;

    #[test]
    fn addresses_that_we_chose_are_the_hashes_of_their_names() {
        let named = |name: &str| Address::from_word(keccak256(format!("use-aa lab: {name}")));
        assert_eq!(named("NexusK1Factory"), NEXUS_K1_FACTORY);
        assert_eq!(named("VerifyingPaymasterV07"), VERIFYING_PAYMASTER_V07);
        assert_eq!(named("TokenPaymasterV07"), TOKEN_PAYMASTER_V07);
    }
}
