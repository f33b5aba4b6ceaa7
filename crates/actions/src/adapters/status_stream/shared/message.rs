//! What tabs of one browser tell each other.

use alloy::primitives::B256;
use serde::Serialize;
use use_aa_protocol::read_tagged;

use crate::error::AppError;

/// A tab, by a number that it drew.
pub type TabId = u32;

/// What one tab tells all others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "message", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Message {
    /// This tab holds the stream from now on, or asks once more: whoever waits says for what.
    Who {
        /// The tab that holds the stream.
        leader: TabId,
    },
    /// All that a tab waits for.
    Wants {
        /// The tab.
        tab: TabId,
        /// Its operations.
        hashes: Vec<B256>,
    },
    /// All that is followed, with the latest line of each. Told again and again, so that nothing depends on one of them.
    States {
        /// The tab that holds the stream.
        leader: TabId,
        /// Hash, and line as [`read_line`](super::super::read_line) reads it; none when none came yet.
        lines: Vec<(B256, Option<String>)>,
    },
    /// The server has no more to say of an operation over this stream, and may say something else to who asks again: an
    /// error, or an end that no block proves. Nobody keeps it.
    Last {
        /// The tab that holds the stream.
        leader: TabId,
        /// The operation.
        hash: B256,
        /// The line.
        line: String,
    },
    /// Following did not work.
    Failed {
        /// The tab that holds the stream.
        leader: TabId,
        /// What was to be followed.
        hashes: Vec<B256>,
        /// Why.
        error: AppError,
        /// The leader does not try again by itself.
        given_up: bool,
    },
}

read_tagged! {
    Message by "message":
    "who" => Who { leader },
    "wants" => Wants { tab, hashes },
    "states" => States { leader, lines },
    "last" => Last { leader, hash, line },
    "failed" => Failed { leader, hashes, error, given_up },
}
