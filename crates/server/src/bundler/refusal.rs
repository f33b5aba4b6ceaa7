//! Why a bundler refuses an operation, in words: entry point v0.7 tells what account, module or paymaster reverted with as
//! bytes, and bundlers append them to their text as hex.

use serde_json::json;

use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
    smart_sessions::revert_words,
};

/// The refusal with its revert data decoded, and the data itself beside it; as it came where there is none. The code stays
/// the bundler's.
pub(super) fn in_words(entry_point: EntryPoint, refusal: AppError) -> AppError {
    let AppError::UpstreamRejected { upstream, code, message, data } = refusal else { return refusal };
    let found = match entry_point {
        EntryPoint::V06 => None,
        EntryPoint::V07 => v07::bundler_refusal(&message).revert_data.filter(|found| !found.is_empty()),
    };
    let Some(reverted) = found else { return AppError::UpstreamRejected { upstream, code, message, data } };
    let hex = reverted.to_string();
    // Found in any case of its digits; the text is cut off there: nothing of interest follows.
    let at = message.to_ascii_lowercase().find(&hex).unwrap_or(message.len());
    let before = message.get(..at).unwrap_or_default();
    let message = format!("{before}{}", revert_words(&reverted));
    AppError::UpstreamRejected { upstream, code, message, data: data.or_else(|| Some(json!(hex).to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use use_aa_actions::error::Upstream;

    const POLICY: &str = "3B5773610000000000000000000000000000000000000000000000000000000000000007000000000000000000000000000000000000000000d30f611fa3bf652ac6879428586930";

    fn refusal(message: String, data: Option<String>) -> AppError {
        AppError::UpstreamRejected { upstream: Upstream::Bundler, code: -32500, message, data }
    }

    #[test]
    fn what_a_module_reverted_with_is_told_in_words() {
        let text = |inner: &str| format!("UserOperation reverted during simulation with reason: AA23 reverted {inner}");
        let told = in_words(EntryPoint::V07, refusal(text(&format!("0x{POLICY}")), None));
        let AppError::UpstreamRejected { message, data, .. } = told else { panic!("{told:?}") };
        assert!(message.contains("AA23 reverted PolicyViolation(0x"), "{message}");
        assert_eq!(data, Some(format!("\"0x{}\"", POLICY.to_lowercase())));
        for plain in [text(""), text("0x"), "AA24 signature error".to_owned()] {
            let as_it_came = refusal(plain, None);
            assert_eq!(in_words(EntryPoint::V07, as_it_came.clone()), as_it_came);
        }
        let of_v06 = refusal(text(&format!("0x{POLICY}")), Some("7".into()));
        assert_eq!(in_words(EntryPoint::V06, of_v06.clone()), of_v06);
    }
}
