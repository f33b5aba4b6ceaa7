//! What a paymaster signed, whichever entry point it serves, and what differs between the token paymasters of both.

use alloy::primitives::{Address, U256};

use super::{EntryPoint, UserOperation, v07};
use crate::{
    ProtocolError,
    addresses::TOKEN_PAYMASTER,
    paymaster::{TokenPaymasterData, VerifyingPaymasterData},
};

impl EntryPoint {
    /// The token paymaster that stands at the same address on every chain. For v0.7 there is none: who takes the fee
    /// there is told with the quote.
    pub const fn token_paymaster(self) -> Option<Address> {
        match self {
            Self::V06 => Some(TOKEN_PAYMASTER),
            Self::V07 => None,
        }
    }

    /// A fee in a token is taken while the operation is validated: an approval among its calls comes too late for it.
    pub const fn takes_fee_first(self) -> bool {
        matches!(self, Self::V07)
    }
}

/// On what terms an operation is paid in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTerms {
    /// Token that is charged.
    pub fee_token: Address,
    /// End of the offer, unix seconds; 0 = none.
    pub valid_until: u64,
    /// The most that the operation can be charged, the token's smallest units; `None` when it does not fit 256 bits.
    pub most_charged: Option<U256>,
}

impl TokenTerms {
    /// Reads them in the layout of the operation's entry point.
    ///
    /// # Errors
    /// `Invalid` for any other layout.
    pub fn read(operation: &UserOperation) -> Result<Self, ProtocolError> {
        Ok(match operation.entry_point {
            EntryPoint::V06 => {
                let data = TokenPaymasterData::decode(&operation.paymaster_and_data)?;
                let most_charged = data.most_charged(operation);
                Self { fee_token: data.fee_token, valid_until: data.valid_until, most_charged }
            }
            EntryPoint::V07 => {
                let data = v07::TokenPaymasterData::decode(operation.paymaster_data())?;
                let most_charged = data.most_charged(operation);
                Self { fee_token: data.fee_token, valid_until: data.valid_until, most_charged }
            }
        })
    }
}

/// When the paymaster's signature runs out, unix seconds of the chain; `None` when there is none, its layout is not
/// known, or it never does.
pub fn sponsored_until(operation: &UserOperation) -> Option<u64> {
    let until = match (TokenTerms::read(operation), operation.entry_point) {
        (Ok(terms), _) => terms.valid_until,
        (Err(_), EntryPoint::V06) => VerifyingPaymasterData::decode(&operation.paymaster_and_data).ok()?.valid_until,
        (Err(_), EntryPoint::V07) => v07::VerifyingPaymasterData::decode(operation.paymaster_data()).ok()?.valid_until,
    };
    Some(until).filter(|until| *until != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Bytes;

    use super::*;

    const PAYMASTER: Address = Address::repeat_byte(9);
    const TOKEN: Address = Address::repeat_byte(5);

    fn paid_by(entry_point: EntryPoint, data: Bytes) -> UserOperation {
        let paymaster_and_data = match entry_point {
            EntryPoint::V06 => data,
            EntryPoint::V07 => v07::paymaster_and_data(PAYMASTER, [20, 3], &data),
        };
        UserOperation {
            entry_point,
            max_fee_per_gas: U256::ONE,
            call_gas_limit: U256::from(100),
            paymaster_and_data,
            ..UserOperation::default()
        }
    }

    fn in_a_token(entry_point: EntryPoint, valid_until: u64) -> UserOperation {
        let (exchange_rate, price_markup, signature) =
            (U256::from(10).pow(U256::from(18)), 1_000_000, Bytes::from(vec![1; 65]));
        let data = match entry_point {
            EntryPoint::V06 => TokenPaymasterData {
                paymaster: PAYMASTER,
                price_source: 0,
                valid_until,
                valid_after: 0,
                fee_token: TOKEN,
                oracle_aggregator: Address::ZERO,
                exchange_rate,
                price_markup,
                signature,
            }
            .encode(),
            EntryPoint::V07 => v07::TokenPaymasterData {
                valid_until,
                valid_after: 0,
                fee_token: TOKEN,
                exchange_rate,
                price_markup,
                signature,
            }
            .encode()
            .unwrap(),
        };
        paid_by(entry_point, data)
    }

    fn sponsored(entry_point: EntryPoint, valid_until: u64) -> UserOperation {
        let signature = Bytes::from(vec![1; 65]);
        let data = match entry_point {
            EntryPoint::V06 => VerifyingPaymasterData {
                paymaster: PAYMASTER,
                paymaster_id: Address::ZERO,
                valid_until,
                valid_after: 0,
                signature,
            }
            .encode(),
            EntryPoint::V07 => v07::VerifyingPaymasterData { valid_until, valid_after: 0, signature }.encode(),
        };
        paid_by(entry_point, data)
    }

    #[test]
    fn the_end_of_a_signature_is_read_on_every_entry_point() {
        for entry_point in EntryPoint::ALL {
            for paid in [in_a_token, sponsored] {
                assert_eq!(sponsored_until(&paid(entry_point, 1_700_000_000)), Some(1_700_000_000), "{entry_point}");
                assert_eq!(sponsored_until(&paid(entry_point, 0)), None, "{entry_point}: it never ends");
            }
            let unknown = paid_by(entry_point, vec![7; 200].into());
            assert_eq!(sponsored_until(&unknown), None, "{entry_point}");
            assert_eq!(sponsored_until(&UserOperation { paymaster_and_data: Bytes::new(), ..unknown }), None);
        }
    }

    #[test]
    fn terms_in_a_token_are_read_on_every_entry_point_and_nothing_else_is() {
        // The charge itself costs gas on v0.6; on v0.7 the paymaster's limits do.
        for (entry_point, most) in [(EntryPoint::V06, 45_100), (EntryPoint::V07, 123)] {
            let terms = TokenTerms::read(&in_a_token(entry_point, 7)).unwrap();
            let expected = TokenTerms { fee_token: TOKEN, valid_until: 7, most_charged: Some(U256::from(most)) };
            assert_eq!(terms, expected, "{entry_point}");
            assert!(TokenTerms::read(&sponsored(entry_point, 7)).is_err(), "{entry_point}");
            assert!(TokenTerms::read(&paid_by(entry_point, vec![7; 200].into())).is_err(), "{entry_point}");
        }
    }
}
