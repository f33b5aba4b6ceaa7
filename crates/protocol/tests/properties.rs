//! Properties of the protocol for any input: trees of any size, round trips, decoders that never panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "properties/smart_sessions.rs"]
mod smart_sessions;

use std::collections::HashSet;

use alloy::{
    primitives::{Address, B256, Bytes, I256, U256},
    sol_types::SolValue,
};
use proptest::{collection::vec, prelude::*};
use use_aa_protocol::{
    abi::{BatchedRouterSignature, SessionKeyManagerSignature},
    addresses::*,
    foreign_text,
    merkle::{MerkleFrontier, MerkleTree, parent, verify},
    paymaster::*,
    policy::{Condition, FunctionSelector, Policy, ReferenceValue, Rule, SessionEpoch},
    revert::{decode_revert, explain},
    session::{Reconciliation, SessionBook, SessionLeaf, SessionStatus},
    session_data::{AbiSessionData, Erc20SessionData},
    signature::{batched_router, session_key_manager, unwrap, wrap},
    simulate::{
        judge_call, simulate_batch, simulate_single,
        user_operation::{AccountView, SessionKeyManagerVersion, simulate},
    },
    smart_account::{Call, decode_calls, encode_calls},
    user_operation::{UserOperation, nonce_with_key, split_nonce},
};

fn word() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

fn number() -> impl Strategy<Value = U256> {
    prop_oneof![word().prop_map(|word| U256::from_be_bytes(word.0)), any::<u64>().prop_map(U256::from)]
}

fn data(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..(1u64 << 48), Just((1 << 48) - 1)]
}

fn call() -> impl Strategy<Value = Call> {
    (address(), number(), data(100)).prop_map(|(to, value, data)| Call { to, value, data })
}

fn abi_data() -> impl Strategy<Value = AbiSessionData> {
    let rules = vec((any::<u16>(), any::<u8>(), word()), 0..8);
    (address(), address(), any::<[u8; 4]>(), any::<u128>(), rules).prop_map(
        |(session_key_address, contract_address, selector, value_limit, rules)| AbiSessionData {
            session_key_address,
            contract_address,
            selector,
            value_limit,
            rules,
        },
    )
}

fn status() -> impl Strategy<Value = SessionStatus> {
    prop_oneof![
        Just(SessionStatus::Pending),
        Just(SessionStatus::Active),
        Just(SessionStatus::Inactive),
        Just(SessionStatus::Expired),
        Just(SessionStatus::Revoked)
    ]
}

fn leaf() -> impl Strategy<Value = SessionLeaf> {
    let module = prop_oneof![Just(ABI_SESSION_VALIDATION_MODULE), Just(ERC20_SESSION_VALIDATION_MODULE), address()];
    let own =
        (status(), proptest::option::of(word()), proptest::option::of(".{0,20}"), proptest::option::of(any::<u64>()));
    (time(), time(), module, address(), data(200), "[0-9a-z]{1,12}", own).prop_map(
        |(valid_until, valid_after, module, key, session_key_data, session_id, own)| SessionLeaf {
            valid_until,
            valid_after,
            session_validation_module: module,
            session_key_address: key,
            session_key_data,
            session_id,
            status: own.0,
            user_op_hash: own.1,
            // Text from others is cleaned when it is read.
            label: own.2.and_then(|label: String| foreign_text::name(&label)),
            created_at: own.3,
            max_operation_cost: own.3.map(U256::from),
            extra: Default::default(),
        },
    )
}

/// Well-formed bytes with some bytes overwritten and the end cut off.
fn spoiled(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    (Just(good), vec((0..length.max(1), any::<u8>()), 0..6), 0..=length).prop_map(|(mut bytes, spots, cut)| {
        for (spot, value) in spots {
            if let Some(byte) = bytes.get_mut(spot) {
                *byte = value;
            }
        }
        bytes.truncate(if cut % 3 == 0 { cut } else { bytes.len() });
        bytes
    })
}

fn user_operation() -> impl Strategy<Value = UserOperation> {
    let gas = (number(), number(), number(), number(), number());
    (address(), number(), data(60), data(300), gas, data(300), data(600)).prop_map(
        |(sender, nonce, init_code, call_data, gas, paymaster_and_data, signature)| UserOperation {
            entry_point: Default::default(),
            sender,
            nonce,
            init_code,
            call_data,
            call_gas_limit: gas.0,
            verification_gas_limit: gas.1,
            pre_verification_gas: gas.2,
            max_fee_per_gas: gas.3,
            max_priority_fee_per_gas: gas.4,
            paymaster_and_data,
            signature,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_leaf_of_any_tree_proves_and_an_absent_one_does_not(leaves in vec(word(), 1..130), absent in word()) {
        let tree = MerkleTree::new(leaves.clone());
        let root = tree.root().unwrap();
        prop_assert_eq!(leaves.iter().copied().collect::<MerkleFrontier>().root(), Some(root));
        for (index, leaf) in leaves.iter().enumerate() {
            let proof = tree.proof(index).unwrap();
            prop_assert!(verify(root, *leaf, &proof));
            prop_assert!(!verify(root, absent, &proof));
        }
        prop_assert!(tree.proof(leaves.len()).is_none());
        prop_assert_eq!(tree.position(absent), None);
    }

    #[test]
    fn a_frontier_has_the_trees_root_at_every_size(leaves in vec(word(), 1..70)) {
        let mut frontier = MerkleFrontier::default();
        for (index, leaf) in leaves.iter().enumerate() {
            frontier.push(*leaf);
            prop_assert_eq!(frontier.root(), MerkleTree::new(leaves[..=index].to_vec()).root());
        }
    }

    #[test]
    fn parents_do_not_care_about_order(a in word(), b in word()) {
        prop_assert_eq!(parent(a, b), parent(b, a));
    }

    #[test]
    fn calls_survive_encoding(calls in vec(call(), 1..6), force in any::<bool>()) {
        let encoded = encode_calls(&calls, force).unwrap();
        prop_assert_eq!(decode_calls(&encoded).unwrap(), calls);
    }

    #[test]
    fn abi_session_data_survives_encoding_and_trailing_bytes(session in abi_data(), tail in data(40)) {
        let encoded = session.encode().unwrap();
        prop_assert_eq!(encoded.len(), 62 + 35 * session.rules.len());
        prop_assert_eq!(&AbiSessionData::decode(&encoded).unwrap(), &session);
        prop_assert_eq!(&AbiSessionData::decode(&[&encoded[..], &tail].concat()).unwrap(), &session);
        prop_assert!(AbiSessionData::decode(&encoded[..encoded.len() - 1]).is_err());
    }

    #[test]
    fn erc20_session_data_survives_encoding(key in address(), token in address(), to in address(), max in number()) {
        let session = Erc20SessionData { session_key_address: key, token, recipient: to, max_amount: max };
        prop_assert_eq!(session.encode().len(), 128);
        prop_assert_eq!(Erc20SessionData::decode(&session.encode()).unwrap(), session);
    }

    #[test]
    fn wrappers_survive_encoding(module in address(), inner in data(300)) {
        let wrapped = wrap(module, &inner);
        prop_assert_eq!(wrapped.len() % 32, 0);
        prop_assert_eq!(&wrapped[96..96 + inner.len()], &inner[..]);
        prop_assert_eq!(unwrap(&wrapped).unwrap(), (module, inner));
    }

    #[test]
    fn session_signatures_survive_encoding(leaf in leaf(), proof in vec(word(), 0..6), signed in data(70)) {
        let encoded = session_key_manager(&leaf, &proof, &signed);
        let pad = |length: usize| length.div_ceil(32) * 32;
        let expected = 192 + 32 + pad(leaf.session_key_data.len()) + 32 + 32 * proof.len() + 32 + pad(signed.len());
        prop_assert_eq!(encoded.len(), expected);
        let decoded = SessionKeyManagerSignature::abi_decode_params(&encoded).unwrap();
        prop_assert_eq!(decoded.validUntil.to::<u64>(), leaf.valid_until);
        prop_assert_eq!(decoded.validAfter.to::<u64>(), leaf.valid_after);
        prop_assert_eq!(&decoded.sessionKeyData, &leaf.session_key_data);
        prop_assert_eq!(&decoded.merkleProof, &proof);
        prop_assert_eq!(&decoded.sessionKeySignature, &signed);
        let batch = batched_router(SESSION_KEY_MANAGER, &[(&leaf, proof.clone()), (&leaf, vec![])], &signed);
        let decoded = BatchedRouterSignature::abi_decode_params(&batch).unwrap();
        prop_assert_eq!(&decoded.sessionData[0].merkleProof, &proof);
        prop_assert_eq!(decoded.sessionData.len(), 2);
    }

    #[test]
    fn paymaster_data_survives_encoding(
        (paymaster, id, oracle) in (address(), address(), address()),
        (valid_until, valid_after) in (time(), time()),
        (rate, markup, source) in (number(), any::<u32>(), any::<u8>()),
        signature in vec(any::<u8>(), 65),
    ) {
        let signature = Bytes::from(signature);
        let verifying = VerifyingPaymasterData {
            paymaster, paymaster_id: id, valid_until, valid_after, signature: signature.clone(),
        };
        prop_assert_eq!(VerifyingPaymasterData::decode(&verifying.encode()).unwrap(), verifying);
        let token = TokenPaymasterData {
            paymaster, price_source: source, valid_until, valid_after, fee_token: id, oracle_aggregator: oracle,
            exchange_rate: rate, price_markup: markup, signature,
        };
        prop_assert_eq!(token.encode().len(), TOKEN_PAYMASTER_AND_DATA);
        prop_assert_eq!(TokenPaymasterData::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn leaves_and_books_survive_json(leaves in vec(leaf(), 0..6), root in ".{0,70}") {
        let book = SessionBook { merkle_root: root, leaf_nodes: leaves, extra: Default::default() };
        let text = serde_json::to_string(&book).unwrap();
        let again: SessionBook = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &book);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn user_operations_survive_json_and_the_signature_is_not_hashed(op in user_operation(), other in data(80)) {
        let again: UserOperation = serde_json::from_str(&serde_json::to_string(&op).unwrap()).unwrap();
        prop_assert_eq!(&again, &op);
        prop_assert_eq!(op.packed().len(), 320);
        let hash = op.hash(1);
        prop_assert_eq!(UserOperation { signature: other, ..op.clone() }.hash(1), hash);
        prop_assert_ne!(op.hash(2), hash);
        op.required_prefund();
    }

    #[test]
    fn nonces_split_into_what_made_them(key in number(), sequence in any::<u64>()) {
        let key = key >> 64;
        prop_assert_eq!(split_nonce(nonce_with_key(key, sequence)), (key, sequence));
    }

    #[test]
    fn a_policy_allows_the_call_that_its_rules_describe(
        (contract, selector, limit) in (address(), any::<[u8; 4]>(), any::<u128>()),
        arguments in vec(word(), 1..5),
        less in any::<u128>(),
    ) {
        let conditions = [Condition::Equal, Condition::LessThanOrEqual, Condition::GreaterThanOrEqual];
        let rules = arguments.iter().enumerate().map(|(index, word)| Rule {
            offset: Rule::offset_by_index(index as u32),
            condition: conditions[index % 3],
            reference_value: ReferenceValue::Raw(*word),
        });
        let policy = Policy {
            session_key_address: None,
            contract_address: contract,
            function_selector: FunctionSelector::Raw(selector),
            rules: rules.collect(),
            interval: SessionEpoch::INDEFINITELY,
            value_limit: U256::from(limit),
        };
        let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap();
        let data: Bytes = [&selector[..], &arguments.concat()].concat().into();
        let allowed = Call { to: contract, value: U256::from(less.min(limit)), data };
        prop_assert!(simulate_single(&leaf, &encode_calls(std::slice::from_ref(&allowed), false).unwrap()).is_ok());
        prop_assert!(simulate_batch(&[&leaf], &encode_calls(std::slice::from_ref(&allowed), true).unwrap()).is_ok());
        let dearer = Call { value: U256::from(limit) + U256::from(1), ..allowed.clone() };
        prop_assert_eq!(judge_call(&leaf, &dearer).unwrap_err().rule, "value limit");
        let elsewhere = Call { to: contract.create(0), ..allowed.clone() };
        prop_assert_eq!(judge_call(&leaf, &elsewhere).unwrap_err().rule, "destination");
        let cut = Call { data: allowed.data.slice(..allowed.data.len() - 1), ..allowed };
        prop_assert_eq!(judge_call(&leaf, &cut).unwrap_err().rule, format!("rule {}", arguments.len() - 1));
    }

    #[test]
    fn reconciling_leaves_the_book_with_the_chains_root_or_untouched(
        leaves in vec(leaf(), 0..12),
        on_chain in vec(any::<bool>(), 12),
    ) {
        let mut book = SessionBook { leaf_nodes: leaves, ..SessionBook::default() };
        let picked = book.leaf_nodes.iter().zip(&on_chain).filter(|(_, in_it)| **in_it).map(|(leaf, _)| leaf.hash());
        let chain = picked.collect::<MerkleFrontier>().root().unwrap_or_default();
        let before = book.clone();
        match book.reconcile(chain) {
            Reconciliation::InSync => prop_assert_eq!(&book, &before),
            Reconciliation::Settled { .. } => prop_assert_eq!(book.root(), chain),
            Reconciliation::Unknown { local, .. } => {
                prop_assert_eq!(&book, &before);
                prop_assert_eq!(local, book.root());
            }
        }
    }

    #[test]
    fn no_decoder_panics_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..700), leaf in leaf()) {
        let _ = decode_calls(&bytes);
        let _ = AbiSessionData::decode(&bytes);
        let _ = Erc20SessionData::decode(&bytes);
        let _ = VerifyingPaymasterData::decode(&bytes);
        let _ = TokenPaymasterData::decode(&bytes);
        let _ = unwrap(&bytes);
        decode_revert(&bytes);
        let _ = simulate_single(&leaf, &bytes);
        let _ = simulate_batch(&[&leaf, &leaf], &bytes);
        let _ = serde_json::from_slice::<SessionBook>(&bytes);
    }

    #[test]
    fn no_decoder_panics_on_spoiled_calls(
        bytes in vec(call(), 1..4).prop_flat_map(|calls| spoiled(encode_calls(&calls, true).unwrap().to_vec())),
        leaf in leaf(),
    ) {
        let _ = decode_calls(&bytes);
        let _ = simulate_batch(&[&leaf], &bytes);
        decode_revert(&bytes);
    }

    #[test]
    fn no_verdict_panics_on_spoiled_operations(
        op in user_operation(),
        signature in (leaf(), vec(word(), 0..4), data(70)).prop_flat_map(|(leaf, proof, signed)| {
            spoiled(wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &proof, &signed)).to_vec())
        }),
        calls in vec(call(), 1..3),
        root in word(),
    ) {
        let modules = HashSet::from([SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
        let op = UserOperation { signature: signature.into(), call_data: encode_calls(&calls, false).unwrap(), ..op };
        for version in [SessionKeyManagerVersion::V1_0_0, SessionKeyManagerVersion::V1_1_0] {
            simulate(&op, root, &AccountView { merkle_root: root, modules: &modules, version });
        }
    }

    #[test]
    fn no_text_panics(
        text in ".{0,60}",
        signature in "(function )?[a-z]{0,5}\\(?[a-z0-9\\[\\](), ]{0,30}\\)?[a-z ]{0,9}",
    ) {
        let _ = FunctionSelector::Signature(text.clone()).selector();
        let _ = FunctionSelector::Signature(signature.clone()).selector();
        let _ = ReferenceValue::from_use_aa_json(&text.clone().into());
        let _ = text.parse::<DecimalText>().map(|number| number.scaled_up(18));
        let _ = signature.parse::<DecimalText>();
        explain(&text);
        let _ = serde_json::from_str::<SessionBook>(&text);
        let _ = Policy::from_use_aa_json(&serde_json::json!({ "rules": [text], "contractAddress": signature }));
    }

    #[test]
    fn decimal_amounts_are_rounded_up_exactly(digits in any::<u64>(), places in 0u8..30, decimals in 0u8..30) {
        let text = format!("{digits}e-{places}");
        let units = text.parse::<DecimalText>().unwrap().scaled_up(decimals).unwrap();
        let ten = |power: u8| U256::from(10).pow(U256::from(power));
        prop_assert!(units * ten(places) >= U256::from(digits) * ten(decimals));
        prop_assert!(units.is_zero() || (units - U256::from(1)) * ten(places) < U256::from(digits) * ten(decimals));
    }

    #[test]
    fn numbers_of_any_size_and_sign_are_reference_words(number in any::<i64>()) {
        let value = ReferenceValue::from_use_aa_json(&number.into()).unwrap();
        let expected = I256::try_from(number).unwrap().into_raw();
        prop_assert_eq!(value.word("f").unwrap(), B256::from(expected));
    }
}
