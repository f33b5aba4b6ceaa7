//! On the real lab: what is paid in a token is settled in the ledger with what the contract took.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Bytes, address},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use use_aa::{
    actions::{
        account::SmartAccountClient,
        options::BuildUserOpOptions,
        send_gas_token_transaction::{TokenParam, send_gas_token_transaction},
        token::balance_of,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::{relay_native::HttpRelay, wallet::local::LocalWallet},
    protocol::addresses::DEMO_TOKEN,
};

use super::*;

/// Account 2 of the test mnemonic, which anvil signs for.
const FAUCET: Address = address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");

sol! {
    function mint(address to, uint256 value);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_paymaster_took_is_in_the_ledger() {
    let (_folder, url, server) = settling::lab_server().await;
    let relay = Rc::new(HttpRelay::new(&server.url).unwrap());
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), CHAIN));
    let client = SmartAccountClient::new(wallet, relay.clone());
    let given = U256::from(100_000_000);
    let rpc = common::lab().await.info().rpc_url.expose().to_string();
    let data = Bytes::from(mintCall { to: client.account, value: given }.abi_encode());
    common::rpc(&rpc, "eth_sendTransaction", json!([{"from": FAUCET, "to": DEMO_TOKEN, "data": data}])).await;
    let begun = Instant::now();
    while balance_of(relay.as_ref(), DEMO_TOKEN, client.account).await.unwrap() != given {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let mut mint = vec![0x40, 0xd0, 0x97, 0xc3];
    mint.extend(client.account.into_word());
    let call = Call { to: DEMO_NFT, value: U256::ZERO, data: mint.into() };
    let (token, none) = (TokenParam::from(DEMO_TOKEN), BuildUserOpOptions::default());
    let sent = send_gas_token_transaction(&client, &[call], &token, &none).await.unwrap();
    let receipt = wait_for_user_operation_receipt(relay.as_ref(), sent.user_op_hash, |_| {}).await.unwrap();
    let taken = given - balance_of(relay.as_ref(), DEMO_TOKEN, client.account).await.unwrap();

    let settled = settling::row(&url, &json!(sent.user_op_hash), "settled").await;
    assert_eq!((settled.mode.as_str(), settled.actual_cost), ("ERC20", Some(receipt.actual_gas_cost.to_string())));
    assert_eq!((settled.token, settled.charged), (Some(format!("{DEMO_TOKEN:#x}")), Some(taken.to_string())));
    assert_eq!(used_gwei(&url).await, 0, "no budget paid for it");
}
