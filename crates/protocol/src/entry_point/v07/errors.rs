//! Why an operation was refused: by the entry point, and as bundlers quote it.

use alloy::primitives::{Bytes, U256};

use super::abi::IEntryPointV07::IEntryPointV07Errors;
use crate::{abi::decode, foreign_text};

/// What the entry point reverted with about one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedOp {
    /// Which operation of the bundle, from 0.
    pub index: U256,
    /// `AA24 signature error`; cleaned, as anybody can revert with this.
    pub reason: String,
    /// What the account, factory or paymaster reverted with, where the entry point tells it: with AA13, AA23, AA33.
    pub inner: Option<Bytes>,
}

/// Reads `FailedOp` and `FailedOpWithRevert`; `None` for anything else.
pub fn failed_op(revert_data: &[u8]) -> Option<FailedOp> {
    match decode::loose_errors::<IEntryPointV07Errors>(revert_data).ok()? {
        IEntryPointV07Errors::FailedOp(failed) => {
            Some(FailedOp { index: failed.opIndex, reason: foreign_text::message(&failed.reason), inner: None })
        }
        IEntryPointV07Errors::FailedOpWithRevert(failed) => Some(FailedOp {
            index: failed.opIndex,
            reason: foreign_text::message(&failed.reason),
            inner: Some(failed.inner),
        }),
        _ => None,
    }
}

/// What stands in a bundler's error text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundlerRefusal {
    /// The entry point's code, `AA23`.
    pub code: Option<String>,
    /// Revert data behind it: of account or paymaster with a code, of the call without.
    pub revert_data: Option<Bytes>,
}

/// Longest text that is looked at, bytes: two digits for each byte of call data, and words around.
const MAX_TEXT: usize = 2 * decode::MAX_BYTES + 1024;

/// Finds the code and the hex after it: bundlers agree on these, not on the words around. Text without either gives
/// the default.
pub fn bundler_refusal(text: &str) -> BundlerRefusal {
    if text.len() > MAX_TEXT {
        return BundlerRefusal::default();
    }
    let digits = |at: usize| text.get(at + 2..at + 4).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let found = text.match_indices("AA").find(|(at, _)| digits(*at).is_some());
    let code = found.and_then(|(at, _)| text.get(at..at + 4));
    let rest = found.map_or(text, |(at, _)| text.get(at + 4..).unwrap_or_default());
    let hex = rest.match_indices("0x").find_map(|(at, _)| {
        let rest = rest.get(at + 2..)?;
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let bytes = hex::decode(rest.get(..end)?).ok()?;
        // An address or a hash in a sentence is no revert data, which is a selector and whole words, or nothing.
        (bytes.is_empty() || bytes.len() >= 4 && bytes.len() % 32 != 20 && bytes.len() != 32).then_some(bytes)
    });
    BundlerRefusal { code: code.map(str::to_owned), revert_data: hex.map(Bytes::from) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::sol_types::SolError;

    use super::*;
    use crate::entry_point::v07::abi::IEntryPointV07;

    #[test]
    fn the_inner_reason_is_kept_and_a_text_is_cleaned() {
        let inner = Bytes::from_static(&[0x3b, 0x57, 0x73, 0x61]);
        let reason = "AA23 reverted\u{202e}".to_owned();
        let error = IEntryPointV07::FailedOpWithRevert { opIndex: U256::from(3), reason, inner: inner.clone() };
        let told = failed_op(&error.abi_encode()).unwrap();
        assert_eq!(told, FailedOp { index: U256::from(3), reason: "AA23 reverted".into(), inner: Some(inner) });
        assert_eq!(failed_op(&IEntryPointV07::ReentrancyGuardReentrantCall {}.abi_encode()), None);
        assert_eq!(failed_op(&[0x65, 0xc8, 0xfd, 0x4d]), None);
    }

    /// As alto 0.0.20 says it.
    #[test]
    fn code_and_revert_data_are_found_in_a_bundlers_text() {
        let refusal = |code: Option<&str>, data: Option<&[u8]>| BundlerRefusal {
            code: code.map(str::to_owned),
            revert_data: data.map(Bytes::copy_from_slice),
        };
        for (text, expected) in [
            ("UserOperation reverted with reason: AA24 signature error", refusal(Some("AA24"), None)),
            (
                "UserOperation reverted during simulation with reason: AA23 reverted 0x56d93c1a",
                refusal(Some("AA23"), Some(&[0x56, 0xd9, 0x3c, 0x1a])),
            ),
            ("UserOperation reverted during simulation with reason: 0x", refusal(None, Some(&[]))),
            ("account 0x0788816536DEFa6A14779711c0B08b7f0edFe68b is unknown", refusal(None, None)),
            ("AAAA12", refusal(Some("AA12"), None)),
            ("0x123", refusal(None, None)),
            ("ÄÄ AA", refusal(None, None)),
        ] {
            assert_eq!(bundler_refusal(text), expected, "{text}");
        }
        assert_eq!(bundler_refusal(&format!("AA23 0x{}", "00".repeat(decode::MAX_BYTES * 2))), Default::default());
    }
}
