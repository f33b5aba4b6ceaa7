//! Paymasters: layouts of `paymasterAndData`, what the paymaster's signer signs, and the token
//! approval in front of the calls (docs/protocol.md 5.6, 5.7).

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U48, keccak256},
    sol_types::SolValue,
};

use super::{
    ProtocolError,
    abi::{TokenPaymasterTail, VerifyingPaymasterTail, decode},
    session::uint48,
    user_operation::UserOperation,
};

mod approval;
mod decimal;
mod fee_quote;
mod token_fee;

pub use approval::{approval, approval_amount, approve_call, approved, patch_call_data};
pub use decimal::DecimalText;
pub use fee_quote::{FeeQuote, FeeQuotes, FeeQuotesRequest};
pub use token_fee::{MAX_MARKUP, NO_MARKUP, POST_OP_GAS, most_charged, token_amount};

/// `paymasterAndData` of the verifying paymaster v1.1.0: the dapp pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingPaymasterData {
    /// The paymaster contract.
    pub paymaster: Address,
    /// Whose deposit pays.
    pub paymaster_id: Address,
    /// End of the offer, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the offer, unix seconds.
    pub valid_after: u64,
    /// The signer's `personal_sign` over [`Self::hash`], 65 bytes.
    pub signature: Bytes,
}

impl VerifyingPaymasterData {
    /// address ‖ abi(paymasterId, validUntil, validAfter, signature).
    pub fn encode(&self) -> Bytes {
        let tail = VerifyingPaymasterTail {
            paymasterId: self.paymaster_id,
            validUntil: U48::saturating_from(self.valid_until),
            validAfter: U48::saturating_from(self.valid_after),
            signature: self.signature.clone(),
        };
        [self.paymaster.as_slice(), &tail.abi_encode_params()].concat().into()
    }

    /// Reads the layout; anything else is an error.
    pub fn decode(paymaster_and_data: &[u8]) -> Result<Self, ProtocolError> {
        let expected = "address and abi(address, uint48, uint48, bytes)";
        let (paymaster, tail) = split_address(paymaster_and_data, expected)?;
        let tail = decode::params::<VerifyingPaymasterTail>(tail)
            .map_err(|error| ProtocolError::invalid("paymasterAndData", expected, error))?;
        Ok(Self {
            paymaster,
            paymaster_id: tail.paymasterId,
            valid_until: tail.validUntil.to(),
            valid_after: tail.validAfter.to(),
            signature: tail.signature,
        })
    }

    /// What the signer signs with `personal_sign`: everything but the two signatures.
    pub fn hash(&self, user_operation: &UserOperation, chain_id: u64) -> Result<B256, ProtocolError> {
        let mut data = signed_head(user_operation, chain_id, self.paymaster);
        let valid_until = uint48("validUntil", self.valid_until)?;
        let valid_after = uint48("validAfter", self.valid_after)?;
        data.extend((self.paymaster_id, U256::from(valid_until), U256::from(valid_after)).abi_encode());
        Ok(keccak256(data))
    }
}

/// `paymasterAndData` of the token paymaster: the person pays in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPaymasterData {
    /// The paymaster contract.
    pub paymaster: Address,
    /// 0 = external rate, 1 = oracle.
    pub price_source: u8,
    /// End of the offer, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the offer, unix seconds.
    pub valid_after: u64,
    /// Token that is charged.
    pub fee_token: Address,
    /// Oracle, for price source 1.
    pub oracle_aggregator: Address,
    /// Token units per whole native token.
    pub exchange_rate: U256,
    /// 1,000,000 = no markup; at most 2,000,000.
    pub price_markup: u32,
    /// The signer's `personal_sign` over [`Self::hash`], exactly 65 bytes.
    pub signature: Bytes,
}

/// Length of a token paymaster's `paymasterAndData`, bytes.
pub const TOKEN_PAYMASTER_AND_DATA: usize = 278;

impl TokenPaymasterData {
    fn tail(&self) -> TokenPaymasterTail {
        TokenPaymasterTail {
            validUntil: U48::saturating_from(self.valid_until),
            validAfter: U48::saturating_from(self.valid_after),
            feeToken: self.fee_token,
            oracleAggregator: self.oracle_aggregator,
            exchangeRate: self.exchange_rate,
            priceMarkup: self.price_markup,
        }
    }

    /// address ‖ price source ‖ six words ‖ signature.
    pub fn encode(&self) -> Bytes {
        let tail = self.tail().abi_encode_params();
        [self.paymaster.as_slice(), &[self.price_source], &tail, &self.signature].concat().into()
    }

    /// Reads the layout, which has exactly 278 bytes.
    pub fn decode(paymaster_and_data: &[u8]) -> Result<Self, ProtocolError> {
        let expected = "278 bytes of token paymaster data";
        let invalid = |got: &dyn std::fmt::Display| ProtocolError::invalid("paymasterAndData", expected, got);
        if paymaster_and_data.len() != TOKEN_PAYMASTER_AND_DATA {
            return Err(invalid(&format!("{} bytes", paymaster_and_data.len())));
        }
        let (paymaster, rest) = split_address(paymaster_and_data, expected)?;
        let (price_source, rest) = rest.split_first().ok_or_else(|| invalid(&"too little"))?;
        let (tail, signature) = rest.split_at_checked(192).ok_or_else(|| invalid(&"too little"))?;
        let tail = decode::params::<TokenPaymasterTail>(tail).map_err(|error| invalid(&error))?;
        Ok(Self {
            paymaster,
            price_source: *price_source,
            valid_until: tail.validUntil.to(),
            valid_after: tail.validAfter.to(),
            fee_token: tail.feeToken,
            oracle_aggregator: tail.oracleAggregator,
            exchange_rate: tail.exchangeRate,
            price_markup: tail.priceMarkup,
            signature: signature.to_vec().into(),
        })
    }

    /// What the signer signs with `personal_sign`: everything but the two signatures.
    pub fn hash(&self, user_operation: &UserOperation, chain_id: u64) -> Result<B256, ProtocolError> {
        uint48("validUntil", self.valid_until)?;
        uint48("validAfter", self.valid_after)?;
        let mut data = signed_head(user_operation, chain_id, self.paymaster);
        data.extend(U256::from(self.price_source).abi_encode());
        data.extend(self.tail().abi_encode_params());
        Ok(keccak256(data))
    }
}

fn split_address<'a>(data: &'a [u8], expected: &str) -> Result<(Address, &'a [u8]), ProtocolError> {
    data.split_first_chunk::<20>()
        .map(|(address, rest)| (Address::from(address), rest))
        .ok_or_else(|| ProtocolError::invalid("paymasterAndData", expected, format!("{} bytes", data.len())))
}

/// The words that both paymasters sign first: the operation without its signature, chain, paymaster.
fn signed_head(user_operation: &UserOperation, chain_id: u64, paymaster: Address) -> Vec<u8> {
    (
        user_operation.sender,
        user_operation.nonce,
        keccak256(&user_operation.init_code),
        keccak256(&user_operation.call_data),
        user_operation.call_gas_limit,
        user_operation.verification_gas_limit,
        user_operation.pre_verification_gas,
        user_operation.max_fee_per_gas,
        user_operation.max_priority_fee_per_gas,
        U256::from(chain_id),
        paymaster,
    )
        .abi_encode()
}

/// The operation as paymasters of `@biconomy/use-aa`'s dialect want it (docs/protocol.md 5.1): nonce and fees as minimal
/// hex, gas limits as decimal strings, or left out when the paymaster computes them.
pub fn request_user_operation(user_operation: &UserOperation, with_limits: bool) -> serde_json::Value {
    let hex = |number: U256| format!("{number:#x}");
    let mut request = serde_json::json!({
        "sender": user_operation.sender,
        "nonce": hex(user_operation.nonce),
        "initCode": user_operation.init_code,
        "callData": user_operation.call_data,
        "signature": user_operation.signature,
        "paymasterAndData": user_operation.paymaster_and_data,
        "maxFeePerGas": hex(user_operation.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(user_operation.max_priority_fee_per_gas),
    });
    if let (true, Some(fields)) = (with_limits, request.as_object_mut()) {
        let limits = [
            ("verificationGasLimit", user_operation.verification_gas_limit),
            ("callGasLimit", user_operation.call_gas_limit),
            ("preVerificationGas", user_operation.pre_verification_gas),
        ];
        fields.extend(limits.map(|(name, limit)| (name.to_owned(), limit.to_string().into())));
    }
    request
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn limits_are_decimal_text_for_paymasters_or_left_out() {
        let op =
            UserOperation { call_gas_limit: U256::from(77_217), nonce: U256::from(31), ..UserOperation::default() };
        let request = request_user_operation(&op, true);
        assert_eq!((request["callGasLimit"].as_str(), request["nonce"].as_str()), (Some("77217"), Some("0x1f")));
        assert!(request_user_operation(&op, false).get("callGasLimit").is_none());
    }

    #[test]
    fn data_of_another_length_is_refused_by_name() {
        for length in [0, 19, 20, 277, 279] {
            let error = TokenPaymasterData::decode(&vec![0; length]).unwrap_err().to_string();
            assert!(error.starts_with("paymasterAndData"), "{error}");
            assert!(VerifyingPaymasterData::decode(&vec![0; length]).is_err() || length > 180);
        }
    }
}
