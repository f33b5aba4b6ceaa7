//! A world in memory for tests of failures: every step of it can be told to fail. What works is tested
//! against the real lab (`tests/actions_*.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use async_trait::async_trait;
use futures::stream::{self, LocalBoxStream, StreamExt};

use super::{
    account::SmartAccountClient,
    account_kind::nexus::Nexus,
    clock::unix_seconds,
    ports::{DistributedKeys, RecordChange, Relay, SessionBookChange, SessionStore, Wallet},
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    addresses::SESSION_KEY_MANAGER,
    clocks::Clocks,
    distributed_key::{
        EphemeralKey, KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest,
        SignedGrant, TypedData,
    },
    entry_point::{EntryPoint, v07},
    nexus::{NexusRelease, NexusSetup},
    paymaster::{FeeQuotes, FeeQuotesRequest, VerifyingPaymasterData},
    rpc::{
        AccountState, ChainInfo, GasEstimate, GasFees, NativeCurrency, PaymasterGas, SimulationType, SponsorContext,
        Sponsorship, UserOpReceipt, UserOpUpdate,
    },
    session::{PublishedLeaves, SessionBook},
    smart_account::decode_calls,
    user_operation::UserOperation,
};

/// Where the world can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    ChainInfo,
    AccountState,
    GasFees,
    Estimate,
    Sponsor,
    FeeQuotes,
    /// The bundler has not got the operation.
    Send,
    /// The bundler has it, but the answer is lost.
    SendAnswer,
    Watch,
    WalletChain,
    WalletSign,
    StoreLoad,
    StoreUpdate,
    StorePutSigner,
}

#[derive(Default)]
struct World {
    faults: HashMap<Step, AppError>,
    deployed: bool,
    root: B256,
    disputed: Option<B256>,
    nonces: HashMap<U256, u64>,
    session_key_manager_enabled: bool,
    modules: Vec<Address>,
    sent: Vec<UserOperation>,
    updates: HashMap<B256, UserOpUpdate>,
    quotes: FeeQuotes,
    amounts: HashMap<Address, U256>,
    /// The chain's clock is so far ahead, seconds.
    ahead: u64,
    published: HashMap<(Address, B256), PublishedLeaves>,
    ending: Ending,
    books: HashMap<Address, SessionBook>,
    signers: HashMap<Address, PrivateKeySigner>,
    ephemeral_keys: HashMap<Address, EphemeralKey>,
    lost_keys: BTreeSet<Address>,
    /// Longer call data is refused by who estimates, bytes.
    longest: Option<usize>,
}

/// Who signs for fees.
pub const PAYMASTER: Address = Address::repeat_byte(9);
/// What its own work is found to cost on entry point v0.7.
pub const PAYMASTER_GAS: [u128; 2] = [1_234, 567];

/// What becomes of sent operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    #[default]
    Confirmed,
    Reverted,
    Dropped,
}

/// Wallet, relay and store of one world; clones share it.
#[derive(Clone)]
pub struct Fake {
    world: Rc<RefCell<World>>,
    owner: PrivateKeySigner,
}

impl Fake {
    pub fn new() -> Self {
        Self { world: Rc::default(), owner: PrivateKeySigner::random() }
    }

    /// Lets `step` fail from now on; `None` mends it.
    pub fn fail(&self, step: Step, error: impl Into<Option<AppError>>) {
        let mut world = self.world.borrow_mut();
        match error.into() {
            Some(error) => world.faults.insert(step, error),
            None => world.faults.remove(&step),
        };
    }

    /// Another chain node names this root.
    pub fn dispute(&self, root: Option<B256>) {
        self.world.borrow_mut().disputed = root;
    }

    /// The account has this module.
    pub fn enable(&self, module: Address) {
        self.world.borrow_mut().modules.push(module);
    }

    /// The store can no longer open this key.
    pub fn lose_key(&self, session_key_address: Address) {
        self.world.borrow_mut().lost_keys.insert(session_key_address);
    }

    /// Operations with longer call data are refused when they are estimated.
    pub fn refuse_longer(&self, bytes: usize) {
        self.world.borrow_mut().longest = Some(bytes);
    }

    pub fn end_with(&self, ending: Ending) {
        self.world.borrow_mut().ending = ending;
    }

    /// What the paymaster quotes from now on.
    /// Moves the chain's clock; no block comes by that.
    pub fn move_clock(&self, seconds: u64) {
        self.world.borrow_mut().ahead += seconds;
    }

    pub fn offer(&self, quotes: FeeQuotes) {
        self.world.borrow_mut().quotes = quotes;
    }

    /// What this token answers whoever asks for a balance or an allowance.
    pub fn answer_amount(&self, token: Address, amount: U256) {
        self.world.borrow_mut().amounts.insert(token, amount);
    }

    pub fn sent(&self) -> usize {
        self.world.borrow().sent.len()
    }

    pub fn last_sent(&self) -> UserOperation {
        self.world.borrow().sent.last().cloned().unwrap()
    }

    pub fn root(&self) -> B256 {
        self.world.borrow().root
    }

    pub fn set_root(&self, root: B256) {
        self.world.borrow_mut().root = root;
    }

    pub fn book(&self, account: Address) -> SessionBook {
        self.world.borrow().books.get(&account).cloned().unwrap_or_default()
    }

    pub fn keys(&self) -> Vec<Address> {
        let mut keys: Vec<_> = self.world.borrow().signers.keys().copied().collect();
        keys.sort();
        keys
    }

    /// The chain takes what the bundler said it dropped.
    pub fn include_dropped(&self) {
        self.include(&self.last_sent()).unwrap();
    }

    /// The chain takes what was sent as the `index`th and was dropped.
    pub fn include_sent(&self, index: usize) {
        let sent = self.world.borrow().sent[index].clone();
        self.include(&sent).unwrap();
    }

    fn pass(&self, step: Step) -> Result<(), AppError> {
        self.world.borrow().faults.get(&step).cloned().map_or(Ok(()), Err)
    }

    /// What bundler and chain do with an operation.
    fn include(&self, user_operation: &UserOperation) -> Result<B256, AppError> {
        let mut world = self.world.borrow_mut();
        let (lane, sequence) =
            (user_operation.nonce >> 64, world.nonces.entry(user_operation.nonce >> 64).or_default());
        if user_operation.nonce != (lane << 64) | U256::from(*sequence) {
            return Err(rejected("AA25 invalid account nonce"));
        }
        let user_op_hash = user_operation.hash(31_337);
        let receipt = |success| UserOpReceipt {
            user_op_hash,
            sender: user_operation.sender,
            success,
            reason: (!success).then(|| "no".into()),
            transaction_hash: B256::repeat_byte(1),
            block_number: 1,
            actual_gas_cost: U256::from(1),
            actual_gas_used: U256::from(1),
        };
        let ending = world.ending;
        let update = match ending {
            Ending::Confirmed => UserOpUpdate::Confirmed { receipt: receipt(true) },
            Ending::Reverted => UserOpUpdate::Reverted { receipt: receipt(false) },
            Ending::Dropped => UserOpUpdate::Dropped { reason: "gone".into() },
        };
        if ending != Ending::Dropped {
            let others = world.sent.iter().filter(|sent| sent.nonce == user_operation.nonce);
            let others = others.map(|sent| sent.hash(31_337)).collect::<Vec<_>>();
            for other in others {
                let mined = Some(B256::repeat_byte(1));
                world.updates.insert(other, UserOpUpdate::Replaced { by: user_op_hash, transaction_hash: mined });
            }
            *world.nonces.entry(lane).or_default() += 1;
        }
        if ending == Ending::Confirmed {
            world.deployed = true;
            // Of other kinds of accounts nothing is kept here.
            let is_v2 = user_operation.entry_point == EntryPoint::default();
            let calls = if is_v2 { decode_calls(&user_operation.call_data)? } else { Vec::new() };
            for call in calls {
                match (call.to, call.data.get(4..)) {
                    (SESSION_KEY_MANAGER, Some(root)) => world.root = B256::from_slice(root),
                    (to, _) if to == user_operation.sender => world.session_key_manager_enabled = true,
                    _ => {}
                }
            }
        }
        world.updates.insert(user_op_hash, update);
        world.sent.push(user_operation.clone());
        Ok(user_op_hash)
    }
}

/// A store that another tab writes to once, right after something was read.
pub struct BesideAnotherTab<S> {
    store: S,
    writes: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl<S: SessionStore> BesideAnotherTab<S> {
    pub fn that(store: S, writes: impl FnOnce() + 'static) -> Self {
        Self { store, writes: RefCell::new(Some(Box::new(writes))) }
    }

    fn write(&self) {
        let writes = self.writes.take();
        writes.into_iter().for_each(|write| write());
    }
}

#[async_trait(?Send)]
impl<S: SessionStore> SessionStore for BesideAnotherTab<S> {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        let book = self.store.load(account).await;
        self.write();
        book
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        self.store.update(account, change).await
    }

    async fn records(&self, account: Address, scheme: &str) -> Result<Vec<serde_json::Value>, AppError> {
        let records = self.store.records(account, scheme).await;
        self.write();
        records
    }

    async fn change_record(
        &self,
        account: Address,
        scheme: &str,
        id: B256,
        change: RecordChange<'_>,
    ) -> Result<(), AppError> {
        self.store.change_record(account, scheme, id, change).await
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        self.store.put_signer(account, signer).await
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        self.store.signer(account, session_key_address).await
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        self.store.remove_signer(account, session_key_address).await
    }
}

/// The owner's Nexus account, which has no code here.
pub fn nexus_client(fake: &Fake) -> SmartAccountClient {
    let setup = NexusSetup::new(NexusRelease::V1_0_2);
    let account = setup.account(fake.address(), setup.address(fake.address()).unwrap().unwrap());
    let kind = Nexus::stored(account).unwrap();
    SmartAccountClient::of_kind(Rc::new(kind), Rc::new(fake.clone()), Rc::new(fake.clone()))
}

pub fn rejected(message: &str) -> AppError {
    AppError::UpstreamRejected { upstream: Upstream::Bundler, code: -32_500, message: message.into(), data: None }
}

pub fn unavailable() -> AppError {
    AppError::UpstreamUnavailable { upstream: Upstream::Bundler, reason: "connection refused".into() }
}

/// No node answers.
#[async_trait(?Send)]
impl DistributedKeys for Fake {
    async fn network(&self) -> Result<KeyNetwork, AppError> {
        Err(unavailable())
    }

    async fn offer(&self) -> Result<KeyOffer, AppError> {
        Err(unavailable())
    }

    async fn bind(&self, _: &SignedGrant, _: &[NodeNonce]) -> Result<Vec<KeyAttestation>, AppError> {
        Err(unavailable())
    }

    async fn challenge(&self, _: u8) -> Result<Vec<NodeNonce>, AppError> {
        Err(unavailable())
    }

    async fn sign(&self, _: &SignRequest, _: &[NodeNonce], _: Address) -> Result<SignOutcome, AppError> {
        Err(unavailable())
    }

    async fn revoke(&self, _: &Revocation) -> Result<(), AppError> {
        Err(unavailable())
    }
}

#[async_trait(?Send)]
impl Wallet for Fake {
    fn address(&self) -> Address {
        self.owner.address()
    }

    async fn chain_id(&self) -> Result<u64, AppError> {
        self.pass(Step::WalletChain).map(|()| 31_337)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        self.pass(Step::WalletSign)?;
        Ok(self.owner.sign_message_sync(message).unwrap().as_bytes().into())
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError> {
        self.pass(Step::WalletSign)?;
        Ok(self.owner.sign_hash_sync(&typed_data.digest).unwrap().as_bytes().into())
    }
}

#[async_trait(?Send)]
impl Relay for Fake {
    async fn chain_info(&self) -> Result<ChainInfo, AppError> {
        self.pass(Step::ChainInfo)?;
        Ok(ChainInfo {
            chain_id: 31_337,
            name: "fake".into(),
            entry_point: EntryPoint::default().address(),
            lab: true,
            sponsored: true,
            page_sponsorship: true,
            public_rpc_url: None,
            explorer_url: None,
            native_currency: NativeCurrency::default(),
            account: Default::default(),
            account_kinds: Vec::new(),
        })
    }

    async fn account_state(&self, _: Address, nonce_key: U256) -> Result<AccountState, AppError> {
        self.pass(Step::AccountState)?;
        let world = self.world.borrow();
        let sequence = world.nonces.get(&nonce_key).copied().unwrap_or_default();
        // A chain on which nothing ever happened.
        let now = unix_seconds();
        Ok(AccountState {
            deployed: world.deployed,
            nonce: (nonce_key << 64) | U256::from(sequence),
            merkle_root: world.root,
            session_key_manager_enabled: world.session_key_manager_enabled,
            batched_session_router_enabled: false,
            modules: world.modules.clone(),
            older_merkle_root: B256::ZERO,
            older_session_key_manager_enabled: false,
            roots_disputed: world.disputed,
            owner_kind: None,
            balance: U256::ZERO,
            block_timestamp: 0,
            clocks: Clocks { block: 0, pending: now + world.ahead, wall: now },
        })
    }

    async fn read(&self, method: &str, asked: serde_json::Value) -> Result<serde_json::Value, AppError> {
        match method {
            "eth_getCode" => return Ok(serde_json::json!(Bytes::new())),
            "eth_getBalance" => return Ok(serde_json::json!("0x0")),
            "eth_getBlockByNumber" => return Ok(serde_json::json!({"timestamp": format!("{:#x}", unix_seconds())})),
            _ => {}
        }
        let token = serde_json::from_value::<Address>(asked[0]["to"].clone()).ok();
        if token == Some(EntryPoint::V07.address())
            && !self.world.borrow().amounts.contains_key(&EntryPoint::V07.address())
        {
            // `getNonce`: its second argument is the lane.
            let data: Bytes = serde_json::from_value(asked[0]["data"].clone()).unwrap();
            let lane = data.get(36..68).map(U256::from_be_slice).unwrap_or_default();
            let sequence = self.world.borrow().nonces.get(&lane).copied().unwrap_or_default();
            return Ok(serde_json::json!(B256::from((lane << 64) | U256::from(sequence))));
        }
        let amount = token.and_then(|token| self.world.borrow().amounts.get(&token).copied());
        Ok(amount.map_or(serde_json::Value::Null, |amount| serde_json::json!(B256::from(amount))))
    }

    async fn gas_fees(&self) -> Result<GasFees, AppError> {
        self.pass(Step::GasFees)?;
        Ok(GasFees { max_fee_per_gas: U256::from(10), max_priority_fee_per_gas: U256::from(1) })
    }

    async fn estimate(&self, operation: &UserOperation, _: Option<serde_json::Value>) -> Result<GasEstimate, AppError> {
        self.pass(Step::Estimate)?;
        if self.world.borrow().longest.is_some_and(|longest| operation.call_data.len() > longest) {
            return Err(rejected("more gas than a block has"));
        }
        let hundred = U256::from(100);
        Ok(GasEstimate {
            call_gas_limit: hundred,
            verification_gas_limit: hundred,
            pre_verification_gas: hundred,
            paymaster: operation.paymaster_gas().map(|_| {
                let [verification, post_op] = PAYMASTER_GAS.map(U256::from);
                PaymasterGas { verification, post_op }
            }),
        })
    }

    async fn sponsor(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError> {
        self.pass(Step::Sponsor)?;
        let reckoned = self.estimate(user_operation, None).await?;
        let gas = match context.calculate_gas_limits {
            true => reckoned,
            false => GasEstimate::of(user_operation),
        };
        let valid_until = 4_000_000_000 + self.world.borrow().ahead;
        let (valid_after, signature) = (0, Bytes::from(vec![1; 65]));
        if user_operation.entry_point == EntryPoint::V06 {
            let (paymaster, paymaster_id) = (PAYMASTER, Address::ZERO);
            let data = VerifyingPaymasterData { paymaster, paymaster_id, valid_until, valid_after, signature };
            return Ok(Sponsorship { paymaster_and_data: data.encode(), gas });
        }
        // As our server: limits that the operation has are signed, and the least ones where it has none.
        let limits = match (context.calculate_gas_limits, user_operation.paymaster_gas()) {
            (true, _) => PAYMASTER_GAS,
            (false, Some(gas)) => [gas.verification, gas.post_op].map(|limit| limit.to()),
            (false, None) => [1, 1],
        };
        let data = match context.token_info {
            None => v07::VerifyingPaymasterData { valid_until, valid_after, signature }.encode(),
            Some(token) => {
                let (fee_token, exchange_rate) = (token.fee_token_address, U256::from(10).pow(U256::from(18)));
                let terms =
                    v07::TokenPaymasterData { fee_token, exchange_rate, valid_until, signature, ..Default::default() };
                v07::TokenPaymasterData { price_markup: 1_000_000, ..terms }.encode().unwrap()
            }
        };
        Ok(Sponsorship { paymaster_and_data: v07::paymaster_and_data(PAYMASTER, limits, &data), gas })
    }

    async fn fee_quotes(&self, _: &UserOperation, _: &FeeQuotesRequest) -> Result<FeeQuotes, AppError> {
        self.pass(Step::FeeQuotes)?;
        Ok(self.world.borrow().quotes.clone())
    }

    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
        self.world.borrow_mut().published.insert((account, leaves.root()), leaves.clone());
        Ok(())
    }

    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
        Ok(self.world.borrow().published.get(&(account, root)).cloned())
    }

    async fn send(&self, user_operation: &UserOperation, _: Option<SimulationType>) -> Result<B256, AppError> {
        self.pass(Step::Send)?;
        let user_op_hash = self.include(user_operation)?;
        self.pass(Step::SendAnswer).map(|()| user_op_hash)
    }

    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
        let end = self.pass(Step::Watch).map(|()| {
            let known = self.world.borrow().updates.get(&user_op_hash).cloned();
            known.unwrap_or(UserOpUpdate::Dropped { reason: "unknown to the bundler".into() })
        });
        stream::iter([Ok(UserOpUpdate::Submitted), end]).boxed_local()
    }
}

#[async_trait(?Send)]
impl SessionStore for Fake {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        self.pass(Step::StoreLoad).map(|()| self.book(account))
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        let mut book = self.book(account);
        change(&mut book)?;
        self.pass(Step::StoreUpdate)?;
        self.world.borrow_mut().books.insert(account, book.clone());
        Ok(book)
    }

    async fn put_signer(&self, _: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        self.pass(Step::StorePutSigner)?;
        self.world.borrow_mut().signers.insert(signer.address(), signer.clone());
        Ok(())
    }

    async fn signer(&self, _: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        let signer = self.world.borrow().signers.get(&session_key_address).cloned();
        signer.ok_or_else(|| AppError::SessionNotFound { wanted: session_key_address.to_string() })
    }

    async fn put_ephemeral_key(&self, _: Address, address: Address, key: &EphemeralKey) -> Result<(), AppError> {
        self.pass(Step::StorePutSigner)?;
        self.world.borrow_mut().ephemeral_keys.insert(address, key.clone());
        Ok(())
    }

    async fn ephemeral_key(&self, _: Address, address: Address) -> Result<EphemeralKey, AppError> {
        let key = self.world.borrow().ephemeral_keys.get(&address).cloned();
        key.ok_or_else(|| AppError::SessionNotFound { wanted: address.to_string() })
    }

    async fn lost_keys(&self, _: Address) -> Result<BTreeSet<Address>, AppError> {
        Ok(self.world.borrow().lost_keys.clone())
    }

    async fn remove_signer(&self, _: Address, session_key_address: Address) -> Result<(), AppError> {
        self.world.borrow_mut().ephemeral_keys.remove(&session_key_address);
        self.world.borrow_mut().signers.remove(&session_key_address);
        Ok(())
    }
}
