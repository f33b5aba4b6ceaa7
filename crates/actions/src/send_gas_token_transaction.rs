//! Calls that the owner signs, with the gas paid in a token.

use alloy::primitives::Address;

use super::{
    account::SmartAccountClient,
    options::{BuildUserOpOptions, Options, PaymasterServiceData, merge_options},
    send_transaction::send_transaction,
};
use crate::error::AppError;
use use_aa_protocol::{paymaster::FeeQuote, rpc::PaymasterMode, smart_account::Call, user_op_response::UserOpResponse};

/// In what the gas is paid: a token, of which a quote is got now, or a quote that was got and shown before.
///
/// `@biconomy/use-aa` takes an address for a quote, so that only quotes work (docs/protocol.md 10-U2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenParam {
    /// The token's address.
    Token(Address),
    /// A quote of [`get_token_fees`](super::token_fees::get_token_fees): no more than it says is paid.
    Quote(Box<FeeQuote>),
}

impl From<Address> for TokenParam {
    fn from(token: Address) -> Self {
        Self::Token(token)
    }
}

impl From<FeeQuote> for TokenParam {
    fn from(quote: FeeQuote) -> Self {
        Self::Quote(Box::new(quote))
    }
}

impl TokenParam {
    /// The caller's options with this way to pay; what they say of another one does not count.
    pub fn options(&self, options: &BuildUserOpOptions) -> BuildUserOpOptions {
        let mut options = merge_options([Options::gas_token_payment(), options.clone()]);
        let data = options.paymaster_service_data.take().unwrap_or_default();
        let (preferred_token, fee_quote) = match self {
            Self::Token(token) => (Some(*token), None),
            Self::Quote(quote) => (None, Some(quote.as_ref().clone())),
        };
        let data = PaymasterServiceData { mode: Some(PaymasterMode::Erc20), preferred_token, fee_quote, ..data };
        BuildUserOpOptions { paymaster_service_data: Some(data), ..options }
    }
}

/// What is to be done; variables of `use_send_gas_token_transaction`.
#[derive(Clone, Debug, PartialEq)]
pub struct SendGasTokenTransactionVariables {
    /// What to do, in one operation.
    pub calls: Vec<Call>,
    /// In what the gas is paid: a token's address, or a quote of `use_token_fees`.
    pub token_param: TokenParam,
    /// How the operation is built. `max_approval` approves without limit, so that no later operation needs to.
    pub options: BuildUserOpOptions,
}

/// [`send_transaction`] with the gas paid in a token. The allowance is read, and an approval is put in front only when
/// it is missing: of the quoted amount, or without limit with `max_approval`. For a token that wants an allowance to be
/// zero before it is changed (USD₮ on its main chain), which is tried out, an approval of nothing comes before it.
///
/// On entry point v0.7 the fee is taken before the calls: an approval must have been made in a transaction before
/// ([`approve_fee_first`](super::fee_approval::approve_fee_first) makes it).
///
/// # Errors
/// As [`send_transaction`]; `GasTokenRefused` when the token is not taken, the account has too little of it, an approval is
/// missing on v0.7, or more is asked than was quoted; `FeeQuoteExpired`. It is never sent without the paymaster (docs/protocol.md 10-S10).
pub async fn send_gas_token_transaction(
    client: &SmartAccountClient,
    calls: &[Call],
    token_param: &TokenParam,
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    send_transaction(client, calls, &token_param.options(options)).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_parameter_decides_how_gas_is_paid() {
        let (ours, theirs) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let caller = merge_options([
            Options::preferred_token(theirs),
            Options::sponsored(),
            BuildUserOpOptions {
                paymaster_service_data: Some(PaymasterServiceData { max_approval: Some(true), ..Default::default() }),
                ..Default::default()
            },
        ]);
        let data = TokenParam::from(ours).options(&caller).paymaster_service_data.unwrap();
        assert_eq!((data.mode, data.preferred_token), (Some(PaymasterMode::Erc20), Some(ours)));
        assert_eq!((data.max_approval, data.calculate_gas_limits), (Some(true), Some(true)));
        let quote: FeeQuote = serde_json::from_value(serde_json::json!({
            "symbol": "T", "tokenAddress": ours, "decimal": 6, "maxGasFee": "1",
        }))
        .unwrap();
        let data = TokenParam::from(quote).options(&caller).paymaster_service_data.unwrap();
        assert_eq!((data.preferred_token, data.fee_quote.unwrap().token_address), (None, ours));
    }
}
