//! The vectors' cast: owner, account, keys; and what most tests do first.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address, b256},
    sol_types::SolCall,
};
use use_aa::protocol::addresses::{ACCOUNT_FACTORY, ECDSA_MODULE, ENTRY_POINT, SESSION_KEY_MANAGER};

use super::{
    abi::*,
    chain::{Chain, Failure},
};

/// Account 0 of the test mnemonic, the owner in the vectors.
pub const OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// Its account with index 0, the account in the vectors.
pub const ACCOUNT: Address = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
pub const SENTINEL: Address = address!("0000000000000000000000000000000000000001");
/// Somebody without any role.
pub const STRANGER: Address = address!("976EA74026E726554dB657fA54763abd0C3a0aa9");
/// Private keys of accounts 0, 1 and 10 of the test mnemonic; nothing but test money hangs on them.
pub const OWNER_KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
pub const SESSION_KEY: B256 = b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
pub const SPONSOR_KEY: B256 = b256!("f214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897");

pub fn owner_setup(owner: Address) -> Bytes {
    initForSmartAccountCall { owner }.abi_encode().into()
}

/// Deploys the account of the vectors and enables `modules` on it.
pub async fn deploy_account(chain: &Chain, modules: &[Address]) {
    let deploy =
        deployCounterFactualAccountCall { module: ECDSA_MODULE, setupData: owner_setup(OWNER), index: U256::ZERO };
    chain.send(STRANGER, ACCOUNT_FACTORY, &deploy).await;
    for &module in modules {
        chain.send(ACCOUNT, ACCOUNT, &enableModuleCall { module }).await;
    }
}

/// What the EntryPoint would hear from the account.
pub async fn validate(chain: &Chain, operation: &UserOperation, hash: B256) -> Result<Verdict, Failure> {
    let call = validateUserOpCall { userOp: operation.clone(), userOpHash: hash, missingAccountFunds: U256::ZERO };
    chain.call(ENTRY_POINT, operation.sender, &call).await.map(Verdict::from)
}

pub async fn set_root(chain: &Chain, root: B256) {
    chain.send(ACCOUNT, SESSION_KEY_MANAGER, &setMerkleRootCall { root }).await;
    let stored = chain.call(STRANGER, SESSION_KEY_MANAGER, &getSessionKeysCall { account: ACCOUNT }).await;
    assert_eq!(stored, Ok(root));
}

/// The two sources that may stand at the session key manager's address: contract, and how vectors call its answers.
pub const MANAGERS: [(&str, &str); 2] =
    [("SessionKeyManager", "resultSkm100"), ("SessionKeyManagerV1_1_0", "resultSkm110")];

/// Puts another source of the session key manager at its address; what it holds stays.
pub async fn set_manager(chain: &Chain, contract: &str) {
    let file = super::chain::root().join("contracts/out/artifacts.json");
    let artifacts: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let creation = &artifacts[contract]["bytecode"];
    let runtime = chain.rpc("eth_call", serde_json::json!([{ "input": creation }, "latest"])).await.unwrap();
    chain.rpc("anvil_setCode", serde_json::json!([SESSION_KEY_MANAGER, runtime])).await.unwrap();
}

/// An operation of the vectors' account in which everything else is zero.
pub fn empty_operation() -> UserOperation {
    let nothing = vectors("04_userop_hashes.json");
    user_operation(&nothing["cases"][0]["userOp"], Some(Bytes::new()))
}
