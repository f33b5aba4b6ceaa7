//! The token paymaster of entry point v0.7: the person pays in a token. The most that the operation may cost is taken while
//! it is validated, and what was not needed is given back after the call: it is never paid in arrears.

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U48, keccak256},
    sol_types::SolValue,
};

use super::{abi::TokenPaymasterTerms, paymaster::signed_words};
use crate::{ProtocolError, abi::decode, entry_point::UserOperation, paymaster::token_amount, session::uint48};

/// `paymasterData` with its signature of 65 bytes.
pub const TOKEN_PAYMASTER_DATA: usize = TERMS + 65;
/// The five words before the signature.
const TERMS: usize = 160;
/// Least `paymasterPostOpGasLimit` that the contract takes: with less nothing could be given back.
pub const LEAST_POST_OP_GAS: u64 = 60_000;

/// What the paymaster reads in `paymasterData`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenPaymasterData {
    /// End of the offer, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the offer, unix seconds.
    pub valid_after: u64,
    /// The token that is taken.
    pub fee_token: Address,
    /// Its smallest units per 1e18 wei.
    pub exchange_rate: U256,
    /// Millionths; 1,000,000 = none.
    pub price_markup: u32,
    /// The signer's `personal_sign` over [`Self::hash`], 65 bytes. At estimation any well-formed one will do.
    pub signature: Bytes,
}

impl TokenPaymasterData {
    fn terms(&self) -> Result<TokenPaymasterTerms, ProtocolError> {
        Ok(TokenPaymasterTerms {
            validUntil: U48::saturating_from(uint48("validUntil", self.valid_until)?),
            validAfter: U48::saturating_from(uint48("validAfter", self.valid_after)?),
            feeToken: self.fee_token,
            exchangeRate: self.exchange_rate,
            priceMarkup: self.price_markup,
        })
    }

    /// `abi(terms) ‖ signature`.
    ///
    /// # Errors
    /// `Invalid` for times from 2^48 on.
    pub fn encode(&self) -> Result<Bytes, ProtocolError> {
        Ok([&self.terms()?.abi_encode(), self.signature.as_ref()].concat().into())
    }

    /// Reads the layout.
    ///
    /// # Errors
    /// `Invalid` for anything else, a signature of another length included.
    pub fn decode(paymaster_data: &[u8]) -> Result<Self, ProtocolError> {
        let expected = "abi(terms) of a token paymaster and a signature of 65 bytes";
        let invalid = || ProtocolError::invalid("paymasterData", expected, format!("{} bytes", paymaster_data.len()));
        let (terms, signature) = paymaster_data.split_at_checked(TERMS).ok_or_else(invalid)?;
        if signature.len() != 65 {
            return Err(invalid());
        }
        let terms = decode::params::<TokenPaymasterTerms>(terms)
            .map_err(|error| ProtocolError::invalid("paymasterData", expected, error))?;
        Ok(Self {
            valid_until: terms.validUntil.to(),
            valid_after: terms.validAfter.to(),
            fee_token: terms.feeToken,
            exchange_rate: terms.exchangeRate,
            price_markup: terms.priceMarkup,
            signature: Bytes::copy_from_slice(signature),
        })
    }

    /// What the signer signs with `personal_sign`: the operation but for its signature and the paymaster's data, and the
    /// terms. The paymaster's gas limits are covered.
    ///
    /// # Errors
    /// As [`pack`](super::pack); for times from 2^48 on; and for an operation without a paymaster.
    pub fn hash(&self, op: &UserOperation, chain_id: u64) -> Result<B256, ProtocolError> {
        Ok(keccak256([signed_words(op, chain_id)?, self.terms()?.abi_encode()].concat()))
    }

    /// What is taken while the operation is validated, in the token's smallest units: the most that it can be charged.
    /// `None` when it does not fit 256 bits.
    pub fn most_charged(&self, op: &UserOperation) -> Option<U256> {
        token_amount(op.required_prefund(), self.exchange_rate, self.price_markup)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::entry_point::{EntryPoint, v07};

    #[test]
    fn only_whole_data_is_read() {
        let data = TokenPaymasterData {
            valid_until: 7,
            valid_after: 5,
            fee_token: Address::repeat_byte(3),
            exchange_rate: U256::from(2_500_000_000_u64),
            price_markup: 1_050_000,
            signature: vec![1; 65].into(),
        };
        let encoded = data.encode().unwrap();
        assert_eq!(
            (encoded.len(), TokenPaymasterData::decode(&encoded).unwrap()),
            (TOKEN_PAYMASTER_DATA, data.clone())
        );
        let mut dirty = encoded.to_vec();
        dirty[0] = 1;
        for bad in [&encoded[..224], &encoded[..160], &encoded[..3], &dirty] {
            assert!(TokenPaymasterData::decode(bad).unwrap_err().to_string().starts_with("paymasterData"));
        }
        assert!(TokenPaymasterData { valid_until: 1 << 48, ..data.clone() }.encode().is_err());
        // One unit of gas each at 1 gwei: 5 gwei are 12.5 units, and the markup's 0.6.
        let op = UserOperation {
            entry_point: EntryPoint::V07,
            call_gas_limit: U256::from(1),
            verification_gas_limit: U256::from(1),
            pre_verification_gas: U256::from(1),
            max_fee_per_gas: U256::from(1_000_000_000),
            paymaster_and_data: v07::paymaster_and_data(Address::repeat_byte(9), [1, 1], &encoded),
            ..UserOperation::default()
        };
        assert_eq!(data.most_charged(&op), Some(U256::from(12)));
        let other = UserOperation {
            paymaster_and_data: v07::paymaster_and_data(Address::repeat_byte(9), [1, 2], &encoded),
            ..op.clone()
        };
        assert_ne!(data.hash(&op, 1).unwrap(), data.hash(&other, 1).unwrap(), "its limits are covered");
    }
}
