//! What a person is told of a node that did not do it.

use use_aa_dan::{api::NodeRefusal, client::Failure};

use use_aa_actions::error::{AppError, Upstream};

/// The error that a person sees.
pub(super) fn error_of(failure: Failure) -> AppError {
    match failure {
        Failure::Down(reason) => AppError::UpstreamUnavailable { upstream: Upstream::Nodes, reason },
        Failure::Refused(NodeRefusal { code, message, node, .. }) if code == "policy-violation" => {
            // `Refusal::PolicyViolation` as text: "the policy does not allow this: <rule>: <reason>".
            let text = message.strip_prefix("the policy does not allow this: ").unwrap_or(&message);
            let (rule, reason) = text.split_once(": ").unwrap_or(("policy", text));
            AppError::PolicyViolation { rule: rule.into(), reason: format!("{reason} (says node {node})") }
        }
        Failure::Refused(NodeRefusal { code, message, node, .. }) => {
            AppError::NodeRefused { node, code, reason: message }
        }
    }
}
