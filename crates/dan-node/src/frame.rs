//! Messages on a mesh connection: cut into packets, each encrypted and with its length in front, put together again.
//!
//! A packet is `length (2 bytes, big-endian) ‖ ciphertext`; its plaintext is `0 or 1 ‖ part`, 1 on the last part.

use zeroize::Zeroizing;

use super::share::SecretBytes;

/// Longest message, bytes. The longest honest one, the opening of key generation, has about 150,000.
pub const MAX_MESSAGE: usize = 512 * 1024;
/// Longest ciphertext of a packet, Noise's own limit.
pub const MAX_PACKET: usize = 65_535;
/// Bytes of the authentication tag.
const TAG: usize = 16;
/// Longest part of a message in one packet.
const MAX_PART: usize = MAX_PACKET - TAG - 1;

/// A connection that does not keep to this is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No first byte, or one that is neither 0 nor 1, or an empty part before the last.
    #[error("a malformed packet")]
    Malformed,
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("an oversized message")]
    Oversized,
}

/// The plaintexts of a message's packets.
pub fn parts(message: &[u8]) -> impl Iterator<Item = SecretBytes> + '_ {
    let count = message.len().div_ceil(MAX_PART).max(1);
    (0..count).map(move |number| {
        let part = &message[number * MAX_PART..message.len().min((number + 1) * MAX_PART)];
        let mut bytes = Zeroizing::new(Vec::with_capacity(part.len() + 1));
        bytes.push(u8::from(number + 1 == count));
        bytes.extend_from_slice(part);
        bytes
    })
}

/// Puts messages together.
#[derive(Default)]
pub struct Assembler {
    message: SecretBytes,
}

impl Assembler {
    /// Takes the plaintext of the next packet; gives the message that it completes.
    pub fn push(&mut self, packet: &[u8]) -> Result<Option<SecretBytes>, FrameError> {
        let (flag, part) = packet.split_first().ok_or(FrameError::Malformed)?;
        if *flag > 1 || (*flag == 0 && part.is_empty()) {
            return Err(FrameError::Malformed);
        }
        let length = self.message.len() + part.len();
        if length > MAX_MESSAGE {
            return Err(FrameError::Oversized);
        }
        if length > self.message.capacity() {
            // By hand: what Vec leaves behind when it grows would not be wiped.
            let mut longer = Zeroizing::new(Vec::with_capacity(length.max(2 * self.message.capacity())));
            longer.extend_from_slice(&self.message);
            self.message = longer;
        }
        self.message.extend_from_slice(part);
        Ok((*flag == 1).then(|| std::mem::take(&mut self.message)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn assembled(message: &[u8]) -> Vec<u8> {
        let mut assembler = Assembler::default();
        let mut whole = None;
        for packet in parts(message) {
            assert!(whole.is_none() && packet.len() + TAG <= MAX_PACKET);
            whole = assembler.push(&packet).unwrap();
        }
        whole.unwrap().to_vec()
    }

    #[test]
    fn messages_of_every_length_come_through() {
        for length in [0, 1, MAX_PART - 1, MAX_PART, MAX_PART + 1, 2 * MAX_PART, MAX_MESSAGE] {
            let message: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            assert!(assembled(&message) == message, "{length} bytes");
        }
    }

    #[test]
    fn one_byte_too_many_is_refused() {
        let message = vec![0; MAX_MESSAGE + 1];
        let mut assembler = Assembler::default();
        let results: Vec<_> =
            parts(&message).map(|packet| assembler.push(&packet).map(|whole| whole.is_some())).collect();
        assert_eq!(results.last(), Some(&Err(FrameError::Oversized)));
        assert!(results[..results.len() - 1].iter().all(|result| *result == Ok(false)));
    }

    proptest! {
        /// No sequence of packets panics or grows beyond the limit.
        #[test]
        fn any_packets_are_messages_or_refused(
            packets in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..40), 0..40),
        ) {
            let mut assembler = Assembler::default();
            for packet in packets {
                match (assembler.push(&packet), packet.split_first()) {
                    (Ok(Some(_)), Some((1, _))) => {}
                    (Ok(None), Some((0, part))) => prop_assert!(!part.is_empty()),
                    (Err(FrameError::Malformed), first) => {
                        prop_assert!(first.is_none_or(|(flag, part)| *flag > 1 || (*flag == 0 && part.is_empty())));
                        break;
                    }
                    other => prop_assert!(false, "{:?}", other.0.is_ok()),
                }
            }
        }
    }
}
