//! A Nexus account of somebody new on the shared lab, and operations of entry point v0.7 by its owner or a session.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use serde_json::{Value, json};
use use_aa::protocol::{
    entry_point::{EntryPoint, UserOperation, v07},
    nexus::{self, InitialModules, NexusRelease, NonceKey},
    smart_account::Call,
    smart_sessions::{Session, addresses::SMART_SESSION, ids::permission_id, session_key_of, use_signature},
};

/// The lab's.
pub const RELEASE: NexusRelease = NexusRelease::Modulekit0_5_9;

pub struct NexusOwner {
    pub key: PrivateKeySigner,
    pub account: Address,
    pub init_code: Bytes,
}

/// What a contract of the lab answers.
pub async fn ask(to: Address, data: Bytes) -> Bytes {
    let answer = rpc("eth_call", json!([{"to": to, "data": data}, "latest"])).await;
    serde_json::from_value(answer).unwrap()
}

async fn rpc(method: &str, params: Value) -> Value {
    super::rpc(super::lab().await.info().rpc_url.expose().as_str(), method, params).await
}

impl NexusOwner {
    /// With the owner's validator and Smart Sessions.
    pub async fn new() -> Self {
        let key = PrivateKeySigner::random();
        let modules = InitialModules::new(key.address()).with_validator(SMART_SESSION);
        Self::with(key, &modules).await
    }

    pub async fn with(key: PrivateKeySigner, modules: &InitialModules) -> Self {
        let (init, salt) = (nexus::init_data(RELEASE, modules).unwrap(), nexus::salt(U256::ZERO));
        let factory = RELEASE.parts().factory;
        let account = ask(factory, nexus::compute_address_call(init.clone(), salt)).await;
        let account = nexus::computed_address(&account).unwrap();
        Self { key, account, init_code: v07::init_code(factory, &nexus::factory_data(init, salt)) }
    }

    /// Gives the account something to pay with.
    pub async fn fund(&self) {
        rpc("anvil_setBalance", json!([self.account, format!("{:#x}", U256::from(10_u64).pow(U256::from(18)))])).await;
    }

    /// An operation of the owner's with a stub for a signature, without limits; creates the account when it must.
    pub async fn prepare(&self, calls: &[Call]) -> UserOperation {
        self.prepare_in(NonceKey::of_owner(RELEASE, 0).unwrap(), calls).await
    }

    pub async fn prepare_in(&self, key: NonceKey, calls: &[Call]) -> UserOperation {
        let nonce =
            ask(EntryPoint::V07.address(), EntryPoint::get_nonce(self.account, U256::from(key.to_u192()))).await;
        let created = rpc("eth_getCode", json!([self.account, "latest"])).await != json!("0x");
        let block = rpc("eth_getBlockByNumber", json!(["latest", false])).await;
        let base_fee: U256 = serde_json::from_value(block["baseFeePerGas"].clone()).unwrap();
        let tip = U256::from(1_000_000_000_u64);
        UserOperation {
            entry_point: EntryPoint::V07,
            sender: self.account,
            nonce: U256::from_be_slice(&nonce),
            init_code: if created { Bytes::new() } else { self.init_code.clone() },
            call_data: nexus::encode_calls(calls).unwrap(),
            max_fee_per_gas: base_fee + base_fee / U256::from(2) + tip,
            max_priority_fee_per_gas: tip,
            signature: nexus::STUB_SIGNATURE.to_vec().into(),
            ..UserOperation::default()
        }
    }

    /// The owner signs it; its hash.
    pub fn sign(&self, operation: &mut UserOperation) -> B256 {
        let hash = operation.hash(31_337);
        operation.signature = self.key.sign_message_sync(hash.as_slice()).unwrap().as_bytes().to_vec().into();
        hash
    }
}

/// The key of a session signs it; its hash.
pub fn sign_as_session(session: &Session, key: &PrivateKeySigner, operation: &mut UserOperation) -> B256 {
    assert_eq!(session_key_of(session), Some(key.address()));
    let hash = operation.hash(31_337);
    let signature = key.sign_message_sync(hash.as_slice()).unwrap().as_bytes();
    operation.signature = use_signature(permission_id(session), &signature);
    hash
}

/// Limits out of an answer of the server, and the paymaster's field when there is one.
pub fn put(operation: &mut UserOperation, answer: &Value) {
    let gas = |name: &str| serde_json::from_value(answer[name].clone()).unwrap_or_else(|_| panic!("{name}: {answer}"));
    operation.call_gas_limit = gas("callGasLimit");
    operation.verification_gas_limit = gas("verificationGasLimit");
    operation.pre_verification_gas = gas("preVerificationGas");
    if let Some(data) = answer.get("paymasterAndData") {
        operation.paymaster_and_data = serde_json::from_value(data.clone()).unwrap();
    }
}
