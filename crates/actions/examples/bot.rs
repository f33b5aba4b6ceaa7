//! A bot: the owner grants it one function of one contract, and from then on it acts alone.
//!
//! With `make run` in another window, or any server's address instead:
//!
//! ```text
//! cargo run --package use-aa-actions --example bot --features native -- http://127.0.0.1:3000
//! ```
#![allow(missing_docs)]

use std::{error::Error, path::Path, rc::Rc};

use alloy::{primitives::B256, signers::local::PrivateKeySigner, sol};
use use_aa_actions::{
    account::SmartAccountClient,
    adapters::{file_store::FileSessionStore, http_relay::HttpRelay, local_wallet::LocalWallet},
    create_session::CreateSessionVariables,
    ports::Relay,
};
use use_aa_protocol::{
    addresses::DEMO_NFT,
    policy::{Condition, Policy},
    smart_account::Call,
};

sol! { function safeMint(address to); }

/// Grants a session, uses it, and answers with the transaction of the use.
pub async fn run(
    server: &str,
    owner: PrivateKeySigner,
    folder: &Path,
    secret: [u8; 32],
) -> Result<B256, Box<dyn Error>> {
    let relay = Rc::new(HttpRelay::new(server)?);
    let wallet = Rc::new(LocalWallet::new(owner, relay.chain_info().await?.chain_id));
    // Session keys lie in the folder encrypted with the secret: whoever has both can use the sessions.
    let store = Rc::new(FileSessionStore::open(folder, &secret)?);
    let account = SmartAccountClient::new(wallet, relay).with_sessions(store);

    let me = account.get_account_address();
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, me)?;
    let grant = CreateSessionVariables { policy: vec![mint], label: Some("bot".into()), ..Default::default() };
    account.settle(&account.create_session(grant).await?).await?;

    let minted = account.use_session(vec![Call::to(DEMO_NFT, &safeMintCall { to: me })]).await?;
    Ok(account.wait(&minted).await?.transaction_hash)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:3000".into());
    // A real bot reads both from its secret store; here they last as long as the process.
    let (owner, secret) = (PrivateKeySigner::random(), PrivateKeySigner::random().to_bytes().0);
    let folder = std::env::temp_dir().join("use-aa-bot");
    println!("minted in transaction {}", run(&server, owner, &folder, secret).await?);
    Ok(())
}
