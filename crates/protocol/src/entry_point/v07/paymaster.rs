//! The verifying paymaster of entry point v0.7: the dapp pays (vectors 15).

use alloy::{
    primitives::{B256, Bytes, U256, aliases::U48, keccak256},
    sol_types::SolValue,
};

use super::{
    abi::VerifyingPaymasterWindow,
    packing::{PAYMASTER_DATA_OFFSET, pack},
};
use crate::{ProtocolError, abi::decode, entry_point::UserOperation, session::uint48};

/// `paymasterData` with a signature of 65 bytes.
pub const VERIFYING_PAYMASTER_DATA: usize = WINDOW + 65;
/// The two words before the signature.
const WINDOW: usize = 64;

/// What the paymaster reads in `paymasterData`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyingPaymasterData {
    /// End of the offer, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the offer, unix seconds.
    pub valid_after: u64,
    /// The signer's `personal_sign` over [`Self::hash`], 64 (EIP-2098) or 65 bytes. At estimation any well-formed one
    /// will do.
    pub signature: Bytes,
}

impl VerifyingPaymasterData {
    /// `abi(validUntil, validAfter) ‖ signature`.
    pub fn encode(&self) -> Bytes {
        let window = VerifyingPaymasterWindow {
            validUntil: U48::saturating_from(self.valid_until),
            validAfter: U48::saturating_from(self.valid_after),
        };
        [&window.abi_encode_params(), self.signature.as_ref()].concat().into()
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `Invalid` for anything else, a signature of another length included: the paymaster reverts on it.
    pub fn decode(paymaster_data: &[u8]) -> Result<Self, ProtocolError> {
        let expected = "abi(uint48, uint48) and a signature of 64 or 65 bytes";
        let invalid = || ProtocolError::invalid("paymasterData", expected, format!("{} bytes", paymaster_data.len()));
        let (window, signature) = paymaster_data.split_at_checked(WINDOW).ok_or_else(invalid)?;
        if !matches!(signature.len(), 64 | 65) {
            return Err(invalid());
        }
        let window = decode::params::<VerifyingPaymasterWindow>(window)
            .map_err(|error| ProtocolError::invalid("paymasterData", expected, error))?;
        Ok(Self {
            valid_until: window.validUntil.to(),
            valid_after: window.validAfter.to(),
            signature: Bytes::copy_from_slice(signature),
        })
    }

    /// What the signer signs with `personal_sign`: the operation but for its signature and the paymaster's data, and
    /// the window. The paymaster's gas limits are covered.
    ///
    /// # Errors
    /// As [`pack`]; for times from 2^48 on; and for an operation without a paymaster.
    pub fn hash(&self, op: &UserOperation, chain_id: u64) -> Result<B256, ProtocolError> {
        let valid_until = uint48("validUntil", self.valid_until)?;
        let valid_after = uint48("validAfter", self.valid_after)?;
        let window = (U256::from(valid_until), U256::from(valid_after)).abi_encode();
        Ok(keccak256([signed_words(op, chain_id)?, window].concat()))
    }
}

/// What a paymaster's signer signs before its own terms: all of the operation but for its signature and the paymaster's
/// data, chain and paymaster.
pub(super) fn signed_words(op: &UserOperation, chain_id: u64) -> Result<Vec<u8>, ProtocolError> {
    let packed = pack(op)?;
    let paymaster =
        op.paymaster().ok_or_else(|| ProtocolError::invalid("paymaster", "the paymaster that is to pay", "none"))?;
    let gas = packed.paymasterAndData.get(20..PAYMASTER_DATA_OFFSET).map(U256::from_be_slice).unwrap_or_default();
    let signed = (
        packed.sender,
        packed.nonce,
        keccak256(&packed.initCode),
        keccak256(&packed.callData),
        packed.accountGasLimits,
        gas,
        packed.preVerificationGas,
        packed.gasFees,
        U256::from(chain_id),
        paymaster,
    );
    Ok(signed.abi_encode())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_whole_data_is_read() {
        let data = VerifyingPaymasterData { valid_until: 7, valid_after: 5, signature: vec![1; 65].into() };
        let encoded = data.encode();
        assert_eq!(encoded.len(), VERIFYING_PAYMASTER_DATA);
        assert_eq!(VerifyingPaymasterData::decode(&encoded).unwrap(), data);
        assert!(VerifyingPaymasterData::decode(&encoded[..128]).is_ok(), "a short signature is one, too");
        let mut dirty = encoded.to_vec();
        dirty[0] = 1;
        for bad in [&encoded[..127], &encoded[..64], &encoded[..3], &dirty] {
            assert!(VerifyingPaymasterData::decode(bad).unwrap_err().to_string().starts_with("paymasterData"));
        }
        let nobody = data.hash(&UserOperation::default(), 1).unwrap_err().to_string();
        assert!(nobody.starts_with("paymaster"), "{nobody}");
    }
}
