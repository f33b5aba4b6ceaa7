//! What nodes say to each other, as bytes: a tag, fixed fields, the rest is the body.

use alloy::primitives::B256;
use use_aa_protocol::foreign_text;
use zeroize::Zeroizing;

use super::share::SecretBytes;

/// Longest text in a refusal, bytes.
const MAX_TEXT: usize = 500;

/// One message of the mesh. Its bodies hold secrets: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// One round of a run.
    Round {
        /// Which run.
        run: B256,
        /// What the sender takes it to be about.
        binding: B256,
        /// From 1.
        round: u8,
        /// For the protocol.
        body: SecretBytes,
    },
    /// The sender does not take part (any more).
    Abort {
        /// Which run.
        run: B256,
        /// Kind of reason.
        code: String,
        /// Reason.
        message: String,
    },
    /// Which shares of a key do you have?
    ShareQuery {
        /// Which key.
        key: B256,
    },
    /// These.
    ShareReport {
        /// Which key.
        key: B256,
        /// Fingerprint of the shares in use; zero = none.
        current: B256,
        /// Fingerprint of the other shares that are here: prepared by an unfinished refresh, or of the epoch before;
        /// zero = none.
        other: B256,
    },
    /// Are you there?
    Ping,
    /// I am.
    Pong,
}

const ROUND: u8 = 1;
const ABORT: u8 = 2;
const SHARE_QUERY: u8 = 3;
const SHARE_REPORT: u8 = 4;
const PING: u8 = 5;
const PONG: u8 = 6;

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes that are no message")]
pub struct Malformed;

impl Message {
    /// As bytes; wiped when dropped.
    pub fn encode(&self) -> SecretBytes {
        let room = match self {
            Self::Round { body, .. } => 66 + body.len(),
            _ => 1200,
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        match self {
            Self::Round { run, binding, round, body } => {
                bytes.push(ROUND);
                bytes.extend_from_slice(run.as_slice());
                bytes.extend_from_slice(binding.as_slice());
                bytes.push(*round);
                bytes.extend_from_slice(body);
            }
            Self::Abort { run, code, message } => {
                bytes.push(ABORT);
                bytes.extend_from_slice(run.as_slice());
                bytes.extend_from_slice(shortened(code).as_bytes());
                bytes.push(0);
                bytes.extend_from_slice(shortened(message).as_bytes());
            }
            Self::ShareQuery { key } => {
                bytes.push(SHARE_QUERY);
                bytes.extend_from_slice(key.as_slice());
            }
            Self::ShareReport { key, current, other } => {
                bytes.push(SHARE_REPORT);
                for word in [key, current, other] {
                    bytes.extend_from_slice(word.as_slice());
                }
            }
            Self::Ping => bytes.push(PING),
            Self::Pong => bytes.push(PONG),
        }
        bytes
    }

    /// From bytes that came from another node.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (tag, rest) = bytes.split_first().ok_or(Malformed)?;
        match *tag {
            ROUND => {
                let ((run, rest), (round, body)) = {
                    let (run, rest) = word(rest)?;
                    let (binding, rest) = word(rest)?;
                    ((run, binding), rest.split_first().ok_or(Malformed)?)
                };
                let body = Zeroizing::new(body.to_vec());
                Ok(Self::Round { run, binding: rest, round: *round, body })
            }
            ABORT => {
                let (run, rest) = word(rest)?;
                let text = std::str::from_utf8(rest).map_err(|_| Malformed)?;
                let (code, message) = text.split_once('\0').ok_or(Malformed)?;
                if shortened(code) != code || shortened(message) != message {
                    return Err(Malformed);
                }
                Ok(Self::Abort { run, code: code.into(), message: message.into() })
            }
            SHARE_QUERY => match word(rest)? {
                (key, []) => Ok(Self::ShareQuery { key }),
                _ => Err(Malformed),
            },
            SHARE_REPORT => {
                let (key, rest) = word(rest)?;
                let (current, rest) = word(rest)?;
                match word(rest)? {
                    (other, []) => Ok(Self::ShareReport { key, current, other }),
                    _ => Err(Malformed),
                }
            }
            PING if rest.is_empty() => Ok(Self::Ping),
            PONG if rest.is_empty() => Ok(Self::Pong),
            _ => Err(Malformed),
        }
    }
}

fn word(bytes: &[u8]) -> Result<(B256, &[u8]), Malformed> {
    bytes.split_first_chunk::<32>().map(|(word, rest)| (B256::from(*word), rest)).ok_or(Malformed)
}

/// Without what hides or moves text, cut at [`MAX_TEXT`] bytes: it goes to logs and people.
fn shortened(text: &str) -> String {
    let mut short = foreign_text::cleaned(text, MAX_TEXT);
    short.truncate(short.floor_char_boundary(MAX_TEXT));
    short.truncate(short.trim_end().len());
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn messages() -> Vec<Message> {
        let (run, binding) = (B256::repeat_byte(1), B256::repeat_byte(2));
        vec![
            Message::Round { run, binding, round: 3, body: Zeroizing::new(vec![1, 2, 3]) },
            Message::Round { run, binding, round: 1, body: Zeroizing::default() },
            Message::Abort { run, code: "policy".into(), message: "not this one: ≤ 7".into() },
            Message::ShareQuery { key: run },
            Message::ShareReport { key: run, current: binding, other: B256::ZERO },
            Message::Ping,
            Message::Pong,
        ]
    }

    #[test]
    fn what_was_said_is_heard() {
        for message in messages() {
            assert!(Message::decode(&message.encode()) == Ok(message));
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let message = "é\u{7}".repeat(400);
        let encoded = Message::Abort { run: B256::ZERO, code: "x".into(), message }.encode();
        let Ok(Message::Abort { message, .. }) = Message::decode(&encoded) else { panic!("not an abort") };
        assert_eq!(message, "é".repeat(250));
    }

    #[test]
    fn what_hides_in_a_reason_is_not_said_and_not_heard() {
        let abort = |message: &str| Message::Abort { run: B256::ZERO, code: "x".into(), message: message.into() };
        let said = abort("all\u{202e} is\u{200b} well").encode();
        assert!(Message::decode(&said) == Ok(abort("all is well")));
        let lie = [&abort("").encode()[..], "ll\u{202e}ew".as_bytes()].concat();
        assert!(Message::decode(&lie).is_err());
    }

    #[test]
    fn a_cut_or_longer_message_is_another_one_or_none() {
        for message in messages() {
            let bytes = message.encode();
            for length in 0..bytes.len() {
                assert!(Message::decode(&bytes[..length]) != Ok(message.clone()));
            }
            let longer = [&bytes[..], b"x"].concat();
            assert!(Message::decode(&longer) != Ok(message));
        }
    }

    proptest! {
        /// No input panics, and what is understood is said again in the same bytes.
        #[test]
        fn any_bytes_are_a_message_or_refused(tag in 0u8..8, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [&[tag][..], &rest[..]].concat();
            if let Ok(message) = Message::decode(&bytes) {
                let again = message.encode();
                prop_assert!(Message::decode(&again) == Ok(message));
                prop_assert_eq!(&again[..], &bytes[..]);
            }
        }
    }
}
