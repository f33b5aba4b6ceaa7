//! Operations of entry point v0.7 through relay, watcher and look-up: a Nexus account on the lab.

use alloy::primitives::FixedBytes;
use use_aa::protocol::{
    nexus::NonceKey,
    smart_sessions::{addresses::SMART_SESSION, stub_use},
};

use super::*;
use common::nexus::{NexusOwner, put};

fn mint(to: Address) -> Call {
    Call { to: DEMO_NFT, value: U256::ZERO, data: safeMintCall { to }.abi_encode().into() }
}

async fn estimate(server: &Server, operation: &UserOperation) -> (u16, Value) {
    server.call("estimate_user_operation_gas", &json!({"user_operation": operation})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nexus_account_is_created_used_and_told_of_by_every_server() {
    let server = server().await;
    let owner = NexusOwner::new().await;
    owner.fund().await;
    for calls in [vec![mint(owner.account)], vec![mint(owner.account), mint(owner.account)]] {
        let mut operation = owner.prepare(&calls).await;
        let (status, gas) = estimate(&server, &operation).await;
        assert_eq!(status, 200, "{gas}");
        assert!(gas.get("paymasterPostOpGasLimit").is_none(), "there is no paymaster: {gas}");
        put(&mut operation, &gas);
        let hash = owner.sign(&mut operation);
        let (status, sent) = send(&server, &operation).await;
        assert_eq!((status, &sent), (200, &json!(hash)), "{sent}");
        let lines = server.follow(&sent, PATIENCE).await;
        assert_eq!(states(&lines), ["submitted", "bundled", "included", "confirmed"]);
        let receipt = &lines[3].1["receipt"];
        assert_eq!((&receipt["success"], &receipt["sender"]), (&json!(true), &json!(owner.account)));
        // Whoever did not send it finds it in the blocks; whoever follows it, too.
        let other = super::server().await;
        let (status, told) = other.call("operation", &json!({"user_op_hash": hash})).await;
        assert_eq!((status, &told["status"]), (200, &json!("confirmed")), "{told}");
        assert_eq!(states(&other.follow(&sent, PATIENCE).await).last().unwrap(), "confirmed");
        // The same once more: its nonce is used.
        let (status, refused) = send(&server, &operation).await;
        assert_ne!(status, 200, "{refused}");
    }
    let data = Bytes::from(balanceOfCall { owner: owner.account }.abi_encode());
    assert_eq!(common::nexus::ask(DEMO_NFT, data).await, Bytes::from(B256::with_last_byte(3).0));

    let mut reverts = owner.prepare(&[mint(owner.account)]).await;
    let answer = estimate(&server, &reverts).await.1;
    put(&mut reverts, &answer);
    reverts.call_data = use_aa::protocol::nexus::encode_calls(&[Call {
        to: DEMO_NFT,
        value: U256::ZERO,
        data: noSuchFunctionCall {}.abi_encode().into(),
    }])
    .unwrap();
    let hash = owner.sign(&mut reverts);
    assert_eq!(send(&server, &reverts).await, (200, json!(hash)));
    let lines = server.follow(&json!(hash), PATIENCE).await;
    assert_eq!(states(&lines).last().unwrap(), "reverted", "{lines:?}");
}

/// What v0.7 tells as bytes is told in words, with the bundler's code; and what cannot be written down never leaves.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_v07_name_their_reason() {
    let server = server().await;
    let owner = NexusOwner::new().await;
    owner.fund().await;
    let mut operation = owner.prepare(&[mint(owner.account)]).await;
    let answer = estimate(&server, &operation).await.1;
    put(&mut operation, &answer);
    let hash = owner.sign(&mut operation);
    let honest = operation.clone();

    let stranger = alloy::signers::local::PrivateKeySigner::random();
    operation.signature = stranger.sign_message_sync(hash.as_slice()).unwrap().as_bytes().to_vec().into();
    let (status, refused) = send(&server, &operation).await;
    assert_ne!(status, 200);
    assert!(refused["message"].as_str().unwrap().contains("AA24"), "{refused}");
    assert_eq!(refused["code"], -32507, "{refused}");

    let huge = UserOperation { call_gas_limit: U256::from(1) << 120, ..honest.clone() };
    let (status, refused) = send(&server, &huge).await;
    assert_eq!((status, &refused["field"]), (400, &json!("user_operation.callGasLimit")), "{refused}");

    assert_eq!(send(&server, &honest).await, (200, json!(hash)), "the owner's own is taken");
    assert_eq!(states(&server.follow(&json!(hash), PATIENCE).await).last().unwrap(), "confirmed");

    // A session that was never enabled.
    let lane = NonceKey::new(SMART_SESSION, 0).unwrap();
    let mut session = owner.prepare_in(lane, &[mint(owner.account)]).await;
    session.signature = stub_use(FixedBytes::repeat_byte(7));
    let (status, refused) = estimate(&server, &session).await;
    assert_ne!(status, 200);
    assert!(refused["message"].as_str().unwrap().contains("InvalidPermissionId(0x0707"), "{refused}");
    assert!(refused["data"].as_str().unwrap().contains("526d0da5"), "the bytes are beside it: {refused}");
}
