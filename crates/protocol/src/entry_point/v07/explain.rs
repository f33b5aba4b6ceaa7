//! What error texts mean that are this version's own.

use crate::revert::{self, Explanation, explain_among};

/// Codes that v0.6 has not, or has for something else. (Its AA40, AA41, AA50 and AA51 are gone.)
#[rustfmt::skip]
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        matches: "AA26",
        name: "VerificationGasLimitTooLowError",
        meaning: "Checking the account's signature took more gas than the operation allows for it.",
        causes: &["verification gas limit too low", "a grant of a session came with the operation after it was estimated"],
        solutions: &["estimate again with the signature that will be sent"],
        retryable: true,
    },
    Explanation {
        matches: "AA36",
        name: "PaymasterVerificationGasLimitTooLowError",
        meaning: "The paymaster's check took more gas than the operation allows for it.",
        causes: &["paymaster verification gas limit too low"],
        solutions: &["estimate again with the paymaster's data"],
        retryable: true,
    },
];

/// The meaning of an error text, by this version.
pub fn explain(text: &str) -> Option<&'static Explanation> {
    explain_among(text, EXPLANATIONS.iter()).or_else(|| revert::explain(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_with_another_meaning_are_this_versions() {
        for (text, name) in [
            ("AA26 over verificationGasLimit", "VerificationGasLimitTooLowError"),
            ("AA36 over paymasterVerificationGasLimit", "PaymasterVerificationGasLimitTooLowError"),
            ("AA24 signature error", "InvalidSmartAccountSignatureError"),
            ("AA33 reverted: Invalid UserOp", "MultichainProofError"),
        ] {
            assert_eq!(explain(text).map(|found| found.name), Some(name), "{text}");
        }
        assert_eq!(explain("all is well"), None);
    }
}
