//! The session key's own signature, as the lab's session validator judges it.

use alloy::primitives::{Address, B256, Signature};

use super::session::Session;
use crate::signature::personal_digest;

/// The session key of a session that a simple signer judges; `None` for data of another length, and for the zero
/// address, whose key nobody has and which a careless `ecrecover` answers.
pub fn session_key_of(session: &Session) -> Option<Address> {
    key(&session.session_validator_init_data)
}

fn key(data: &[u8]) -> Option<Address> {
    let key = Address::from(<[u8; 20]>::try_from(data).ok()?);
    (!key.is_zero()).then_some(key)
}

/// Did the session key in `data` sign the operation? Never an error: whatever is malformed is not signed by it, or a
/// stub would revert at estimation.
pub fn signed_by_session_key(user_op_hash: B256, signature: &[u8], data: &[u8]) -> bool {
    let Some(key) = key(data) else { return false };
    // 0 and 1 for v are read elsewhere; the contract takes 27 and 28.
    let Some([.., 27 | 28]) = signature.get(..).filter(|signature| signature.len() == 65) else { return false };
    let Ok(parsed) = Signature::try_from(signature) else { return false };
    parsed.normalize_s().is_none()
        && parsed.recover_address_from_prehash(&personal_digest(user_op_hash)).is_ok_and(|signer| signer == key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::signers::{SignerSync, local::PrivateKeySigner};

    use super::*;

    /// Trap: the zero address, a high s, v 0 or 1, another length. Beside them the honest key.
    #[test]
    fn only_the_keys_own_plain_signature_counts() {
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let hash = B256::repeat_byte(9);
        let good = key.sign_message_sync(hash.as_slice()).unwrap().as_bytes();
        let own = key.address();
        assert!(signed_by_session_key(hash, &good, own.as_slice()));
        let with = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            bytes
        };
        for (name, signature, data) in [
            ("another operation's v", with(64, good[64] ^ 7).to_vec(), own.to_vec()),
            ("v of 0 and 1", with(64, good[64] - 27).to_vec(), own.to_vec()),
            ("a high s", with(32, 0xff).to_vec(), own.to_vec()),
            ("too long", [&good[..], &[0]].concat(), own.to_vec()),
            ("nothing", Vec::new(), own.to_vec()),
            ("zeros by nobody", vec![0; 65], Address::ZERO.to_vec()),
            ("the zero address", good.to_vec(), Address::ZERO.to_vec()),
            ("a whole word", good.to_vec(), own.into_word().to_vec()),
        ] {
            assert!(!signed_by_session_key(hash, &signature, &data), "{name}");
        }
    }
}
