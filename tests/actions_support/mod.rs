//! A real server over the real lab, and people who act through it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{cell::Cell, rc::Rc};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use async_trait::async_trait;
use serde_json::json;
use use_aa::{
    actions::{
        account::SmartAccountClient,
        create_session::{CreateSessionVariables, create_session},
        ports::{Relay, SessionStore, Wallet},
        send_with_session::{SendWithSessionRequest, send_with_session},
        settle_session::settle_session,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    app::{App, shell},
    client::{relay_native::HttpRelay, session_store::memory::MemorySessionStore, wallet::local::LocalWallet},
    error::AppError,
    protocol::{
        addresses::{DEMO_NFT, ENTRY_POINT},
        distributed_key::TypedData,
        policy::{Condition, FunctionSelector, Policy, Rule, SessionEpoch},
        rpc::UserOpReceipt,
        session::{SessionLeaf, SessionStatus},
        smart_account::Call,
        user_op_response::UserOpResponse,
    },
    server::{
        config::{Config, ServeArgs},
        http,
        state::ServerState,
    },
};

#[path = "../common/mod.rs"]
pub mod common;

sol! {
    interface IDemoNft {
        function safeMint(address to) external;
        function balanceOf(address owner) external view returns (uint256);
    }
}

/// Topic 0 of the entry point's `UserOperationEvent`.
const USER_OPERATION_EVENT: &str = "0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f";

/// A server of this test's own, over the lab that all tests of the binary share.
pub async fn server() -> Rc<HttpRelay> {
    Rc::new(HttpRelay::new(&server_url().await).unwrap())
}

/// The same, where it listens.
pub async fn server_url() -> String {
    server_with(|_| {}).await
}

/// The same, configured a little differently.
pub async fn server_with(change: impl FnOnce(&mut Config)) -> String {
    let lab = common::lab().await;
    let mut config = Config::from_args(&ServeArgs::default()).unwrap();
    lab.fill(&mut config);
    change(&mut config);
    let listener = http::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let state = ServerState::new(config).unwrap();
    tokio::spawn(http::serve_on(listener, state, http::Pages { app: App, shell }, std::future::pending()));
    base
}

/// Somebody with a fresh account, a wallet that may be told to refuse, and a browser's worth of storage.
pub struct Person {
    pub relay: Rc<HttpRelay>,
    pub wallet: Rc<MoodyWallet>,
    pub client: SmartAccountClient,
    pub store: MemorySessionStore,
}

/// A wallet that refuses, or is on another chain, when told so; counts what it signs.
pub struct MoodyWallet {
    inner: LocalWallet,
    pub refuses: Cell<bool>,
    pub chain_id: Cell<u64>,
    pub signed: Cell<usize>,
    /// How often it was told that the next request is for the same with higher fees.
    pub told_again: Cell<usize>,
}

#[async_trait(?Send)]
impl Wallet for MoodyWallet {
    fn address(&self) -> Address {
        self.inner.address()
    }

    async fn chain_id(&self) -> Result<u64, AppError> {
        Ok(self.chain_id.get())
    }

    async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        if self.refuses.get() {
            return Err(AppError::WalletRejected);
        }
        self.signed.set(self.signed.get() + 1);
        self.inner.sign_message(message).await
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError> {
        if self.refuses.get() {
            return Err(AppError::WalletRejected);
        }
        self.signed.set(self.signed.get() + 1);
        self.inner.sign_typed_data(typed_data).await
    }

    fn signs_again(&self) {
        self.told_again.set(self.told_again.get() + 1);
    }
}

impl Person {
    /// A new owner at a server of their own.
    pub async fn new() -> Self {
        Self::at(server().await)
    }

    /// A new owner at this server.
    pub fn at(relay: Rc<HttpRelay>) -> Self {
        let inner = LocalWallet::new(PrivateKeySigner::random(), 31_337);
        let wallet = MoodyWallet {
            inner,
            refuses: Cell::new(false),
            chain_id: Cell::new(31_337),
            signed: Cell::new(0),
            told_again: Cell::new(0),
        };
        let wallet = Rc::new(wallet);
        let client = SmartAccountClient::new(wallet.clone(), relay.clone());
        Self { relay, wallet, client, store: MemorySessionStore::new() }
    }

    /// The same owner on another device: an empty store.
    pub fn on_another_device(&self) -> Self {
        let (relay, wallet, client) = (self.relay.clone(), self.wallet.clone(), self.client.clone());
        Self { relay, wallet, client, store: MemorySessionStore::new() }
    }

    pub fn account(&self) -> Address {
        self.client.account
    }

    /// `safeMint` to the own account only.
    pub fn mint_policy(&self) -> Policy {
        Policy {
            session_key_address: None,
            contract_address: DEMO_NFT,
            function_selector: FunctionSelector::Signature("safeMint(address)".into()),
            rules: vec![Rule { offset: 0, condition: Condition::Equal, reference_value: self.account().into() }],
            interval: SessionEpoch::default(),
            value_limit: U256::ZERO,
        }
    }

    pub fn grant_request(&self) -> CreateSessionVariables {
        CreateSessionVariables {
            policy: vec![self.mint_policy()],
            label: Some("mint".into()),
            ..CreateSessionVariables::default()
        }
    }

    /// Grants and waits; gives the ids.
    pub async fn grant(&self, request: CreateSessionVariables) -> Result<Vec<String>, AppError> {
        let response = create_session(&self.client, &self.store, request).await?;
        self.settle(&response).await?;
        Ok(response.session.unwrap().session_ids)
    }

    pub async fn settle(&self, response: &UserOpResponse) -> Result<UserOpReceipt, AppError> {
        settle_session(self.relay.as_ref(), &self.store, self.account(), response.user_op_hash, |_| {}).await
    }

    pub fn mint_call(to: Address) -> Call {
        Call { to: DEMO_NFT, value: U256::ZERO, data: IDemoNft::safeMintCall { to }.abi_encode().into() }
    }

    pub fn mint_request(&self) -> SendWithSessionRequest {
        let calls = vec![Self::mint_call(self.account())];
        SendWithSessionRequest { account: self.account(), calls, ..Default::default() }
    }

    /// Uses a session and waits. The owner's wallet has no part in it.
    pub async fn use_session_with(&self, request: SendWithSessionRequest) -> Result<UserOpReceipt, AppError> {
        let response = send_with_session(self.relay.as_ref(), &self.store, request).await?;
        wait_for_user_operation_receipt(self.relay.as_ref(), response.user_op_hash, |_| {}).await
    }

    /// NFTs of the account, read from the chain.
    pub async fn nfts(&self) -> u64 {
        nfts_of(self.relay.as_ref(), self.account()).await
    }

    /// Operations of the account that the chain has ever seen.
    pub async fn operations(&self) -> usize {
        let lab = common::lab().await;
        let sender = self.account().into_word();
        let filter = json!([{
            "address": ENTRY_POINT, "fromBlock": "0x0", "toBlock": "latest",
            "topics": [USER_OPERATION_EVENT, null, sender],
        }]);
        let url = lab.info().rpc_url.expose().as_str();
        common::rpc(url, "eth_getLogs", filter).await.as_array().unwrap().len()
    }

    pub async fn leaves(&self) -> Vec<SessionLeaf> {
        self.store.load(self.account()).await.unwrap().leaf_nodes
    }

    pub async fn statuses(&self) -> Vec<SessionStatus> {
        self.leaves().await.iter().map(|leaf| leaf.status).collect()
    }

    /// Stored root and the chain's.
    pub async fn roots(&self) -> (B256, B256) {
        let state = self.relay.account_state(self.account(), U256::ZERO).await.unwrap();
        (self.store.load(self.account()).await.unwrap().root(), state.merkle_root)
    }
}

/// NFTs of an account, read from the chain.
pub async fn nfts_of(relay: &HttpRelay, owner: Address) -> u64 {
    let data = IDemoNft::balanceOfCall { owner }.abi_encode();
    let call = json!([{"to": DEMO_NFT, "data": Bytes::from(data)}, "latest"]);
    let balance = relay.read("eth_call", call).await.unwrap();
    serde_json::from_value::<U256>(balance).unwrap().to()
}

/// Unix seconds.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
