//! Signatures of an account's owner, and the stub for gas estimation.

use alloy::primitives::{Address, B256, Bytes, Signature};

use crate::{
    ProtocolError,
    signature::{DUMMY_ECDSA, personal_digest},
};

/// What the account answers to a message signature that it takes (ERC-1271).
pub const ERC1271_MAGIC: [u8; 4] = [0x16, 0x26, 0xba, 0x7e];

/// A well-formed signature of nobody: at estimation the validator answers "signature failed", and nothing reverts.
pub const STUB_SIGNATURE: [u8; 65] = DUMMY_ECDSA;

/// What the owner's `personal_sign` over the 32 bytes of an operation's hash signs.
pub fn owner_digest(user_op_hash: B256) -> B256 {
    personal_digest(user_op_hash)
}

/// `r ‖ s ‖ v` as validators take it: 65 bytes, v 27 or 28 (0 and 1, which hardware wallets write, are made these).
///
/// # Errors
/// `Invalid` for another length or v, and for an s in the upper half of the curve's order.
pub fn recoverable(signature: &[u8]) -> Result<[u8; 65], ProtocolError> {
    let invalid = |got: String| ProtocolError::invalid("signature", "65 bytes r‖s‖v, s low, v 27 or 28", got);
    let mut bytes: [u8; 65] = signature.try_into().map_err(|_| invalid(format!("{} bytes", signature.len())))?;
    bytes[64] = match bytes[64] {
        v @ (27 | 28) => v,
        v @ (0 | 1) => v + 27,
        v => return Err(invalid(format!("v {v}"))),
    };
    let parsed = Signature::try_from(bytes.as_slice()).map_err(|error| invalid(error.to_string()))?;
    if parsed.normalize_s().is_some() { Err(invalid("a high s".to_owned())) } else { Ok(bytes) }
}

/// A message signature for the account's `isValidSignature`: the validator that is to judge it, and what it judges.
pub fn erc1271_signature(validator: Address, signature: &[u8]) -> Bytes {
    [validator.as_slice(), signature].concat().into()
}

/// Validator and inner signature of [`erc1271_signature`]; `None` for fewer than 20 bytes.
pub fn split_erc1271(signature: &[u8]) -> Option<(Address, &[u8])> {
    let (validator, inner) = signature.split_first_chunk::<20>()?;
    Some((Address::from(validator), inner))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn v_is_made_27_or_28_and_malleable_ones_are_refused() {
        assert_eq!(recoverable(&STUB_SIGNATURE).unwrap(), STUB_SIGNATURE);
        let mut short_v = STUB_SIGNATURE;
        short_v[64] = 0;
        assert_eq!(recoverable(&short_v).unwrap(), STUB_SIGNATURE);
        let mut odd = STUB_SIGNATURE;
        odd[64] = 29;
        let mut high = STUB_SIGNATURE;
        high[32] = 0xff;
        for bad in [&odd[..], &high, &STUB_SIGNATURE[..64], &[]] {
            assert!(recoverable(bad).unwrap_err().to_string().starts_with("signature"), "{bad:?}");
        }
        let validator = Address::repeat_byte(5);
        assert_eq!(split_erc1271(&erc1271_signature(validator, &[1, 2])), Some((validator, &[1, 2][..])));
        assert_eq!(split_erc1271(&[0; 19]), None);
    }
}
