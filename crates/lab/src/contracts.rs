//! Places the contracts of `contracts/`, the EntryPoints and Nexus on a running anvil, at their canonical addresses.
//!
//! Own Solidity can only get a public address on a local chain. The recipe: put the *creation* code at the address,
//! `eth_call` it for the runtime code, send one transaction to it so that the constructor's storage and child
//! contracts come true, then replace the code by the runtime code. Immutables, storage and children come out right.
//! The published ones need no trick: their creation code through CREATE2 lands on their address.

mod artifacts;
pub mod nexus;
mod node;
mod plan;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Address, Bytes, U256, address},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};

use artifacts::Artifacts;
use nexus::{TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07};
use node::RpcNode;
use plan::Contract;
use use_aa_protocol::addresses::{FALLBACK_HANDLER, TOKEN_PAYMASTER, VERIFYING_PAYMASTER};

pub use plan::{DEPLOYER, PAYMASTER_ID, VERIFYING_SIGNER};

/// Wei that each paymaster gets deposited at the EntryPoint: 1000 ether.
const PAYMASTER_DEPOSIT: U256 = U256::from_limbs([0x35c9adc5dea00000, 0x36, 0, 0]);
/// Wei that each paymaster stakes: 1 ether.
const PAYMASTER_STAKE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
/// Seconds before a stake may leave; bundlers ask for at least a day.
const UNSTAKE_DELAY: u32 = 86_400;
/// The deterministic deployer that anvil carries from genesis: call data = salt(32) ‖ creation code.
const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// Gas limit of each placing transaction, gas units; the largest, EntryPoint and Nexus, need 5.3 million.
const TRANSACTION_GAS: u64 = 8_000_000;
/// How long all transactions of a step may take to be mined.
const MINING_TIMEOUT: Duration = Duration::from_secs(10);

sol! {
    function depositFor(address paymasterId) external payable;
    function deposit() external payable;
    function addStake(uint32 unstakeDelaySeconds) external payable;
}

/// Why the contracts could not be placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A compiled contract is not where it should be, or not what it should be.
    #[error("{path}: {reason}; run `make contracts`", path = .path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A published contract is not the one that is known: it would stand elsewhere.
    #[error("{name} would come out at {comes_out} instead of {address}: wrong package; run `make contracts`")]
    WrongCode {
        /// Which contract.
        name: &'static str,
        /// Where clients look for it.
        address: Address,
        /// Where this code comes out.
        comes_out: Address,
    },
    /// The node does not answer.
    #[error("the chain node does not answer: {reason}")]
    Unreachable {
        /// What the HTTP client said.
        reason: String,
    },
    /// The node answered with a JSON-RPC error.
    #[error("the chain node refuses {method}: {code} {message}")]
    Refused {
        /// The method that was asked for.
        method: &'static str,
        /// JSON-RPC code, as it came.
        code: i64,
        /// The node's text.
        message: String,
    },
    /// The node answered with something that is not what JSON-RPC says.
    #[error("the chain node sent an unusable answer to {method}: {reason}")]
    Malformed {
        /// The method that was asked for.
        method: &'static str,
        /// What was wrong with the answer.
        reason: String,
    },
    /// A transaction was mined but failed.
    #[error("placing failed: the transaction that should {purpose} reverted")]
    Reverted {
        /// What the transaction was for.
        purpose: String,
    },
    /// A transaction was not mined in time.
    #[error("placing failed: not mined within {limit:?}: {purpose}")]
    NotMined {
        /// What the transaction was for.
        purpose: String,
        /// How long was waited.
        limit: Duration,
    },
    /// There is no code where there should be.
    #[error("placing failed: {name} has no code at {address}")]
    NoCode {
        /// Which contract.
        name: &'static str,
        /// Where it was looked for.
        address: Address,
    },
}

/// What [`place`] did.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Chain id of the node.
    pub chain_id: u64,
    /// Name and address of every contract, the EntryPoint first.
    pub contracts: Vec<(&'static str, Address)>,
    /// How long it took.
    pub took: Duration,
}

/// Places everything on the anvil behind `rpc_url`; `root` is the project's folder (artifacts and npm packages).
///
/// Contracts that have code already are left alone, so a second call changes nothing. Paymasters are staked and get a
/// deposit when they are placed; the verifying one of v0.6 credits it to [`PAYMASTER_ID`].
pub async fn place(rpc_url: &str, root: &Path) -> Result<Placed, PlaceError> {
    let start = Instant::now();
    let artifacts = Artifacts::read(root)?;
    let deployments = plan::deployments(&artifacts)?;
    let contracts = plan::contracts(&artifacts)?;
    let node = RpcNode::new(rpc_url)?;

    let mut all: Vec<_> = deployments.iter().map(|deployment| (deployment.name, deployment.address)).collect();
    all.extend(contracts.iter().map(|contract| (contract.name, contract.address)));
    let missing = without_code(&node, &all).await?;
    let contracts: Vec<Contract> = contracts.into_iter().filter(|c| missing.contains(&c.address)).collect();

    let (chain_id, mut deployer) = deployer(&node).await?;
    let mut transactions = Vec::new();
    for deployment in deployments.iter().filter(|deployment| missing.contains(&deployment.address)) {
        let data = [deployment.salt.as_slice(), &deployment.creation_code].concat();
        let purpose = format!("deploy {}", deployment.name);
        transactions.push(deployer.transaction(purpose, CREATE2_DEPLOYER, U256::ZERO, data.into()));
    }
    let runtime_codes = run_constructors(&node, &contracts).await?;
    for contract in &contracts {
        let purpose = format!("run the constructor of {}", contract.name);
        transactions.push(deployer.transaction(purpose, contract.address, U256::ZERO, Bytes::new()));
    }
    mine(&node, transactions).await?;
    let codes = contracts.iter().zip(&runtime_codes).map(|(contract, code)| json!([contract.address, code]));
    node.batch("anvil_setCode", codes).await?;
    mine(&node, funding(&mut deployer, &missing)).await?;

    all.push(("FallbackHandler", FALLBACK_HANDLER));
    let empty = without_code(&node, &all).await?;
    match all.iter().find(|(_, address)| empty.contains(address)) {
        Some(&(name, address)) => Err(PlaceError::NoCode { name, address }),
        None => Ok(Placed { chain_id, contracts: all, took: start.elapsed() }),
    }
}

/// Which of these addresses have no code.
async fn without_code(node: &RpcNode, contracts: &[(&'static str, Address)]) -> Result<Vec<Address>, PlaceError> {
    let codes = node.batch("eth_getCode", contracts.iter().map(|(_, address)| json!([address, "latest"]))).await?;
    let empty = contracts.iter().zip(codes).filter(|(_, code)| code.as_str() == Some("0x"));
    Ok(empty.map(|((_, address), _)| *address).collect())
}

/// Puts the creation codes where the contracts shall be, and answers with the runtime codes they return.
async fn run_constructors(node: &RpcNode, contracts: &[Contract]) -> Result<Vec<Value>, PlaceError> {
    // A contract's nonce is 1 while its constructor runs: the factory's first child then has its canonical address.
    node.batch("anvil_setNonce", contracts.iter().map(|contract| json!([contract.address, "0x1"]))).await?;
    node.batch("anvil_setCode", contracts.iter().map(|c| json!([c.address, c.creation_code]))).await?;
    node.batch("eth_call", contracts.iter().map(|c| json!([{ "from": DEPLOYER, "to": c.address }, "latest"]))).await
}

/// Stakes and deposits for the paymasters among the contracts that were placed now.
fn funding(deployer: &mut Deployer, placed: &[Address]) -> Vec<Transaction> {
    let stake = addStakeCall { unstakeDelaySeconds: UNSTAKE_DELAY }.abi_encode();
    let sponsor = depositForCall { paymasterId: PAYMASTER_ID }.abi_encode();
    let plain = depositCall {}.abi_encode();
    let paymasters = [
        (VERIFYING_PAYMASTER, sponsor),
        (TOKEN_PAYMASTER, plain.clone()),
        (VERIFYING_PAYMASTER_V07, plain.clone()),
        (TOKEN_PAYMASTER_V07, plain),
    ];
    let mut transactions = Vec::new();
    for (paymaster, deposit) in paymasters.into_iter().filter(|(address, _)| placed.contains(address)) {
        let purpose = |verb: &str| format!("{verb} for the paymaster {paymaster}");
        transactions.push(deployer.transaction(purpose("stake"), paymaster, PAYMASTER_STAKE, stake.clone().into()));
        transactions.push(deployer.transaction(purpose("deposit"), paymaster, PAYMASTER_DEPOSIT, deposit.into()));
    }
    transactions
}

/// A transaction of [`DEPLOYER`] and what it is for.
struct Transaction {
    purpose: String,
    request: Value,
}

/// Numbers the transactions of [`DEPLOYER`], so that a whole batch can be sent at once.
struct Deployer {
    next_nonce: u64,
}

impl Deployer {
    fn transaction(&mut self, purpose: impl Into<String>, to: Address, value: U256, data: Bytes) -> Transaction {
        let request = json!({
            "from": DEPLOYER,
            "to": to,
            "value": value,
            "input": data,
            "gas": U256::from(TRANSACTION_GAS),
            "nonce": U256::from(self.next_nonce),
        });
        self.next_nonce += 1;
        Transaction { purpose: purpose.into(), request }
    }
}

/// Asks for the chain id and makes the deployer ready: unlocked, rich, its nonce known.
async fn deployer(node: &RpcNode) -> Result<(u64, Deployer), PlaceError> {
    node.call("anvil_impersonateAccount", json!([DEPLOYER])).await?;
    node.call("anvil_setBalance", json!([DEPLOYER, PAYMASTER_DEPOSIT * U256::from(10)])).await?;
    let chain_id = node.quantity("eth_chainId", json!([])).await?;
    let next_nonce = node.quantity("eth_getTransactionCount", json!([DEPLOYER, "pending"])).await?;
    Ok((chain_id, Deployer { next_nonce }))
}

/// Sends all transactions in one batch and waits until all are mined and successful.
///
/// Meanwhile the node mines only when asked: a transaction that anvil checks before the block of the one before it, and
/// puts into its pool after that block, would wait for its predecessor for ever.
async fn mine(node: &RpcNode, transactions: Vec<Transaction>) -> Result<(), PlaceError> {
    if transactions.is_empty() {
        return Ok(());
    }
    let automine = node.call("anvil_getAutomine", json!([])).await? == Value::Bool(true);
    if automine {
        node.call("evm_setAutomine", json!([false])).await?;
    }
    let mined = send_and_mine(node, transactions).await;
    let restored = if automine { node.call("evm_setAutomine", json!([true])).await.map(drop) } else { Ok(()) };
    // What went wrong first says more than a node that cannot be restored after it.
    mined.and(restored)
}

async fn send_and_mine(node: &RpcNode, transactions: Vec<Transaction>) -> Result<(), PlaceError> {
    let hashes = node.batch("eth_sendTransaction", transactions.iter().map(|t| json!([t.request]))).await?;
    let mut waiting: Vec<(String, Value)> = transactions.into_iter().map(|t| t.purpose).zip(hashes).collect();
    let start = Instant::now();
    while !waiting.is_empty() {
        node.call("evm_mine", json!([])).await?;
        let receipts = node.batch("eth_getTransactionReceipt", waiting.iter().map(|(_, hash)| json!([hash]))).await?;
        let mut pending = Vec::new();
        for ((purpose, hash), receipt) in waiting.into_iter().zip(receipts) {
            match receipt.get("status").and_then(Value::as_str) {
                Some("0x1") => {}
                Some(_) => return Err(PlaceError::Reverted { purpose }),
                None => pending.push((purpose, hash)),
            }
        }
        waiting = pending;
        if let Some((purpose, _)) = waiting.first()
            && start.elapsed() > MINING_TIMEOUT
        {
            return Err(PlaceError::NotMined { purpose: purpose.clone(), limit: MINING_TIMEOUT });
        }
    }
    Ok(())
}
