//! The mode word of `execute` (ERC-7579): `callType(1) ‖ execType(1) ‖ unused(4) ‖ modeSelector(4) ‖ payload(22)`.

use alloy::primitives::B256;

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallType {
    /// One call.
    Single,
    /// Several calls.
    Batch,
    /// A call that changes nothing; the account refuses it.
    Static,
    /// A call in the account's own name and storage. Never built here.
    Delegate,
    /// None that is known; the account refuses it.
    Other(u8),
}

/// What happens when a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecType {
    /// Everything is undone.
    Default,
    /// It goes on, and an event says so. Smart Sessions refuses it.
    Try,
    /// None that is known; the account refuses it.
    Other(u8),
}

/// A mode word; what is behind the first two bytes is not looked at, by the account or by Smart Sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionMode {
    /// First byte.
    pub call_type: CallType,
    /// Second byte.
    pub exec_type: ExecType,
}

impl ExecutionMode {
    /// One call; a failing one undoes everything.
    pub const SINGLE: Self = Self { call_type: CallType::Single, exec_type: ExecType::Default };
    /// Several calls; a failing one undoes everything.
    pub const BATCH: Self = Self { call_type: CallType::Batch, exec_type: ExecType::Default };

    /// Reads the word.
    pub fn from_word(word: B256) -> Self {
        let call_type = match word[0] {
            0x00 => CallType::Single,
            0x01 => CallType::Batch,
            0xfe => CallType::Static,
            0xff => CallType::Delegate,
            other => CallType::Other(other),
        };
        let exec_type = match word[1] {
            0x00 => ExecType::Default,
            0x01 => ExecType::Try,
            other => ExecType::Other(other),
        };
        Self { call_type, exec_type }
    }

    /// The word, with zeros behind the first two bytes.
    pub fn to_word(self) -> B256 {
        let mut word = B256::ZERO;
        word[0] = match self.call_type {
            CallType::Single => 0x00,
            CallType::Batch => 0x01,
            CallType::Static => 0xfe,
            CallType::Delegate => 0xff,
            CallType::Other(other) => other,
        };
        word[1] = match self.exec_type {
            ExecType::Default => 0x00,
            ExecType::Try => 0x01,
            ExecType::Other(other) => other,
        };
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_and_the_two_bytes_come_back() {
        for bytes in (0..=255_u8).flat_map(|first| (0..=255_u8).map(move |second| [first, second])) {
            let mut word = B256::repeat_byte(7);
            word[..2].copy_from_slice(&bytes);
            let mode = ExecutionMode::from_word(word);
            assert_eq!(mode.to_word()[..2], bytes);
            assert_eq!(mode.to_word()[2..], [0; 30]);
        }
        assert_eq!(ExecutionMode::SINGLE.to_word(), B256::ZERO);
    }
}
