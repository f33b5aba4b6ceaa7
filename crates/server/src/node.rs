//! The chain node: chain facts, account state, reads that the allow-list passes on.

mod data_fee;
mod known;
mod second_opinion;
mod trial;

use std::{sync::Arc, time::Duration};

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U192},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};

use super::{
    json_rpc::{JsonRpcClient, excerpt, is_about_block, is_of_execution},
    market::Market,
    quantity::{quantity, small},
    read_policy::{self, LogRange},
    receipt,
    upstream_health::UpstreamHealth,
    upstream_url::UpstreamUrl,
};
pub(super) use known::{Known, News};
pub(super) use trial::Trial;
use use_aa_actions::{
    clock::unix_seconds,
    error::{AppError, Upstream},
};
use use_aa_protocol::{
    abi::decode,
    addresses::{
        BATCHED_SESSION_ROUTER, ENTRY_POINT, MODULE_SENTINEL, SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0,
    },
    clocks::Clocks,
    entry_point::EntryPoint,
    owner::OwnerKind,
    rpc::AccountState,
};

sol! {
    function getNonce(address sender, uint192 key) external view returns (uint256 nonce);
    /// Selector fde5354d; returns the Merkle root.
    function getSessionKeys(address smartAccount) external view returns (bytes32 merkleRoot);
    function isModuleEnabled(address module) external view returns (bool);
    function getModulesPaginated(address start, uint256 pageSize) external view returns (address[] modules, address next);
}

/// More modules than anybody has.
const MODULE_PAGE: U256 = U256::from_limbs([100, 0, 0, 0]);

/// A node behind one URL may be several, of which some have the latest block later: pauses before it is asked again.
pub(super) const LAGGING: [Duration; 3] = [Duration::ZERO, Duration::from_millis(150), Duration::from_millis(400)];

/// So many of the latest blocks say what tips are usual.
const HISTORY: &str = "0xa";

/// Calls in the batch that tells an account's state; one more where its owner is named.
const ACCOUNT_STATE_CALLS: usize = 10;

/// The chain node.
#[derive(Clone)]
pub struct ChainNode {
    pub(super) rpc: JsonRpcClient,
    known: Arc<Known>,
}

impl ChainNode {
    /// Over the URLs in failover order; nothing is connected yet. `timeout` is for one request to one URL.
    ///
    /// # Errors
    /// `Internal` when no HTTP client can be made.
    pub fn new(urls: &[UpstreamUrl], chain_id: u64, timeout: Duration) -> Result<Self, AppError> {
        Ok(Self { rpc: JsonRpcClient::on_chain(Upstream::Node, urls, timeout, chain_id)?, known: Arc::default() })
    }

    /// How each URL does.
    pub fn health(&self) -> Vec<UpstreamHealth> {
        self.rpc.health()
    }

    /// The chain id that each URL reports, asked now.
    pub async fn chain_ids(&self) -> Vec<Result<u64, AppError>> {
        self.rpc.chain_ids().await
    }

    /// The chain id that the first node which answers reports, asked now.
    pub async fn chain_id(&self) -> Result<u64, AppError> {
        let answers = self.rpc.chain_ids().await;
        let told = answers.iter().find_map(|answer| answer.as_ref().ok().copied());
        let first = answers.into_iter().next().unwrap_or_else(|| Err(self.rpc.nobody_left()));
        told.map_or(first, Ok)
    }

    /// Height of the chain.
    pub async fn block_number(&self) -> Result<u64, AppError> {
        let value = self.rpc.call_value("eth_blockNumber", json!([])).await?;
        small(&value).ok_or_else(|| self.rpc.malformed(format!("eth_blockNumber: {}", excerpt(&value))))
    }

    /// Height of the chain, as it was half a second ago or since the latest news.
    pub(super) async fn height(&self) -> Result<u64, AppError> {
        self.known.heights.get(self.known.latest(), self.block_number()).await
    }

    /// Something was found in a block, or taken back: what is asked from now on gets no answer from before.
    pub(super) fn news(&self) {
        self.known.news();
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// What time it is, by the chain and by this server.
    pub async fn clocks(&self) -> Result<Clocks, AppError> {
        let calls = ["latest", "pending"].map(|block| ("eth_getBlockByNumber", json!([block, false])));
        let [latest, pending] = <[_; 2]>::try_from(self.rpc.batch(&calls).await?)
            .map_err(|_| self.rpc.malformed("a batch of another length"))?;
        Ok(clocks(self.timestamp_of(&latest?)?, &pending))
    }

    fn timestamp_of(&self, block: &Value) -> Result<u64, AppError> {
        let timestamp = block.get("timestamp").and_then(small);
        timestamp.ok_or_else(|| self.rpc.malformed("eth_getBlockByNumber: no timestamp"))
    }

    /// Receipt of a transaction; `None` while it is not mined.
    pub async fn transaction_receipt(&self, transaction_hash: B256) -> Result<Option<Value>, AppError> {
        let value = self.rpc.call_value("eth_getTransactionReceipt", json!([transaction_hash])).await?;
        Ok((!value.is_null()).then_some(value))
    }

    /// Answers to several questions, in their order.
    pub async fn batch(&self, calls: &[(&str, Value)]) -> Result<Vec<Result<Value, AppError>>, AppError> {
        self.rpc.batch(calls).await
    }

    /// Everything about an account, all of it at one block: read one by one at "latest", a new nonce could be
    /// paired with an old root. The block is named by its hash (EIP-1898). A reorganisation between the two requests is
    /// asked about once more; so is, a moment later, a node that does not have the block yet.
    /// What stands behind the address of `owner` comes with it.
    pub async fn account_state(
        &self,
        account: Address,
        nonce_key: U256,
        owner: Option<Address>,
    ) -> Result<AccountState, AppError> {
        if account.is_zero() {
            return Err(AppError::invalid("account", "the address of a smart account, not zero", account));
        }
        let key = U192::checked_from_limbs_slice(nonce_key.as_limbs())
            .ok_or_else(|| AppError::invalid("nonce_key", "a nonce key below 2^192", nonce_key))?;
        let ask = async {
            let mut answer = self.account_state_at_head(account, key, owner).await;
            for pause in LAGGING {
                match &answer {
                    Err(error @ AppError::UpstreamRejected { .. }) if pause.is_zero() || is_about_block(error) => {
                        tokio::time::sleep(pause).await;
                        answer = self.account_state_at_head(account, key, owner).await;
                    }
                    _ => break,
                }
            }
            answer
        };
        self.known.accounts.get((self.known.latest(), account, nonce_key, owner), ask).await
    }

    async fn account_state_at_head(
        &self,
        account: Address,
        key: U192,
        owner: Option<Address>,
    ) -> Result<AccountState, AppError> {
        let block = self.rpc.call_value("eth_getBlockByNumber", json!(["latest", false])).await?;
        let block_timestamp = self.timestamp_of(&block)?;
        let block_hash = block.get("hash").and_then(receipt::hash);
        let block_hash = block_hash.ok_or_else(|| self.rpc.malformed("eth_getBlockByNumber: no hash"))?;
        let at = json!({"blockHash": block_hash});
        let contract = |to: Address, data: Vec<u8>| json!([{"to": to, "data": Bytes::from(data)}, at]);
        let modules = getModulesPaginatedCall { start: MODULE_SENTINEL, pageSize: MODULE_PAGE };
        let enabled = |module: Address| contract(account, isModuleEnabledCall { module }.abi_encode());
        let mut calls = vec![
            ("eth_getCode", json!([account, at])),
            ("eth_call", contract(ENTRY_POINT, getNonceCall { sender: account, key }.abi_encode())),
            ("eth_call", contract(SESSION_KEY_MANAGER, getSessionKeysCall { smartAccount: account }.abi_encode())),
            (
                "eth_call",
                contract(SESSION_KEY_MANAGER_V1_0_0, getSessionKeysCall { smartAccount: account }.abi_encode()),
            ),
            ("eth_getBalance", json!([account, at])),
            ("eth_call", enabled(SESSION_KEY_MANAGER)),
            ("eth_call", enabled(BATCHED_SESSION_ROUTER)),
            ("eth_call", enabled(SESSION_KEY_MANAGER_V1_0_0)),
            ("eth_call", contract(account, modules.abi_encode())),
            ("eth_getBlockByNumber", json!(["pending", false])),
        ];
        calls.extend(owner.map(|owner| ("eth_getCode", json!([owner, at]))));
        let (nodes, mut answers) = self.rpc.batch_by(&calls).await?;
        let owner_code = answers.split_off(answers.len().min(ACCOUNT_STATE_CALLS)).pop();
        let [code, nonce, root, older_root, balance, manager, router, older, modules, pending] =
            <[_; ACCOUNT_STATE_CALLS]>::try_from(answers)
                .map_err(|_| self.rpc.malformed("a batch of another length"))?;
        // Who told the root.
        let node = nodes.get(2).copied().unwrap_or_default();

        let code = self.bytes("eth_getCode", &code?)?;
        let deployed = !code.is_empty();
        let nonce = self.word("EntryPoint.getNonce", &nonce?)?;
        let merkle_root = self.word("SessionKeyManager.getSessionKeys", &root?)?;
        let older_merkle_root = self.older_root(&older_root?)?;
        let roots_disputed = self.dispute_about(node, account, block_hash, [merkle_root, older_merkle_root]).await;
        let module = |answer: Result<Value, AppError>| -> Result<bool, AppError> {
            match answer {
                Ok(answer) => Ok(deployed && !self.word("isModuleEnabled", &answer)?.is_zero()),
                // Accounts of another kind. A node that limits or lags has not answered.
                Err(error) if is_of_execution(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let modules = match modules {
            Ok(answer) if deployed => self.modules(&self.bytes("getModulesPaginated", &answer)?)?,
            Ok(_) => Vec::new(),
            // Accounts that keep no such list.
            Err(error) if is_of_execution(&error) => Vec::new(),
            Err(error) => return Err(error),
        };
        let balance = balance?;
        let owner_kind =
            owner_code.map(|code| Ok::<_, AppError>(OwnerKind::of_code(&self.bytes("eth_getCode", &code?)?)));
        Ok(AccountState {
            deployed,
            nonce: nonce.into(),
            merkle_root,
            session_key_manager_enabled: module(manager)?,
            batched_session_router_enabled: module(router)?,
            modules,
            older_merkle_root,
            older_session_key_manager_enabled: module(older)?,
            roots_disputed,
            owner_kind: owner_kind.transpose()?,
            balance: quantity(&balance).ok_or_else(|| self.rpc.malformed("eth_getBalance"))?,
            block_timestamp,
            clocks: clocks(block_timestamp, &pending),
        })
    }

    /// The next nonce of an account in one of its lanes, as this entry point counts.
    pub async fn nonce(&self, entry_point: EntryPoint, account: Address, lane: U256) -> Result<U256, AppError> {
        let key = U192::checked_from_limbs_slice(lane.as_limbs())
            .ok_or_else(|| AppError::invalid("nonce_key", "a nonce key below 2^192", lane))?;
        let call = getNonceCall { sender: account, key }.abi_encode();
        let call = json!([{"to": entry_point.address(), "data": Bytes::from(call)}, "latest"]);
        let nonce = self.rpc.call_value("eth_call", call).await?;
        Ok(self.word("EntryPoint.getNonce", &nonce)?.into())
    }

    /// Roots over the account's sessions, of the session key manager and of the older one; zero for whoever has no code,
    /// and so no sessions.
    pub async fn merkle_roots(&self, account: Address) -> Result<[B256; 2], AppError> {
        let [root, older] = roots(account, &json!("latest"));
        let calls = [("eth_getCode", json!([account, "latest"])), root, older];
        let [code, root, older] = <[_; 3]>::try_from(self.rpc.batch(&calls).await?)
            .map_err(|_| self.rpc.malformed("a batch of another length"))?;
        let deployed = !self.bytes("eth_getCode", &code?)?.is_empty();
        let roots = [self.word("SessionKeyManager.getSessionKeys", &root?)?, self.older_root(&older?)?];
        Ok(if deployed { roots } else { [B256::ZERO; 2] })
    }

    /// Zero on chains without the older session key manager.
    fn older_root(&self, value: &Value) -> Result<B256, AppError> {
        let what = "the older SessionKeyManager.getSessionKeys";
        if self.bytes(what, value)?.is_empty() { Ok(B256::ZERO) } else { self.word(what, value) }
    }

    /// A read that the allow-list passes on.
    pub async fn read(&self, method: &str, params: Value) -> Result<Value, AppError> {
        let range = match read_policy::check(method, &params)? {
            None => None,
            Some(LogRange { from_block, to_block }) => {
                let to_block = match to_block {
                    Some(block) => block,
                    // Not the height of half a second ago: its logs are wanted, too.
                    None => self.block_number().await?,
                };
                read_policy::check_range(from_block, to_block)?;
                Some((from_block, to_block))
            }
        };
        let answer = || async {
            match range {
                Some(range) => self.logs_for_caller(&params, range).await,
                None => self.rpc.call_value(method, params.clone()).await,
            }
        };
        let Some(question) = known::question(method, &params) else { return answer().await };
        let mut own = None;
        let ask = async {
            let answer = answer().await?;
            if known::is_small(&answer) {
                return Ok(Some(answer));
            }
            own = Some(answer);
            Ok(None)
        };
        match self.known.reads.get((self.known.latest(), question), ask).await? {
            Some(answer) => Ok(answer),
            // Too large to be shared: everybody waits for a turn to read it.
            None => match own {
                Some(answer) => Ok(answer),
                None => answer().await,
            },
        }
    }

    /// Fees as the node sees them, asked once a second at most.
    pub async fn market(&self) -> Result<Market, AppError> {
        self.known.market.get((), self.market_now()).await
    }

    /// The tip that was usual in the latest blocks, by the node's fee history; `None` for a node that does not tell. What
    /// nobody paid in a block is left out.
    pub(crate) async fn tips_paid(&self) -> Option<U256> {
        let ask = async {
            let answer = self.rpc.call_value("eth_feeHistory", json!([HISTORY, "latest", [50]])).await;
            Ok(answer.ok().as_ref().and_then(usual_tip))
        };
        self.known.tips_paid.get((), ask).await.ok().flatten()
    }

    async fn market_now(&self) -> Result<Market, AppError> {
        let calls = [
            ("eth_getBlockByNumber", json!(["latest", false])),
            ("eth_maxPriorityFeePerGas", json!([])),
            ("eth_gasPrice", json!([])),
        ];
        let [block, tip, price] = <[_; 3]>::try_from(self.rpc.batch(&calls).await?)
            .map_err(|_| self.rpc.malformed("a batch of another length"))?;
        let base_fee = block?.get("baseFeePerGas").and_then(quantity);
        Ok(match (base_fee, tip.as_ref().ok().and_then(quantity)) {
            (Some(base_fee), Some(tip)) => Market { base_fee, tip },
            // Nodes without the method: their gas price holds both. Older chains have only that.
            (base_fee, _) => {
                let price = price?;
                let price = quantity(&price).ok_or_else(|| self.rpc.malformed("eth_gasPrice"))?;
                let base_fee = base_fee.unwrap_or_default();
                Market { base_fee, tip: price.saturating_sub(base_fee) }
            }
        })
    }

    fn bytes(&self, what: &str, value: &Value) -> Result<Bytes, AppError> {
        serde_json::from_value(value.clone())
            .map_err(|_| self.rpc.malformed(format!("{what}: not hex data: {}", excerpt(value))))
    }

    /// What `getModulesPaginated` returned.
    fn modules(&self, data: &[u8]) -> Result<Vec<Address>, AppError> {
        let page = decode::loose_params::<(Vec<Address>, Address)>(data);
        page.map(|(modules, _)| modules).map_err(|_| self.rpc.malformed("getModulesPaginated: no list of addresses"))
    }

    /// One 32-byte word of return data.
    fn word(&self, what: &str, value: &Value) -> Result<B256, AppError> {
        let data = self.bytes(what, value)?;
        match data.len() {
            32 => Ok(B256::from_slice(&data)),
            0 => Err(self.rpc.malformed(format!("{what}: no such contract on this chain"))),
            length => Err(self.rpc.malformed(format!("{what}: {length} bytes instead of 32"))),
        }
    }
}

/// The middle one of the tips in a fee history.
fn usual_tip(history: &Value) -> Option<U256> {
    let blocks = history.get("reward")?.as_array()?;
    let tips = blocks.iter().filter_map(|block| quantity(block.get(0)?)).filter(|tip| !tip.is_zero());
    let mut tips = tips.collect::<Vec<_>>();
    tips.sort_unstable();
    tips.get(tips.len() / 2).copied()
}

/// Asks for the roots of both session key managers at this block.
fn roots(account: Address, at: &Value) -> [(&'static str, Value); 2] {
    let data = Bytes::from(getSessionKeysCall { smartAccount: account }.abi_encode());
    [SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0].map(|to| ("eth_call", json!([{"to": to, "data": data}, at])))
}

/// Many nodes have no pending block, or refuse to tell; the latest one stands in.
fn clocks(block: u64, pending: &Result<Value, AppError>) -> Clocks {
    let pending = pending.as_ref().ok().and_then(|pending| pending.get("timestamp")).and_then(small);
    Clocks { block, pending: pending.unwrap_or(block), wall: unix_seconds() }
}

/// A number as JSON-RPC wants it.
pub fn hex(number: u64) -> String {
    format!("{number:#x}")
}
