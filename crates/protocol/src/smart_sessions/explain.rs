//! What the errors of module, policies and account mean, for people.

use crate::{
    entry_point::v07,
    revert::{Explanation, explain_among},
};

#[rustfmt::skip]
const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        matches: "PolicyViolation",
        name: "SessionPolicyViolationError",
        meaning: "A policy of the session does not let this call through, or its limit is used up.",
        causes: &["an argument is outside what was granted", "the limit of uses, of native currency or of a token is reached"],
        solutions: &["keep within what was granted", "read what is left of the limits", "grant a new session"],
        retryable: false,
    },
    Explanation {
        matches: "ValueLimitExceeded",
        name: "SessionValueLimitExceededError",
        meaning: "The call sends more native currency than the session allows per call.",
        causes: &["the limit is 0 unless one was granted"],
        solutions: &["send less", "grant a session with a value limit"],
        retryable: false,
    },
    Explanation {
        matches: "PolicyCheckReverted",
        name: "SessionPolicyRevertedError",
        meaning: "A policy of the session could not judge this call.",
        causes: &["the call has fewer arguments than the rules look at", "more native currency than one call may send", "a policy that can never be used"],
        solutions: &["call the function with its arguments", "grant a session with other policies"],
        retryable: false,
    },
    Explanation {
        matches: "PolicyNotInitialized",
        name: "SessionPolicyNotSetError",
        meaning: "A policy refuses what it is set to, or is set to what never works.",
        causes: &["a limit of 0", "a time that ends before it begins"],
        solutions: &["grant a session with policies that can work"],
        retryable: false,
    },
    Explanation {
        matches: "NoPoliciesSet",
        name: "SessionActionNotGrantedError",
        meaning: "The session does not allow this function of this contract, or not that somebody else pays for it.",
        causes: &["another contract or function than was granted", "the action was disabled", "sponsored, without a policy of whole operations"],
        solutions: &["use the session made for this function", "grant a session for it"],
        retryable: false,
    },
    Explanation {
        matches: "InvalidPermissionId",
        name: "SessionNotEnabledError",
        meaning: "The session is not enabled on this account.",
        causes: &["its grant is not confirmed", "it was removed"],
        solutions: &["wait for the grant", "grant the session again"],
        retryable: false,
    },
    Explanation {
        matches: "PaymasterValidationNotEnabled",
        name: "SessionMayNotBeSponsoredError",
        meaning: "The session was granted without leave for others to pay for it.",
        causes: &["the operation names a paymaster"],
        solutions: &["pay from the account", "grant a session that may be sponsored"],
        retryable: false,
    },
    Explanation {
        matches: "HashMismatch",
        name: "GrantNoLongerValidError",
        meaning: "The owner's consent is not to this session in its present state.",
        causes: &["the grant was used already, or revoked", "the session differs from the signed one"],
        solutions: &["use the session without the grant", "have the owner sign again"],
        retryable: false,
    },
    Explanation {
        matches: "InvalidEnableSignature",
        name: "GrantSignatureRefusedError",
        meaning: "The account does not take the owner's signature for this grant.",
        causes: &["another key signed", "the owner's validator wants the nested form, or the plain one"],
        solutions: &["have the account's owner sign, in the form that the account is stored with"],
        retryable: false,
    },
    Explanation {
        matches: "ChainIdMismatch",
        name: "GrantForAnotherChainError",
        meaning: "The grant is for another chain.",
        causes: &["the operation names the digest of another chain"],
        solutions: &["use the digest of this chain"],
        retryable: false,
    },
    Explanation {
        matches: "UnsupportedExecutionType",
        name: "SessionExecutionRefusedError",
        meaning: "Sessions may only make calls of which a failing one undoes all.",
        causes: &["the calls were encoded in another mode"],
        solutions: &["encode them as a single call or a batch"],
        retryable: false,
    },
    Explanation {
        matches: "UnsupportedPolicy",
        name: "SessionPolicyUnsupportedError",
        meaning: "One of the policies cannot stand where it was named, or is not on this chain.",
        causes: &["a policy of calls was named for whole operations", "a chain without the policy's contract"],
        solutions: &["grant a session with policies that are there"],
        retryable: false,
    },
    Explanation {
        matches: "InvalidISessionValidator",
        name: "SessionValidatorUnsupportedError",
        meaning: "What is to judge the session key's signature is no session validator on this chain.",
        causes: &["a chain without it", "an owner's validator was named"],
        solutions: &["name a session validator that is there"],
        retryable: false,
    },
    Explanation {
        matches: "ValidatorNotInstalled",
        name: "ValidatorNotInstalledError",
        meaning: "The account has not installed the module that is to judge this signature.",
        causes: &["Smart Sessions is not installed on the account", "the nonce or the grant names another validator"],
        solutions: &["install the module first", "use the account's own validator"],
        retryable: false,
    },
];

/// The meaning of an error text: of the module first, then as entry point v0.7 means it.
pub fn explain(text: &str) -> Option<&'static Explanation> {
    explain_among(text, EXPLANATIONS.iter()).or_else(|| v07::explain(text))
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};
    use alloy::sol_types::SolError;

    use super::*;
    use crate::{abi::smart_sessions::ISmartSession, smart_sessions::revert_words};

    #[test]
    fn every_entry_is_reachable_and_says_something() {
        for entry in EXPLANATIONS {
            assert_eq!(explain(entry.matches), Some(entry), "an earlier entry hides {}", entry.matches);
            assert!(!entry.meaning.is_empty() && !entry.causes.is_empty() && !entry.solutions.is_empty());
        }
    }

    #[test]
    fn decoded_revert_data_is_explained_by_the_module_and_not_by_the_code_around() {
        let error = ISmartSession::PolicyViolation { permissionId: B256::ZERO, policy: Address::ZERO };
        let text = format!("{} (AA23 reverted)", revert_words(&error.abi_encode()));
        assert_eq!(explain(&text).map(|found| found.name), Some("SessionPolicyViolationError"));
        assert_eq!(explain("AA23 reverted").map(|found| found.name), Some("SmartAccountValidationRevertedError"));
    }
}
