//! The roots of an account's sessions, asked of a second node.
//!
//! What the owner signs next keeps whatever makes this root, so no node alone is believed where there are several
//! (`USE_AA_RPC_URL`). While only one of them answers it has to be: failover goes before suspicion.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{ChainNode, roots};
use use_aa_actions::error::AppError;

/// Pauses in which a node that has not the other's latest block may catch up.
const CATCHING_UP: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What a second node says.
enum Opinion {
    /// The same.
    Agrees,
    /// Something else, at the very same block.
    Differs(B256),
    /// Something else, and it does not have that block: one of the two is behind.
    IsElsewhere(B256),
}

impl ChainNode {
    /// Compares what the node with number `first` said at this block with another one.
    ///
    /// # Errors
    /// `NodesDisagree`.
    pub(super) async fn confirm_roots(
        &self,
        first: usize,
        account: Address,
        block_hash: B256,
        said: [B256; 2],
    ) -> Result<(), AppError> {
        let mut pauses = CATCHING_UP.into_iter();
        loop {
            let second = match self.opinion(first, account, block_hash, said).await {
                None | Some(Opinion::Agrees) => return Ok(()),
                Some(Opinion::Differs(second)) => Err(second),
                Some(Opinion::IsElsewhere(second)) => Ok(second),
            };
            let pause = second.ok().and_then(|_| pauses.next());
            let Some(pause) = pause else {
                let (Ok(other) | Err(other)) = second;
                let error = AppError::NodesDisagree { first: said[0], second: other };
                tracing::warn!(%account, %error, "chain nodes");
                return Err(error);
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// What the first other node that answers says; `None` when there is none.
    async fn opinion(&self, first: usize, account: Address, block_hash: B256, said: [B256; 2]) -> Option<Opinion> {
        let [root, older] = roots(account, &json!({ "blockHash": block_hash }));
        let [latest, latest_older] = roots(account, &json!("latest"));
        let calls = [root, older, latest, latest_older];
        for other in self.rpc.usable().into_iter().filter(|index| *index != first) {
            // Who fails is left alone for a while, as with everything else.
            let Ok(answers) = self.rpc.batch_of(other, &calls).await else { continue };
            let answers = answers.into_iter().map(Result::ok).collect::<Vec<_>>();
            let pair = |at: usize| Some([self.named(answers.get(at)?)?, self.older_named(answers.get(at + 1)?)?]);
            let (there, now) = (pair(0), pair(2));
            let differing = |told: [B256; 2]| if told[0] == said[0] { told[1] } else { told[0] };
            match (there, now) {
                (Some(there), _) if there == said => return Some(Opinion::Agrees),
                (Some(there), _) => return Some(Opinion::Differs(differing(there))),
                (None, Some(now)) if now == said => return Some(Opinion::Agrees),
                (None, Some(now)) => return Some(Opinion::IsElsewhere(differing(now))),
                (None, None) => {}
            }
        }
        None
    }

    fn named(&self, answer: &Option<Value>) -> Option<B256> {
        self.word("SessionKeyManager.getSessionKeys", answer.as_ref()?).ok()
    }

    fn older_named(&self, answer: &Option<Value>) -> Option<B256> {
        self.older_root(answer.as_ref()?).ok()
    }
}
