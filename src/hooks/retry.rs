//! When a failed run is tried again, the same for queries and mutations.

use crate::error::AppError;

/// Failures that may be gone a moment later: our server or an upstream does not answer. Nothing else is tried again:
/// a refused or malformed request stays so, and who asked should know at once.
pub(super) fn is_transient(error: &AppError) -> bool {
    matches!(error, AppError::Network { .. } | AppError::UpstreamUnavailable { .. })
}

/// The wait after this many failures before (0: after the first), milliseconds: 1, 2, 4 … seconds, at most 30.
pub(super) fn delay(failures_before: u32) -> u64 {
    (1_000_u64 << failures_before.min(5)).min(30_000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn waits_double_up_to_thirty_seconds() {
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 99].map(super::delay),
            [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
        );
    }
}
