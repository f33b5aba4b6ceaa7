//! Properties of entry point v0.7, Nexus and Smart Sessions for any input.

use alloy::primitives::{Address, B256, Bytes, FixedBytes, U256};
use proptest::{collection::vec, prelude::*};
use use_aa_protocol::{
    entry_point::{
        EntryPoint, EntryPointEvent, UserOperation,
        v07::{
            ValidationData, VerifyingPaymasterData, bundler_refusal, failed_op, init_code, pack, paymaster_and_data,
            unpack,
        },
    },
    nexus::{
        DecodedExecution, NonceKey, computed_address, decode_calls, decode_execution, decode_validators, encode_calls,
        nexus_error_words, recoverable,
    },
    policy::{Condition, FunctionSelector, Policy, ReferenceValue, Rule},
    smart_account::Call,
    smart_sessions::{
        ActionData, ActionLimits, EnableGrant, EnableMode, Erc7739Context, Erc7739Data, OperationSignature,
        ParamCondition, ParamRule, PolicyConfig, PolicyData, Session, SessionDescription, SessionLimits,
        SessionLintContext, UniversalAction,
        addresses::*,
        calls, flz, grant, ids, lint,
        model::{ModuleState, Surroundings},
        obeys_account, reads, revert_words, session_module_event, session_of, signed_by_session_key, use_signature,
    },
};

use super::{address, call, data, number, spoiled, word};

fn policy_data() -> impl Strategy<Value = PolicyData> {
    let known = prop::sample::select(POLICIES.to_vec());
    let policy = prop_oneof![known, address()];
    prop_oneof![
        (policy, data(70)).prop_map(|(policy, init_data)| PolicyData { policy, init_data }),
        config().prop_map(|config| PolicyData {
            policy: config.contract().address(),
            init_data: config.init_data().unwrap(),
        }),
    ]
}

fn rule() -> impl Strategy<Value = ParamRule> {
    let small = prop_oneof![0_u64..200, any::<u64>()];
    (0_u8..7, small, word(), prop::option::of(number()), number()).prop_map(|(code, offset, reference, limit, used)| {
        let condition = ParamCondition::from_code(code).unwrap();
        ParamRule { condition, offset, reference, limit, used }
    })
}

fn config() -> impl Strategy<Value = PolicyConfig> {
    use use_aa_protocol::policy::SessionEpoch;
    let time = 0_u64..1 << 48;
    prop_oneof![
        Just(PolicyConfig::Sudo),
        (time.clone(), time)
            .prop_map(|(valid_until, valid_after)| PolicyConfig::TimeFrame(SessionEpoch { valid_until, valid_after })),
        any::<u128>().prop_map(PolicyConfig::UsageLimit),
        number().prop_map(PolicyConfig::ValueLimit),
        vec((address(), number()), 0..4).prop_map(PolicyConfig::SpendingLimit),
        (number(), vec(rule(), 0..=16)).prop_map(|(value_limit_per_use, rules)| {
            PolicyConfig::UniversalAction(UniversalAction { value_limit_per_use, rules })
        }),
    ]
}

fn session() -> impl Strategy<Value = Session> {
    let policies = || vec(policy_data(), 0..3);
    let action = (any::<[u8; 4]>(), address(), policies()).prop_map(|(selector, target, policies)| ActionData {
        action_target_selector: FixedBytes(selector),
        action_target: target,
        action_policies: policies,
    });
    let context = (word(), vec(".{0,20}", 0..3))
        .prop_map(|(domain, names)| Erc7739Context { app_domain_separator: domain, content_names: names });
    let signing = (vec(context, 0..2), policies())
        .prop_map(|(content, policies)| Erc7739Data { allowed_erc7739_content: content, erc1271_policies: policies });
    (address(), data(40), word(), policies(), signing, vec(action, 0..3), any::<bool>()).prop_map(
        |(validator, init_data, salt, user_op, erc7739_policies, actions, permits)| Session {
            session_validator: validator,
            session_validator_init_data: init_data,
            salt,
            user_op_policies: user_op,
            erc7739_policies,
            actions,
            permit_erc4337_paymaster: permits,
        },
    )
}

fn operation() -> impl Strategy<Value = UserOperation> {
    let half = || any::<u128>().prop_map(U256::from);
    let factory = prop::option::of((address(), data(60)));
    let paymaster = prop::option::of((address(), [any::<u128>(), any::<u128>()], data(90)));
    let gas = (half(), half(), number(), half(), half());
    (address(), number(), factory, data(200), gas, paymaster, data(100)).prop_map(
        |(sender, nonce, factory, call_data, gas, paymaster, signature)| {
            let paymaster = paymaster.map(|(paymaster, limits, data)| paymaster_and_data(paymaster, limits, &data));
            UserOperation {
                entry_point: EntryPoint::V07,
                sender,
                nonce,
                init_code: factory.map(|(factory, data)| init_code(factory, &data)).unwrap_or_default(),
                call_data,
                call_gas_limit: gas.0,
                verification_gas_limit: gas.1,
                pre_verification_gas: gas.2,
                max_fee_per_gas: gas.3,
                max_priority_fee_per_gas: gas.4,
                paymaster_and_data: paymaster.unwrap_or_default(),
                signature,
            }
        },
    )
}

fn around(account: Address) -> Surroundings<'static> {
    Surroundings { account, chain_id: 1, simple_signers: &[SIMPLE_SIGNER], is_valid_signature: &|_, _| Ok(true) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn operations_survive_packing_and_json(op in operation(), other in data(80)) {
        let again = unpack(&pack(&op).unwrap()).unwrap();
        prop_assert_eq!(&again, &op);
        let hash = op.hash(1);
        let bundle = EntryPoint::V07.handle_ops(vec![op.clone()], op.sender).unwrap();
        prop_assert_eq!(EntryPoint::V07.operations_in(&bundle).unwrap(), vec![op.clone()]);
        let json = serde_json::to_string(&op).unwrap();
        prop_assert_eq!(&serde_json::from_str::<UserOperation>(&json).unwrap(), &op);
        prop_assert_eq!(UserOperation { signature: other, ..op.clone() }.hash(1), hash);
        prop_assert_ne!(op.hash(2), hash);
        op.required_prefund();
    }

    #[test]
    fn words_of_validation_survive(word in number()) {
        prop_assert_eq!(ValidationData::from_word(word).to_word(), word);
    }

    #[test]
    fn executions_survive_encoding(calls in vec(call(), 1..6)) {
        let encoded = encode_calls(&calls).unwrap();
        prop_assert_eq!(&decode_calls(&encoded).unwrap(), &calls);
        let DecodedExecution { calls: read, .. } = decode_execution(&encoded).unwrap();
        prop_assert_eq!(read, calls);
    }

    #[test]
    fn nonces_name_who_judges(validator in address(), lane in 0_u32..1 << 24, sequence in any::<u64>()) {
        if let Ok(key) = NonceKey::new(validator, lane) {
            prop_assert_eq!(NonceKey::of_nonce(key.nonce(sequence)).unwrap(), (key, sequence));
        }
    }

    #[test]
    fn policies_survive_encoding(config in config()) {
        let data = PolicyData { policy: config.contract().address(), init_data: config.init_data().unwrap() };
        prop_assert_eq!(&PolicyConfig::read(&data).unwrap(), &config);
        prop_assert!(config.is_exactly(&data));
        if let Ok(checked) = config.policy_data() {
            prop_assert_eq!(checked, data);
        }
    }

    #[test]
    fn sessions_survive_encoding_json_and_compression(session in session(), signed in data(70), account in address()) {
        let json = serde_json::to_string(&session).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Session>(&json).unwrap(), &session);
        let sessions = [session.clone()];
        let call = calls::enable_sessions(&sessions).unwrap();
        prop_assert_eq!(&calls::decode_enable_sessions(&call.data).unwrap()[..], &sessions[..]);
        prop_assert_eq!(&calls::decode_install_data(&calls::install_data(&sessions).unwrap()).unwrap()[..], &sessions[..]);
        let session_digest = grant::session_digest(&session, account, U256::ZERO, EnableMode::Enable);
        let digest = grant::ChainDigest { chain_id: 1, session_digest };
        let grant = EnableGrant {
            chain_digest_index: 0,
            digests: vec![digest; 2],
            session,
            permission_enable_sig: signed.clone(),
        };
        let read = OperationSignature::decode(&grant.signature(&signed).unwrap()).unwrap();
        let (mode, grant) = (EnableMode::Enable, Box::new(grant));
        prop_assert_eq!(read, OperationSignature::Enable { mode, grant, session_signature: signed });
    }

    /// What our policy allows, its session allows, and no more: the same calls as on V2.
    #[test]
    fn a_session_of_a_policy_allows_just_what_its_rules_describe(
        (contract, selector, limit) in (address(), any::<[u8; 4]>(), any::<u128>()),
        arguments in vec(word(), 1..5),
        others in vec(word(), 5),
        conditions in vec(0_u8..6, 5),
        less in any::<u128>(),
    ) {
        let account = Address::repeat_byte(0xaa);
        prop_assume!(!contract.is_zero() && contract != account && !obeys_account(contract));
        prop_assume!(contract != FALLBACK_TARGET && selector != VALUE_SELECTOR);
        let rules = arguments.iter().enumerate().map(|(index, word)| Rule {
            offset: Rule::offset_by_index(index as u32),
            condition: Condition::from_code(conditions[index]).unwrap(),
            reference_value: ReferenceValue::Raw(*word),
        });
        let policy = Policy {
            function_selector: FunctionSelector::Raw(selector),
            rules: rules.collect(),
            value_limit: U256::from(limit),
            ..Policy::new(contract, "")
        };
        let (key, salt) = (Address::repeat_byte(7), B256::repeat_byte(9));
        let granted = [(policy.into(), ActionLimits { uses: Some(1), ..ActionLimits::default() })];
        let made = session_of(&granted, key, salt, &SessionLimits::default(), account, 0);
        prop_assume!(made.is_ok());
        let session = made.unwrap();
        let id = ids::permission_id(&session);
        let fresh = ModuleState::with_session(&session, around(account)).unwrap();
        for words in [&arguments[..], &others[..arguments.len()]] {
            let value = U256::from(less.min(limit));
            let call = Call { to: contract, value, data: [&selector[..], &words.concat()].concat().into() };
            let expected = arguments.iter().zip(words).zip(&conditions).all(|((reference, word), code)| {
                Condition::from_code(*code).unwrap().holds(*word, *reference)
            });
            let mut state = fresh.clone();
            let encoded = encode_calls(std::slice::from_ref(&call)).unwrap();
            prop_assert_eq!(state.judge(id, &encoded, false, account).is_ok(), expected);
            prop_assert!(state.judge(id, &encoded, false, account).is_err(), "used up");
            let dearer = Call { value: U256::from(limit) + U256::from(1), ..call.clone() };
            let twice = encode_calls(&[call.clone(), call]).unwrap();
            prop_assert!(fresh.clone().judge(id, &encode_calls(&[dearer]).unwrap(), false, account).is_err());
            prop_assert!(fresh.clone().judge(id, &twice, false, account).is_err(), "a batch spends each");
            prop_assert!(fresh.clone().judge(id, &encoded, true, account).is_err(), "nobody else may pay");
        }
    }

    /// However calls are cut into operations, no more than the limit leaves in all.
    #[test]
    fn what_is_counted_never_exceeds_its_limit(amounts in vec(0_u64..50, 1..12), limit in 1_u64..200) {
        let account = Address::repeat_byte(0xaa);
        let token = Address::repeat_byte(0x70);
        let config = PolicyConfig::SpendingLimit(vec![(token, U256::from(limit))]);
        let action = ActionData {
            action_target_selector: FixedBytes([0xa9, 0x05, 0x9c, 0xbb]),
            action_target: token,
            action_policies: vec![config.policy_data().unwrap()],
        };
        let session = Session { session_validator: SIMPLE_SIGNER, actions: vec![action], ..Session::default() };
        let mut state = ModuleState::with_session(&session, around(account)).unwrap();
        let transfer = |amount: u64| Call {
            to: token,
            value: U256::ZERO,
            data: [&[0xa9, 0x05, 0x9c, 0xbb][..], B256::ZERO.as_slice(), &U256::from(amount).to_be_bytes::<32>()]
                .concat()
                .into(),
        };
        let id = ids::permission_id(&session);
        let mut spent = 0;
        for pair in amounts.chunks(2) {
            let calls = pair.iter().copied().map(transfer).collect::<Vec<_>>();
            let passes = state.judge(id, &encode_calls(&calls).unwrap(), false, account).is_ok();
            let together: u64 = pair.iter().sum();
            prop_assert_eq!(passes, spent + together <= limit);
            spent += if passes { together } else { 0 };
        }
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in vec(any::<u8>(), 0..700), topic in word(), text in ".{0,80}") {
        let _ = decode_execution(&bytes);
        let _ = decode_calls(&bytes);
        let _ = decode_validators(&bytes);
        let _ = computed_address(&bytes);
        let _ = recoverable(&bytes);
        let _ = VerifyingPaymasterData::decode(&bytes);
        let _ = failed_op(&bytes);
        let _ = nexus_error_words(&bytes);
        let _ = bundler_refusal(&text);
        revert_words(&bytes);
        let _ = OperationSignature::decode(&bytes);
        let _ = flz::decompress(&bytes, 1_000);
        let _ = calls::decode_enable_sessions(&bytes);
        let _ = calls::decode_install_data(&bytes);
        let _ = UniversalAction::decode(&bytes);
        let _ = reads::decode_ids(&bytes);
        let _ = reads::decode_session_validator(&bytes);
        let _ = reads::decode_universal_action(&bytes);
        let _ = session_module_event(&[topic], &bytes);
        let _ = EntryPointEvent::read(&[topic], &bytes);
        signed_by_session_key(topic, &bytes, &bytes);
        let _ = serde_json::from_slice::<Session>(&bytes);
    }

    #[test]
    fn nothing_panics_on_spoiled_signatures_and_sessions(
        session in session(),
        spoilt in (session(), data(90)).prop_flat_map(|(session, signed)| {
            let digests = vec![grant::ChainDigest { chain_id: 1, session_digest: B256::ZERO }];
            let grant = EnableGrant { chain_digest_index: 0, digests, session, permission_enable_sig: signed.clone() };
            spoiled(grant.signature(&signed).unwrap().to_vec())
        }),
        plain in session().prop_flat_map(|session| spoiled(calls::enable_sessions(&[session]).unwrap().data.to_vec())),
        call_data in vec(call(), 1..4).prop_flat_map(|calls| spoiled(encode_calls(&calls).unwrap().to_vec())),
    ) {
        let account = Address::repeat_byte(0xaa);
        let _ = OperationSignature::decode(&spoilt);
        let _ = calls::decode_enable_sessions(&plain);
        let _ = decode_execution(&call_data);
        let found = lint(&session, SessionLintContext { account, now: 5, ..SessionLintContext::default() });
        prop_assert!(!found.is_empty());
        let described = SessionDescription::of(&session);
        for action in &described.actions {
            prop_assert!(!action.lines(&Default::default()).is_empty());
        }
        let mut state = ModuleState::default();
        let _ = state.call(&plain, around(account));
        let _ = state.enable_sessions(std::slice::from_ref(&session), around(account));
        let id = ids::permission_id(&session);
        let _ = state.judge(id, &call_data, false, account);
        for signature in [Bytes::from(spoilt), use_signature(id, &[1; 65])] {
            let op = UserOperation {
                entry_point: EntryPoint::V07,
                sender: account,
                call_data: call_data.clone().into(),
                signature,
                ..Default::default()
            };
            let _ = state.validate_user_op(&pack(&op).unwrap(), id, account, around(account));
        }
    }
}
