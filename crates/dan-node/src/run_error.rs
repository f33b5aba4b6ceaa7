//! Why a run ends without a result.

/// What others are told of a failure that is this node's own.
pub(super) const OUR_FAULT: &str = "the node failed; its log says why";

/// Why a run ended without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// No connection to a participant, or it was lost on the way.
    #[error("node {0} cannot be reached")]
    PeerDown(u8),
    /// A participant does not take part.
    #[error("node {node} refuses ({code}): {message}")]
    PeerRefused {
        /// Which.
        node: u8,
        /// Its reason's code.
        code: String,
        /// Its reason.
        message: String,
    },
    /// A participant was asked something else.
    #[error("node {0} was asked something else")]
    Disagree(u8),
    /// A participant has shares of another epoch: new ones are being committed. Nobody's fault; nothing was computed.
    #[error("node {0} has shares of another epoch: new ones are being decided on; try again")]
    ShareEpoch(u8),
    /// Nothing came in time.
    #[error("no answer in time from node {0}")]
    Timeout(u8),
    /// A participant broke the rules; nothing was lost by it.
    #[error("node {node} sent {what}")]
    Cheated {
        /// Which.
        node: u8,
        /// What it sent.
        what: &'static str,
    },
    /// A participant cheated so that working with it again would leak the key.
    #[error("node {node} cheated and is banned: {reason}")]
    Ban {
        /// Which.
        node: u8,
        /// What failed.
        reason: String,
    },
    /// The protocol stopped, and nobody in particular is at fault.
    #[error("the protocol stopped: {0}")]
    Aborted(String),
    /// The key gave as many signatures as it may; there is room again in so many seconds.
    #[error("the key signed as often as it may; again in {0} s")]
    RateLimited(u64),
    /// This node has no share of the key (any more).
    #[error("the share of the key is lost here")]
    NoShare,
    /// There is such a run already.
    #[error("the run is under way or over")]
    Repeated,
    /// Our own fault. The words are for the log of this node: they may name its files, and what an error says goes to
    /// the other nodes and to whoever asked.
    #[error("{OUR_FAULT}")]
    Internal(String),
}

impl RunError {
    pub(super) fn cheated(node: u8, what: &'static str) -> Self {
        Self::Cheated { node, what }
    }

    /// The node with which it does not work (cheating, silent, gone, or of another epoch), as this node saw by itself.
    pub fn peer(&self) -> Option<u8> {
        match self {
            Self::PeerDown(node)
            | Self::Timeout(node)
            | Self::ShareEpoch(node)
            | Self::Cheated { node, .. }
            | Self::Ban { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// The stable code, as in [`super::api::NodeRefusal`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::PeerDown(_) => "peer-down",
            Self::PeerRefused { .. } => "peer-refused",
            Self::Disagree(_) => "disagree",
            Self::ShareEpoch(_) => "share-epoch",
            Self::Timeout(_) => "timeout",
            Self::Ban { .. } => "peer-banned",
            Self::Cheated { .. } | Self::Aborted(_) => "aborted",
            Self::RateLimited(_) => "rate-limited",
            Self::NoShare => "no-share",
            Self::Repeated => "nonce",
            Self::Internal(_) => "internal",
        }
    }
}
