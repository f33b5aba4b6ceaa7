//! A chain as the vectors had it, and real Nexus accounts at the vectors' addresses.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address, b256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolValue},
};
use serde_json::{Value, json};
use use_aa::lab::contracts::nexus::{
    ENTRY_POINT_V07, NEXUS_BOOTSTRAP, NEXUS_IMPLEMENTATION, OWNER_VALIDATOR, SMART_SESSION,
};

use super::{
    super::chain::{Chain, root},
    abi::*,
};

/// The chain of vectors 15 to 18.
pub const CHAIN_ID: u64 = 31_337;
/// The account of most cases.
pub const ACCOUNT: Address = address!("513085AEdBE4f290bA779fd3Afa98A795c7A24EC");
/// Owner of the vectors' accounts: account 6 of the test mnemonic.
pub const OWNER: Address = address!("976EA74026E726554dB657fA54763abd0C3a0aa9");
pub const OWNER_KEY: B256 = b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e");
/// Session key of the vectors: account 12 of the test mnemonic.
pub const SESSION_KEY: B256 = b256!("a267530f49f8280200edf313ee7af6b827f2a8bce2897751d06a843f644967b1");
/// Takes any call and value.
pub const TARGET: Address = address!("7f92F56E6a3c651fCd3B069719B8cCac3747DA66");
/// Where vectors have the demo NFT.
pub const NFT: Address = address!("7671fEc09dFa0eA0DC636626EE753350e2860D91");
/// Who bundles.
pub const BUNDLER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// A chain with the target and the NFT at their places.
pub async fn start() -> Chain {
    let chain = Chain::start_as(CHAIN_ID, &[]).await;
    chain.rpc("anvil_autoImpersonateAccount", json!([true])).await.unwrap();
    chain.rpc("anvil_setCode", json!([TARGET, "0x00"])).await.unwrap();
    let nft = chain.code(use_aa::protocol::addresses::DEMO_NFT).await;
    chain.rpc("anvil_setCode", json!([NFT, nft])).await.unwrap();
    chain
}

/// The same with the account of most cases: owner validator and session module, ether, nothing enabled.
pub async fn with_account() -> Chain {
    let chain = start().await;
    place_account(&chain, ACCOUNT, OWNER_VALIDATOR, OWNER.to_vec()).await;
    chain
}

/// A real Nexus account at an address of choice, by the lab's own recipe: its proxy's constructor runs there.
pub async fn place_account(chain: &Chain, account: Address, validator: Address, owner_data: Vec<u8>) {
    let nexus = std::fs::read(root().join("contracts/out/nexus.json")).unwrap();
    let nexus: Value = serde_json::from_slice(&nexus).unwrap();
    let proxy: Bytes = nexus["proxy"].as_str().unwrap().parse().unwrap();
    let module = |module, data: Vec<u8>| BootstrapConfig { module, data: data.into() };
    let bootstrap = initNexusScopedCall {
        validators: vec![module(validator, owner_data), module(SMART_SESSION, Vec::new())],
        hook: module(Address::ZERO, Vec::new()),
        registry: Address::ZERO,
        attesters: Vec::new(),
        threshold: 0,
    };
    let init_data = (NEXUS_BOOTSTRAP, Bytes::from(bootstrap.abi_encode())).abi_encode_params();
    let initialize = Bytes::from(initializeAccountCall { initData: init_data.into() }.abi_encode());
    let creation = Bytes::from([proxy.to_vec(), (NEXUS_IMPLEMENTATION, initialize).abi_encode_params()].concat());

    chain.rpc("anvil_setNonce", json!([account, "0x1"])).await.unwrap();
    chain.rpc("anvil_setCode", json!([account, creation])).await.unwrap();
    let runtime = chain.rpc("eth_call", json!([{ "from": BUNDLER, "to": account }, "latest"])).await.unwrap();
    chain.send_data(BUNDLER, account, &Bytes::new()).await;
    chain.rpc("anvil_setCode", json!([account, runtime])).await.unwrap();
    chain.rpc("anvil_setBalance", json!([account, U256::from(10).pow(U256::from(19))])).await.unwrap();
    for module in [validator, SMART_SESSION] {
        let ask = isModuleInstalledCall { moduleTypeId: U256::from(1), module, additionalContext: Bytes::new() };
        assert_eq!(chain.call(BUNDLER, account, &ask).await, Ok(true));
    }
}

pub async fn snapshot(chain: &Chain) -> Value {
    chain.rpc("evm_snapshot", json!([])).await.unwrap()
}

/// Back to the snapshot, which is taken again: anvil forgets it.
pub async fn back_to(chain: &Chain, snapshot: &mut Value) {
    chain.pool_is_empty().await;
    assert_eq!(chain.rpc("evm_revert", json!([snapshot])).await, Ok(Value::Bool(true)));
    *snapshot = self::snapshot(chain).await;
}

/// Calls in the name of `from`, and sends what does not revert, so that its writes stay.
pub async fn run(chain: &Chain, from: Address, to: Address, data: &Bytes) -> Result<Bytes, Bytes> {
    let answer = chain.call_data(from, to, data, None).await?;
    transact(chain, from, to, data).await;
    Ok(answer)
}

/// A mined transaction of an account that has ether.
pub async fn transact(chain: &Chain, from: Address, to: Address, data: &Bytes) -> Value {
    let request = json!({ "from": from, "to": to, "input": data, "gas": "0x989680" });
    chain.mined(chain.rpc("eth_sendTransaction", json!([request])).await.expect("sent")).await
}

/// The account asks the session module.
pub async fn validate(chain: &Chain, operation: &PackedUserOperation, hash: B256) -> Result<U256, Bytes> {
    let call = validateUserOpCall { userOp: operation.clone(), userOpHash: hash }.abi_encode();
    let answer = run(chain, operation.sender, SMART_SESSION, &call.into()).await?;
    Ok(U256::from_be_slice(&answer))
}

/// The hash that the EntryPoint tells.
pub async fn hash_of(chain: &Chain, operation: &PackedUserOperation) -> B256 {
    let ask = getUserOpHashCall { userOp: operation.clone() };
    chain.call(BUNDLER, ENTRY_POINT_V07, &ask).await.unwrap()
}

/// An operation of [`ACCOUNT`] in the session module's lane.
pub async fn operation(chain: &Chain, call_data: Bytes) -> PackedUserOperation {
    let lane = getNonceCall { sender: ACCOUNT, key: U256::from_be_slice(SMART_SESSION.as_slice()).to() };
    let gas = json!({ "sender": ACCOUNT, "callGasLimit": "0x7a120", "verificationGasLimit": "0x2dc6c0",
        "preVerificationGas": "0xea60", "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00" });
    PackedUserOperation {
        nonce: chain.call(BUNDLER, ENTRY_POINT_V07, &lane).await.unwrap(),
        callData: call_data,
        ..packed(&gas, &Value::Null)
    }
}

pub fn sign(key: B256, hash: B256) -> Vec<u8> {
    let signer = PrivateKeySigner::from_bytes(&key).unwrap();
    signer.sign_message_sync(hash.as_slice()).unwrap().as_bytes().to_vec()
}

/// Sends one operation as a bundler does: the receipt, or what the EntryPoint refused it with.
pub async fn handle(chain: &Chain, operation: &PackedUserOperation) -> Result<Value, Bytes> {
    let call = handleOpsCall { ops: vec![operation.clone()], beneficiary: BUNDLER }.abi_encode().into();
    chain.call_data(BUNDLER, ENTRY_POINT_V07, &call, None).await?;
    Ok(transact(chain, BUNDLER, ENTRY_POINT_V07, &call).await)
}
