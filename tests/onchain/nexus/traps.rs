//! Traps that the real contracts set (spec 5): each stands here as it is, beside the honest way around it, so that nobody
//! takes it for a fault of ours and mends it away.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, address, keccak256},
    signers::local::PrivateKeySigner,
    sol_types::{SolCall, SolValue},
};
use serde_json::json;
use use_aa::{
    lab::contracts::nexus::{
        ERC20_SPENDING_LIMIT_POLICY, OWNER_VALIDATOR, SESSION_VALIDATOR, SMART_SESSION, SUDO_POLICY, TIME_FRAME_POLICY,
        UNI_ACTION_POLICY, USAGE_LIMIT_POLICY, VERIFYING_PAYMASTER_V07,
    },
    protocol::addresses::DEMO_TOKEN,
};

use super::{
    super::{
        abi::{parse, vectors},
        chain::{Chain, selector},
    },
    abi::*,
    world::*,
};

const PING: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];

fn policy(policy: Address, data: impl Into<Vec<u8>>) -> PolicyData {
    PolicyData { policy, initData: data.into().into() }
}

fn uses(limit: u128) -> PolicyData {
    policy(USAGE_LIMIT_POLICY, limit.to_be_bytes())
}

fn sudo() -> PolicyData {
    policy(SUDO_POLICY, [])
}

fn action(target: Address, selector: [u8; 4], policies: Vec<PolicyData>) -> ActionData {
    ActionData { actionTargetSelector: selector.into(), actionTarget: target, actionPolicies: policies }
}

/// A session of the vectors' key with these actions; `salt` tells them apart.
fn session(salt: u8, actions: Vec<ActionData>) -> Session {
    let key = PrivateKeySigner::from_bytes(&SESSION_KEY).unwrap().address();
    Session {
        sessionValidator: SESSION_VALIDATOR,
        sessionValidatorInitData: key.to_vec().into(),
        salt: B256::repeat_byte(salt),
        userOpPolicies: Vec::new(),
        erc7739Policies: ERC7739Data::default(),
        actions,
        permitERC4337Paymaster: false,
    }
}

async fn permission(chain: &Chain, session: &Session) -> B256 {
    chain.call(BUNDLER, SMART_SESSION, &getPermissionIdCall { session: session.clone() }).await.unwrap()
}

async fn enable(chain: &Chain, session: &Session) -> B256 {
    let call = enableSessionsCall { sessions: vec![session.clone()] };
    transact(chain, ACCOUNT, SMART_SESSION, &call.abi_encode().into()).await;
    permission(chain, session).await
}

/// The session's key uses it for `call_data`: what the session module answers.
async fn use_for(chain: &Chain, permission: B256, call_data: Bytes) -> Result<U256, Bytes> {
    let mut operation = operation(chain, call_data).await;
    let hash = hash_of(chain, &operation).await;
    operation.signature = [&[0], permission.as_slice(), &sign(SESSION_KEY, hash)].concat().into();
    validate(chain, &operation, hash).await
}

fn ping() -> Bytes {
    execute_single(TARGET, U256::ZERO, &PING)
}

fn no_end() -> Result<U256, Bytes> {
    Ok(U256::from((1_u64 << 48) - 1) << 160)
}

fn error(signature: &str, arguments: Vec<u8>) -> Result<U256, Bytes> {
    Err([selector(signature).to_vec(), arguments].concat().into())
}

fn violation(permission: B256, policy: Address) -> Result<U256, Bytes> {
    error("PolicyViolation(bytes32,address)", (permission, policy).abi_encode())
}

fn no_policies(permission: B256) -> Result<U256, Bytes> {
    error("NoPoliciesSet(bytes32)", permission.abi_encode())
}

/// The owner grants the session off chain, for now: the ENABLE signature without the use's own.
async fn grant(chain: &Chain, session: &Session) -> EnableSession {
    let permissionId = permission(chain, session).await;
    let ask = getSessionDigestCall { permissionId, account: ACCOUNT, data: session.clone(), mode: 1 };
    let digest = chain.call(BUNDLER, SMART_SESSION, &ask).await.unwrap();
    let types = vectors("17_smart_sessions.json");
    let type_hash = |name: &str| parse::<B256>(&types["eip712"][name]["typeHash"]);
    let chain_id = B256::from(U256::from(CHAIN_ID));
    let one = keccak256([type_hash("ChainSession"), chain_id, digest].concat());
    let all = keccak256([type_hash("MultiChainSession"), keccak256(one)].concat());
    let domain = keccak256("EIP712Domain(string name,string version)");
    let domain = keccak256([domain, keccak256("SmartSession"), keccak256("1")].concat());
    let hash = keccak256([b"\x19\x01".as_slice(), domain.as_slice(), all.as_slice()].concat());
    EnableSession {
        chainDigestIndex: 0,
        hashesAndChainIds: vec![ChainDigest { chainId: CHAIN_ID, sessionDigest: digest }],
        sessionToEnable: session.clone(),
        permissionEnableSig: [OWNER_VALIDATOR.as_slice(), &sign(OWNER_KEY, hash)].concat().into(),
    }
}

/// The first use of a grant, with the session key's signature behind it.
async fn enabling(chain: &Chain, grant: &EnableSession, call_data: Bytes) -> (PackedUserOperation, B256) {
    let mut operation = operation(chain, call_data).await;
    let hash = hash_of(chain, &operation).await;
    let plain = (grant.clone(), Bytes::from(sign(SESSION_KEY, hash))).abi_encode_params();
    // literals only: valid, if long
    let literals = plain.chunks(32).flat_map(|run| [&[u8::try_from(run.len() - 1).unwrap()], run].concat());
    operation.signature = [1].into_iter().chain(literals).collect::<Vec<u8>>().into();
    (operation, hash)
}

#[tokio::test]
async fn an_unused_grant_revives_a_removed_session_unless_it_is_revoked() {
    let chain = with_account().await;
    let mut fresh = snapshot(&chain).await;
    let session = session(1, vec![action(TARGET, PING, vec![sudo()])]);
    for revoked in [false, true] {
        back_to(&chain, &mut fresh).await;
        let permission = enable(&chain, &session).await;
        let kept = grant(&chain, &session).await;
        let remove = removeSessionCall { permissionId: permission };
        transact(&chain, ACCOUNT, SMART_SESSION, &remove.abi_encode().into()).await;
        let gone = error("InvalidPermissionId(bytes32)", permission.abi_encode());
        assert_eq!(use_for(&chain, permission, ping()).await, gone);
        if revoked {
            let revoke = revokeEnableSignatureCall { permissionId: permission };
            transact(&chain, ACCOUNT, SMART_SESSION, &revoke.abi_encode().into()).await;
        }
        let (operation, hash) = enabling(&chain, &kept, ping()).await;
        let answer = validate(&chain, &operation, hash).await;
        if revoked {
            let mismatch = selector("HashMismatch(bytes32,bytes32)");
            assert_eq!(answer.unwrap_err()[..4], mismatch, "a revoked grant is worth nothing");
            assert_eq!(use_for(&chain, permission, ping()).await, gone);
        } else {
            assert_eq!(answer, no_end(), "the trap: removed, and there again");
            assert_eq!(use_for(&chain, permission, ping()).await, no_end());
        }
    }
    // the honest way: a grant made after the revocation is good, once
    let again = grant(&chain, &session).await;
    let (operation, hash) = enabling(&chain, &again, ping()).await;
    assert_eq!(validate(&chain, &operation, hash).await, no_end());
    assert!(validate(&chain, &operation, hash).await.is_err());
}

#[tokio::test]
async fn the_same_validator_key_and_salt_is_the_same_session() {
    let chain = with_account().await;
    let first = session(1, vec![action(TARGET, PING, vec![uses(1)])]);
    let permission = enable(&chain, &first).await;
    assert_eq!(use_for(&chain, permission, ping()).await, no_end());
    assert_eq!(use_for(&chain, permission, ping()).await, violation(permission, USAGE_LIMIT_POLICY));
    // another session, one thinks: it is this one, wider, and its counter begins anew
    let other = [0x55, 0x66, 0x77, 0x88];
    let wider = session(1, vec![action(TARGET, PING, vec![uses(1)]), action(TARGET, other, vec![sudo()])]);
    assert_eq!(enable(&chain, &wider).await, permission);
    assert_eq!(use_for(&chain, permission, ping()).await, no_end());
    assert_eq!(use_for(&chain, permission, execute_single(TARGET, U256::ZERO, &other)).await, no_end());
    // another salt is another session, and what one spends is nothing to the other
    let apart = enable(&chain, &session(2, vec![action(TARGET, PING, vec![uses(1)])])).await;
    assert_ne!(apart, permission);
    assert_eq!(use_for(&chain, apart, ping()).await, no_end());
    let listed = chain.call(BUNDLER, SMART_SESSION, &getPermissionIDsCall { account: ACCOUNT }).await;
    assert_eq!(listed, Ok(vec![permission, apart]));
}

#[tokio::test]
async fn the_generic_fallback_with_sudo_gives_the_account_away() {
    let chain = with_account().await;
    // an owner validator of the thief's, with his key as the owner
    let thief = Address::repeat_byte(0x66);
    let module = address!("00000000000000000000000000000000000bad11");
    let code = chain.code(OWNER_VALIDATOR).await;
    chain.rpc("anvil_setCode", json!([module, code])).await.unwrap();
    let install = installModuleCall { moduleTypeId: U256::from(1), module, initData: thief.to_vec().into() };
    let inner = execute_single(ACCOUNT, U256::ZERO, &install.abi_encode());
    let direct = Bytes::from(install.abi_encode());

    let narrow = enable(&chain, &session(1, vec![action(TARGET, PING, vec![sudo()])])).await;
    let fallback = Address::with_last_byte(1);
    let open = enable(&chain, &session(2, vec![action(fallback, [0, 0, 0, 1], vec![sudo()])])).await;
    let installed = isModuleInstalledCall { moduleTypeId: U256::from(1), module, additionalContext: Bytes::new() };
    for call_data in [&inner, &direct] {
        assert_eq!(use_for(&chain, narrow, call_data.clone()).await, no_policies(narrow));
        assert_eq!(use_for(&chain, open, call_data.clone()).await, no_end());
    }
    assert_eq!(chain.call(BUNDLER, ACCOUNT, &installed).await, Ok(false));
    let mut operation = operation(&chain, inner).await;
    let hash = hash_of(&chain, &operation).await;
    operation.signature = [&[0], open.as_slice(), &sign(SESSION_KEY, hash)].concat().into();
    handle(&chain, &operation).await.expect("included");
    assert_eq!(chain.call(BUNDLER, ACCOUNT, &installed).await, Ok(true), "the trap: a second owner");
    // what even the fallback does not open: calls within calls, its own marker, the session module
    let nested = execute_single(ACCOUNT, U256::ZERO, &ping());
    assert_eq!(use_for(&chain, open, nested).await, error("InvalidSelfCall()", Vec::new()));
    let marker = execute_single(fallback, U256::ZERO, &PING);
    assert_eq!(use_for(&chain, open, marker).await, error("InvalidTarget()", Vec::new()));
    let remove = removeSessionCall { permissionId: narrow }.abi_encode();
    assert_eq!(use_for(&chain, open, execute_single(SMART_SESSION, U256::ZERO, &remove)).await, no_policies(open));
}

#[tokio::test]
async fn policies_of_one_contract_overwrite_each_other_and_limits_count_per_action() {
    let chain = with_account().await;
    // twice the same policy in one action: the later data holds, the earlier limit is gone
    let twice = enable(&chain, &session(1, vec![action(TARGET, PING, vec![uses(1), uses(2)])])).await;
    for answer in [no_end(), no_end(), violation(twice, USAGE_LIMIT_POLICY)] {
        assert_eq!(use_for(&chain, twice, ping()).await, answer);
    }

    // the limit N in `transfer` and in `approve` allows 2 N
    let limit = (vec![DEMO_TOKEN], vec![U256::from(1000)]).abi_encode_params();
    let spending = || vec![policy(ERC20_SPENDING_LIMIT_POLICY, limit.clone())];
    let call = |selector: [u8; 4], amount: u64| {
        execute_single(DEMO_TOKEN, U256::ZERO, &[&selector[..], &(BUNDLER, U256::from(amount)).abi_encode()].concat())
    };
    let both = [TRANSFER, APPROVE].map(|selector| action(DEMO_TOKEN, selector, spending()));
    let both = enable(&chain, &session(2, both.into())).await;
    assert_eq!(use_for(&chain, both, call(TRANSFER, 1000)).await, no_end());
    assert_eq!(use_for(&chain, both, call(APPROVE, 1000)).await, no_end(), "the trap: 2,000 in all");
    assert_eq!(use_for(&chain, both, call(TRANSFER, 1)).await, violation(both, ERC20_SPENDING_LIMIT_POLICY));
    // the honest way: in `transfer` alone
    let one = enable(&chain, &session(3, vec![action(DEMO_TOKEN, TRANSFER, spending())])).await;
    assert_eq!(use_for(&chain, one, call(TRANSFER, 1000)).await, no_end());
    assert_eq!(use_for(&chain, one, call(APPROVE, 1)).await, no_policies(one));
    // what is set anew forgets tokens that it does not name
    let other = (vec![TARGET], vec![U256::from(5)]).abi_encode_params();
    let anew = vec![action(DEMO_TOKEN, TRANSFER, vec![policy(ERC20_SPENDING_LIMIT_POLICY, other)])];
    assert_eq!(enable(&chain, &session(3, anew)).await, one);
    assert_eq!(use_for(&chain, one, call(TRANSFER, 1)).await, violation(one, ERC20_SPENDING_LIMIT_POLICY));
}

#[tokio::test]
async fn disabling_a_limit_beside_an_open_policy_widens_the_session() {
    let chain = with_account().await;
    let permission = enable(&chain, &session(1, vec![action(TARGET, PING, vec![sudo(), uses(1)])])).await;
    assert_eq!(use_for(&chain, permission, ping()).await, no_end());
    assert_eq!(use_for(&chain, permission, ping()).await, violation(permission, USAGE_LIMIT_POLICY));
    let actionId = keccak256([TARGET.as_slice(), &PING].concat());
    let disable = async |policies: Vec<Address>| {
        let call = disableActionPoliciesCall { permissionId: permission, actionId, policies };
        transact(&chain, ACCOUNT, SMART_SESSION, &call.abi_encode().into()).await;
    };
    disable(vec![USAGE_LIMIT_POLICY]).await;
    assert_eq!(use_for(&chain, permission, ping()).await, no_end(), "the trap: open");
    // with its last policy the action is closed, though the permission stays
    disable(vec![SUDO_POLICY]).await;
    assert_eq!(use_for(&chain, permission, ping()).await, no_policies(permission));
    let ask = isPermissionEnabledCall { permissionId: permission, account: ACCOUNT };
    assert_eq!(chain.call(BUNDLER, SMART_SESSION, &ask).await, Ok(true));
    let ask = getEnabledActionsCall { account: ACCOUNT, permissionId: permission };
    assert_eq!(chain.call(BUNDLER, SMART_SESSION, &ask).await, Ok(Vec::new()));
}

/// abi(ActionConfig) with the first rules given as (condition, offset, reference).
fn rules(given: &[(u64, u64, u64)]) -> PolicyData {
    let mut words = vec![0, given.len() as u64];
    for number in 0..16 {
        let (condition, offset, reference) = given.get(number).copied().unwrap_or_default();
        words.extend([condition, offset, 0, reference, 0, 0]);
    }
    let data = words.into_iter().flat_map(|word| U256::from(word).to_be_bytes::<32>());
    policy(UNI_ACTION_POLICY, data.collect::<Vec<u8>>())
}

#[tokio::test]
async fn condition_numbers_are_others_than_v2s_and_no_rules_cannot_be_said() {
    let chain = with_account().await;
    let one_word =
        |word: u64| execute_single(TARGET, U256::ZERO, &[&PING[..], &U256::from(word).to_be_bytes::<32>()].concat());
    // condition: does 99, 100, 101 hold against 100; V2 numbers = ≤ < ≥ > ≠
    let holds = [
        [false, true, false],
        [false, false, true], // >, which is ≤ in V2
        [true, false, false],
        [false, true, true],
        [true, true, false], // ≤, which is > in V2
        [true, false, true],
    ];
    for (number, holds) in holds.into_iter().enumerate() {
        let salt = u8::try_from(number).unwrap();
        let rules = rules(&[(number as u64, 0, 100)]);
        let permission = enable(&chain, &session(salt, vec![action(TARGET, PING, vec![rules])])).await;
        for (word, holds) in (99..=101).zip(holds) {
            let expected = if holds { no_end() } else { violation(permission, UNI_ACTION_POLICY) };
            assert_eq!(use_for(&chain, permission, one_word(word)).await, expected, "condition {number}: {word}");
        }
    }

    // "no rules": length 0 is set, and never usable
    let none = enable(&chain, &session(10, vec![action(TARGET, PING, vec![rules(&[])])])).await;
    let config = keccak256([TARGET.as_slice(), &PING].concat());
    let config = keccak256([ACCOUNT.as_slice(), keccak256([none, config].concat()).as_slice()].concat());
    let told = [&selector("PolicyNotInitialized(bytes32,address,address)")[..], &config[..28]].concat();
    let reverted = |told: B256| error("PolicyCheckReverted(bytes32)", told.abi_encode());
    assert_eq!(use_for(&chain, none, one_word(1)).await, reverted(B256::from_slice(&told)));
    // the honest way with an argument: a rule that always holds. Without one there is no word to look at, unless 32 bytes
    // are appended that the callee ignores
    let always = rules(&[(3, 0, 0)]);
    let always = enable(&chain, &session(11, vec![action(TARGET, PING, vec![always])])).await;
    assert_eq!(use_for(&chain, always, one_word(7)).await, no_end());
    assert_eq!(use_for(&chain, always, ping()).await, reverted(B256::ZERO));
    let padded = execute_single(TARGET, U256::ZERO, &[&PING[..], &[0; 32]].concat());
    assert_eq!(use_for(&chain, always, padded).await, no_end());
}

#[tokio::test]
async fn a_sponsored_use_needs_the_permission_and_a_policy_for_operations() {
    let chain = with_account().await;
    let sponsored = async |permission: B256| {
        let mut operation = operation(&chain, ping()).await;
        operation.paymasterAndData = [VERIFYING_PAYMASTER_V07.as_slice(), &[0; 32]].concat().into();
        let hash = hash_of(&chain, &operation).await;
        operation.signature = [&[0], permission.as_slice(), &sign(SESSION_KEY, hash)].concat().into();
        validate(&chain, &operation, hash).await
    };
    let frame = || policy(TIME_FRAME_POLICY, [0xff_u8; 6].into_iter().chain([0; 6]).collect::<Vec<u8>>());
    for (permit, policies) in [(false, false), (false, true), (true, false), (true, true)] {
        let salt = u8::from(permit) * 2 + u8::from(policies);
        let mut asked = session(salt, vec![action(TARGET, PING, vec![sudo()])]);
        asked.permitERC4337Paymaster = permit;
        asked.userOpPolicies = if policies { vec![frame()] } else { Vec::new() };
        let permission = enable(&chain, &asked).await;
        let expected = match (permit, policies) {
            (false, _) => error("PaymasterValidationNotEnabled(bytes32)", permission.abi_encode()),
            (true, false) => no_policies(permission),
            (true, true) => no_end(),
        };
        assert_eq!(sponsored(permission).await, expected, "{permit} {policies}");
        assert_eq!(use_for(&chain, permission, ping()).await, no_end(), "without a paymaster neither is needed");
    }
}

#[tokio::test]
async fn session_events_carry_no_indexed_field_and_a_grant_creates_without_saying_so() {
    let chain = with_account().await;
    let topics = |receipt: &serde_json::Value| -> Vec<Vec<FixedBytes<32>>> {
        let logs = receipt["logs"].as_array().unwrap().iter();
        let ours = logs.filter(|log| parse::<Address>(&log["address"]) == SMART_SESSION);
        ours.map(|log| serde_json::from_value(log["topics"].clone()).unwrap()).collect()
    };
    let named = |signature: &str| vec![keccak256(signature)];
    let created = named("SessionCreated(bytes32,address)");
    let validator = named("SessionValidatorEnabled(bytes32,address,address)");
    let policy = named("PolicyEnabled(bytes32,uint8,address,address)");
    let permit = named("PermissionIdPermit4337Paymaster(bytes32,address,bool)");

    let first = session(1, vec![action(TARGET, PING, vec![sudo()])]);
    let call = enableSessionsCall { sessions: vec![first] };
    let receipt = transact(&chain, ACCOUNT, SMART_SESSION, &call.abi_encode().into()).await;
    let expected = vec![policy.clone(), permit.clone(), validator.clone(), created];
    assert_eq!(topics(&receipt), expected);

    let second = session(2, vec![action(TARGET, PING, vec![sudo()])]);
    let granted = grant(&chain, &second).await;
    let (operation, _) = enabling(&chain, &granted, ping()).await;
    let receipt = handle(&chain, &operation).await.expect("included");
    assert_eq!(topics(&receipt), [policy, permit, validator]);
    let permissionId = permission(&chain, &second).await;
    let ask = isPermissionEnabledCall { permissionId, account: ACCOUNT };
    assert_eq!(chain.call(BUNDLER, SMART_SESSION, &ask).await, Ok(true));
    let remove = removeSessionCall { permissionId };
    let receipt = transact(&chain, ACCOUNT, SMART_SESSION, &remove.abi_encode().into()).await;
    assert!(topics(&receipt).contains(&named("SessionRemoved(bytes32,address)")));
    let revoke = revokeEnableSignatureCall { permissionId };
    let receipt = transact(&chain, ACCOUNT, SMART_SESSION, &revoke.abi_encode().into()).await;
    assert_eq!(topics(&receipt), [named("NonceIterated(bytes32,address,uint256)")]);
}

/// What an ENABLE signature unpacks to comes from a stranger.
#[tokio::test]
async fn malformed_grants_are_refused_and_cost_no_more_than_their_gas() {
    let chain = with_account().await;
    let session = session(1, vec![action(TARGET, PING, vec![sudo()])]);
    let (good, hash) = enabling(&chain, &grant(&chain, &session).await, ping()).await;
    let refused = async |signature: Vec<u8>| {
        let operation = PackedUserOperation { signature: signature.into(), ..good.clone() };
        let call = validateUserOpCall { userOp: operation, userOpHash: hash }.abi_encode().into();
        chain.call_data(ACCOUNT, SMART_SESSION, &call, None).await.expect_err("refused")
    };
    let malformed = Bytes::from(selector("MalformedCompression()"));
    // ends within literals, within a match; points before the start; unpacks to far too much
    let bomb: Vec<u8> = [&[1, 0, 0][..], &[0xe0, 0xff, 0].repeat(600)].concat();
    for signature in
        [vec![1, 31], vec![1, 0, 0, 0x20], vec![1, 0, 0, 0xe0], vec![1, 0x20, 0], vec![1, 0, 7, 0x20, 9], bomb]
    {
        assert_eq!(refused(signature.clone()).await, malformed, "{}", Bytes::from(signature));
    }
    // sound, but not a grant
    refused(vec![1]).await;
    refused(vec![1, 0, 0]).await;
    for cut in [40, 200, 400] {
        refused(good.signature[..good.signature.len() - cut].to_vec()).await;
    }
    assert_eq!(validate(&chain, &good, hash).await, no_end());
    let stranger = Address::repeat_byte(9);
    let call = validateUserOpCall { userOp: good.clone(), userOpHash: hash }.abi_encode().into();
    let not_its_own = chain.call_data(stranger, SMART_SESSION, &call, None).await;
    assert_eq!(not_its_own.map(|_| U256::ZERO), error("InvalidUserOpSender(address)", ACCOUNT.abi_encode()));
}
