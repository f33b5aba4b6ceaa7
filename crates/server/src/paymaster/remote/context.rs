//! What an ERC-7677 service is told beside the operation, and what is done when it wants to be told something else.

use serde_json::Value;

use super::{Remote, biconomy_context};
use crate::config::PAYMASTER_CONTEXT;
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::SponsorContext;

/// JSON-RPC code "invalid params".
const INVALID_PARAMS: i64 = -32602;
/// Words that speak of the context.
const CONTEXT: [&str; 6] =
    ["context", "policyid", "policy id", "policy_id", "sponsorshippolicy", "sponsorship policy id"];
/// Words that say of a policy that it was not told rightly.
const UNTOLD: [&str; 6] = ["missing", "required", "must", "expected", "unknown", "provide"];

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
    let words = [message.as_str(), data.as_deref().unwrap_or_default()].join(" ").to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if says(&CONTEXT) || (words.contains("policy") && says(&UNTOLD)) {
        AboutContext::Yes
    } else if *code == INVALID_PARAMS {
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
        ] {
            assert_eq!(about(-32000, text), AboutContext::Yes, "{text}");
        }
        assert_eq!(about(-32602, "Invalid params"), AboutContext::Perhaps);
        for text in ["the policy's limit for today is reached", "AA33 reverted", "user operation reverted"] {
            assert_eq!(about(-32000, text), AboutContext::No, "{text}");
        }
        assert_eq!(about_context(&AppError::NoDistributedKeys), AboutContext::No);
    }
}
