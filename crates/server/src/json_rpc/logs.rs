//! `eth_getLogs` for a range of blocks, of whichever node takes so long a one.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::metrics,
    JsonRpcClient, is_unknown_method,
    refusal::{Cap, fewer_blocks, is_about_block},
    wire::Failure,
};
use use_aa_actions::error::AppError;

const METHOD: &str = "eth_getLogs";

/// What came of a range.
pub(in super::super) enum Piece {
    /// Its logs.
    Logs(Vec<Value>),
    /// No node takes so many blocks: so many may be.
    Narrower(u64),
}

impl JsonRpcClient {
    /// The longest range of logs that a node is known to take, or not known not to.
    pub(in super::super) fn longest_logs(&self) -> u64 {
        let endpoints = || self.inner.endpoints.iter();
        let longest = endpoints().filter(|endpoint| endpoint.is_usable()).map(|endpoint| endpoint.manners.logs()).max();
        longest.or_else(|| endpoints().map(|endpoint| endpoint.manners.logs()).max()).unwrap_or(u64::MAX)
    }

    /// The logs in `from..=to`; the first URL of the list that takes so many blocks is asked. `own`: a question of the
    /// server's; what strangers ask teaches nothing that the node does not say in words.
    pub(in super::super) async fn logs_piece(
        &self,
        filter: &Value,
        from: u64,
        to: u64,
        own: bool,
    ) -> Result<Piece, AppError> {
        let blocks = to.saturating_sub(from).saturating_add(1);
        let mut filter = filter.clone();
        (filter["fromBlock"], filter["toBlock"]) = (json!(format!("{from:#x}")), json!(format!("{to:#x}")));
        let params = json!([filter]);
        let deadline = Instant::now() + self.patience();
        let (mut narrower, mut refused, mut last) = (None, None, None);
        for round in 0.. {
            let mut again = false;
            for index in self.usable_for(METHOD) {
                let Some(endpoint) = self.inner.endpoints.get(index) else { continue };
                let longest = endpoint.manners.logs();
                if longest < blocks {
                    narrower = narrower.max(Some(longest));
                    self.left_out(index);
                    continue;
                }
                match self.single_at(index, METHOD, &params, deadline).await {
                    Ok(Value::Array(logs)) => return Ok(Piece::Logs(logs)),
                    Ok(_) => last = Some(self.malformed("eth_getLogs: no list")),
                    Err(Failure::Oversized(error)) => {
                        // A caller may ask for less himself: each part costs as long an answer.
                        narrower = narrower.max((own && blocks > 1).then_some(blocks / 2));
                        last = Some(error);
                    }
                    Err(Failure::Refused(error) | Failure::Answer(error)) => {
                        if !is_unknown_method(&error) && !is_about_block(&error) {
                            narrower = narrower.max(self.refused_range(index, &error, (from, to), own));
                        }
                        refused = Some(error);
                    }
                    Err(failure) => {
                        again |= failure.may_be_gone();
                        last = Some(failure.error().clone());
                    }
                }
            }
            if let Some(blocks) = narrower {
                return Ok(Piece::Narrower(blocks));
            }
            match self.pause_before_another_round(METHOD, round, again && refused.is_none(), deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break,
            }
        }
        Err(refused.or(last).unwrap_or_else(|| self.nobody_left_for(METHOD)))
    }

    /// Remembers what a node's refusal tells of the ranges that it takes; how many blocks may be asked for instead.
    fn refused_range(&self, index: usize, error: &AppError, (from, to): (u64, u64), own: bool) -> Option<u64> {
        let manners = &self.inner.endpoints.get(index)?.manners;
        let upstream = self.inner.reader.upstream;
        metrics::refused(upstream, index, "range");
        let Some((blocks, cap)) = fewer_blocks(error, from, to) else {
            // It refuses even one block: what was found on the way there says nothing.
            if own || manners.logs() == 1 {
                manners.takes_logs_of(None);
            }
            return None;
        };
        if cap == Cap::Range || (own && cap == Cap::Unsaid) {
            tracing::info!(%upstream, entry = index, blocks, %error, "upstream takes shorter ranges of logs only");
            manners.takes_logs_of(Some(blocks));
        }
        Some(blocks)
    }
}
