//! Nonces: which validator judges an operation is a part of its nonce (vectors 16).

use alloy::primitives::{Address, U256, aliases::U192};

use super::release::NexusRelease;
use crate::{ProtocolError, user_operation::nonce_with_key};

/// How many independent lanes each validator has. Operations of one lane wait for each other.
pub const LANES: u32 = 1 << 24;

/// What the account is to do with the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValidationMode {
    /// Have the validator judge it.
    Validate,
    /// It installs a module first.
    ModuleEnable,
    /// Prepare (from 1.2 on).
    Prepare,
}

impl ValidationMode {
    /// Its byte.
    pub fn code(self) -> u8 {
        match self {
            Self::Validate => 0,
            Self::ModuleEnable => 1,
            Self::Prepare => 2,
        }
    }
}

/// The upper 24 bytes of a nonce: `lane(3) ‖ mode(1) ‖ validator(20)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NonceKey {
    /// Below [`LANES`].
    pub lane: u32,
    /// What the account does with the signature.
    pub mode: ValidationMode,
    /// Who judges it. Zero = the default validator, from 1.2 on.
    pub validator: Address,
}

impl NonceKey {
    /// The key of operations that this validator judges.
    ///
    /// # Errors
    /// `Invalid` for a lane from [`LANES`] on, and for the zero address: no validator was set.
    pub fn new(validator: Address, lane: u32) -> Result<Self, ProtocolError> {
        if lane >= LANES {
            return Err(ProtocolError::invalid("lane", "less than 2^24", lane));
        }
        if validator.is_zero() {
            return Err(ProtocolError::invalid("validator", "the address of a validator", validator));
        }
        Ok(Self { lane, mode: ValidationMode::Validate, validator })
    }

    /// The key of the owner's operations of an account of this release with the release's own validator.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_owner(release: NexusRelease, lane: u32) -> Result<Self, ProtocolError> {
        let key = Self::new(release.parts().owner_validator, lane)?;
        // The default validator is in no list: the account knows it as zero only.
        Ok(if release.has_default_validator() { Self { validator: Address::ZERO, ..key } } else { key })
    }

    /// As the entry point's `getNonce` takes it.
    pub fn to_u192(self) -> U192 {
        let mut bytes = [0; 24];
        let [_, lane @ ..] = self.lane.to_be_bytes();
        bytes[..3].copy_from_slice(&lane);
        bytes[3] = self.mode.code();
        bytes[4..].copy_from_slice(self.validator.as_slice());
        U192::from_be_bytes(bytes)
    }

    /// The whole nonce at this sequence.
    pub fn nonce(self, sequence: u64) -> U256 {
        nonce_with_key(U256::from(self.to_u192()), sequence)
    }

    /// Key and sequence of a nonce.
    ///
    /// # Errors
    /// `Invalid` for a mode that is none: accounts differ in what they make of it.
    pub fn of_nonce(nonce: U256) -> Result<(Self, u64), ProtocolError> {
        let bytes = nonce.to_be_bytes::<32>();
        let mode = match bytes[3] {
            0 => ValidationMode::Validate,
            1 => ValidationMode::ModuleEnable,
            2 => ValidationMode::Prepare,
            other => return Err(ProtocolError::invalid("nonce", "mode 0, 1 or 2 in its fourth byte", other)),
        };
        let lane = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        Ok((Self { lane, mode, validator: Address::from_slice(&bytes[4..24]) }, nonce.as_limbs()[0]))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Part 5.12 of the protocol's traps: an unset validator would be the owner on 1.2.
    #[test]
    fn an_unset_validator_makes_no_nonce() {
        assert!(NonceKey::new(Address::ZERO, 0).unwrap_err().to_string().starts_with("validator"));
        assert!(NonceKey::new(Address::repeat_byte(1), LANES).unwrap_err().to_string().starts_with("lane"));
        for release in NexusRelease::ALL {
            let key = NonceKey::of_owner(release, LANES - 1).unwrap();
            assert_eq!(key.validator.is_zero(), release.has_default_validator());
            assert_eq!(NonceKey::of_nonce(key.nonce(7)).unwrap(), (key, 7));
        }
        let odd = NonceKey { mode: ValidationMode::Validate, lane: 0, validator: Address::ZERO }.nonce(0)
            | (U256::from(3) << 224);
        assert!(NonceKey::of_nonce(odd).unwrap_err().to_string().starts_with("nonce"));
    }
}
