//! The contracts against the oracle: every vector that names an on-chain answer, on a real anvil. Beside it (in
//! `onchain/`) the rules of account and paymasters, and whole operations through the EntryPoint.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]
// the contracts' own names
#![allow(non_snake_case)]

#[path = "onchain/abi.rs"]
mod abi;
#[path = "onchain/account.rs"]
mod account;
#[path = "onchain/chain.rs"]
mod chain;
#[path = "onchain/differential.rs"]
mod differential;
#[path = "onchain/fixtures.rs"]
mod fixtures;
#[path = "onchain/nexus/mod.rs"]
mod nexus;
#[path = "onchain/operations.rs"]
mod operations;
#[path = "onchain/paymasters.rs"]
mod paymasters;
#[path = "onchain/random_policies.rs"]
mod random_policies;

use abi::*;
use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, b256, eip191_hash_message, keccak256},
    sol_types::{SolCall, SolValue},
};
use chain::{CHAIN_ID, Chain, Failure};
use fixtures::*;
use serde_json::{Value, json};
use use_aa::{
    lab::contracts::place,
    protocol::addresses::{
        ACCOUNT_FACTORY, BATCHED_SESSION_ROUTER, ECDSA_MODULE, ENTRY_POINT, FALLBACK_HANDLER, MULTICHAIN_MODULE,
        SESSION_KEY_MANAGER,
    },
};

#[tokio::test]
async fn placing_twice_changes_nothing_and_leaves_code_everywhere() {
    let chain = Chain::start().await;
    assert_eq!(chain.placed.chain_id, CHAIN_ID);
    println!("placed {} contracts in {:?}", chain.placed.contracts.len(), chain.placed.took);
    let block = chain.rpc("eth_blockNumber", json!([])).await;
    let mut before = Vec::new();
    for (_, address) in &chain.placed.contracts {
        before.push(keccak256(chain.code(*address).await));
    }
    let again = place(&chain.url, chain::root()).await.unwrap();
    assert_eq!(again.contracts, chain.placed.contracts);
    assert_eq!(chain.rpc("eth_blockNumber", json!([])).await, block, "no transaction was sent");
    for ((name, address), before) in chain.placed.contracts.iter().zip(before) {
        assert_eq!(keccak256(chain.code(*address).await), before, "{name}");
    }
}

#[tokio::test]
async fn addresses_of_vectors_05_come_out_of_the_factory() {
    let chain = Chain::start().await;
    let creation_code = chain.call(STRANGER, ACCOUNT_FACTORY, &accountCreationCodeCall {}).await.unwrap();
    let expected = b256!("b9231a15257f6be69c9afc3df98ae82ab64da5e3e39b8364f52eebaab321342c");
    assert_eq!((creation_code.len(), keccak256(&creation_code)), (288, expected));
    assert_eq!(chain.call(STRANGER, ACCOUNT_FACTORY, &minimalHandlerCall {}).await, Ok(FALLBACK_HANDLER));

    let file = vectors("05_counterfactual_addresses.json");
    for case in list(&file, "cases") {
        let (owner, address): (Address, Address) = (parse(&case["owner"]), parse(&case["address"]));
        let (module, setupData): (Address, Bytes) = (parse(&case["module"]), parse(&case["moduleSetupData"]));
        let index = U256::from(case["index"].as_u64().unwrap());
        let question = getAddressForCounterFactualAccountCall { module, setupData: setupData.clone(), index };
        assert_eq!(chain.call(STRANGER, ACCOUNT_FACTORY, &question).await, Ok(address));
        let deploy = deployCounterFactualAccountCall { module, setupData, index };
        if !case["factoryData"].is_null() {
            assert_eq!(Bytes::from(deploy.abi_encode()), parse::<Bytes>(&case["factoryData"]));
        }
        chain.send(STRANGER, ACCOUNT_FACTORY, &deploy).await;
        assert_eq!(chain.call(STRANGER, module, &getOwnerCall { smartAccount: address }).await, Ok(owner));
        assert_eq!(chain.call(STRANGER, address, &isModuleEnabledCall { module }).await, Ok(true));
        let again = chain.call(STRANGER, ACCOUNT_FACTORY, &deploy).await;
        assert_eq!(again, Err(Failure::Text("Create2 call failed".to_owned())));
    }
    for pair in list(&file, "knownPairsFromSdkTests") {
        let question = getAddressForCounterFactualAccountCall {
            module: ECDSA_MODULE,
            setupData: owner_setup(parse(&pair["owner"])),
            index: U256::from(pair["index"].as_u64().unwrap()),
        };
        assert_eq!(chain.call(STRANGER, ACCOUNT_FACTORY, &question).await, Ok(parse(&pair["address"])));
    }
}

#[tokio::test]
async fn checks_of_vectors_13_give_the_same_answers() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]).await;
    let default = chain.code(SESSION_KEY_MANAGER).await;
    let file = vectors("13_onchain_checks.json");
    for (manager, result) in MANAGERS {
        set_manager(&chain, manager).await;
        let is_default = chain.code(SESSION_KEY_MANAGER).await == default;
        assert_eq!(is_default, manager == "SessionKeyManager", "the lab's default is source 1.0.0");
        let mut root = B256::ZERO;
        for case in list(&file, "cases") {
            let wanted = parse(&case["rootOnChain"]);
            if wanted != root {
                set_root(&chain, wanted).await;
                root = wanted;
            }
            let userOp = user_operation(&case["userOp"], None);
            let hash = parse(&case["userOpHash"]);
            let hashed = chain.call(STRANGER, ENTRY_POINT, &getUserOpHashCall { userOp: userOp.clone() }).await;
            assert_eq!(hashed, Ok(hash));
            let expected = &case[result];
            let expected = match (&expected["revertError"], &expected["revertData"]) {
                (Value::String(error), _) if error == "Error" => Err(Failure::Text(parse(&expected["args"][0]))),
                (Value::Null, data @ Value::String(_)) => Err(Failure::Data(parse(data))),
                (Value::Null, Value::Null) => Ok(Verdict::from_vector(expected)),
                other => panic!("unknown answer {other:?}"),
            };
            assert_eq!(validate(&chain, &userOp, hash).await, expected, "{manager}: {}", case["name"]);
        }
    }
}

#[tokio::test]
async fn session_signatures_of_vectors_07_and_08_are_accepted() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]).await;
    let files = ["07_skm_signatures.json", "08_batched_router_signatures.json"];
    for (file, (manager, _)) in files.into_iter().flat_map(|file| MANAGERS.map(|manager| (file, manager))) {
        set_manager(&chain, manager).await;
        let file = vectors(file);
        for case in list(&file, "cases") {
            set_root(&chain, parse(&case["merkleRoot"])).await;
            let output = &case["output"];
            let hash = parse(&output["userOpHash"]);
            let expected = Verdict::from_vector(&case["onChain"]);
            let operation = user_operation(&case["userOp"], Some(parse(&output["signature"])));
            assert_eq!(validate(&chain, &operation, hash).await, Ok(expected), "{}", case["name"]);
            // the dummy for estimation fails without a revert
            let dummy = user_operation(&case["userOp"], Some(parse(&output["dummySignature"])));
            let verdict = validate(&chain, &dummy, hash).await.expect("no revert");
            assert_eq!(verdict.aggregator, SENTINEL, "{}", case["name"]);
        }
    }
}

#[tokio::test]
async fn owner_signatures_of_vectors_06_and_12_are_accepted() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[]).await;
    let file = vectors("06_account_calls_and_signatures.json");
    let named = |name: &str| list(&file, "cases").iter().find(|case| case["name"].as_str() == Some(name)).unwrap();

    let case = named("ecdsa signature of userOpHash, wrapped");
    let (hash, signature): (B256, Bytes) = (parse(&case["input"]["userOpHash"]), parse(&case["output"]));
    let operation = |sender, signature: Bytes| UserOperation { sender, signature, ..empty_operation() };
    let accepted = Ok(Verdict::new(0, 0, 0));
    assert_eq!(validate(&chain, &operation(ACCOUNT, signature.clone()), hash).await, accepted);
    let failed = Ok(Verdict::new(1, 0, 0));
    assert_eq!(validate(&chain, &operation(ACCOUNT, signature.clone()), B256::ZERO).await, failed);

    // ERC-1271: valid for what was signed, invalid for another hash
    let ask = |dataHash| isValidSignatureCall { dataHash, signature: signature.clone() };
    assert_eq!(chain.call(STRANGER, ACCOUNT, &ask(hash)).await, Ok(FixedBytes([0x16, 0x26, 0xba, 0x7e])));
    assert_eq!(chain.call(STRANGER, ACCOUNT, &ask(B256::ZERO)).await, Ok(FixedBytes([0xff; 4])));

    // the ERC-6492 signature of "hello": without its deployment part it is an ordinary one
    let case = named("signMessage(\"hello\") undeployed (ERC-6492)");
    let wrapped = parse::<Bytes>(&case["output"]);
    let (_, _, inner) = <(Address, Bytes, Bytes)>::abi_decode_params(&wrapped[..wrapped.len() - 32]).unwrap();
    let ask = isValidSignatureCall { dataHash: eip191_hash_message("hello"), signature: inner };
    assert_eq!(chain.call(STRANGER, ACCOUNT, &ask).await, Ok(FixedBytes([0x16, 0x26, 0xba, 0x7e])));

    let deploy =
        deployCounterFactualAccountCall { module: MULTICHAIN_MODULE, setupData: owner_setup(OWNER), index: U256::ZERO };
    let account = chain.call(STRANGER, ACCOUNT_FACTORY, &deploy).await.unwrap();
    chain.send(STRANGER, ACCOUNT_FACTORY, &deploy).await;
    let file = vectors("12_multichain_signatures.json");
    for case in list(&file, "cases") {
        for (op, signature) in list(case, "ops").iter().zip(list(case, "signatures")) {
            let seconds = |field: &str| op[field].as_u64().unwrap();
            let until = if seconds("validUntil") == 0 { (1 << 48) - 1 } else { seconds("validUntil") };
            let expected = Ok(Verdict::new(0, until, seconds("validAfter")));
            let operation = operation(account, parse(signature));
            assert_eq!(validate(&chain, &operation, parse(&op["userOpHash"])).await, expected, "{}", case["name"]);
            let foreign = validate(&chain, &operation, B256::ZERO).await;
            assert_eq!(foreign, Err(Failure::Text("Invalid UserOp".to_owned())));
        }
    }
}

#[tokio::test]
async fn contracts_are_placed_on_a_node_that_mines_only_when_asked() {
    let chain = Chain::start_with(&["--no-mining"]).await;
    let code = chain.rpc("eth_getCode", json!([use_aa::protocol::addresses::SESSION_KEY_MANAGER, "latest"])).await;
    assert!(code.unwrap().as_str().unwrap().len() > 2);
}
