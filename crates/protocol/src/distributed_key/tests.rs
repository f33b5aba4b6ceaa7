//! The authority's own tests: what is granted passes, and whatever is changed is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::{
    addresses::{DEMO_NFT, ENTRY_POINT, SESSION_KEY_MANAGER, TOKEN_PAYMASTER, VERIFYING_PAYMASTER},
    entry_point::EntryPoint,
    policy::{Condition, Policy, SessionEpoch},
    session::SessionLeaf,
    smart_account::{Call, counterfactual_address, encode_calls},
    user_operation::UserOperation,
};

/// What is changed, and the code of the refusal that follows.
pub(super) type Change<T> = (fn(&mut T), &'static str);

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const SESSION_KEY: Address = Address::repeat_byte(0x5e);

pub(super) fn owner() -> PrivateKeySigner {
    PrivateKeySigner::from_slice(&[7; 32]).unwrap()
}

pub(super) fn page_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn account() -> Address {
    counterfactual_address(owner().address(), U256::ZERO)
}

/// Two leaves: mint to the account, and approve 7 to anyone with at most 5 wei.
fn leaves() -> Vec<GrantedLeaf> {
    let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, account());
    let mut other = Policy::new(Address::repeat_byte(3), "approve(address,uint256)").with_rule(
        1,
        Condition::LessThanOrEqual,
        U256::from(7),
    );
    other.value_limit = U256::from(5);
    other.interval = SessionEpoch { valid_until: NOW + 100, valid_after: NOW - 100 };
    [mint, other].iter().map(|policy| (&SessionLeaf::from_policy(policy, SESSION_KEY, "x").unwrap()).into()).collect()
}

fn grant() -> Grant {
    Grant {
        version: GRANT_VERSION,
        owner: owner().address(),
        account: account(),
        account_index: 0,
        chain_id: 31337,
        entry_point: ENTRY_POINT,
        session_key_address: SESSION_KEY,
        key_id: B256::repeat_byte(1),
        ephemeral_key: page_key().verifying_key().to_bytes().into(),
        valid_until: NOW + 3600,
        policy_hash: policy_hash(&leaves()),
        max_operation_cost: Some(DEFAULT_MAX_OPERATION_COST),
        threshold: 3,
        nodes: 5,
        challenge: B256::repeat_byte(2),
        nexus: None,
    }
}

fn sign(grant: Grant, leaves: Vec<GrantedLeaf>) -> SignedGrant {
    let digest = grant.typed_data(&leaves).unwrap().digest;
    let signature = owner().sign_hash_sync(&digest).unwrap().as_bytes().to_vec().into();
    SignedGrant { grant, leaves, signature, nexus: None }
}

fn mint(to: Address) -> Call {
    let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
    Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
}

fn approve(amount: u64, value: u64) -> Call {
    let data = [&[0x09, 0x5e, 0xa7, 0xb3][..], &[0; 32], U256::from(amount).to_be_bytes::<32>().as_slice()].concat();
    Call { to: Address::repeat_byte(3), value: U256::from(value), data: data.into() }
}

fn operation(calls: &[Call]) -> UserOperation {
    UserOperation {
        sender: account(),
        nonce: U256::from(4),
        call_data: encode_calls(calls, false).unwrap(),
        call_gas_limit: U256::from(1),
        max_fee_per_gas: U256::from(2),
        ..UserOperation::default()
    }
}

fn request(user_operation: UserOperation) -> SignRequest {
    let unsigned = SignRequest {
        key_id: B256::repeat_byte(1),
        user_operation,
        entry_point: ENTRY_POINT,
        chain_id: 31337,
        challenge: B256::repeat_byte(3),
        signers: vec![1, 2, 5],
        ephemeral_signature: Bytes::new(),
    };
    sign_request(unsigned)
}

pub(super) fn sign_request(mut request: SignRequest) -> SignRequest {
    request.ephemeral_signature = page_key().sign(request.signed_text().as_bytes()).to_bytes().to_vec().into();
    request
}

pub(super) fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> &'static str {
    outcome.unwrap_err().code()
}

#[test]
fn what_the_owner_signed_is_granted_and_used() {
    let signed = sign(grant(), leaves());
    assert_eq!(verify_grant(&signed, NOW), Ok(grant()));
    for calls in [vec![mint(account())], vec![approve(7, 5)], vec![mint(account()), approve(1, 0), mint(account())]] {
        let request = request(operation(&calls));
        let user_op_hash = request.user_operation.hash(31337);
        let digest = crate::signature::personal_digest(user_op_hash);
        assert_eq!(authorize_sign(&signed, &request, NOW), Ok(digest));
    }
    // The order of the signers is not part of their set.
    let mut shuffled = request(operation(&[mint(account())]));
    shuffled.signers.reverse();
    assert!(authorize_sign(&signed, &shuffled, NOW).is_ok());
}

#[test]
fn the_wallet_shows_what_is_signed() {
    let typed = grant().typed_data(&leaves()).unwrap();
    let message = &typed.json["message"];
    assert_eq!(typed.json["primaryType"], "DistributedSession");
    assert_eq!(typed.json["domain"]["chainId"], 31337);
    assert!(message["purpose"].as_str().unwrap().starts_with("Let 3 of 5 nodes sign for my smart account"));
    assert_eq!(typed.json["domain"]["version"], "3");
    assert_eq!(
        message["fees"],
        "The gas of each operation that my account pays for itself may cost at most 0.05 of the chain's native \
         currency (50000000000000000 wei). How many operations there are is not limited. Tokens that a paymaster may \
         take by an allowance are not limited by this."
    );
    let sponsored = Grant { max_operation_cost: Some(U256::ZERO), ..grant() }.typed_data(&leaves()).unwrap();
    assert_eq!(
        sponsored.json["message"]["fees"],
        "My account pays none of the chain's native currency for operations: others must. Tokens that a paymaster may \
         take by an allowance are not limited by this."
    );
    assert_eq!(message["maxOperationCost"], "50000000000000000");
    let account = account();
    let lines = [
        "1. May call function 0x40d097c3 (safeMint) on 0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e, only if:",
        &format!("1.1 argument 1 (recipient) must be {account}"),
        "1.2 native currency sent per call must be 0",
        "1.3 no end of its own",
        "2. May call function 0x095ea7b3 (approve) on 0x0303030303030303030303030303030303030303, only if:",
        "2.1 argument 2 (amount) must be at most 7",
        "2.2 native currency sent per call must be at most 5 wei",
        "2.3 not before 2027-01-15 07:58:20 UTC",
        "2.4 not after 2027-01-15 08:01:40 UTC",
    ];
    assert_eq!(message["permissions"], serde_json::json!(lines));
    assert_eq!(message["expires"], "2027-01-15 09:00:00 UTC");
    // Every member of the signed struct is shown, under its own name and in its order.
    let types = typed.json["types"]["DistributedSession"].as_array().unwrap();
    let encoded = types.iter().map(|field| {
        let text = |name: &str| field[name].as_str().unwrap().to_owned();
        format!("{} {}", text("type"), text("name"))
    });
    let encoded = format!("DistributedSession({})", encoded.collect::<Vec<_>>().join(","));
    assert_eq!(encoded, grant_text::encoded_type());
    assert_eq!(message.as_object().unwrap().len(), types.len());
}

/// Each recorded with the program whose newest version it was (version 1 is named by none): what it stored, what the
/// wallet showed, what was signed.
#[test]
fn grants_of_every_version_are_verified_byte_for_byte() {
    let recorded = [
        include_str!("golden/grant_version_1.json"),
        include_str!("golden/grant_version_2.json"),
        include_str!("golden/grant_version_3.json"),
    ];
    assert_eq!(recorded.len(), GRANT_VERSION as usize);
    for (version, golden) in (1..).zip(recorded) {
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let signed: SignedGrant = serde_json::from_value(golden["signed"].clone()).unwrap();
        assert_eq!(signed.grant.version, version);
        let typed = signed.grant.typed_data(&signed.leaves).unwrap();
        assert_eq!(typed.json, golden["typedData"]);
        assert_eq!(serde_json::json!(typed.digest), golden["digest"]);
        assert_eq!(verify_grant(&signed, NOW), Ok(signed.grant.clone()));
        // It binds what it bound, and is stored as it was.
        assert!(authorize_sign(&signed, &request(operation(&[mint(account())])), NOW).is_ok());
        assert_eq!(code(authorize_sign(&signed, &request(operation(&[approve(8, 0)])), NOW)), "policy-violation");
        assert_eq!(serde_json::to_value(&signed).unwrap(), golden["signed"]);
        // Its signature is none for the text of another version.
        for other in (1..=GRANT_VERSION).filter(|other| *other != version) {
            let max_operation_cost = (other >= 3).then_some(DEFAULT_MAX_OPERATION_COST);
            let grant = Grant { version: other, max_operation_cost, ..signed.grant.clone() };
            let relabelled = SignedGrant { grant, ..signed.clone() };
            assert_eq!(code(verify_grant(&relabelled, NOW)), "not-the-owner");
        }
    }
}

/// Gas and fee of an operation, and whose data pays for it.
fn priced(gas: u64, gwei: u64, paymaster: &[u8]) -> UserOperation {
    UserOperation {
        call_gas_limit: U256::ZERO,
        pre_verification_gas: U256::from(gas),
        max_fee_per_gas: U256::from(gwei) * U256::from(1_000_000_000),
        paymaster_and_data: paymaster.to_vec().into(),
        ..operation(&[mint(account())])
    }
}

#[test]
fn what_one_operation_may_cost_the_account_is_kept() {
    let limited = |limit: u64| sign(Grant { max_operation_cost: Some(U256::from(limit)), ..grant() }, leaves());
    let outcome = |signed: &SignedGrant, operation| authorize_sign(signed, &request(operation), NOW).map(|_| ());
    let too_dear = |limit: u64, cost: U256| Err(Refusal::OperationCost { limit: U256::from(limit), cost });
    let (gwei, tenth) = (1_000_000_000_u64, U256::from(100_000_000_000_000_000_u64));
    // To the wei.
    let signed = limited(500_000 * gwei);
    assert_eq!(outcome(&signed, priced(500_000, 1, &[])), Ok(()));
    assert_eq!(outcome(&signed, priced(500_001, 1, &[])), too_dear(500_000 * gwei, U256::from(500_001 * gwei)));
    // A paymaster that may take tokens, known or not, and one that is no address, count as the account; its
    // validation counts threefold, as the entry point reckons. The sponsor signed the fees, and pays.
    let token = [TOKEN_PAYMASTER.as_slice(), &[1; 258]].concat();
    for paymaster in [&token[..], &[7; 20], &[7; 19]] {
        let dear = |verification: u64| UserOperation {
            verification_gas_limit: U256::from(verification),
            ..priced(200_000, 1, paymaster)
        };
        assert_eq!(outcome(&signed, dear(100_000)), Ok(()));
        assert_eq!(outcome(&signed, dear(100_001)), too_dear(500_000 * gwei, U256::from(500_003 * gwei)));
    }
    assert_eq!(outcome(&signed, priced(1_000_000, 100, VERIFYING_PAYMASTER.as_slice())), Ok(()));
    assert_eq!(outcome(&limited(0), priced(1_000_000, 100, VERIFYING_PAYMASTER.as_slice())), Ok(()));
    assert_eq!(outcome(&limited(0), priced(1, 1, &[])), too_dear(0, U256::from(gwei)));
    // Sums that overflow are dear, not cheap.
    let huge = UserOperation { call_gas_limit: U256::MAX, ..priced(1, 1, &[]) };
    assert_eq!(outcome(&signed, huge), too_dear(500_000 * gwei, U256::MAX));
    // The default, which earlier versions have, lets half a million gas pass at 100 gwei.
    let earlier = [1, 2].map(|version| sign(Grant { version, max_operation_cost: None, ..grant() }, leaves()));
    for signed in earlier.into_iter().chain([sign(grant(), leaves())]) {
        assert_eq!(verify_grant(&signed, NOW).as_ref(), Ok(&signed.grant));
        assert_eq!(outcome(&signed, priced(500_000, 100, &[])), Ok(()));
        let refused = outcome(&signed, priced(1_000_000, 100, &[]));
        assert_eq!(refused, Err(Refusal::OperationCost { limit: DEFAULT_MAX_OPERATION_COST, cost: tenth }));
    }
}

#[test]
fn a_node_may_know_other_sponsors_and_another_limit_where_a_grant_names_none() {
    let (sponsor, tenth) = (Address::repeat_byte(7), U256::from(100_000_000_000_000_000_u64));
    let costs = CostRules { sponsors: vec![sponsor], unnamed_limit: tenth };
    let outcome = |signed: &SignedGrant, operation| {
        authorize_sign_by(signed, &request(operation), NOW, &costs).map_or_else(|refusal| refusal.code(), |_| "ok")
    };
    let signed = sign(grant(), leaves());
    let dear = |paymaster: &[u8]| priced(1_000_000, 200, paymaster);
    for known in [sponsor, VERIFYING_PAYMASTER] {
        assert_eq!(outcome(&signed, dear(&[known.as_slice(), &[1; 100]].concat())), "ok");
        // Part of its address is not it.
        assert_eq!(outcome(&signed, dear(&known[..19])), "operation-cost");
    }
    for other in [TOKEN_PAYMASTER, Address::repeat_byte(8)] {
        assert_eq!(outcome(&signed, dear(other.as_slice())), "operation-cost");
    }
    // A limit that the owner signed is not the node's to widen.
    assert_eq!(outcome(&signed, priced(1_000_000, 100, &[])), "operation-cost");
    for version in [1, 2] {
        let earlier = sign(Grant { version, max_operation_cost: None, ..grant() }, leaves());
        assert_eq!(outcome(&earlier, priced(1_000_000, 100, &[])), "ok");
        assert_eq!(outcome(&earlier, priced(1_000_001, 100, &[])), "operation-cost");
    }
}

#[test]
fn the_limit_that_nobody_names_lets_a_million_gas_pass_where_gas_is_dear() {
    let gwei = U256::from(1_000_000_000_u64);
    assert_eq!(default_operation_cost(U256::ZERO), DEFAULT_MAX_OPERATION_COST);
    assert_eq!(default_operation_cost(gwei * U256::from(50)), DEFAULT_MAX_OPERATION_COST);
    let fee = gwei * U256::from(2_000);
    assert_eq!(default_operation_cost(fee), fee * U256::from(1_000_000));
    assert_eq!(default_operation_cost(U256::MAX), U256::MAX);
}

#[test]
fn every_changed_field_of_a_grant_breaks_the_owners_signature() {
    let changes: [Change<SignedGrant>; 25] = [
        (|s| s.grant.version = 1, "malformed"),
        (|s| s.grant.max_operation_cost = None, "malformed"),
        (|s| (s.grant.version, s.grant.max_operation_cost) = (1, None), "not-the-owner"),
        (|s| (s.grant.version, s.grant.max_operation_cost) = (2, None), "not-the-owner"),
        (|s| s.grant.max_operation_cost = Some(U256::MAX), "not-the-owner"),
        (|s| s.grant.version = NEXUS_GRANT_VERSION, "malformed"),
        (|s| s.grant.version = NEXUS_GRANT_VERSION + 1, "unknown-version"),
        (|s| s.grant.version = 0, "unknown-version"),
        (|s| s.grant.owner = Address::repeat_byte(1), "not-the-owners-account"),
        (|s| s.grant.account = Address::repeat_byte(1), "not-the-owners-account"),
        (|s| s.grant.account_index = 1, "not-the-owners-account"),
        (
            |s| {
                // another account of the same owner: only the signature tells
                s.grant.account_index = 1;
                s.grant.account = counterfactual_address(s.grant.owner, U256::from(1));
            },
            "not-the-owner",
        ),
        (|s| s.grant.chain_id = 1, "not-the-owner"),
        (|s| s.grant.entry_point = Address::repeat_byte(1), "other-entry-point"),
        (|s| s.grant.session_key_address = Address::repeat_byte(1), "malformed"),
        (|s| s.grant.key_id = B256::ZERO, "not-the-owner"),
        (
            |s| s.grant.ephemeral_key = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes().into(),
            "not-the-owner",
        ),
        (|s| s.grant.valid_until += 1, "not-the-owner"),
        (|s| s.grant.policy_hash = B256::ZERO, "other-policy"),
        (|s| s.grant.threshold = 2, "not-the-owner"),
        (|s| s.grant.nodes = 4, "not-the-owner"),
        (|s| s.grant.challenge = B256::ZERO, "not-the-owner"),
        (
            |s| {
                // a widened policy with its right hash
                s.leaves[1].valid_until = 0;
                s.grant.policy_hash = policy_hash(&s.leaves);
            },
            "not-the-owner",
        ),
        (|s| s.leaves[1].valid_until = 0, "other-policy"),
        (
            |s| {
                let mut signature = s.signature.to_vec();
                signature[10] ^= 1;
                s.signature = signature.into();
            },
            "not-the-owner",
        ),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let mut signed = sign(grant(), leaves());
        change(&mut signed);
        assert_eq!(code(verify_grant(&signed, NOW)), expected, "change {index}");
    }
}

#[test]
fn what_must_not_be_granted_is_refused_even_when_signed() {
    let checked = |grant: Grant, leaves: Vec<GrantedLeaf>| {
        let grant = Grant { policy_hash: policy_hash(&leaves), ..grant };
        code(verify_grant(&sign(grant, leaves), NOW))
    };
    let over = Grant { valid_until: NOW, ..grant() };
    assert_eq!(checked(over, leaves()), "grant-expired");
    let too_long = Grant { valid_until: NOW + MAX_LIFETIME + 1, ..grant() };
    assert_eq!(checked(too_long, leaves()), "malformed");
    for (threshold, nodes) in [(0, 5), (6, 5), (1, 0), (3, 17)] {
        assert_eq!(checked(Grant { threshold, nodes, ..grant() }, leaves()), "malformed");
    }
    // Points of small order, and what is no point, are no keys.
    let key = |first: u8| {
        let mut key = B256::ZERO;
        key.0[0] = first;
        key
    };
    for ephemeral_key in [key(0), key(1), key(2)] {
        assert_eq!(checked(Grant { ephemeral_key, ..grant() }, leaves()), "malformed", "{ephemeral_key}");
    }
    assert_eq!(checked(grant(), vec![]), "malformed");
    assert_eq!(checked(grant(), vec![leaves()[0].clone(); MAX_LEAVES + 1]), "malformed");
    let with = |change: fn(&mut GrantedLeaf)| {
        let mut changed = leaves();
        change(&mut changed[0]);
        changed
    };
    let target = |destination: Address| {
        let leaf = SessionLeaf::from_policy(&Policy::new(destination, "f()"), SESSION_KEY, "x").unwrap();
        vec![(&leaf).into()]
    };
    assert_eq!(checked(grant(), target(SESSION_KEY_MANAGER)), "policy-refused");
    assert_eq!(checked(grant(), target(account())), "policy-refused");
    assert_eq!(checked(grant(), target(Address::ZERO)), "policy-refused");
    assert_eq!(checked(grant(), with(|leaf| leaf.session_validation_module = Address::ZERO)), "policy-refused");
    assert_eq!(checked(grant(), with(|leaf| leaf.valid_until = NOW)), "policy-refused");
    assert_eq!(checked(grant(), with(|leaf| leaf.valid_after = 1 << 48)), "malformed");
    let longer =
        |leaf: &mut GrantedLeaf| leaf.session_key_data = [&leaf.session_key_data[..], &[0; 35]].concat().into();
    assert_eq!(checked(grant(), with(longer)), "malformed");
}

#[test]
fn a_node_signs_nothing_but_what_was_granted() {
    let signed = sign(grant(), leaves());
    let outcome = |request: &SignRequest| code(authorize_sign(&signed, request, NOW));
    let good = || request(operation(&[mint(account())]));
    assert!(authorize_sign(&signed, &good(), NOW).is_ok());

    // Signed anew by the page: the grant itself says no.
    let changes: [Change<SignRequest>; 10] = [
        (|r| r.key_id = B256::ZERO, "other-key"),
        (|r| r.chain_id = 1, "other-chain"),
        (|r| r.entry_point = Address::ZERO, "other-entry-point"),
        (|r| r.user_operation.entry_point = EntryPoint::V07, "other-entry-point"),
        (
            |r| {
                r.user_operation.entry_point = EntryPoint::V07;
                r.entry_point = EntryPoint::V07.address();
            },
            "other-entry-point",
        ),
        (|r| r.user_operation.sender = Address::ZERO, "other-account"),
        (|r| r.signers = vec![1, 2], "signer-set"),
        (|r| r.signers = vec![1, 2, 2], "signer-set"),
        (|r| r.signers = vec![1, 2, 6], "signer-set"),
        (|r| r.signers = vec![0, 1, 2], "signer-set"),
    ];
    for (change, expected) in changes {
        let mut changed = good();
        change(&mut changed);
        assert_eq!(outcome(&sign_request(changed)), expected);
    }
    // Changed behind the page's back: its signature says no.
    let changes: [fn(&mut SignRequest); 5] = [
        |r| r.challenge = B256::ZERO,
        |r| r.signers = vec![1, 2, 3],
        |r| r.user_operation.nonce += U256::from(1),
        |r| r.user_operation.call_data = encode_calls(&[approve(1, 0)], false).unwrap(),
        |r| {
            r.ephemeral_signature =
                SigningKey::from_bytes(&[1; 32]).sign(r.signed_text().as_bytes()).to_bytes().to_vec().into()
        },
    ];
    for change in changes {
        let mut changed = good();
        change(&mut changed);
        assert_eq!(outcome(&changed), "not-the-ephemeral-key");
    }
    // The policy says no, and which rule.
    let violation = |calls: &[Call]| match authorize_sign(&signed, &request(operation(calls)), NOW) {
        Err(Refusal::PolicyViolation { rule, .. }) => rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(violation(&[mint(Address::repeat_byte(9))]), "rule 0");
    assert_eq!(violation(&[approve(8, 0)]), "rule 0");
    assert_eq!(violation(&[approve(7, 6)]), "value limit");
    assert_eq!(violation(&[Call { to: Address::repeat_byte(4), ..mint(account()) }]), "destination");
    assert_eq!(violation(&[Call { data: vec![1, 2, 3, 4].into(), ..mint(account()) }]), "selector");
    assert_eq!(violation(&[mint(account()), mint(Address::repeat_byte(9))]), "rule 0");
    // Call data that is no call of the account's two.
    let mut other = good();
    other.user_operation.call_data = vec![1, 2, 3, 4].into();
    assert_eq!(outcome(&sign_request(other)), "malformed");
    let mut nothing = good();
    let empty = crate::abi::ISmartAccount::executeBatch_y6UCall { dest: vec![], value: vec![], func: vec![] };
    nothing.user_operation.call_data = alloy::sol_types::SolCall::abi_encode(&empty).into();
    assert_eq!(outcome(&sign_request(nothing)), "malformed");
}

#[test]
fn windows_and_the_grants_end_are_kept() {
    let signed = sign(grant(), leaves());
    let allowed = |call: Call, now| authorize_sign(&signed, &request(operation(&[call])), now).map(|_| ());
    assert_eq!(allowed(approve(1, 0), NOW + 100), Ok(()));
    assert_eq!(code(allowed(approve(1, 0), NOW + 101)), "policy-violation");
    assert_eq!(allowed(mint(account()), NOW + 101), Ok(()), "the other leaf has no window");
    assert_eq!(allowed(approve(1, 0), NOW - 100 - 60), Ok(()));
    assert_eq!(code(allowed(approve(1, 0), NOW - 100 - 61)), "policy-violation");
    assert_eq!(allowed(mint(account()), NOW + 3599), Ok(()));
    assert_eq!(code(allowed(mint(account()), NOW + 3600)), "grant-expired");
}

#[test]
fn owner_and_page_may_revoke_and_nobody_else() {
    let grant = grant();
    let key_id = grant.key_id;
    let by_owner = |key: &PrivateKeySigner, grant: &Grant| {
        let digest = Revocation::typed_data(&grant.into()).digest;
        RevokedBy::Owner { signature: key.sign_hash_sync(&digest).unwrap().as_bytes().to_vec().into() }
    };
    let by_page = |key: &SigningKey, key_id: B256| {
        let signature = key.sign(Revocation::signed_text(key_id).as_bytes()).to_bytes().to_vec().into();
        RevokedBy::EphemeralKey { signature }
    };
    let verify = |by| verify_revocation(&grant, &Revocation { key_id, by });
    assert_eq!(verify(by_owner(&owner(), &grant)), Ok(()));
    assert_eq!(verify(by_page(&page_key(), key_id)), Ok(()));
    let stranger = PrivateKeySigner::from_slice(&[8; 32]).unwrap();
    assert_eq!(code(verify(by_owner(&stranger, &grant))), "not-the-owner");
    assert_eq!(code(verify(by_page(&SigningKey::from_bytes(&[8; 32]), key_id))), "not-the-ephemeral-key");
    let other = Grant { chain_id: 1, ..grant.clone() };
    assert_eq!(code(verify(by_owner(&owner(), &other))), "not-the-owner");
    assert_eq!(code(verify(by_page(&page_key(), B256::ZERO))), "not-the-ephemeral-key");
    let elsewhere = Revocation { key_id: B256::ZERO, by: by_page(&page_key(), B256::ZERO) };
    assert_eq!(code(verify_revocation(&grant, &elsewhere)), "other-key");
    // A signature of one kind is none of another.
    let request = request(operation(&[mint(account())]));
    let reused = RevokedBy::EphemeralKey { signature: request.ephemeral_signature };
    assert_eq!(code(verify(reused)), "not-the-ephemeral-key");
}

#[test]
fn everything_survives_the_wire() {
    let signed = sign(grant(), leaves());
    let text = serde_json::to_string(&signed).unwrap();
    assert_eq!(serde_json::from_str::<SignedGrant>(&text).unwrap(), signed);
    let request = request(operation(&[mint(account())]));
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<SignRequest>(&text).unwrap(), request);
    let revocation = Revocation { key_id: B256::ZERO, by: RevokedBy::Owner { signature: vec![1].into() } };
    let text = serde_json::to_string(&revocation).unwrap();
    assert_eq!(serde_json::from_str::<Revocation>(&text).unwrap(), revocation);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// One changed byte anywhere in the carried JSON (that still reads) is refused, or says the same.
    #[test]
    fn a_changed_grant_is_refused(position in 0usize..4000, byte in any::<u8>()) {
        let signed = sign(grant(), leaves());
        let mut text = serde_json::to_vec(&signed).unwrap();
        let position = position % text.len();
        text[position] = byte;
        if let Ok(changed) = serde_json::from_slice::<SignedGrant>(&text) {
            prop_assert!(changed == signed || verify_grant(&changed, NOW).is_err());
        }
    }

    /// The same for a request to sign.
    #[test]
    fn a_changed_request_is_refused(position in 0usize..4000, byte in any::<u8>()) {
        let signed = sign(grant(), leaves());
        let good = request(operation(&[mint(account()), approve(1, 1)]));
        let mut text = serde_json::to_vec(&good).unwrap();
        let position = position % text.len();
        text[position] = byte;
        if let Ok(changed) = serde_json::from_slice::<SignRequest>(&text) {
            let outcome = authorize_sign(&signed, &changed, NOW);
            prop_assert!(outcome.is_err() || outcome == authorize_sign(&signed, &good, NOW));
        }
    }

    /// Random call data is never signed, and never panics.
    #[test]
    fn random_call_data_is_refused(data in prop::collection::vec(any::<u8>(), 0..300), batch in any::<bool>()) {
        let signed = sign(grant(), leaves());
        let selector = if batch { [0, 0, 0x46, 0x80] } else { [0, 0, 0x18, 0x9a] };
        let mut operation = operation(&[mint(account())]);
        operation.call_data = [&selector[..], &data].concat().into();
        prop_assert!(authorize_sign(&signed, &request(operation), NOW).is_err());
    }
}
