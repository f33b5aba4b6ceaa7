//! A Nexus account with Smart Sessions: the owner lets a key mint twice, the key does so alone, is refused a third time by
//! the chain, and is taken back.
//!
//! With `make run` in another window:
//!
//! ```text
//! cargo run --package use-aa-actions --example nexus --features native -- http://127.0.0.1:3000
//! ```
//!
//! The account pays its own gas: the program tells its address and waits until it has something.
#![allow(missing_docs)]

use std::{error::Error, path::Path, rc::Rc, time::Duration};

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
    sol,
};
use use_aa_actions::{
    account_kind::nexus::{Nexus, connect},
    adapters::{file_store::FileSessionStore, http_relay::HttpRelay, local_wallet::LocalWallet},
    error::AppError,
    fee_funds::read_native_funds,
    options::BuildUserOpOptions,
    ports::{Relay, SessionStore},
    scheme_sessions::{SchemeSessions, SessionGrant},
};
use use_aa_protocol::{
    addresses::DEMO_NFT,
    call::Call,
    nexus::{NexusRelease, NexusSetup},
    policy::{Condition, Policy},
    session_scheme::ActionLimits,
    smart_sessions::{SmartSessions, addresses::SMART_SESSION},
};

sol! { function safeMint(address to); }

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub account: Address,
    pub minted: [B256; 2],
    /// A call that the session was never granted: refused before anything is sent.
    pub not_granted: AppError,
    /// One more than was granted: refused by the chain.
    pub used_up: AppError,
    /// After it was taken back.
    pub revoked: AppError,
}

/// `funded` sees to it that the account has ether before it must pay.
pub async fn run(
    server: &str,
    owner: PrivateKeySigner,
    folder: &Path,
    secret: [u8; 32],
    funded: impl AsyncFnOnce(&dyn Relay, Address) -> Result<(), Box<dyn Error>>,
) -> Result<Outcome, Box<dyn Error>> {
    let relay: Rc<dyn Relay> = Rc::new(HttpRelay::new(server)?);
    let wallet = Rc::new(LocalWallet::new(owner, relay.chain_info().await?.chain_id));
    let store: Rc<dyn SessionStore> = Rc::new(FileSessionStore::open(folder, &secret)?);

    // The factory tells the address; what is to be kept of the account, `stored`, says of which release it is.
    let setup = NexusSetup::new(NexusRelease::Modulekit0_5_9).with_validator(SMART_SESSION);
    let (owner, stored) = connect(wallet, Rc::clone(&relay), None, &setup).await?;
    let me = owner.account;
    funded(relay.as_ref(), me).await?;

    let sessions = SchemeSessions::<SmartSessions>::new(owner.shared_kind(), Rc::clone(&relay), Rc::clone(&store));
    let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, me)?;
    let twice = ActionLimits { uses: Some(2), ..ActionLimits::default() };
    let grant = SessionGrant { policies: vec![(mint.into(), twice)], ..SessionGrant::default() };
    // The same operation creates the account.
    let (id, granted) = sessions.grant(&owner, grant).await?;
    owner.wait(&granted).await?;

    // From here on no wallet is needed: the session key acts alone.
    let alone = SchemeSessions::<SmartSessions>::new(Rc::new(Nexus::stored(stored)?), relay, store);
    let options = BuildUserOpOptions::default();
    let mint_to = |to: Address| [Call::to(DEMO_NFT, &safeMintCall { to })];
    let mut minted = [B256::ZERO; 2];
    for transaction_hash in &mut minted {
        let used = alone.use_session(id, &mint_to(me), &options).await?;
        *transaction_hash = owner.wait(&used).await?.transaction_hash;
    }
    let refused = async |to: Address| match alone.use_session(id, &mint_to(to), &options).await {
        Ok(used) => Err(format!("it was let through: {}", used.user_op_hash)),
        Err(refusal) => Ok(refusal),
    };
    let not_granted = refused(DEMO_NFT).await?;
    let used_up = refused(me).await?;

    let ended = sessions.revoke(&owner, &[id], &options).await?;
    owner.wait(&ended).await?;
    let revoked = refused(me).await?;
    sessions.forget(id).await?;
    Ok(Outcome { account: me, minted, not_granted, used_up, revoked })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:3000".into());
    let (owner, secret) = (PrivateKeySigner::random(), PrivateKeySigner::random().to_bytes().0);
    let folder = std::env::temp_dir().join("use-aa-nexus");
    let outcome = run(&server, owner, &folder, secret, async |relay, account| {
        println!("send some ether to {account}");
        while read_native_funds(relay, account).await?.balance == U256::ZERO {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    });
    let Outcome { account, minted, not_granted, used_up, revoked } = outcome.await?;
    println!("{account} minted in transactions {} and {}", minted[0], minted[1]);
    println!("refused: {not_granted}\nrefused: {used_up}\nrefused: {revoked}");
    Ok(())
}
