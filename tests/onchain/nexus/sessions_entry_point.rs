//! Vectors 18, the whole way: real accounts, the real EntryPoint, our session module.

use alloy::{
    primitives::{Address, B256, Bytes},
    sol_types::{SolCall, SolEvent},
};
use serde_json::{Value, json};
use use_aa::lab::contracts::nexus::{ENTRY_POINT_V07, SMART_SESSION};

use super::{
    super::abi::{list, parse, vectors},
    abi::*,
    world::{ACCOUNT, BUNDLER, back_to, hash_of, snapshot, transact, with_account},
};

#[tokio::test]
async fn operations_of_vectors_18_end_the_same_way_at_the_entry_point() {
    let chain = with_account().await;
    let file = vectors("18_smart_sessions_onchain.json");
    let mut fresh = snapshot(&chain).await;
    for case in list(&file, "entryPointCases") {
        back_to(&chain, &mut fresh).await;
        let steps = list(case, "steps");
        let carries_grant = parse::<Bytes>(&steps[0]["userOp"]["signature"])[0] != 0;
        if !carries_grant {
            let call = enableSessionsCall { sessions: vec![session(&case["session"])] };
            transact(&chain, ACCOUNT, SMART_SESSION, &call.abi_encode().into()).await;
        }
        for step in steps {
            let label = format!("{}: {}", case["name"], step["label"]);
            let operation = packed(&step["userOp"], &Value::Null);
            assert_eq!(hash_of(&chain, &operation).await, parse::<B256>(&step["userOpHash"]), "{label}");
            let call = handleOpsCall { ops: vec![operation], beneficiary: BUNDLER }.abi_encode().into();
            let time = step["blockTimestamp"].as_u64();
            let answer = chain.call_data(BUNDLER, ENTRY_POINT_V07, &call, time).await;
            if step["included"] == false {
                assert_eq!(answer, Err(parse(&step["revertData"])), "{label}");
                continue;
            }
            assert!(answer.is_ok(), "{label}: {answer:?}");
            if let Some(time) = time {
                chain.rpc("evm_setNextBlockTimestamp", json!([time])).await.unwrap();
            }
            let receipt = transact(&chain, BUNDLER, ENTRY_POINT_V07, &call).await;
            let logs: Vec<&Value> = receipt["logs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|log| parse::<Address>(&log["address"]) == ENTRY_POINT_V07)
                .collect();
            if let Some(topics) = step["entryPointTopics"].as_array() {
                let seen: Vec<&Value> = logs.iter().map(|log| &log["topics"][0]).collect();
                assert_eq!(seen, topics.iter().collect::<Vec<_>>(), "{label}");
            }
            let event = logs.last().unwrap();
            let data: Bytes = parse(&event["data"]);
            let event = UserOperationEvent::abi_decode_data(&data).unwrap();
            assert_eq!(event.1, step["success"].as_bool().unwrap(), "{label}");
        }
    }
}
