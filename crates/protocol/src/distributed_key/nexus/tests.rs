//! A grant for a Nexus account and what is signed under it: the honest way, and everything beside it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::LazyLock;

use alloy::signers::SignerSync;
use proptest::prelude::*;

use super::*;
use crate::{
    addresses::{DEMO_NFT, TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER, VERIFYING_PAYMASTER_V07},
    call::Call,
    distributed_key::{
        DEFAULT_MAX_OPERATION_COST, SignRequest, SignedGrant, authorize_sign,
        tests::{Change, NOW, SESSION_KEY, code, owner, page_key, sign_request},
        verify_grant,
    },
    entry_point::{EntryPoint, UserOperation, v07},
    nexus::{ExecutionMode, NonceKey, ValidationMode, encode_calls, encode_mode},
    policy::{Condition, Policy, SessionEpoch, SessionPolicy},
    session_scheme::{ActionLimits, SessionLimits},
    smart_sessions::{
        PolicyConfig,
        addresses::{FALLBACK_GENERIC, FALLBACK_TARGET, SMART_SESSION},
        session_of, use_signature,
    },
};

/// Its addresses follow without a proxy's code.
const RELEASE: NexusRelease = NexusRelease::V1_0_2;
const TOKEN: Address = Address::repeat_byte(3);

fn setup() -> NexusSetup {
    NexusSetup::new(RELEASE).with_validator(SMART_SESSION)
}

fn account() -> Address {
    setup().address(owner().address()).unwrap().unwrap()
}

fn session(salt: u8, policies: Vec<(SessionPolicy, ActionLimits)>, limits: &SessionLimits) -> Session {
    session_of(&policies, SESSION_KEY, B256::repeat_byte(salt), limits, account(), NOW).unwrap()
}

/// Mint to the account twice, sponsored; and approve 7 within a window, five times.
fn sessions() -> Vec<Session> {
    let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, account());
    let mut other =
        Policy::new(TOKEN, "approve(address,uint256)").with_rule(1, Condition::LessThanOrEqual, U256::from(7));
    let window = SessionEpoch { valid_until: NOW + 100, valid_after: NOW - 100 };
    other.interval = window;
    let uses = |uses| ActionLimits { uses: Some(uses), ..ActionLimits::default() };
    let totals = ActionLimits { totals: vec![(32, U256::from(20))], ..uses(5) };
    let sponsored = SessionLimits { operations: Some(9), sponsored: true, ..SessionLimits::default() };
    vec![
        session(1, vec![(mint.into(), uses(2))], &sponsored),
        session(2, vec![(other.into(), totals)], &SessionLimits::default()),
    ]
}

fn proof() -> NexusProof {
    NexusProof {
        sessions: sessions(),
        safe_senders: Vec::new(),
        further_validators: vec![SMART_SESSION],
        proxy_creation_code: None,
    }
}

fn grant_of(sessions: &[Session]) -> Grant {
    Grant {
        version: NEXUS_GRANT_VERSION,
        owner: owner().address(),
        account: account(),
        account_index: 0,
        chain_id: 31337,
        entry_point: EntryPoint::V07.address(),
        session_key_address: SESSION_KEY,
        key_id: B256::repeat_byte(1),
        ephemeral_key: page_key().verifying_key().to_bytes().into(),
        valid_until: NOW + 3600,
        policy_hash: sessions_hash(sessions),
        max_operation_cost: Some(DEFAULT_MAX_OPERATION_COST),
        threshold: 3,
        nodes: 5,
        challenge: B256::repeat_byte(2),
        nexus: Some(NexusGrant { release: RELEASE, permission_ids: sessions.iter().map(ids::permission_id).collect() }),
    }
}

fn signed_with(proof: NexusProof, change: impl FnOnce(&mut Grant)) -> SignedGrant {
    let mut grant = grant_of(&proof.sessions);
    change(&mut grant);
    let digest = grant.nexus_typed_data(&proof.sessions).unwrap().digest;
    let signature = owner().sign_hash_sync(&digest).unwrap().as_bytes().to_vec().into();
    SignedGrant { grant, leaves: Vec::new(), signature, nexus: Some(proof) }
}

fn signed() -> SignedGrant {
    signed_with(proof(), |_| {})
}

static SIGNED: LazyLock<SignedGrant> = LazyLock::new(signed);

fn mint(to: Address) -> Call {
    let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
    Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
}

fn approve(amount: u64) -> Call {
    let data = [&[0x09, 0x5e, 0xa7, 0xb3][..], &[0; 32], U256::from(amount).to_be_bytes::<32>().as_slice()].concat();
    Call { to: TOKEN, value: U256::ZERO, data: data.into() }
}

fn operation(place: usize, calls: &[Call]) -> UserOperation {
    UserOperation {
        entry_point: EntryPoint::V07,
        sender: account(),
        nonce: NonceKey::new(SMART_SESSION, 7).unwrap().nonce(4),
        call_data: encode_calls(calls).unwrap(),
        call_gas_limit: U256::from(1),
        max_fee_per_gas: U256::from(2),
        signature: use_signature(ids::permission_id(&sessions()[place]), &[]),
        ..UserOperation::default()
    }
}

fn request(user_operation: UserOperation) -> SignRequest {
    sign_request(SignRequest {
        key_id: B256::repeat_byte(1),
        user_operation,
        entry_point: EntryPoint::V07.address(),
        chain_id: 31337,
        challenge: B256::repeat_byte(3),
        signers: vec![1, 2, 5],
        ephemeral_signature: Bytes::new(),
    })
}

#[test]
fn what_the_owner_signed_is_granted_and_used_and_stored_as_it_was() {
    let signed = signed();
    assert_eq!(verify_grant(&signed, NOW), Ok(signed.grant.clone()));
    let two = [mint(account()), mint(account())];
    for (place, calls) in [(0, &two[..1]), (0, &two[..]), (1, &[approve(7)][..])] {
        let request = request(operation(place, calls));
        let hash = request.user_operation.hash(31337);
        assert_eq!(authorize_sign(&signed, &request, NOW), Ok(crate::signature::personal_digest(hash)));
    }
    let text = serde_json::to_string(&signed).unwrap();
    assert_eq!(serde_json::from_str::<SignedGrant>(&text).unwrap(), signed);
    let request = request(operation(0, &two));
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<SignRequest>(&text).unwrap(), request);
    // As a node does that lost it and gets it back from the others.
    assert_eq!(signed.last_moment(), NOW + 99);
    assert!(verify_grant(&signed, signed.last_moment()).is_ok());
}

/// Recorded with the program whose newest version it was.
#[test]
fn the_recorded_grant_is_verified_byte_for_byte() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/grant_version_4.json")).unwrap();
    let signed: SignedGrant = serde_json::from_value(golden["signed"].clone()).unwrap();
    let typed = signed.grant.nexus_typed_data(&signed.nexus.as_ref().unwrap().sessions).unwrap();
    assert_eq!(typed.json, golden["typedData"]);
    assert_eq!(serde_json::json!(typed.digest), golden["digest"]);
    assert_eq!(verify_grant(&signed, NOW), Ok(signed.grant.clone()));
    assert_eq!(serde_json::to_value(&signed).unwrap(), golden["signed"]);
    assert_eq!(signed, super::tests::signed());
}

#[test]
fn the_wallet_shows_what_is_signed() {
    let typed = signed().grant.nexus_typed_data(&sessions()).unwrap();
    let message = &typed.json["message"];
    assert_eq!(typed.json["domain"]["version"], "4");
    assert_eq!(message["accountKind"], "Biconomy Nexus, release 1.0.2, with Smart Sessions");
    let (nft, to) = (DEMO_NFT, account());
    let lines = [
        &format!("1. May call function 0x40d097c3 (safeMint) on {nft}, only if:"),
        &format!("1.1 argument 1 (recipient) must be {to}"),
        "1.2 native currency sent per call must be 0",
        "1.3 no end of its own",
        "1.4 at most 2 calls in all",
        "Operations of 1 to 1: at most 9 operations in all; others may pay for them",
        &format!("2. May call function 0x095ea7b3 (approve) on {TOKEN}, only if:"),
        "2.1 argument 2 (amount) must be at most 7",
        "2.2 argument 2 (amount) must be at most 20",
        "2.3 native currency sent per call must be 0",
        "2.4 not before 2027-01-15 07:58:20 UTC",
        "2.5 not after 2027-01-15 08:01:40 UTC",
        "2.6 at most 5 calls in all",
        "2.7 the 32 bytes from byte 32 of the arguments, over all calls together, at most 20",
        "Operations of 2 to 2: only my account may pay for them",
    ];
    assert_eq!(message["permissions"], serde_json::json!(lines));
    let types = typed.json["types"]["DistributedSession"].as_array().unwrap();
    let encoded = types.iter().map(|field| {
        let text = |name: &str| field[name].as_str().unwrap().to_owned();
        format!("{} {}", text("type"), text("name"))
    });
    let encoded = format!("DistributedSession({})", encoded.collect::<Vec<_>>().join(","));
    assert_eq!(encoded, text::encoded_type());
    assert_eq!(message.as_object().unwrap().len(), types.len());
}

#[test]
fn every_changed_part_of_a_grant_is_refused() {
    let changes: [Change<SignedGrant>; 15] = [
        (|s| s.grant.version = 3, "malformed"),
        (|s| s.grant.nexus = None, "malformed"),
        (|s| s.nexus = None, "malformed"),
        (|s| s.grant.max_operation_cost = None, "malformed"),
        (|s| s.grant.max_operation_cost = Some(U256::MAX), "not-the-owner"),
        (|s| s.grant.entry_point = EntryPoint::V06.address(), "other-entry-point"),
        (|s| s.grant.account = Address::repeat_byte(1), "not-the-owners-account"),
        (|s| s.grant.account_index = 1, "not-the-owners-account"),
        (|s| s.grant.nexus.as_mut().unwrap().release = NexusRelease::V1_2_0, "malformed"),
        (|s| s.nexus.as_mut().unwrap().further_validators.clear(), "not-the-owners-account"),
        (|s| s.nexus.as_mut().unwrap().proxy_creation_code = Some(Bytes::new()), "malformed"),
        (|s| s.grant.nexus.as_mut().unwrap().permission_ids.reverse(), "malformed"),
        (|s| s.nexus.as_mut().unwrap().sessions[1].salt = B256::repeat_byte(9), "malformed"),
        (|s| s.nexus.as_mut().unwrap().sessions[0].user_op_policies.truncate(1), "other-policy"),
        (|s| s.grant.chain_id = 1, "not-the-owner"),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let mut changed = signed();
        if index == 13 {
            // A second policy of whole operations, that could be left out.
            let sudo = PolicyConfig::Sudo.policy_data().unwrap();
            let mut proof = proof();
            proof.sessions[0].user_op_policies.push(sudo);
            changed = signed_with(proof, |_| {});
            assert!(verify_grant(&changed, NOW).is_ok());
        }
        change(&mut changed);
        assert_eq!(code(verify_grant(&changed, NOW)), expected, "change {index}");
    }
    // A widened policy with its right hash is not what the owner signed.
    let mut wider = signed();
    let widened = &mut wider.nexus.as_mut().unwrap().sessions;
    widened[0].user_op_policies[0] = PolicyConfig::UsageLimit(10).policy_data().unwrap();
    wider.grant.policy_hash = sessions_hash(widened);
    assert_eq!(code(verify_grant(&wider, NOW)), "not-the-owner");
}

#[test]
fn what_must_not_be_granted_is_refused_even_when_signed() {
    let checked = |change: &dyn Fn(&mut Session)| {
        let mut proof = proof();
        change(&mut proof.sessions[0]);
        code(verify_grant(&signed_with(proof, |_| {}), NOW))
    };
    let to = |target: Address| move |session: &mut Session| session.actions[0].action_target = target;
    for target in [account(), SMART_SESSION, Address::ZERO, RELEASE.parts().owner_validator] {
        assert_eq!(checked(&to(target)), "policy-refused", "{target}");
    }
    let fallback = |session: &mut Session| {
        session.actions[0].action_target = FALLBACK_TARGET;
        session.actions[0].action_target_selector = FALLBACK_GENERIC.into();
    };
    assert_eq!(checked(&fallback), "policy-refused");
    let key = |session: &mut Session| session.session_validator_init_data = Address::repeat_byte(1).to_vec().into();
    assert_eq!(checked(&key), "malformed");
    assert_eq!(checked(&|session| session.session_validator = TOKEN), "malformed");
    let sudo = PolicyConfig::Sudo.policy_data().unwrap();
    assert_eq!(checked(&move |session| session.actions[0].action_policies = vec![sudo.clone()]), "policy-refused");
    let none = NexusProof { sessions: Vec::new(), ..proof() };
    assert_eq!(code(verify_grant(&signed_with(none, |_| {}), NOW)), "malformed");
    let twice = NexusProof { sessions: vec![sessions().remove(0); 2], ..proof() };
    assert_eq!(code(verify_grant(&signed_with(twice, |_| {}), NOW)), "malformed");
    let many = NexusProof {
        sessions: (1..=33).map(|salt| Session { salt: B256::repeat_byte(salt), ..sessions().remove(0) }).collect(),
        ..proof()
    };
    assert_eq!(code(verify_grant(&signed_with(many, |_| {}), NOW)), "malformed", "too much for a node to keep");
    let over = signed_with(proof(), |grant| grant.valid_until = NOW);
    assert_eq!(code(verify_grant(&over, NOW)), "grant-expired");
    assert_eq!(code(verify_grant(&signed(), NOW + 101)), "policy-refused", "the second session is over");
}

#[test]
fn nodes_sign_uses_of_granted_sessions_and_nothing_else() {
    let signed = signed();
    let outcome = |operation: UserOperation| code(authorize_sign(&signed, &request(operation), NOW));
    let good = || operation(0, &[mint(account())]);
    let with = |change: &dyn Fn(&mut UserOperation)| {
        let mut operation = good();
        change(&mut operation);
        outcome(operation)
    };
    // Lane and signature.
    let lane = |mode, validator| NonceKey { lane: 0, mode, validator }.nonce(0);
    for nonce in [
        lane(ValidationMode::Validate, RELEASE.parts().owner_validator),
        lane(ValidationMode::Validate, Address::ZERO),
        lane(ValidationMode::ModuleEnable, SMART_SESSION),
        lane(ValidationMode::Prepare, SMART_SESSION),
        U256::MAX,
    ] {
        assert_eq!(with(&|operation| operation.nonce = nonce), "nonce-lane");
    }
    assert_eq!(with(&|operation| operation.signature = use_signature(B256::repeat_byte(9), &[])), "other-permission");
    for signature in [&[][..], &[0; 32], &[3; 33], &[1, 2, 3]] {
        assert_eq!(with(&|operation| operation.signature = signature.to_vec().into()), "malformed");
    }
    let enabling = crate::smart_sessions::EnableGrant {
        chain_digest_index: 0,
        digests: vec![crate::smart_sessions::grant::ChainDigest { chain_id: 1, session_digest: B256::ZERO }],
        session: sessions().remove(0),
        permission_enable_sig: Bytes::new(),
    };
    let enabling = enabling.signature(&[]).unwrap();
    assert_eq!(with(&|operation| operation.signature = enabling.clone()), "signature-mode");
    // Execution.
    let word = |first, second| ExecutionMode::from_word(B256::right_padding_from(&[first, second])).to_word();
    for (first, second) in [(0xff, 0), (0xfe, 0), (0, 1), (1, 1), (0, 2), (2, 0)] {
        let call_data = encode_mode(word(first, second), &[mint(account())]);
        assert_eq!(with(&|operation| operation.call_data = call_data.clone()), "execution-refused");
    }
    let empty = encode_mode(ExecutionMode::BATCH.to_word(), &[]);
    let mut longer = good().call_data.to_vec();
    longer.extend([0; 32]);
    let user_op = [&[0x8d, 0xd7, 0x71, 0x2f][..], &good().call_data[4..]].concat();
    for call_data in [&empty[..], &longer, &user_op, &[1, 2, 3, 4], &[]] {
        assert_eq!(with(&|operation| operation.call_data = call_data.to_vec().into()), "execution-refused");
    }
    // Policies: other arguments, another contract, more calls than in all, another session's call, value.
    let other = |place: usize, calls: &[Call]| outcome(operation(place, calls));
    assert_eq!(other(0, &[mint(TOKEN)]), "policy-violation");
    assert_eq!(other(0, &[Call { to: TOKEN, ..mint(account()) }]), "policy-violation");
    assert_eq!(other(0, &[mint(account()), mint(TOKEN)]), "policy-violation");
    assert_eq!(other(0, &vec![mint(account()); 3]), "policy-violation");
    assert_eq!(other(0, &[Call { value: U256::ONE, ..mint(account()) }]), "policy-violation");
    assert_eq!(other(0, &[approve(1)]), "policy-violation");
    assert_eq!(other(1, &[approve(8)]), "policy-violation");
    assert_eq!(other(1, &[approve(7), approve(7), approve(7)]), "policy-violation", "21 of 20");
    // Account, chain, entry point.
    assert_eq!(with(&|operation| operation.sender = TOKEN), "other-account");
    assert_eq!(with(&|operation| operation.entry_point = EntryPoint::V06), "other-entry-point");
    let mut elsewhere = request(good());
    elsewhere.chain_id = 1;
    assert_eq!(code(authorize_sign(&signed, &sign_request(elsewhere), NOW)), "other-chain");
    // What is altered on the way.
    let mut altered = request(good());
    altered.user_operation.nonce += U256::ONE;
    assert_eq!(code(authorize_sign(&signed, &altered, NOW)), "not-the-ephemeral-key");
    let at = |now: u64| authorize_sign(&signed, &request(operation(1, &[approve(1)])), now).map(drop);
    assert_eq!((at(NOW + 100), at(NOW - 160)), (Ok(()), Ok(())));
    assert_eq!((code(at(NOW + 101)), code(at(NOW - 161))), ("policy-violation", "policy-violation"));
}

#[test]
fn what_one_operation_may_cost_is_kept_at_this_entry_point_too() {
    let gwei = U256::from(1_000_000_000_u64);
    let signed = signed_with(proof(), |grant| grant.max_operation_cost = Some(gwei * U256::from(500_000)));
    let outcome = |gas: u64, paymaster: Option<Address>| {
        let mut operation = operation(0, &[mint(account())]);
        operation.call_gas_limit = U256::ZERO;
        (operation.pre_verification_gas, operation.max_fee_per_gas) = (U256::from(gas), gwei);
        operation.paymaster_and_data =
            paymaster.map(|paymaster| v07::paymaster_and_data(paymaster, [1_000, 0], &[])).unwrap_or_default();
        authorize_sign(&signed, &request(operation), NOW).map_or_else(|refusal| refusal.code(), |_| "ok")
    };
    assert_eq!((outcome(500_000, None), outcome(500_001, None)), ("ok", "operation-cost"));
    assert_eq!(outcome(9_000_000, Some(VERIFYING_PAYMASTER_V07)), "ok");
    for other in [TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER, TOKEN] {
        assert_eq!((outcome(499_000, Some(other)), outcome(499_001, Some(other))), ("ok", "operation-cost"));
    }
    // A session that permits no paymaster is used with none.
    let mut sponsored = operation(1, &[approve(1)]);
    sponsored.paymaster_and_data = v07::paymaster_and_data(VERIFYING_PAYMASTER_V07, [1, 1], &[]);
    assert_eq!(code(authorize_sign(&signed, &request(sponsored), NOW)), "policy-violation");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// One changed byte anywhere in the carried JSON (that still reads) is refused, or says the same.
    #[test]
    fn a_changed_grant_is_refused(position in 0usize..30_000, byte in any::<u8>()) {
        let signed = &*SIGNED;
        let mut text = serde_json::to_vec(signed).unwrap();
        let position = position % text.len();
        text[position] = byte;
        if let Ok(changed) = serde_json::from_slice::<SignedGrant>(&text) {
            prop_assert!(changed == *signed || verify_grant(&changed, NOW).is_err());
        }
    }

    /// Random call data is never signed, and never panics.
    #[test]
    fn random_call_data_is_refused(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut operation = operation(0, &[mint(account())]);
        operation.call_data = [&[0xe9, 0xae, 0x5c, 0x53][..], &data].concat().into();
        prop_assert!(authorize_sign(&SIGNED, &request(operation), NOW).is_err());
    }
}
