//! The bundler's JSON-RPC: fees, gas limits, and where an operation is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{
    super::{
        inner_error,
        json_rpc::{Failure, JsonRpcClient, is_unknown_method},
        market::DEFAULT_BUNDLER_FACTOR,
        quantity::quantity,
        receipt,
        single_flight::Cached,
        upstream_health::UpstreamHealth,
        upstream_url::UpstreamUrl,
    },
    checks::{check, state_override_set},
    status::{BundlerStatus, read_status},
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    addresses::ENTRY_POINT,
    rpc::{GasEstimate, GasFees, UserOpReceipt},
    user_operation::UserOperation,
};

/// Methods that advise fees, and methods that tell an operation's state, in the order in which they are tried.
const FEE_METHODS: [&str; 2] = ["pimlico_getUserOperationGasPrice", "biconomy_getGasFeeValues"];
const STATUS_METHODS: [&str; 3] =
    ["pimlico_getUserOperationStatus", "biconomy_getUserOperationStatus", "eth_getUserOperationReceipt"];
/// For so long the advice on fees is what it was.
const ADVICE_IS_FRESH: Duration = Duration::from_secs(1);
/// Error codes for a hash that the bundler does not know (docs/protocol.md 4.4; documentation and server differ).
const HASH_UNKNOWN: [i64; 2] = [-32094, -32004];

/// The bundlers of one chain, in failover order.
#[derive(Clone)]
pub struct Bundler {
    pub(super) rpc: JsonRpcClient,
    pub(super) chain_id: u64,
    fee_factor: u64,
    /// The method of each list that worked last, so that an unknown one is not asked every time.
    fee_method: Arc<AtomicUsize>,
    status_method: Arc<AtomicUsize>,
    advice: Arc<Cached<(), Option<GasFees>>>,
}

impl Bundler {
    /// Over the URLs in failover order; nothing is connected yet. `timeout` is for one request to one URL.
    ///
    /// # Errors
    /// `Internal` when no HTTP client can be made.
    pub fn new(urls: &[UpstreamUrl], chain_id: u64, timeout: Duration) -> Result<Self, AppError> {
        Ok(Self {
            rpc: JsonRpcClient::on_chain(Upstream::Bundler, urls, timeout, chain_id)?,
            chain_id,
            fee_factor: DEFAULT_BUNDLER_FACTOR,
            fee_method: Arc::default(),
            status_method: Arc::default(),
            advice: Arc::new(Cached::new(1, ADVICE_IS_FRESH)),
        })
    }

    /// Believed up to so many times what the node says of fees.
    #[must_use]
    pub fn with_fee_factor(self, fee_factor: u64) -> Self {
        Self { fee_factor, ..self }
    }

    /// How many times what the node says of fees they may advise.
    pub fn fee_factor(&self) -> u64 {
        self.fee_factor
    }

    /// The chain that all of them serve.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// How each URL does.
    pub fn health(&self) -> Vec<UpstreamHealth> {
        self.rpc.health()
    }

    /// The chain id that each URL reports, asked now.
    pub async fn chain_ids(&self) -> Vec<Result<u64, AppError>> {
        self.rpc.chain_ids().await
    }

    /// The entry points the bundler serves; used to see whether it is ready.
    pub async fn supported_entry_points(&self) -> Result<Vec<Address>, AppError> {
        self.rpc.call("eth_supportedEntryPoints", json!([])).await
    }

    /// The bundler's advice on fees, not compared with anything yet; `None` when it gives none.
    pub async fn fees(&self) -> Result<Option<GasFees>, AppError> {
        self.advice.get((), self.fees_now()).await
    }

    async fn fees_now(&self) -> Result<Option<GasFees>, AppError> {
        let start = self.fee_method.load(Ordering::Relaxed);
        for (index, method) in in_turn(&FEE_METHODS, start) {
            let answer = match self.rpc.call_value(method, json!([])).await {
                Err(error) if is_unknown_method(&error) => continue,
                answer => answer?,
            };
            self.fee_method.store(index, Ordering::Relaxed);
            // pimlico: three speeds; biconomy: the two values.
            let values = answer.get("standard").unwrap_or(&answer);
            let field = |name: &str| {
                values.get(name).and_then(quantity).ok_or_else(|| self.rpc.malformed(format!("{method}: no {name}")))
            };
            return Ok(Some(GasFees {
                max_fee_per_gas: field("maxFeePerGas")?,
                max_priority_fee_per_gas: field("maxPriorityFeePerGas")?,
            }));
        }
        Ok(None)
    }

    /// `eth_estimateUserOperationGas`.
    pub async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        check(user_operation)?;
        let mut params = vec![to_json(user_operation)?, json!(ENTRY_POINT)];
        params.extend(state_override_set(state_override)?);
        let answer = self.rpc.call_value("eth_estimateUserOperationGas", Value::Array(params)).await?;
        self.gas_limits(&answer, "eth_estimateUserOperationGas")
    }

    /// The three gas limits in an answer.
    fn gas_limits(&self, answer: &Value, method: &str) -> Result<GasEstimate, AppError> {
        let field = |name: &str| answer.get(name).and_then(quantity);
        let missing = |name: &str| self.rpc.malformed(format!("{method}: no {name}"));
        Ok(GasEstimate {
            call_gas_limit: field("callGasLimit").ok_or_else(|| missing("callGasLimit"))?,
            // Older bundlers name it without `Limit`.
            verification_gas_limit: field("verificationGasLimit")
                .or_else(|| field("verificationGas"))
                .ok_or_else(|| missing("verificationGasLimit"))?,
            pre_verification_gas: field("preVerificationGas").ok_or_else(|| missing("preVerificationGas"))?,
        })
    }

    /// Where an operation is. Every bundler is asked until one knows it: it may have been sent to any of them.
    /// `Unknown` only when all of them say so.
    pub(crate) async fn status(&self, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
        let usable = self.rpc.usable();
        let mut outcome = match usable.len() == self.rpc.health().len() {
            true => Ok(BundlerStatus::Unknown),
            false => Err(self.rpc.nobody_left()),
        };
        for index in usable {
            match self.status_at(index, user_op_hash).await {
                Ok(BundlerStatus::Unknown) => {}
                Ok(status) => return Ok(status),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn status_at(&self, index: usize, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
        let params = json!([user_op_hash]);
        let start = self.status_method.load(Ordering::Relaxed);
        for (position, method) in in_turn(&STATUS_METHODS, start) {
            let answer = match self.rpc.call_at(index, method, &params).await {
                Ok(answer) => answer,
                Err(Failure::Answer(error)) if is_unknown_method(&error) => continue,
                Err(Failure::Answer(AppError::UpstreamRejected { code, .. })) if HASH_UNKNOWN.contains(&code) => {
                    Value::Null
                }
                Err(failure) => return Err(failure.error().clone()),
            };
            self.status_method.store(position, Ordering::Relaxed);
            let status = read_status(user_op_hash, &answer).map(|status| match status {
                BundlerStatus::Dropped { reason, transaction_hash } => {
                    BundlerStatus::Dropped { reason: self.rpc.redacted(&reason), transaction_hash }
                }
                status => status,
            });
            return status.ok_or_else(|| self.rpc.malformed("the state of an operation"));
        }
        Ok(BundlerStatus::Unknown)
    }

    /// The bundler's receipt, for operations that it knows from before this server did.
    pub async fn receipt(&self, user_op_hash: B256) -> Result<Option<UserOpReceipt>, AppError> {
        let answer = self.rpc.call_value("eth_getUserOperationReceipt", json!([user_op_hash])).await?;
        Ok(receipt::from_bundler(user_op_hash, &answer))
    }

    /// `eth_getUserOperationByHash` as it came; `None` when the bundler does not know it.
    pub async fn operation_by_hash(&self, user_op_hash: B256) -> Result<Option<Value>, AppError> {
        let answer = self.rpc.call_value("eth_getUserOperationByHash", json!([user_op_hash])).await?;
        Ok((!answer.is_null()).then_some(answer))
    }
}

/// The methods of a list with their places, beginning at `start`.
fn in_turn<'a>(methods: &'a [&'static str], start: usize) -> impl Iterator<Item = (usize, &'static str)> + 'a {
    methods.iter().copied().enumerate().cycle().skip(start % methods.len().max(1)).take(methods.len())
}

pub(super) fn to_json(user_operation: &UserOperation) -> Result<Value, AppError> {
    serde_json::to_value(user_operation)
        .map_err(|error| AppError::Internal { reason: inner_error::logged("writing an operation", &error) })
}
