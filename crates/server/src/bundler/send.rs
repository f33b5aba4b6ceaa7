//! `eth_sendUserOperation`, so that an operation is never lost, never sent blindly twice, and never called refused
//! when it was taken. What makes it safe: an operation is known by its hash, and its nonce can be used once.

use std::time::Duration;

use alloy::primitives::B256;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{json_rpc::Failure, receipt},
    checks::check,
    client::{Bundler, to_json},
    refusal::in_words,
    status::is_about,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{rpc::SimulationType, user_operation::UserOperation};

const METHOD: &str = "eth_sendUserOperation";
/// How long a bundler whose answer was lost may take to say whether it has the operation.
const ASKING: Duration = Duration::from_secs(3);

impl Bundler {
    /// Hands an operation to the first bundler that takes it; the result is its hash. A third parameter only when the
    /// caller asks for a simulation: bundlers other than Biconomy's refuse it. An operation that a bundler has already is as good as sent.
    ///
    /// # Errors
    /// `UpstreamRejected` only when a bundler refused this operation and it is certain that none took it; a lost answer is
    /// told as what it was. Who wants fewer requests is `UpstreamUnavailable`: that says nothing of the operation.
    pub async fn send(
        &self,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError> {
        check(user_operation)?;
        if user_operation.signature.is_empty() {
            return Err(AppError::invalid("user_operation.signature", "a signature", "0x"));
        }
        let user_op_hash = user_operation.hash(self.chain_id);
        let mut params = vec![to_json(user_operation)?, json!(user_operation.entry_point.address())];
        params.extend(simulation_type.map(|simulation_type| json!({"simulation_type": simulation_type})));
        let params = Value::Array(params);
        let deadline = Instant::now() + self.rpc.patience();
        // The first answer that was lost: from then on the operation may be on its way.
        let mut lost = None;
        let mut last = None;
        for round in 0.. {
            let mut again = false;
            for index in self.rpc.usable() {
                match self.rpc.call_at(index, METHOD, &params).await {
                    Ok(answer) => return self.accepted(user_op_hash, &answer),
                    Err(Failure::Answer(error)) if is_known_already(&error) => return Ok(user_op_hash),
                    Err(Failure::Answer(refusal) | Failure::Refused(refusal)) => {
                        self.learn_fees(index, user_operation, &refusal).await;
                        let Some(lost) = lost else { return Err(in_words(user_operation.entry_point, refusal)) };
                        // The first one may have taken it, and that may be why this one refuses.
                        return if self.somebody_has(user_op_hash).await { Ok(user_op_hash) } else { Err(lost) };
                    }
                    Err(Failure::Unreached(error) | Failure::Limited { error, .. }) => {
                        again = true;
                        last = Some(error);
                    }
                    Err(failure @ (Failure::Transport { .. } | Failure::Oversized(_))) => {
                        if self.has(index, user_op_hash).await {
                            return Ok(user_op_hash);
                        }
                        again |= matches!(failure, Failure::Transport { brief: true, .. });
                        lost.get_or_insert(failure.error().clone());
                    }
                }
            }
            match self.rpc.pause_before_another_round(METHOD, round, again, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(lost.unwrap_or_else(|| unavailable(last.unwrap_or_else(|| self.rpc.nobody_left()))))
    }

    fn accepted(&self, user_op_hash: B256, answer: &Value) -> Result<B256, AppError> {
        match receipt::hash(answer) {
            Some(hash) if hash == user_op_hash => Ok(hash),
            Some(_) => Err(self.rpc.malformed("eth_sendUserOperation: another operation's hash")),
            None => Err(self.rpc.malformed("eth_sendUserOperation: no hash")),
        }
    }

    pub(crate) async fn somebody_has(&self, user_op_hash: B256) -> bool {
        for index in self.rpc.usable() {
            if self.has(index, user_op_hash).await {
                return true;
            }
        }
        false
    }

    /// A bundler has the operation, or has put it on chain. Silence is a no: then it is sent again, which is safe.
    async fn has(&self, index: usize, user_op_hash: B256) -> bool {
        let params = json!([user_op_hash]);
        for method in ["eth_getUserOperationByHash", "eth_getUserOperationReceipt"] {
            let asked = self.rpc.call_at(index, method, &params);
            match tokio::time::timeout(ASKING, asked).await {
                Ok(Ok(answer)) if is_about(user_op_hash, &answer) => return true,
                Ok(Ok(_) | Err(Failure::Answer(_))) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
        }
        false
    }
}

/// Nobody looked at the operation, in whatever words they said so.
fn unavailable(error: AppError) -> AppError {
    match error {
        AppError::UpstreamRejected { upstream, message, .. } => {
            AppError::UpstreamUnavailable { upstream, reason: message }
        }
        error => error,
    }
}

fn is_known_already(error: &AppError) -> bool {
    matches!(error, AppError::UpstreamRejected { message, .. } if message.to_lowercase().contains("already known"))
}
