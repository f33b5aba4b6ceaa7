//! Vectors 17 and 18: our Smart Sessions answers as the public one did, revert data included.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256},
    sol_types::{SolCall, SolValue},
};
use serde_json::Value;
use use_aa::lab::contracts::nexus::{
    ERC20_SPENDING_LIMIT_POLICY, OWNER_VALIDATOR, SMART_SESSION, SUDO_POLICY, TIME_FRAME_POLICY, UNI_ACTION_POLICY,
    USAGE_LIMIT_POLICY, VALUE_LIMIT_POLICY,
};

use super::{
    super::{
        abi::{list, parse, vectors},
        chain::{Chain, selector},
    },
    abi::*,
    world::{ACCOUNT, BUNDLER, OWNER, back_to, hash_of, place_account, run, snapshot, validate, with_account},
};

#[tokio::test]
async fn ids_digests_and_interfaces_of_vectors_17_are_the_modules() {
    let chain = with_account().await;
    let file = vectors("17_smart_sessions.json");
    for case in list(&file, "cases") {
        let (session, account): (Session, Address) = (session(&case["session"]), parse(&case["account"]));
        let output = &case["output"];
        let permission: B256 = parse(&output["permissionId"]);
        let ask = getPermissionIdCall { session: session.clone() };
        assert_eq!(chain.call(BUNDLER, SMART_SESSION, &ask).await, Ok(permission), "{}", case["name"]);
        for (mode, digest) in [(1, "sessionDigestEnable"), (2, "sessionDigestUnsafeEnable")] {
            let ask = getSessionDigestCall { permissionId: permission, account, data: session.clone(), mode };
            assert_eq!(chain.call(BUNDLER, SMART_SESSION, &ask).await, Ok(parse(&output[digest])), "{}", case["name"]);
        }
        let enable = enableSessionsCall { sessions: vec![session] }.abi_encode();
        assert_eq!(Bytes::from(enable), parse::<Bytes>(&output["enableSessionsCallData"]), "{}", case["name"]);
    }
    let policies = [
        ("SudoPolicy", SUDO_POLICY),
        ("TimeFramePolicy", TIME_FRAME_POLICY),
        ("UniActionPolicy", UNI_ACTION_POLICY),
        ("UsageLimitPolicy", USAGE_LIMIT_POLICY),
        ("ValueLimitPolicy", VALUE_LIMIT_POLICY),
        ("ERC20SpendingLimitPolicy", ERC20_SPENDING_LIMIT_POLICY),
    ];
    for (interface, answers) in file["interfaceIds"].as_object().unwrap() {
        for (name, policy) in policies {
            let ask = supportsInterfaceCall { interfaceID: parse(&answers["id"]) };
            let answer = chain.call(BUNDLER, policy, &ask).await;
            assert_eq!(answer, Ok(answers[name].as_bool().unwrap()), "{name}: {interface}");
        }
    }
    // whatever a vector calls by name is there: a selector that is missing reverts with nothing
    let left_out = ["areERC1271PoliciesEnabled", "ERC7739Content", "disableERC1271Policies", "enableERC1271Policies"];
    let code = chain.code(SMART_SESSION).await;
    for (function, id) in file["moduleFunctions"].as_object().unwrap() {
        let id: FixedBytes<4> = parse(id);
        assert_eq!(selector(function), id.0, "{function}");
        let there = code.windows(5).any(|part| part[0] == 0x63 && part[1..] == id.0)
            || code.windows(4).any(|part| part[0] == 0x62 && id[0] == 0 && part[1..] == id[1..]);
        assert_eq!(there, !left_out.iter().any(|name| function.contains(name)), "{function}");
    }
}

#[tokio::test]
async fn every_case_of_vectors_18_gives_the_same_answers() {
    let chain = with_account().await;
    let file = vectors("18_smart_sessions_onchain.json");
    let mut fresh = snapshot(&chain).await;
    let (mut accepted, mut refused, mut reads) = (0, 0, 0);
    for case in list(&file, "cases") {
        let name = format!("{}: {}", case["group"], case["name"]);
        assert_eq!(parse::<Address>(&case["account"]), ACCOUNT, "{name}");
        back_to(&chain, &mut fresh).await;
        let session = session(&case["session"]);
        if case["enableSessions"].is_object() {
            let call = enableSessionsCall { sessions: vec![session] }.abi_encode().into();
            let answer = run(&chain, ACCOUNT, SMART_SESSION, &call).await;
            assert_eq!(answer.map(drop), expected(&case["enableSessions"]), "{name}: enable");
        }
        for step in case["steps"].as_array().unwrap() {
            match step["step"].as_str().unwrap() {
                "validateUserOp" => {
                    let operation = packed(&step["userOp"], &file["commonGasFields"]);
                    let hash = hash_of(&chain, &operation).await;
                    assert_eq!(hash, parse::<B256>(&step["userOpHash"]), "{name}");
                    let answer = validate(&chain, &operation, hash).await;
                    let data = &step["validationData"];
                    let wanted = if data.is_string() { Ok(parse(data)) } else { Err(parse(&step["revertData"])) };
                    assert_eq!(answer, wanted, "{name}: {}", step["calls"]);
                    if answer.is_ok() { accepted += 1 } else { refused += 1 }
                }
                "account calls the module" => {
                    let answer = run(&chain, ACCOUNT, SMART_SESSION, &parse(&step["data"])).await;
                    assert_eq!(answer.map(drop), expected(step), "{name}: {}", step["function"]);
                }
                "read" => {
                    read(&chain, case, step, &name).await;
                    reads += 1;
                }
                other => panic!("{name}: unknown step {other}"),
            }
        }
    }
    assert_eq!((accepted, refused, reads), (75, 74, 10));
}

fn expected(step: &Value) -> Result<(), Bytes> {
    if step["accepted"] == true { Ok(()) } else { Err(parse(&step["revertData"])) }
}

/// Asks for what a step of vectors 18 read: of the session's first action, unless it names something of the account.
async fn read(chain: &Chain, case: &Value, step: &Value, name: &str) {
    let permission: B256 = parse(&case["permissionId"]);
    let action = &case["session"]["actions"][0];
    let target: Address = parse(&action["actionTarget"]);
    let action = keccak256([target.as_slice(), &parse::<Bytes>(&action["actionTargetSelector"])].concat());
    let config = keccak256([ACCOUNT.as_slice(), keccak256([permission, action].concat()).as_slice()].concat());
    let policy = if case["group"] == "ValueLimit" { VALUE_LIMIT_POLICY } else { USAGE_LIMIT_POLICY };
    let of_config = (config, SMART_SESSION, ACCOUNT).abi_encode();
    let what = step["what"].as_str().unwrap();
    let (to, function, arguments) = match what {
        "getUsed" => (policy, "getUsed(bytes32,address,address)", of_config),
        "getUsageLimit" => (policy, "getUsageLimit(bytes32,address,address)", of_config),
        "getValueLimit" => (policy, "getValueLimit(bytes32,address,address)", of_config),
        "getPolicyData (limit, spent, approved)" => {
            let arguments = (config, SMART_SESSION, target, ACCOUNT).abi_encode();
            (ERC20_SPENDING_LIMIT_POLICY, "getPolicyData(bytes32,address,address,address)", arguments)
        }
        "isPermissionEnabled" => {
            (SMART_SESSION, "isPermissionEnabled(bytes32,address)", (permission, ACCOUNT).abi_encode())
        }
        "getNonce" => (SMART_SESSION, "getNonce(bytes32,address)", (permission, ACCOUNT).abi_encode()),
        "getPermissionIDs" => (SMART_SESSION, "getPermissionIDs(address)", ACCOUNT.abi_encode()),
        other => panic!("{name}: unknown read {other}"),
    };
    let data = [selector(function).to_vec(), arguments].concat().into();
    let answer = chain.call_data(BUNDLER, to, &data, None).await.unwrap();
    let number = |text: &Value| text.as_str().unwrap().parse::<U256>().unwrap();
    let wanted = match &step["result"] {
        Value::Array(ids) if what == "getPermissionIDs" => {
            ids.iter().map(parse::<B256>).collect::<Vec<_>>().abi_encode()
        }
        Value::Array(numbers) => numbers.iter().flat_map(|text| number(text).to_be_bytes::<32>()).collect(),
        Value::String(text) if text == "true" || text == "false" => (text == "true").abi_encode(),
        text => number(text).abi_encode(),
    };
    assert_eq!(answer, Bytes::from(wanted), "{name}: {what}");
}

/// The public K1 validator refuses the first of them, a plain signature of a sender that it does not know. Ours takes
/// plain ones from anybody, as the document says, and the nested form (ERC-7739) like the public one.
#[tokio::test]
async fn grants_for_the_k1_validator_are_good_for_ours() {
    let chain = with_account().await;
    let file = vectors("18_smart_sessions_onchain.json");
    let k1: Address = "0x0000002D6DB27c52E3C11c1Cf24072004AC75cBa".parse().unwrap();
    let code = chain.code(OWNER_VALIDATOR).await;
    chain.rpc("anvil_setCode", serde_json::json!([k1, code])).await.unwrap();
    let mut fresh = snapshot(&chain).await;
    for case in list(&file, "k1ValidatorGrants") {
        back_to(&chain, &mut fresh).await;
        let safe_sender = case["installed"] != "owner only";
        let owner_data = [OWNER.as_slice(), if safe_sender { SMART_SESSION.as_slice() } else { &[] }].concat();
        place_account(&chain, parse(&case["account"]), k1, owner_data).await;
        let operation = packed(&case["userOp"], &Value::Null);
        let hash = hash_of(&chain, &operation).await;
        assert_eq!(hash, parse::<B256>(&case["userOpHash"]));
        let no_end = U256::from((1_u64 << 48) - 1) << 160;
        assert_eq!(validate(&chain, &operation, hash).await, Ok(no_end), "{}", case["grant"]);
    }
}
