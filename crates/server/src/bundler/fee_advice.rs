//! A bundler's advice on fees: by whichever method it has.

use alloy::primitives::U256;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{
        json_rpc::{Failure, is_unknown_method},
        quantity::quantity,
    },
    advice::Advice,
    client::Bundler,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{fee_refusal::FeeRefusal, rpc::GasFees, user_operation::UserOperation};

/// Three speeds; the two values; the tip alone. In the order in which they are tried.
const METHODS: [&str; 3] = ["pimlico_getUserOperationGasPrice", "biconomy_getGasFeeValues", TIP_ALONE];
const TIP_ALONE: &str = "rundler_maxPriorityFeePerGas";
/// Stands for all of them where one is asked for no call.
const ANY: &str = METHODS[0];

impl Bundler {
    /// The advice on fees of the first bundler that answers, not compared with anything yet; `None` when it gives none.
    pub(crate) async fn fees(&self) -> Result<Option<Advice>, AppError> {
        self.advice.get((), self.fees_now()).await
    }

    /// The least tip that refusals of the first bundler named, while the node advises this one.
    pub(crate) fn least_tip(&self, advised: U256) -> Option<U256> {
        let first = self.rpc.usable().into_iter().next()?;
        self.customs.get(first)?.least_tip(advised)
    }

    async fn fees_now(&self) -> Result<Option<Advice>, AppError> {
        let deadline = Instant::now() + self.rpc.patience();
        let mut last = None;
        for round in 0.. {
            let mut again = false;
            for index in self.rpc.usable() {
                match self.fees_at(index).await {
                    Ok(advice) => return Ok(advice),
                    Err(Failure::Answer(error) | Failure::Refused(error)) => return Err(error),
                    Err(failure) => {
                        again |= failure.may_be_gone();
                        last = Some(failure.error().clone());
                    }
                }
            }
            match self.rpc.pause_before_another_round(ANY, round, again, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(last.unwrap_or_else(|| self.rpc.nobody_left()))
    }

    async fn fees_at(&self, index: usize) -> Result<Option<Advice>, Failure> {
        let Some(customs) = self.customs.get(index) else { return Ok(None) };
        for method in METHODS.into_iter().filter(|method| customs.may_know(method)) {
            match self.rpc.call_at(index, method, &json!([])).await {
                Err(Failure::Answer(error)) if is_unknown_method(&error) => customs.does_not_know(method),
                // Some say so by nothing.
                Ok(Value::Null) if method == TIP_ALONE => customs.does_not_know(method),
                answer => return self.read_advice(method, &answer?).map(Some).map_err(Failure::Answer),
            }
        }
        Ok(None)
    }

    fn read_advice(&self, method: &str, answer: &Value) -> Result<Advice, AppError> {
        if let Some(tip) = quantity(answer) {
            return Ok(Advice::Tip(tip));
        }
        let values = answer.get("standard").unwrap_or(answer);
        let field = |name: &str| {
            values.get(name).and_then(quantity).ok_or_else(|| self.rpc.malformed(format!("{method}: no {name}")))
        };
        Ok(Advice::Fees(GasFees {
            max_fee_per_gas: field("maxFeePerGas")?,
            max_priority_fee_per_gas: field("maxPriorityFeePerGas")?,
        }))
    }

    /// A refusal may name what this bundler asks for: whoever asks for fees from now on is told.
    pub(super) async fn learn_fees(&self, index: usize, refused: &UserOperation, refusal: &AppError) {
        let AppError::UpstreamRejected { message, data, .. } = refusal else { return };
        let Some(told) = FeeRefusal::read(message, data.as_deref()) else { return };
        // Advice from before the refusal is of no use to whoever tries again.
        self.advice.forget(&()).await;
        if let (Some(tip), false, Some(customs)) = (told.least_tip, told.is_replacement, self.customs.get(index))
            && tip > refused.max_priority_fee_per_gas
        {
            customs.asks_for(tip);
        }
    }
}
