//! What a policy is set to, by its own getters.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::super::{
    policy_data::{PolicyConfig, PolicyContract},
    reads,
};
use crate::ProtocolError;

/// A policy in its place.
#[derive(Clone, Debug)]
pub(super) struct FoundPolicy {
    pub(super) policy: Address,
    /// What it is set to; `None`: nobody here knows the contract, or it did not tell.
    pub(super) config: Option<PolicyConfig>,
    /// How much it has counted.
    pub(super) used: Option<U256>,
}

/// What is asked of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PolicyQuestion {
    Window,
    MostUses,
    MostValue,
    Used,
    Rules,
    /// Of this token: the policy does not list its tokens, and of an action it judges only calls of its contract.
    Spending(Address),
}

impl PolicyQuestion {
    pub(super) fn call_data(self, config: B256, account: Address) -> Bytes {
        match self {
            Self::Window => reads::time_frame_call(config, account),
            Self::MostUses => reads::usage_limit_call(config, account),
            Self::MostValue => reads::value_limit_call(config, account),
            Self::Used => reads::used_call(config, account),
            Self::Rules => reads::universal_action_call(config, account),
            Self::Spending(token) => reads::spending_call(config, token, account),
        }
    }
}

impl FoundPolicy {
    pub(super) fn new(policy: Address) -> Self {
        let config = (PolicyContract::at(policy) == Some(PolicyContract::Sudo)).then_some(PolicyConfig::Sudo);
        Self { policy, config, used: None }
    }

    pub(super) fn questions(&self, target: Option<Address>) -> Vec<PolicyQuestion> {
        match PolicyContract::at(self.policy) {
            None | Some(PolicyContract::Sudo) => Vec::new(),
            Some(PolicyContract::TimeFrame) => vec![PolicyQuestion::Window],
            Some(PolicyContract::UsageLimit) => vec![PolicyQuestion::MostUses, PolicyQuestion::Used],
            Some(PolicyContract::ValueLimit) => vec![PolicyQuestion::MostValue, PolicyQuestion::Used],
            Some(PolicyContract::SpendingLimit) => target.map(PolicyQuestion::Spending).into_iter().collect(),
            Some(PolicyContract::UniversalAction) => vec![PolicyQuestion::Rules],
        }
    }

    /// Takes an answer. A policy that refuses, or whose answer is none, does not tell what it is set to.
    pub(super) fn take(&mut self, question: PolicyQuestion, answer: Option<&[u8]>) {
        let Some(answer) = answer else { return };
        match question {
            PolicyQuestion::Used => self.used = reads::decode_number(answer).ok(),
            PolicyQuestion::Spending(_) => {
                let spending = reads::decode_spending(answer).ok();
                self.used = spending.map(|spending| spending.spent.saturating_add(spending.approved));
                self.config = read(question, answer).ok();
            }
            _ => self.config = read(question, answer).ok(),
        }
    }
}

fn read(question: PolicyQuestion, answer: &[u8]) -> Result<PolicyConfig, ProtocolError> {
    Ok(match question {
        PolicyQuestion::Window => PolicyConfig::TimeFrame(reads::decode_time_frame(answer)?),
        PolicyQuestion::MostUses => {
            let most = reads::decode_number(answer)?;
            let most = u128::try_from(most).map_err(|_| ProtocolError::invalid("getUsageLimit", "128 bits", most))?;
            PolicyConfig::UsageLimit(most)
        }
        PolicyQuestion::MostValue | PolicyQuestion::Used => PolicyConfig::ValueLimit(reads::decode_number(answer)?),
        PolicyQuestion::Rules => PolicyConfig::UniversalAction(reads::decode_universal_action(answer)?),
        PolicyQuestion::Spending(token) => {
            PolicyConfig::SpendingLimit(vec![(token, reads::decode_spending(answer)?.limit)])
        }
    })
}
