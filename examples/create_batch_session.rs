//! Create a batch session, step by step, without hooks: one session key that may mint a demo NFT to the account and
//! pay somebody in a token, both in one operation, and nothing else.
//!
//! With `make run` in another window:
//!
//! ```text
//! cargo run --example create_batch_session --features ssr -- http://127.0.0.1:3000
//! ```
#![allow(missing_docs)]

use std::{error::Error, path::Path, rc::Rc};

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
    sol,
};
use use_aa::{
    actions::{
        account::SmartAccountClient, create_batch_session::CreateBatchSessionVariables, options::BuildUserOpOptions,
        ports::Relay, session_key::create_session_key_eoa, session_params::get_batch_session_tx_params,
    },
    client::{relay_native::HttpRelay, session_store::file::FileSessionStore, wallet::local::LocalWallet},
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::{
            Condition, Erc20Policy, Policy, PolicyHelpers, SessionPolicy, create_abi_session_datum,
            create_erc20_session_datum,
        },
        smart_account::Call,
    },
};

sol! {
    function safeMint(address to);
    function mint(address to, uint256 value);
    function transfer(address to, uint256 value) returns (bool);
}

/// Whoever is paid.
pub const PAID: Address = Address::repeat_byte(0xbe);
/// How much, in the token's smallest unit.
pub const PRICE: u64 = 250_000;

/// What happened, to be looked at on the chain.
pub struct Outcome {
    pub account: Address,
    pub transaction_hash: B256,
}

/// The tutorial, with a server at `url` and sessions kept in `folder`.
pub async fn tutorial(url: &str, folder: &Path) -> Result<Outcome, Box<dyn Error>> {
    // 1. The owner's client: a wallet, and the way to chain, bundler and paymaster. In a page the wallet is the
    //    person's; here a fresh key plays it. The account's address follows from the owner's.
    let relay = Rc::new(HttpRelay::new(url)?);
    let chain_id = relay.chain_info().await?.chain_id;
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), chain_id));
    let client = SmartAccountClient::new(wallet, relay);
    let account = client.get_account_address();
    println!("1. {account} is the smart account of {}", client.owner);

    // Something to pay with. The demo token gives itself to anybody; the app pays the gas, and the first operation
    // puts the account on the chain.
    let options = BuildUserOpOptions::default();
    let funding = Call::to(DEMO_TOKEN, &mintCall { to: account, value: U256::from(1_000_000) });
    let response = client.send_sponsored_transaction(&[funding], &options).await?;
    client.wait(&response).await?;

    // 2. Where sessions are kept, and a key for them. Whoever has this secret and the files can use the sessions:
    //    take it from a secret store. (Leave this step out and the grant makes its own key.)
    let secret = PrivateKeySigner::random().to_bytes().0;
    let client = client.with_sessions(Rc::new(FileSessionStore::open(folder, &secret)?));
    let session_key = create_session_key_eoa(client.store(), account).await?;
    println!("2. {session_key} is the session key");

    // 3. What it may do: one leaf for each call. The first is judged by rules on the call's arguments …
    let may_mint = create_abi_session_datum(Policy {
        session_key_address: Some(session_key),
        interval: PolicyHelpers::INDEFINITELY,
        value_limit: PolicyHelpers::NO_VALUE_LIMIT,
        ..Policy::new(DEMO_NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, account)?
    })?;
    //    … the second allows transfers of one token to one recipient, up to an amount each.
    let may_pay = create_erc20_session_datum(Erc20Policy {
        session_key_address: Some(session_key),
        ..Erc20Policy::new(DEMO_TOKEN, PAID, U256::from(PRICE))
    })?;
    let policy: Vec<SessionPolicy> = vec![may_mint, may_pay];
    println!("3. two leaves");

    // 4. The owner grants: one operation enables the modules and sets the root over all leaves. It is stored as
    //    pending before it is sent and becomes active with the receipt.
    let request = CreateBatchSessionVariables { policy, label: Some("Mint and pay".into()), ..Default::default() };
    let response = client.create_batch_session(request).await?;
    client.settle(&response).await?;
    println!("4. granted in operation {}", response.user_op_hash);

    // 5. The session key acts: both calls in one operation, each under its own leaf. The owner is not asked.
    let calls = vec![
        Call::to(DEMO_NFT, &safeMintCall { to: account }),
        Call::to(DEMO_TOKEN, &transferCall { to: PAID, value: U256::from(PRICE) }),
    ];
    let response = client.use_session(calls).await?;
    let receipt = client.wait(&response).await?;
    println!("5. minted and paid in transaction {}", receipt.transaction_hash);

    // 6. Anything else is refused before it is sent, and the chain would refuse it, too.
    let too_much = vec![Call::to(DEMO_TOKEN, &transferCall { to: PAID, value: U256::from(PRICE + 1) })];
    match get_batch_session_tx_params(client.store(), account, &too_much, None).await {
        Ok(_) => return Err("a session for more than was granted".into()),
        Err(refusal) => println!("6. {refusal}"),
    }
    Ok(Outcome { account, transaction_hash: receipt.transaction_hash })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:3000".into());
    let folder = std::env::temp_dir().join("use-aa-create-batch-session");
    tutorial(&url, &folder).await.map(drop)
}
