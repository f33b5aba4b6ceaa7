//! On the real lab, entry point v0.7: gas that is asked for and not used, which is charged for by a tenth; and code of the
//! account's own, which runs beside the calls.

use alloy::{
    primitives::{Bytes, address, b256, bytes},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use use_aa::{
    lab::contracts::nexus::TOKEN_PAYMASTER_V07,
    protocol::{
        abi::IErc20,
        addresses::DEMO_TOKEN,
        entry_point::{EntryPoint, EntryPointEvent, UserOperation},
        nexus::{ModuleType, install_module},
    },
};

use super::*;
use common::nexus::{NexusOwner, put};
use nexus::{done, mint_nft, sent, sponsor};

/// Account 2 of the test mnemonic, which anvil signs for.
const ROBBER: Address = address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
/// Takes 700,000 gas while its first word of storage is zero, and nothing after.
const BURNS: Bytes = bytes!("5f5460135762006978" "5b600190038060095700" "5b00");
/// Says yes to whatever it is asked.
const YES: Bytes = bytes!("60015f5260205ff3");
/// A hook that lets everything pass: true to 36 bytes (`isModuleType`), no bytes to all other calls (`preCheck`).
const HOOK: Bytes = bytes!("601f60243614026020035f5260405ff3");
const IMPLEMENTATION_SLOT: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");

async fn rpc(method: &str, params: Value) -> Value {
    common::rpc(common::lab().await.info().rpc_url.expose().as_str(), method, params).await
}

async fn contract(code: Bytes) -> Address {
    let at = PrivateKeySigner::random().address();
    rpc("anvil_setCode", json!([at, code])).await;
    at
}

async fn server_of(caps: &str) -> (tempfile::TempDir, String, Server) {
    let text = format!(
        "targets = [{{address = \"*\"}}]\n[budgets]\naccount_per_day = \"10 ether\"\nglobal_per_day = \"50 ether\"\n{caps}"
    );
    let (folder, url, state) = settling::lab_state(|config| config.sponsor_policy = Some(policy(&text))).await;
    (folder, url, Server::start_with(state).await)
}

/// Bundles it himself: the gas that was paid for, and how much more that is than he had to spend.
async fn bundled(operation: UserOperation) -> (u64, i64) {
    let hash = operation.hash(CHAIN);
    let data = EntryPoint::V07.handle_ops(vec![operation], ROBBER).unwrap();
    let transaction = json!({"from": ROBBER, "to": EntryPoint::V07.address(), "data": data, "gas": "0x3d0900"});
    let transaction = rpc("eth_sendTransaction", json!([transaction])).await;
    let begun = std::time::Instant::now();
    let receipt = loop {
        match rpc("eth_getTransactionReceipt", json!([transaction])).await {
            Value::Null => assert!(begun.elapsed().as_secs() < 20),
            receipt => break receipt,
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let topics = [json!(EntryPointEvent::USER_OPERATION), json!(hash)];
    let logs = receipt["logs"].as_array().unwrap();
    let log = logs.iter().find(|log| log["topics"].as_array().unwrap().starts_with(&topics)).expect("it was executed");
    let data: Bytes = serde_json::from_value(log["data"].clone()).unwrap();
    let paid = U256::from_be_slice(&data[96..]).to::<u64>();
    let spent = serde_json::from_value::<U256>(receipt["gasUsed"].clone()).unwrap().to::<u64>();
    (paid, paid.cast_signed() - spent.cast_signed())
}

/// The twin of `robbery.rs`: the robber has the limits estimated over code that burns gas until he bundles it himself. His
/// account is there already and does nothing: no operation burns less. 13,000 gas of it are `preVerificationGas`.
#[tokio::test(flavor = "multi_thread")]
async fn gas_that_is_only_used_in_estimates_is_bounded_cash() {
    let (_folder, _, lab_server) = settling::lab_server().await;
    let owner = NexusOwner::new().await;
    done(&lab_server, &owner, &[mint_nft(owner.account)]).await;
    // How much of what is paid, per cent: by default, with a tenth of that, and where next to nothing may be left.
    let [some, little] = ["[caps]\nunused_call_gas = 10_000", "[caps]\nunused_call_gas = 3_000"];
    for (caps, most, share) in [("", 1_500_000_u64, 62), (some, 100_000, 20), (little, 30_000, 15)] {
        let (_folder, _, server) = server_of(caps).await;
        for calculates in [false, true] {
            let target = contract(BURNS).await;
            let burn = Call { to: target, value: U256::ZERO, data: Bytes::new() };
            let mut operation = owner.prepare(std::slice::from_ref(&burn)).await;
            let context = json!({"mode": "SPONSORED", "calculateGasLimits": calculates});
            let ask = async |operation: &UserOperation| {
                let arguments = json!({"user_operation": operation, "context": context});
                server.call("sponsor_user_operation", &arguments).await
            };
            if !calculates {
                operation.verification_gas_limit = U256::from(200_000);
                operation.pre_verification_gas = U256::from(59_000);
                operation.call_gas_limit = U256::from(most + 10);
                let (status, refused) = ask(&operation).await;
                assert_eq!(status, 403, "{refused}");
                assert!(refused["reason"].as_str().unwrap().contains("caps.unused_call_gas"), "{refused}");
                operation.call_gas_limit = U256::from(most);
            }
            let (status, answer) = ask(&operation).await;
            if calculates && most < 700_000 {
                // Also what was found here.
                assert_eq!(status, 403, "{answer}");
                assert!(answer["reason"].as_str().unwrap().contains("caps.unused_call_gas"), "{answer}");
                continue;
            }
            assert_eq!(status, 200, "{answer}");
            put(&mut operation, &answer);
            owner.sign(&mut operation);
            rpc("anvil_setStorageAt", json!([target, B256::ZERO, B256::with_last_byte(1)])).await;
            let asked = operation.call_gas_limit;
            let (paid, earned) = bundled(operation).await;
            println!("call gas {asked}: paid {paid} gas, earned {earned}");
            assert!(earned * 100 < paid.cast_signed() * share, "he earned {earned} of {paid}");
        }
    }
    // The honest have a large batch paid by the default.
    let (_folder, _, server) = server_of("").await;
    done(&server, &owner, &vec![mint_nft(owner.account); 20]).await;
}

/// Targets bind what the account is told to call, and only a known account calls just that.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_runs_beside_its_calls_is_not_paid_for() {
    let (_folder, _, server) = settling::lab_server().await;
    let [hooked, foreign] = [NexusOwner::new().await, NexusOwner::new().await];
    for owner in [&hooked, &foreign] {
        // Not there yet, and there: both are honest.
        for _ in 0..2 {
            done(&server, owner, &[mint_nft(owner.account)]).await;
        }
    }
    let refused = async |owner: &NexusOwner, why: &str| {
        let (status, refused) = sponsor(&server, &owner.prepare(&[mint_nft(owner.account)]).await).await;
        assert_eq!((status, &refused["error"]), (403, &json!("SponsorshipRefused")), "{refused}");
        assert!(refused["reason"].as_str().unwrap().contains(why), "{refused}");
    };
    let given = U256::from(100_000_000);
    let approve = IErc20::approveCall { spender: TOKEN_PAYMASTER_V07, amount: given };
    let approve = Call { to: DEMO_TOKEN, value: U256::ZERO, data: approve.abi_encode().into() };
    done(&server, &hooked, &[approve]).await;
    let data = Bytes::from(nexus::mintCall { to: hooked.account, value: given }.abi_encode());
    rpc("eth_sendTransaction", json!([{"from": ROBBER, "to": DEMO_TOKEN, "data": data}])).await;
    let hook = contract(HOOK).await;
    hooked.fund().await;
    let mut install = hooked.prepare(&[install_module(hooked.account, ModuleType::Hook, hook, Bytes::new())]).await;
    let (status, gas) = server.call("estimate_user_operation_gas", &json!({"user_operation": install})).await;
    assert_eq!(status, 200, "{gas}");
    put(&mut install, &gas);
    hooked.sign(&mut install);
    assert_eq!(sent(&server, &install).await.1["status"], "confirmed");
    refused(&hooked, &format!("has the hook {hook}")).await;
    // What it pays for itself is its own business: nothing is advanced.
    let mut own = hooked.prepare(&[mint_nft(hooked.account)]).await;
    let context = json!({"mode": "ERC20", "calculateGasLimits": true, "tokenInfo": {"feeTokenAddress": DEMO_TOKEN}});
    let (status, signed) =
        server.call("sponsor_user_operation", &json!({"user_operation": own, "context": context})).await;
    assert_eq!(status, 200, "{signed}");
    put(&mut own, &signed);
    hooked.sign(&mut own);
    assert_eq!(sent(&server, &own).await.1["status"], "confirmed");

    let implementation = contract(YES).await;
    let slot = json!([foreign.account, IMPLEMENTATION_SLOT, implementation.into_word()]);
    rpc("anvil_setStorageAt", slot).await;
    refused(&foreign, &format!("runs {implementation}")).await;
    rpc("anvil_setCode", json!([foreign.account, YES])).await;
    refused(&foreign, "is no Nexus account").await;
}
