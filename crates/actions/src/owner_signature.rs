//! Checks what the owner's wallet answered to a request to sign.

use alloy::primitives::{Address, B256, Signature};

use crate::error::AppError;

/// Checks that `given` is the owner's signature of this hash, and brings `v` to 27 or 28. The ECDSA module takes the lower
/// half of s only: a signature with the other one is brought there.
///
/// # Errors
/// `OwnerIsContract` when it is longer than any signature of a key: only smart-contract wallets (ERC-1271, ERC-6492) answer
/// so. `NotTheOwnersSignature` when it is anything else.
pub(super) fn owner_signature(owner: Address, hash: B256, given: &[u8]) -> Result<[u8; 65], AppError> {
    let refused = |got: String| AppError::NotTheOwnersSignature { owner, got };
    let signature = match given.len() {
        65 => Signature::from_raw(given).map_err(|_| refused("65 bytes that are no signature".into()))?,
        length @ 0..65 => return Err(refused(format!("{length} bytes"))),
        length => {
            let evidence = format!("it answered {length} bytes, as such wallets sign");
            return Err(AppError::OwnerIsContract { owner, evidence });
        }
    };
    let signature = signature.normalized_s();
    match signature.recover_address_from_prehash(&hash) {
        Ok(signer) if signer == owner => Ok(signature.as_bytes()),
        Ok(signer) => Err(refused(format!("a signature by {signer}, or of something else"))),
        Err(_) => Err(refused("65 bytes that are no signature".into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::eip191_hash_message,
        signers::{SignerSync, local::PrivateKeySigner},
    };

    use super::*;

    #[test]
    fn v_of_0_or_1_is_brought_to_27_or_28() {
        let owner = PrivateKeySigner::random();
        let message = B256::repeat_byte(7);
        let hash = eip191_hash_message(message);
        let good = owner.sign_message_sync(message.as_slice()).unwrap().as_bytes();
        let mut low = good;
        low[64] -= 27;
        assert_eq!(owner_signature(owner.address(), hash, &good).unwrap(), good);
        assert_eq!(owner_signature(owner.address(), hash, &low).unwrap(), good);
    }

    #[test]
    fn anything_but_the_owners_signature_is_refused_with_what_was_expected() {
        let owner = PrivateKeySigner::random();
        let message = B256::repeat_byte(7);
        let hash = eip191_hash_message(message);
        let other = PrivateKeySigner::random();
        let by_other = other.sign_message_sync(message.as_slice()).unwrap().as_bytes();
        let wrong_hash = owner.sign_message_sync(b"something else").unwrap().as_bytes();
        let mut strange_v = by_other;
        strange_v[64] = 2;
        let given: [&[u8]; 7] = [&by_other, &wrong_hash, &strange_v, &[], &[0; 64], &[0xff; 65], &[0; 65]];
        for bytes in given {
            let error = owner_signature(owner.address(), hash, bytes).unwrap_err();
            assert!(matches!(error, AppError::NotTheOwnersSignature { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains("65 bytes") && said.contains(&owner.address().to_string()), "{said}");
        }
        let error = owner_signature(owner.address(), hash, &by_other).unwrap_err().to_string();
        assert!(error.contains(&other.address().to_string()), "{error}");
    }

    #[test]
    fn a_signature_of_600_bytes_is_told_as_a_contracts() {
        let owner = Address::repeat_byte(0x11);
        for length in [66, 130, 600] {
            let error = owner_signature(owner, B256::ZERO, &vec![1; length]).unwrap_err();
            let told = error.to_string();
            assert!(matches!(error, AppError::OwnerIsContract { .. }), "{told}");
            assert!(told.contains(&length.to_string()) && told.contains("ECDSA"), "{told}");
        }
    }
}
