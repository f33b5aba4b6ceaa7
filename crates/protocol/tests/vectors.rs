//! Every case of `tests/vectors/*.json` against the protocol: expected bytes come from `@biconomy/account` and from the
//! contracts. Where `@biconomy/use-aa` rejects or mis-encodes, the test says so by name and asserts what is right.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "vectors/abi_session_key_data.rs"]
mod abi_session_key_data;
#[path = "vectors/account_calls.rs"]
mod account_calls;
#[path = "vectors/accounts.rs"]
mod accounts;
#[path = "vectors/bookkeeping.rs"]
mod bookkeeping;
#[path = "vectors/distributed_key.rs"]
mod distributed_key;
#[path = "vectors/erc20_session_key_data.rs"]
mod erc20_session_key_data;
#[path = "vectors/multichain.rs"]
mod multichain;
#[path = "vectors/nexus.rs"]
mod nexus;
#[path = "vectors/onchain_checks.rs"]
mod onchain_checks;
#[path = "vectors/paymaster.rs"]
mod paymaster;
#[path = "vectors/session_signatures.rs"]
mod session_signatures;
#[path = "vectors/smart_sessions.rs"]
mod smart_sessions;
#[path = "vectors/smart_sessions_onchain.rs"]
mod smart_sessions_onchain;
#[path = "vectors/storage.rs"]
mod storage;
#[path = "vectors/transcripts.rs"]
mod transcripts;
#[path = "vectors/trees.rs"]
mod trees;
#[path = "vectors/user_operations.rs"]
mod user_operations;
#[path = "vectors/user_operations_v07.rs"]
mod user_operations_v07;

/// What all files of vectors share.
mod support {
    use alloy::{
        primitives::{Address, B256, Bytes, U256},
        signers::{SignerSync, local::PrivateKeySigner},
    };
    use serde_json::Value;
    use use_aa_protocol::{quantity, user_operation::UserOperation};

    /// Private keys of the public test mnemonic "test test … junk" by index.
    pub fn test_key(index: u64) -> PrivateKeySigner {
        match index {
            0 => "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            1 => "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
            10 => "0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897",
            other => panic!("test key {other} is not used by any vector"),
        }
        .parse()
        .unwrap()
    }

    /// `personal_sign` of 32 bytes, as 65 bytes `r‖s‖v`.
    pub fn personal_sign(key: &PrivateKeySigner, message: B256) -> Bytes {
        key.sign_message_sync(message.as_slice()).unwrap().as_bytes().to_vec().into()
    }

    pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name].as_str().unwrap_or_else(|| panic!("{name} is no text in {value}"))
    }

    pub fn bytes(value: &Value, name: &str) -> Bytes {
        text(value, name).parse().unwrap()
    }

    pub fn word(value: &Value, name: &str) -> B256 {
        text(value, name).parse().unwrap()
    }

    pub fn words(value: &Value) -> Vec<B256> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().parse().unwrap()).collect()
    }

    pub fn address(value: &Value, name: &str) -> Address {
        text(value, name).parse().unwrap()
    }

    pub fn number(value: &Value, name: &str) -> u64 {
        value[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {value}"))
    }

    pub fn big(value: &Value, name: &str) -> U256 {
        quantity::parse(text(value, name)).unwrap()
    }

    pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
        value[name].as_array().unwrap_or_else(|| panic!("{name} is no list"))
    }

    pub fn user_operation(value: &Value) -> UserOperation {
        serde_json::from_value(value.clone()).unwrap()
    }

    pub fn parse(file: &str) -> Value {
        serde_json::from_str(file).unwrap()
    }
}
