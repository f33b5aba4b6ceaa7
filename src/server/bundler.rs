//! The bundler: fees, gas limits, sending.

use alloy::primitives::B256;
use leptos::server;
use serde_json::Value;

use super::call::Call;
use crate::{
    error::AppError,
    protocol::{
        rpc::{GasEstimate, GasFees},
        user_operation::UserOperation,
    },
};

/// Fees to offer now: the bundler's own advice, else the node's.
#[server(name = GetGasFees, protocol = Call, prefix = "/api/fn", endpoint = "gas_fees")]
pub async fn gas_fees() -> Result<GasFees, AppError> {
    ssr::advised_fees(&super::state::server_state()?).await
}

/// Gas limits from the bundler, for an operation with a dummy signature.
/// `state_override` is passed on as the third parameter of `eth_estimateUserOperationGas`.
#[server(protocol = Call, prefix = "/api/fn", endpoint = "estimate_user_operation_gas")]
pub async fn estimate_user_operation_gas(
    user_operation: UserOperation,
    state_override: Option<Value>,
) -> Result<GasEstimate, AppError> {
    super::state::server_state()?.bundler().estimate(&user_operation, state_override).await
}

/// Hands a signed operation to the bundler and begins to watch it; the result is its hash.
#[server(protocol = Call, prefix = "/api/fn", endpoint = "send_user_operation")]
pub async fn send_user_operation(user_operation: UserOperation) -> Result<B256, AppError> {
    let state = super::state::server_state()?;
    let user_op_hash = state.bundler().send(&user_operation, state.config().chain_id).await?;
    state.watcher().follow_sent(user_op_hash);
    Ok(user_op_hash)
}

#[cfg(feature = "ssr")]
pub(super) mod ssr {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use alloy::primitives::{Address, B256};
    use serde_json::{Map, Value, json};

    use super::super::{
        config::UpstreamUrl,
        json_rpc::{JsonRpcClient, is_unknown_method},
        quantity::quantity,
        receipt,
        state::ServerState,
    };
    use crate::{
        error::{AppError, Upstream},
        protocol::{
            addresses::ENTRY_POINT,
            rpc::{GasEstimate, GasFees, UserOpReceipt},
            user_operation::UserOperation,
        },
    };

    /// Fees to offer now: the bundler's own advice, else the node's.
    pub(crate) async fn advised_fees(state: &ServerState) -> Result<GasFees, AppError> {
        match state.bundler().fees().await? {
            Some(fees) => Ok(fees),
            None => state.node().fees().await,
        }
    }

    /// Methods that advise fees, and methods that tell an operation's state: the same order of dialects.
    const FEE_METHODS: [&str; 2] = ["pimlico_getUserOperationGasPrice", "biconomy_getGasFeeValues"];
    const STATUS_METHODS: [&str; 3] =
        ["pimlico_getUserOperationStatus", "biconomy_getUserOperationStatus", "eth_getUserOperationReceipt"];
    /// Error codes for a hash that the bundler does not know (SPEC 4.4; documentation and server differ).
    const HASH_UNKNOWN: [i64; 2] = [-32094, -32004];

    /// Where an operation is, as the bundler tells it.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum BundlerStatus {
        /// Never heard of it (or forgotten).
        Unknown,
        /// Accepted, not in a transaction yet.
        Waiting,
        /// In this transaction, which may be mined or not.
        Bundled(B256),
        /// Given up, or failed together with its bundle; the chain has the last word.
        Dropped {
            /// The bundler's text.
            reason: String,
            /// The transaction that failed, when there was one.
            transaction_hash: Option<B256>,
        },
        /// Done, with the bundler's own receipt.
        Done(Box<UserOpReceipt>),
    }

    /// The bundler.
    #[derive(Clone)]
    pub(crate) struct Bundler {
        rpc: JsonRpcClient,
        /// The method of each list that worked last, so that an unknown one is not asked every time.
        fee_method: Arc<AtomicUsize>,
        status_method: Arc<AtomicUsize>,
    }

    impl Bundler {
        pub(crate) fn new(urls: &[UpstreamUrl], timeout: Duration) -> Result<Self, AppError> {
            Ok(Self {
                rpc: JsonRpcClient::new(Upstream::Bundler, urls, timeout)?,
                fee_method: Arc::default(),
                status_method: Arc::default(),
            })
        }

        /// The entry points the bundler serves; used to see whether it is ready.
        pub(crate) async fn supported_entry_points(&self) -> Result<Vec<Address>, AppError> {
            self.rpc.call("eth_supportedEntryPoints", json!([])).await
        }

        /// The bundler's advice on fees; `None` when it gives none.
        pub(crate) async fn fees(&self) -> Result<Option<GasFees>, AppError> {
            let Some((method, answer)) = self.first_known(&FEE_METHODS, &self.fee_method, json!([])).await? else {
                return Ok(None);
            };
            // pimlico: three speeds; biconomy: the two values.
            let values = answer.get("standard").unwrap_or(&answer);
            let field = |name: &str| {
                values.get(name).and_then(quantity).ok_or_else(|| self.rpc.malformed(format!("{method}: no {name}")))
            };
            Ok(Some(GasFees {
                max_fee_per_gas: field("maxFeePerGas")?,
                max_priority_fee_per_gas: field("maxPriorityFeePerGas")?,
            }))
        }

        /// `eth_estimateUserOperationGas`.
        pub(crate) async fn estimate(
            &self,
            user_operation: &UserOperation,
            state_override: Option<Value>,
        ) -> Result<GasEstimate, AppError> {
            check(user_operation)?;
            let mut params = vec![to_json(user_operation)?, json!(ENTRY_POINT)];
            match state_override {
                // Bundlers refuse `null` as third parameter: absent must be absent.
                None | Some(Value::Null) => {}
                Some(Value::Object(set)) if set.is_empty() => {}
                Some(Value::Object(set)) => params.push(state_override_set(set)?),
                Some(other) => return Err(AppError::invalid("state_override", "an object of addresses", other)),
            }
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

        /// `eth_sendUserOperation`; no third parameter, bundlers other than Biconomy's refuse it.
        /// An operation that the bundler has already (the first answer was lost) is as good as sent.
        pub(crate) async fn send(&self, user_operation: &UserOperation, chain_id: u64) -> Result<B256, AppError> {
            check(user_operation)?;
            if user_operation.signature.is_empty() {
                return Err(AppError::invalid("user_operation.signature", "a signature", "0x"));
            }
            let params = json!([to_json(user_operation)?, ENTRY_POINT]);
            match self.rpc.submit("eth_sendUserOperation", params).await {
                Err(AppError::UpstreamRejected { message, .. }) if message.to_lowercase().contains("already known") => {
                    Ok(user_operation.hash(ENTRY_POINT, chain_id))
                }
                answer => answer,
            }
        }

        /// Where an operation is.
        pub(crate) async fn status(&self, user_op_hash: B256) -> Result<BundlerStatus, AppError> {
            let answer = match self.first_known(&STATUS_METHODS, &self.status_method, json!([user_op_hash])).await {
                Ok(Some((_, answer))) => answer,
                Ok(None) => return Ok(BundlerStatus::Unknown),
                Err(AppError::UpstreamRejected { code, .. }) if HASH_UNKNOWN.contains(&code) => {
                    return Ok(BundlerStatus::Unknown);
                }
                Err(error) => return Err(error),
            };
            read_status(user_op_hash, &answer).ok_or_else(|| self.rpc.malformed("the state of an operation"))
        }

        /// The bundler's receipt, for operations that it knows from before this server did.
        pub(crate) async fn receipt(&self, user_op_hash: B256) -> Result<Option<UserOpReceipt>, AppError> {
            let answer = self.rpc.call_value("eth_getUserOperationReceipt", json!([user_op_hash])).await?;
            Ok(receipt::from_bundler(user_op_hash, &answer))
        }

        /// Calls the methods of a list, the one that worked last first, until one is known to the bundler.
        async fn first_known(
            &self,
            methods: &[&'static str],
            remembered: &AtomicUsize,
            params: Value,
        ) -> Result<Option<(&'static str, Value)>, AppError> {
            let start = remembered.load(Ordering::Relaxed);
            for step in 0..methods.len() {
                let index = (start + step) % methods.len();
                let Some(method) = methods.get(index) else { continue };
                match self.rpc.call_value(method, params.clone()).await {
                    Ok(answer) => {
                        remembered.store(index, Ordering::Relaxed);
                        return Ok(Some((method, answer)));
                    }
                    Err(error) if is_unknown_method(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        }
    }

    fn to_json(user_operation: &UserOperation) -> Result<Value, AppError> {
        serde_json::to_value(user_operation).map_err(|error| AppError::Internal { reason: error.to_string() })
    }

    /// What no bundler would take: caught here, with the field's name.
    fn check(user_operation: &UserOperation) -> Result<(), AppError> {
        if user_operation.sender.is_zero() {
            return Err(AppError::invalid("user_operation.sender", "a smart account", user_operation.sender));
        }
        let init_code = user_operation.init_code.len();
        if init_code != 0 && init_code < 20 {
            return Err(AppError::invalid(
                "user_operation.initCode",
                "empty, or a factory and its call data",
                init_code,
            ));
        }
        let paymaster = user_operation.paymaster_and_data.len();
        if paymaster != 0 && paymaster < 20 {
            return Err(AppError::invalid(
                "user_operation.paymasterAndData",
                "empty, or a paymaster and its data",
                paymaster,
            ));
        }
        Ok(())
    }

    /// A state override set (SPEC 4.2): only its own fields, numbers as hex.
    fn state_override_set(set: Map<String, Value>) -> Result<Value, AppError> {
        if set.len() > 16 {
            return Err(AppError::TooLarge { what: "the state override set".into(), limit: "16 accounts".into() });
        }
        let mut checked = Map::new();
        for (address, fields) in set {
            if address.parse::<Address>().is_err() {
                return Err(AppError::invalid("state_override", "addresses as keys", address));
            }
            let Value::Object(fields) = fields else {
                return Err(AppError::invalid(format!("state_override.{address}"), "an object", fields));
            };
            let mut entry = Map::new();
            for (name, value) in fields {
                let field = format!("state_override.{address}.{name}");
                let value = match name.as_str() {
                    "balance" | "nonce" => {
                        json!(quantity(&value).ok_or_else(|| { AppError::invalid(field, "a number", &value) })?)
                    }
                    "code" if value.is_string() => value,
                    "state" | "stateDiff" if value.is_object() => value,
                    _ => return Err(AppError::invalid(field, "balance, nonce, code, state or stateDiff", value)),
                };
                entry.insert(name, value);
            }
            checked.insert(address, Value::Object(entry));
        }
        Ok(Value::Object(checked))
    }

    /// Reads all three dialects; `None` when the answer is none of them.
    fn read_status(user_op_hash: B256, answer: &Value) -> Option<BundlerStatus> {
        if answer.is_null() {
            return Some(BundlerStatus::Unknown);
        }
        let transaction_hash = answer.get("transactionHash").and_then(receipt::hash).filter(|hash| !hash.is_zero());
        let reason = |default: &str| {
            let message = answer.get("message").and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
            message.unwrap_or(default).chars().take(500).collect::<String>()
        };
        let Some(state) = answer.get("status").or_else(|| answer.get("state")).and_then(Value::as_str) else {
            return receipt::from_bundler(user_op_hash, answer).map(|receipt| BundlerStatus::Done(Box::new(receipt)));
        };
        Some(match state {
            "not_found" => BundlerStatus::Unknown,
            "not_submitted" | "queued" | "BUNDLER_MEMPOOL" => BundlerStatus::Waiting,
            "submitted" | "included" | "SUBMITTED" => match transaction_hash {
                Some(hash) => BundlerStatus::Bundled(hash),
                None => BundlerStatus::Waiting,
            },
            "CONFIRMED" => {
                let receipt = answer.get("userOperationReceipt").and_then(|r| receipt::from_bundler(user_op_hash, r));
                match (receipt, transaction_hash) {
                    (Some(receipt), _) => BundlerStatus::Done(Box::new(receipt)),
                    (None, Some(hash)) => BundlerStatus::Bundled(hash),
                    (None, None) => return None,
                }
            }
            "rejected" => BundlerStatus::Dropped {
                reason: reason("the bundler rejected the operation after accepting it"),
                transaction_hash,
            },
            "DROPPED_FROM_BUNDLER_MEMPOOL" => {
                BundlerStatus::Dropped { reason: reason("the bundler could not send the operation"), transaction_hash }
            }
            "failed" | "reverted" | "FAILED" => {
                BundlerStatus::Dropped { reason: reason("the bundle's transaction failed on chain"), transaction_hash }
            }
            _ => return None,
        })
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, clippy::expect_used)]
        use super::*;

        const HASH: B256 = B256::repeat_byte(0xab);

        fn status(answer: Value) -> Option<BundlerStatus> {
            read_status(HASH, &answer)
        }

        #[test]
        fn every_dialect_of_status_is_read() {
            let transaction = B256::repeat_byte(7);
            assert_eq!(status(json!(null)), Some(BundlerStatus::Unknown));
            assert_eq!(status(json!({"status": "not_found", "transactionHash": null})), Some(BundlerStatus::Unknown));
            assert_eq!(
                status(json!({"status": "not_submitted", "transactionHash": null})),
                Some(BundlerStatus::Waiting)
            );
            let bundled = Some(BundlerStatus::Bundled(transaction));
            assert_eq!(status(json!({"status": "submitted", "transactionHash": transaction})), bundled);
            assert_eq!(status(json!({"status": "included", "transactionHash": transaction})), bundled);
            assert_eq!(status(json!({"state": "BUNDLER_MEMPOOL"})), Some(BundlerStatus::Waiting));
            assert_eq!(status(json!({"state": "SUBMITTED", "transactionHash": transaction})), bundled);
            let failed =
                status(json!({"state": "FAILED", "transactionHash": transaction, "message": "AA 25 invalid nonce"}));
            assert_eq!(
                failed,
                Some(BundlerStatus::Dropped {
                    reason: "AA 25 invalid nonce".into(),
                    transaction_hash: Some(transaction)
                })
            );
            assert!(matches!(
                status(json!({"state": "DROPPED_FROM_BUNDLER_MEMPOOL"})),
                Some(BundlerStatus::Dropped { transaction_hash: None, .. })
            ));
            assert_eq!(status(json!({"state": "MELTED"})), None);
            assert_eq!(status(json!("soon")), None);
        }

        #[test]
        fn state_overrides_are_normalised_and_checked() {
            let address = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
            let set = |value: Value| match value {
                Value::Object(set) => state_override_set(set),
                _ => unreachable!(),
            };
            assert_eq!(
                set(json!({address: {"balance": "1000", "code": "0x60"}})).unwrap(),
                json!({address: {"balance": "0x3e8", "code": "0x60"}})
            );
            assert!(set(json!({"nobody": {}})).is_err());
            assert!(set(json!({address: {"balance": "much"}})).is_err());
            assert!(set(json!({address: {"storage": {}}})).is_err());
            assert!(set(json!({address: 5})).is_err());
        }

        #[test]
        fn operations_that_nobody_would_take_are_named() {
            let field = |operation: UserOperation| match check(&operation) {
                Err(AppError::InvalidInput { field, .. }) => field,
                other => panic!("{other:?}"),
            };
            assert_eq!(field(UserOperation::default()), "user_operation.sender");
            let sender = ENTRY_POINT;
            let init_code = vec![1, 2, 3].into();
            assert_eq!(field(UserOperation { sender, init_code, ..Default::default() }), "user_operation.initCode");
            let paymaster_and_data = vec![1; 19].into();
            assert_eq!(
                field(UserOperation { sender, paymaster_and_data, ..Default::default() }),
                "user_operation.paymasterAndData"
            );
        }
    }
}
