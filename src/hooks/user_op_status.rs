//! [`UserOpStatus`]: where a user operation stands, from the click to the receipt.

use std::fmt;

use crate::protocol::rpc::UserOpUpdate;

/// Where a user operation stands, as a person sees it. Displays in kebab-case (the page's `data-status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserOpStatus {
    /// Being built, estimated and sponsored.
    #[default]
    Preparing,
    /// Waiting for the nodes to make a distributed key: none was ready. How far that is, `use_key_network` tells. On the
    /// page the same as [`Self::Preparing`], with other words.
    AwaitingKey,
    /// Waiting until the owner's approval of a fee in tokens is mined, an operation of its own; then comes the operation that
    /// was asked for. On the page the same as [`Self::Preparing`], with other words.
    AwaitingApproval,
    /// It takes several operations, each signed by the owner: some of it is done, the next one is on its way or is being
    /// prepared. On the page the same as [`Self::Preparing`], with other words.
    Continuing {
        /// So many (sessions that are to be taken back, say) are done.
        done: usize,
        /// So many are not.
        left: usize,
    },
    /// Waiting for the signature of owner or session key.
    AwaitingSignature,
    /// Waiting for another signature of the owner: the bundler wants higher fees than those that were signed, and nothing
    /// was sent. On the page the same as [`Self::AwaitingSignature`], with other words.
    AwaitingHigherFees,
    /// The bundler has it.
    Submitted,
    /// The bundler has had it for long and has put it into no transaction.
    Stuck,
    /// In a transaction that is not mined yet.
    Bundled,
    /// Mined.
    Included,
    /// Mined, successful and deep enough. Final.
    Confirmed,
    /// Mined, but its call reverted. Final.
    Reverted,
    /// The bundler gave it up. Final.
    Dropped,
    /// It never got to the bundler, or following it failed. Final.
    Failed,
}

impl UserOpStatus {
    /// The name in kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing | Self::AwaitingKey | Self::AwaitingApproval | Self::Continuing { .. } => "preparing",
            Self::AwaitingSignature | Self::AwaitingHigherFees => "awaiting-signature",
            Self::Submitted => "submitted",
            Self::Stuck => "stuck",
            Self::Bundled => "bundled",
            Self::Included => "included",
            Self::Confirmed => "confirmed",
            Self::Reverted => "reverted",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }

    /// No other status follows.
    pub fn is_final(self) -> bool {
        self >= Self::Confirmed
    }
}

impl fmt::Display for UserOpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&UserOpUpdate> for UserOpStatus {
    fn from(update: &UserOpUpdate) -> Self {
        match update {
            UserOpUpdate::Submitted => Self::Submitted,
            UserOpUpdate::Stuck { .. } => Self::Stuck,
            UserOpUpdate::Bundled { .. } => Self::Bundled,
            UserOpUpdate::Included { .. } => Self::Included,
            UserOpUpdate::Confirmed { .. } => Self::Confirmed,
            UserOpUpdate::Reverted { .. } => Self::Reverted,
            UserOpUpdate::Replaced { .. } | UserOpUpdate::Dropped { .. } => Self::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_landmarks() {
        assert_eq!(UserOpStatus::AwaitingSignature.to_string(), "awaiting-signature");
        assert_eq!(UserOpStatus::from(&UserOpUpdate::Submitted).to_string(), "submitted");
        assert_eq!(UserOpStatus::Stuck.to_string(), "stuck");
        assert_eq!(UserOpStatus::AwaitingKey.to_string(), "preparing");
        assert!(!UserOpStatus::Stuck.is_final());
        assert!(UserOpStatus::Failed.is_final() && !UserOpStatus::Included.is_final());
    }
}
