//! The bundler's JSON-RPC: fees, gas limits, and where an operation is.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alloy::primitives::{Address, B256, U256};
use serde::Deserialize;
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
    advice::Advice,
    checks::{check, state_override_set},
    customs::Customs,
    refusal::in_words,
    status::{BundlerStatus, read_by_hash, read_status},
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    rpc::{GasEstimate, PaymasterGas, UserOpReceipt},
    user_operation::UserOperation,
};

/// Methods that tell an operation's state, in the order in which they are tried.
const STATUS_METHODS: [&str; 3] = ["pimlico_getUserOperationStatus", "biconomy_getUserOperationStatus", RECEIPT];
const RECEIPT: &str = "eth_getUserOperationReceipt";
const BY_HASH: &str = "eth_getUserOperationByHash";
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
    /// Of each URL.
    pub(super) customs: Arc<[Customs]>,
    pub(super) advice: Arc<Cached<(), Option<Advice>>>,
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
            customs: urls.iter().map(|_| Customs::default()).collect(),
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

    /// `eth_estimateUserOperationGas`.
    pub async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        let method = "eth_estimateUserOperationGas";
        check(user_operation)?;
        let mut params = vec![to_json(user_operation)?, json!(user_operation.entry_point.address())];
        params.extend(state_override_set(state_override)?);
        let answer = self.rpc.call_value(method, Value::Array(params)).await;
        let answer = answer.map_err(|refusal| in_words(user_operation.entry_point, refusal))?;
        let mut gas = self.gas_limits(&answer, method)?;
        // Bundlers name the paymaster's limits always, zero where there is none.
        if let Some(own) = user_operation.paymaster_gas() {
            gas.paymaster = Some(self.paymaster_gas(&answer, own, method)?);
        }
        Ok(gas)
    }

    /// The paymaster's limits in an answer; of what a bundler does not estimate (some leave out the work afterwards), those
    /// of the operation.
    fn paymaster_gas(&self, answer: &Value, own: PaymasterGas, method: &str) -> Result<PaymasterGas, AppError> {
        let field = |name: &str, own: U256| match answer.get(name) {
            None | Some(Value::Null) => Ok(own),
            Some(limit) => quantity(limit).ok_or_else(|| self.rpc.malformed(format!("{method}: {name} is no number"))),
        };
        let verification = field("paymasterVerificationGasLimit", own.verification)?;
        // Some bundlers take no operation whose paymaster has nothing for afterwards.
        let post_op = field("paymasterPostOpGasLimit", own.post_op)?.max(U256::ONE);
        Ok(PaymasterGas { verification, post_op })
    }

    /// The gas limits in an answer that all versions have.
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
            paymaster: None,
        })
    }

    /// Where an operation is. Every bundler is asked until one knows it: it may have been sent to any of them.
    /// `Unknown` only when all of them say so; with an error only when nobody says anything.
    pub(crate) async fn status(&self, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
        let usable = self.rpc.usable();
        let (mut unknown, mut silent) = (false, false);
        let mut failed = (usable.len() < self.rpc.health().len()).then(|| self.rpc.nobody_left());
        for index in usable {
            match self.status_at(index, user_op_hash).await {
                Ok(BundlerStatus::Unknown) => unknown = true,
                Ok(BundlerStatus::Silent) => silent = true,
                Ok(status) => return Ok(status),
                Err(error) => failed = Some(error),
            }
        }
        match (unknown, silent, failed) {
            (true, false, None) => Ok(BundlerStatus::Unknown),
            (true, _, failed) => Ok(BundlerStatus::UnknownToThoseAsked(failed)),
            (false, _, Some(error)) => Err(error),
            (false, true, None) => Ok(BundlerStatus::Silent),
            (false, false, None) => Err(self.rpc.nobody_left()),
        }
    }

    async fn status_at(&self, index: usize, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
        let Some(customs) = self.customs.get(index) else { return Ok(BundlerStatus::Silent) };
        let params = json!([user_op_hash]);
        for (position, method) in in_turn(&STATUS_METHODS, customs.status_place()) {
            if !customs.may_know(method) {
                continue;
            }
            let answer = match self.rpc.call_at(index, method, &params).await {
                Ok(answer) => answer,
                Err(Failure::Answer(error)) if is_unknown_method(&error) => {
                    customs.does_not_know(method);
                    continue;
                }
                Err(Failure::Answer(AppError::UpstreamRejected { code, .. })) if HASH_UNKNOWN.contains(&code) => {
                    Value::Null
                }
                Err(failure) => return Err(failure.error().clone()),
            };
            customs.status_method.store(position, Ordering::Relaxed);
            if answer.is_null() && method == RECEIPT {
                // No receipt yet: does it have the operation at all?
                return self.waiting_at(index, user_op_hash).await;
            }
            let status = read_status(user_op_hash, &answer).map(|status| match status {
                BundlerStatus::Dropped { reason, transaction_hash } => {
                    BundlerStatus::Dropped { reason: self.rpc.redacted(&reason), transaction_hash }
                }
                status => status,
            });
            return status.ok_or_else(|| self.rpc.malformed("the state of an operation"));
        }
        Ok(BundlerStatus::Silent)
    }

    /// What a bundler without a method for states knows of an operation that has no receipt.
    async fn waiting_at(&self, index: usize, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
        let Some(customs) = self.customs.get(index).filter(|customs| customs.may_know(BY_HASH)) else {
            return Ok(BundlerStatus::Silent);
        };
        match self.rpc.call_at(index, BY_HASH, &json!([user_op_hash])).await {
            Ok(answer) => Ok(read_by_hash(user_op_hash, &answer)),
            Err(Failure::Answer(error)) if is_unknown_method(&error) => {
                customs.does_not_know(BY_HASH);
                Ok(BundlerStatus::Silent)
            }
            Err(Failure::Answer(AppError::UpstreamRejected { code, .. })) if HASH_UNKNOWN.contains(&code) => {
                Ok(BundlerStatus::Unknown)
            }
            Err(failure) => Err(failure.error().clone()),
        }
    }

    /// The bundler's receipt, for operations that it knows from before this server did.
    pub async fn receipt(&self, user_op_hash: B256) -> Result<Option<UserOpReceipt>, AppError> {
        let answer = self.rpc.call_value(RECEIPT, json!([user_op_hash])).await?;
        Ok(receipt::from_bundler(user_op_hash, &answer))
    }

    /// `eth_getUserOperationByHash` as it came; `None` when the bundler does not know it.
    pub async fn operation_by_hash(&self, user_op_hash: B256) -> Result<Option<Value>, AppError> {
        let answer = self.rpc.call_value(BY_HASH, json!([user_op_hash])).await?;
        Ok((!answer.is_null()).then_some(answer))
    }

    /// The operation with this hash, signed, when a bundler has it. A bundler may lie: the hash says what is in it, all
    /// but the signature.
    pub(crate) async fn signed_operation(&self, user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
        let Some(answer) = self.operation_by_hash(user_op_hash).await? else { return Ok(None) };
        let told = answer.get("userOperation").and_then(|told| UserOperation::deserialize(told).ok());
        Ok(told.filter(|told| told.hash(self.chain_id) == user_op_hash && !told.signature.is_empty()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Rundler leaves out the work afterwards, and alto names zero.
    #[test]
    fn limits_that_a_bundler_does_not_tell_are_the_operations_own() {
        let bundler = Bundler::new(&["http://localhost:1".parse().unwrap()], 1, Duration::from_secs(1)).unwrap();
        let own = PaymasterGas { verification: U256::from(70), post_op: U256::from(50) };
        let read = |answer: Value| {
            let gas = bundler.paymaster_gas(&answer, own, "eth_estimateUserOperationGas")?;
            Ok::<_, AppError>([gas.verification, gas.post_op].map(|limit| limit.to::<u64>()))
        };
        for (answer, expected) in [
            (json!({"paymasterVerificationGasLimit": "0x9"}), [9, 50]),
            (json!({"paymasterVerificationGasLimit": "0x9", "paymasterPostOpGasLimit": null}), [9, 50]),
            (json!({}), [70, 50]),
            (json!({"paymasterVerificationGasLimit": "0x9", "paymasterPostOpGasLimit": "0x0"}), [9, 1]),
            (json!({"paymasterVerificationGasLimit": "0x9", "paymasterPostOpGasLimit": "0x20"}), [9, 32]),
        ] {
            assert_eq!(read(answer.clone()).unwrap(), expected, "{answer}");
        }
        let wrong = read(json!({"paymasterPostOpGasLimit": "much"}));
        assert!(matches!(wrong, Err(AppError::UpstreamMalformed { .. })), "{wrong:?}");
    }
}
