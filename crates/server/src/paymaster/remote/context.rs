//! What an ERC-7677 service is told beside the operation, and what is done when it wants to be told something else.

use serde_json::Value;

use super::{Remote, biconomy_context};
use crate::config::PAYMASTER_CONTEXT;
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::SponsorContext;

/// JSON-RPC code "invalid params".
const INVALID_PARAMS: i64 = -32602;
/// Go's words for "too late" and "gave up", which are of no such context.
const OF_TIME: [&str; 2] = ["context deadline", "context cancel"];
/// Names of what is told in a context.
const CONTEXT: [&str; 5] = ["context", "policyid", "policy_id", "sponsorshippolicy", "sponsorshippolicyid"];
/// Words that say, beside such a name, that it was not told rightly.
const UNTOLD: [&str; 10] =
    ["missing", "required", "must", "expected", "unknown", "provide", "provided", "invalid", "no", "without"];
/// So near is beside, words.
const BESIDE: usize = 3;
/// What is said of a policy without such a name when none was told. Its other rules are said in like words.
const NO_POLICY: [&str; 7] = [
    "policy is required",
    "policy is missing",
    "missing policy",
    "missing gas policy",
    "policy must be given",
    "policy must be provided",
    "unknown policy",
];

/// How a refusal has to do with the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AboutContext {
    /// It is.
    Yes,
    /// It may be: the parameters are not what the service wants.
    Perhaps,
    No,
}

impl Remote {
    /// The operator's object as it is; without one what Biconomy's services are told, which others pass over.
    pub(super) fn context_for(&self, context: &SponsorContext) -> Value {
        self.context.as_ref().map_or_else(|| biconomy_context(context), |own| own.expose())
    }

    /// A refusal for the context's sake is the operator's to know: its words are for the log.
    pub(super) fn told(&self, error: AppError) -> AppError {
        match (about_context(&error), self.context.is_some()) {
            (AboutContext::No, _) | (AboutContext::Perhaps, true) => return error,
            (AboutContext::Perhaps, false) => {
                tracing::warn!(
                    %error,
                    "the paymaster service does not take the parameters; if it wants a context (a policy's id, for \
                     example), set {PAYMASTER_CONTEXT}"
                );
                return error;
            }
            (AboutContext::Yes, true) => {
                tracing::warn!(%error, "the paymaster service does not take the context of {PAYMASTER_CONTEXT}");
            }
            (AboutContext::Yes, false) => tracing::warn!(
                %error,
                "the paymaster service wants a context: set {PAYMASTER_CONTEXT} to the JSON object that it asks for"
            ),
        }
        AppError::SponsorshipRefused {
            reason:
                "the paymaster service does not take requests of this server as it is set up; the server's log says why"
                    .into(),
        }
    }
}

pub(super) fn about_context(error: &AppError) -> AboutContext {
    let AppError::UpstreamRejected { code, message, data, .. } = error else { return AboutContext::No };
    // What stands in the data is not beside the last words of the message.
    let text = [message.as_str(), data.as_deref().unwrap_or_default()].join(" _ _ _ ").to_lowercase();
    let says = |list: &[&str]| list.iter().any(|some| text.contains(some));
    if says(&OF_TIME) {
        return AboutContext::No;
    }
    let wrong_params = *code == INVALID_PARAMS;
    let text = text.replace("policy id", "policyid");
    let words: Vec<&str> = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let is_untold = |place: usize| {
        let beside = place.saturating_sub(BESIDE)..words.len().min(place.saturating_add(BESIDE + 1));
        words.get(beside).is_some_and(|beside| beside.iter().any(|word| UNTOLD.contains(word)))
    };
    let mut named = words.iter().enumerate().filter(|(_, word)| CONTEXT.contains(word));
    if named.any(|(place, _)| wrong_params || is_untold(place)) || says(&NO_POLICY) {
        AboutContext::Yes
    } else if wrong_params {
        AboutContext::Perhaps
    } else {
        AboutContext::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use use_aa_actions::error::Upstream;

    #[test]
    fn refusals_for_the_context_are_told_from_others() {
        let about = |code: i64, message: &str| {
            about_context(&AppError::UpstreamRejected {
                upstream: Upstream::Paymaster,
                code,
                message: message.into(),
                data: None,
            })
        };
        for text in [
            "Invalid context",
            "policyId is required",
            "Missing sponsorshipPolicyId",
            "a gas policy must be given",
            "No policy_id in the request",
            "a sponsorship policy id must be provided",
            "params[3]: context: expected an object",
        ] {
            assert_eq!(about(-32000, text), AboutContext::Yes, "{text}");
        }
        assert_eq!(about(-32602, "context: not of this shape"), AboutContext::Yes);
        assert_eq!(about(-32602, "Invalid params"), AboutContext::Perhaps);
        for text in [
            "the policy's limit for today is reached",
            "AA33 reverted",
            "user operation reverted",
            // Go's.
            "context deadline exceeded",
            "Post \"https://node\": context deadline exceeded (invalid answer)",
            "rpc error: code = Canceled desc = context canceled",
            "context cancelled",
            // Of something else.
            "execution reverted in the context of the account: invalid signature",
            "the policy's daily spend must not exceed 5 USD",
            "the policy does not provide gas for this contract",
            "sender is not among those that the policy expected",
        ] {
            assert_eq!(about(-32000, text), AboutContext::No, "{text}");
        }
        assert_eq!(about(-32602, "context deadline exceeded"), AboutContext::No);
        assert_eq!(about_context(&AppError::NoDistributedKeys), AboutContext::No);
    }
}
