//! The roots of an account's sessions, asked of a second node, and of more while these do not agree.
//!
//! What the owner signs next keeps whatever makes this root, so no node alone is believed where there are several
//! (`USE_AA_RPC_URL`). While only one of them answers it has to be: failover goes before suspicion. A disagreement is told
//! with the state of the account: it stops what rests on the roots (grants, taking back, taking over), and nothing else.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{ChainNode, roots};

/// Pauses in which nodes that have not the other's latest block may catch up.
const CATCHING_UP: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(750)];

/// What another node says.
#[derive(Clone, Copy, Debug)]
enum Opinion {
    /// The same.
    Agrees,
    /// Something else, at the very same block.
    Differs(B256),
    /// Something else, and it does not have that block: one of the two is behind.
    IsElsewhere(B256),
}

/// What follows from the opinions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The first node is believed.
    Agreed,
    /// It is not: another one said this.
    Disputed(B256),
    /// Nor is it, but who is behind may still settle it.
    Open(B256),
}

/// More must be for the first node than against it, itself among them, and at least one more. Who is behind has no vote.
fn weigh(opinions: &[Opinion]) -> Outcome {
    let (mut agree, mut differ, mut behind) = (1, Vec::new(), Vec::new());
    for opinion in opinions {
        match opinion {
            Opinion::Agrees => agree += 1,
            Opinion::Differs(other) => differ.push(*other),
            Opinion::IsElsewhere(other) => behind.push(*other),
        }
    }
    match differ.first().or(behind.first()) {
        None => Outcome::Agreed,
        Some(_) if agree > 1 && agree > differ.len() => Outcome::Agreed,
        Some(other) if agree + behind.len() > differ.len() && !behind.is_empty() => Outcome::Open(*other),
        Some(other) => Outcome::Disputed(*other),
    }
}

impl ChainNode {
    /// Compares what the node with number `first` said at this block with others; the other's root when they disagree.
    pub(super) async fn dispute_about(
        &self,
        first: usize,
        account: Address,
        block_hash: B256,
        said: [B256; 2],
    ) -> Option<B256> {
        let mut pauses = CATCHING_UP.into_iter();
        loop {
            let outcome = weigh(&self.opinions(first, account, block_hash, said).await);
            let (second, pause) = match outcome {
                Outcome::Agreed => return None,
                Outcome::Disputed(second) => (second, None),
                Outcome::Open(second) => (second, pauses.next()),
            };
            let Some(pause) = pause else {
                tracing::warn!(%account, first = %said[0], %second, "chain nodes disagree about the sessions");
                return Some(second);
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// What the other nodes say that answer, one after the other until it is settled.
    async fn opinions(&self, first: usize, account: Address, block_hash: B256, said: [B256; 2]) -> Vec<Opinion> {
        let [root, older] = roots(account, &json!({ "blockHash": block_hash }));
        let [latest, latest_older] = roots(account, &json!("latest"));
        let calls = [root, older, latest, latest_older];
        let mut opinions = Vec::new();
        for other in self.rpc.usable().into_iter().filter(|index| *index != first) {
            // Who fails is left alone for a while, as with everything else.
            let Ok(answers) = self.rpc.batch_of(other, &calls).await else { continue };
            let answers = answers.into_iter().map(Result::ok).collect::<Vec<_>>();
            let pair = |at: usize| Some([self.named(answers.get(at)?)?, self.older_named(answers.get(at + 1)?)?]);
            let differing = |told: [B256; 2]| if told[0] == said[0] { told[1] } else { told[0] };
            opinions.push(match (pair(0), pair(2)) {
                (Some(there), _) if there == said => Opinion::Agrees,
                (Some(there), _) => Opinion::Differs(differing(there)),
                (None, Some(now)) if now == said => Opinion::Agrees,
                (None, Some(now)) => Opinion::IsElsewhere(differing(now)),
                (None, None) => continue,
            });
            if weigh(&opinions) == Outcome::Agreed {
                break;
            }
        }
        opinions
    }

    fn named(&self, answer: &Option<Value>) -> Option<B256> {
        self.word("SessionKeyManager.getSessionKeys", answer.as_ref()?).ok()
    }

    fn older_named(&self, answer: &Option<Value>) -> Option<B256> {
        self.older_root(answer.as_ref()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_that_stands_still_settles_nothing_and_stops_nothing() {
        use Opinion::{Agrees, Differs, IsElsewhere};
        let other = B256::repeat_byte(1);
        let (differs, stalled) = (Differs(other), IsElsewhere(other));
        for opinions in [
            &[][..],
            &[Agrees],
            &[stalled, Agrees],
            &[Agrees, stalled],
            &[differs, Agrees],
            &[stalled, differs, Agrees],
        ] {
            assert_eq!(weigh(opinions), Outcome::Agreed, "{opinions:?}");
        }
        for opinions in [&[differs][..], &[differs, differs], &[differs, differs, Agrees], &[differs, differs, stalled]]
        {
            assert_eq!(weigh(opinions), Outcome::Disputed(other), "{opinions:?}");
        }
        for opinions in [&[stalled][..], &[differs, stalled], &[differs, differs, stalled, Agrees]] {
            assert_eq!(weigh(opinions), Outcome::Open(other), "{opinions:?}");
        }
    }
}
