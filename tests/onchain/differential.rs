//! The simulator of `protocol` against the contracts: thousands of damaged operations, the same answers.
//!
//! Compared where call data and signature are canonically encoded, which is all that this crate ever produces.
//! Elsewhere decoders differ: the modules follow any offset and the account's own decoder refuses later, and alloy
//! lets dirty upper bits pass that Solidity refuses.

use std::collections::HashSet;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolError, SolValue},
};
use serde_json::{Value, json};
use use_aa::protocol::{
    abi::{BatchedRouterSignature, ISmartAccount::WrongValidationModule, SessionKeyManagerSignature, WrappedSignature},
    addresses::{BATCHED_SESSION_ROUTER, ECDSA_MODULE, ENTRY_POINT, SESSION_KEY_MANAGER},
    simulate::{
        Window,
        user_operation::{AccountView, SessionKeyManagerVersion, Verdict as Simulated, simulate},
    },
    smart_account::{decode_calls, encode_calls},
    user_operation::UserOperation,
};

use super::{
    abi,
    chain::{Chain, Failure},
    fixtures::*,
};

/// Damaged copies of each vector.
const COPIES: usize = 60;

/// Marsaglia's xorshift: the same damage in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `below`.
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }
}

/// One byte changed, one word replaced, or the end cut off.
fn damage(bytes: &Bytes, dice: &mut Dice) -> Bytes {
    let mut bytes = bytes.to_vec();
    match dice.roll(4) {
        0 => bytes.truncate(dice.roll(bytes.len())),
        1 if bytes.len() >= 36 => {
            let words = [U256::ZERO, U256::ONE, U256::from(0x40), U256::from(0x60), U256::MAX];
            let start = 4 + 32 * dice.roll((bytes.len() - 4) / 32);
            bytes[start..start + 32].copy_from_slice(&words[dice.roll(5)].to_be_bytes::<32>());
        }
        _ => bytes = damage_one(&bytes, dice),
    }
    bytes.into()
}

/// One bit changed.
fn damage_one(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = dice.roll(bytes.len());
    bytes[at] ^= 1 << dice.roll(8);
    bytes
}

fn is_batch(call_data: &[u8]) -> bool {
    matches!(call_data.first_chunk(), Some([0, 0, 0x46, 0x80] | [0x47, 0xe1, 0xda, 0x2a]))
}

/// One call changed, encoded as before; call data that cannot be read is damaged as it is.
fn damage_call(call_data: &Bytes, dice: &mut Dice) -> Bytes {
    let Ok(mut calls) = decode_calls(call_data) else { return damage(call_data, dice) };
    let chosen = dice.roll(calls.len());
    let call = &mut calls[chosen];
    match dice.roll(8) {
        0 => call.value = U256::from(dice.roll(3)),
        1 => call.to = Address::from_slice(&damage_one(call.to.as_slice(), dice)),
        _ if call.data.len() >= 36 => call.data = damage(&call.data, dice),
        _ => {}
    }
    let mut encoded = encode_calls(&calls, is_batch(call_data)).unwrap().to_vec();
    encoded[..4].copy_from_slice(&call_data[..4]);
    encoded.into()
}

/// Every vector with an on-chain answer: root, operation, hash.
fn vectors() -> Vec<(B256, UserOperation, B256)> {
    let read = |operation: &Value, signature: &Value| {
        let mut operation = operation.clone();
        operation["signature"] = signature.clone();
        serde_json::from_value::<UserOperation>(operation).unwrap()
    };
    let mut found = Vec::new();
    for case in abi::list(&abi::vectors("13_onchain_checks.json"), "cases") {
        let operation = read(&case["userOp"], &case["userOp"]["signature"]);
        found.push((abi::parse(&case["rootOnChain"]), operation, abi::parse(&case["userOpHash"])));
    }
    for file in ["07_skm_signatures.json", "08_batched_router_signatures.json"] {
        for case in abi::list(&abi::vectors(file), "cases") {
            let operation = read(&case["userOp"], &case["output"]["signature"]);
            found.push((abi::parse(&case["merkleRoot"]), operation, abi::parse(&case["output"]["userOpHash"])));
        }
    }
    found
}

/// Whether call data and signature are exactly what encoding their contents gives.
fn is_canonical(operation: &UserOperation) -> bool {
    let calls =
        decode_calls(&operation.call_data).and_then(|calls| encode_calls(&calls, is_batch(&operation.call_data)));
    if calls.map_or(true, |encoded| encoded[4..] != operation.call_data[4..]) {
        return false;
    }
    let Ok(wrapped) = WrappedSignature::abi_decode_params(&operation.signature) else { return false };
    let inner = &wrapped.moduleSignature;
    let encoded = match wrapped.validationModule {
        BATCHED_SESSION_ROUTER => BatchedRouterSignature::abi_decode_params(inner).map(|s| s.abi_encode_params()),
        _ => SessionKeyManagerSignature::abi_decode_params(inner).map(|s| s.abi_encode_params()),
    };
    wrapped.abi_encode_params() == *operation.signature && encoded.is_ok_and(|encoded| encoded == **inner)
}

fn question(operation: &UserOperation, hash: B256) -> Value {
    let userOp = abi::from_protocol(operation);
    let call = abi::validateUserOpCall { userOp, userOpHash: hash, missingAccountFunds: U256::ZERO };
    json!([{ "from": ENTRY_POINT, "to": ACCOUNT, "input": Bytes::from(call.abi_encode()) }, "latest"])
}

/// The contracts' answer in the simulator's words.
pub fn answer(outcome: Result<Bytes, Failure>) -> Simulated {
    match outcome {
        Ok(word) => {
            let verdict = abi::Verdict::from(U256::from_be_slice(&word));
            let window = Window { valid_until: verdict.valid_until, valid_after: verdict.valid_after };
            match verdict.aggregator {
                Address::ZERO => Simulated::Accepted(window),
                _ => Simulated::SignatureFailed(window),
            }
        }
        Err(Failure::Text(text)) => Simulated::Reverted(text),
        Err(Failure::Data(data)) => match WrongValidationModule::abi_decode(&data) {
            Ok(error) => Simulated::Reverted(format!("WrongValidationModule({})", error.module)),
            Err(_) => Simulated::Reverted(String::new()),
        },
    }
}

#[tokio::test]
async fn the_simulator_answers_like_the_contracts() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]).await;
    let modules = HashSet::from([ECDSA_MODULE, SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut refused, mut skipped) = (0, 0, 0);
    for (root, operation, hash) in vectors() {
        set_root(&chain, root).await;
        let copies: Vec<UserOperation> = (0..COPIES)
            .map(|copy| {
                let mut damaged = operation.clone();
                match copy {
                    0 => {}
                    1..=5 => damaged.signature = damage(&operation.signature, &mut dice),
                    6..=9 => damaged.call_data = damage(&operation.call_data, &mut dice),
                    _ => damaged.call_data = damage_call(&operation.call_data, &mut dice),
                }
                damaged
            })
            .collect();
        let questions = copies.iter().map(|copy| question(copy, hash)).collect();
        let answers = chain.batch("eth_call", questions).await;
        let view = AccountView { merkle_root: root, modules: &modules, version: SessionKeyManagerVersion::V1_0_0 };
        for (copy, outcome) in copies.iter().zip(answers) {
            let (on_chain, simulated) = (answer(outcome), simulate(copy, hash, &view));
            if !is_canonical(copy) {
                // The simulator may refuse what the chain takes; it must not allow what the chain understands otherwise.
                assert!(on_chain == simulated || !matches!(simulated, Simulated::Accepted(_)), "{copy:?}");
                skipped += 1;
                continue;
            }
            assert_eq!(on_chain, simulated, "{copy:?}");
            match on_chain {
                Simulated::Accepted(_) => accepted += 1,
                _ => refused += 1,
            }
        }
    }
    println!("{accepted} accepted, {refused} refused alike; {skipped} not canonical");
    assert!(accepted > 100 && refused > 100, "the damage is one-sided: {accepted} accepted, {refused} refused");
}
