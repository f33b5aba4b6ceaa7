//! The paymaster's methods (docs/protocol.md 5.3, 5.4, and those of ERC-7677).

use alloy::primitives::U256;
use serde_json::{Value, json};

use super::{
    super::{sponsor::Requester, sponsorship, state::ServerState},
    context::Context,
    erc7677,
    errors::RpcError,
    operation::{self, Purpose, number},
};
use use_aa_protocol::{
    paymaster::{DecimalText, FeeQuote, FeeQuotes, approval, approve_call, patch_call_data},
    rpc::PaymasterMode,
    user_operation::UserOperation,
};

/// The most that may be charged is quoted so much higher: fees and limits are found anew when the operation comes, and
/// the SDK approves no more than was quoted.
const HEADROOM: f64 = 1.1;

/// Calls a method of the paymaster.
pub(super) async fn call(
    state: &ServerState,
    requester: Requester<'_>,
    method: &str,
    params: &[Value],
) -> Result<Value, RpcError> {
    match method {
        "pm_sponsorUserOperation" => {
            let (operation, context) = read(params)?;
            sponsor(state, requester, &operation, &context).await
        }
        "pm_getFeeQuoteOrData" => {
            let (operation, context) = read(params)?;
            match context.mode()? {
                Some(PaymasterMode::Sponsored) => sponsor(state, requester, &operation, &context).await,
                Some(PaymasterMode::Erc20) | None => fee_quotes(state, &operation, &context).await,
            }
        }
        "pm_getPaymasterStubData" => erc7677::stub(state, params).await,
        "pm_getPaymasterData" => erc7677::data(state, requester, params).await,
        other => Err(RpcError::method(other)),
    }
}

/// The operation and what is asked for it. `webhookData` lies inside `sponsorshipInfo`.
fn read(params: &[Value]) -> Result<(UserOperation, Context), RpcError> {
    let [_, context] = params else {
        return Err(RpcError::fields("params should be userOp and its context"));
    };
    let operation = operation::read(params, 0, Purpose::Sponsor)?;
    let Value::Object(fields) = context else {
        return Err(RpcError::fields("the context should be an object"));
    };
    Ok((operation, Context { fields: fields.clone() }))
}

async fn sponsor(
    state: &ServerState,
    requester: Requester<'_>,
    operation: &UserOperation,
    context: &Context,
) -> Result<Value, RpcError> {
    let mode = context.mode()?.ok_or_else(|| RpcError::fields("mode is required: SPONSORED or ERC20"))?;
    let sponsorship = sponsorship::sponsor(state, operation, &context.sponsor_context(mode)?, requester).await?;
    // Text and numbers mixed as the service mixes them.
    Ok(json!({
        "mode": mode,
        "MODE": mode,
        "paymasterAndData": sponsorship.paymaster_and_data,
        "preVerificationGas": sponsorship.gas.pre_verification_gas.to_string(),
        "verificationGasLimit": number(sponsorship.gas.verification_gas_limit),
        "callGasLimit": number(sponsorship.gas.call_gas_limit),
    }))
}

async fn fee_quotes(state: &ServerState, operation: &UserOperation, context: &Context) -> Result<Value, RpcError> {
    let request = context.fee_quotes_request()?;
    let mut quotes = sponsorship::fee_quotes(state, operation, &request).await?;
    if context.calculates_gas_limits()
        && let Some(approving) = with_approval(operation, &quotes)
    {
        quotes = sponsorship::fee_quotes(state, &approving, &request).await?;
    }
    Ok(json!({
        "mode": PaymasterMode::Erc20,
        "MODE": PaymasterMode::Erc20,
        "paymasterAddress": quotes.token_paymaster_address.to_string(),
        "feeQuotes": quotes.fee_quotes.iter().map(quote).collect::<Vec<_>>(),
        "unsupportedTokens": quotes.unsupported_tokens,
    }))
}

/// The operation that will come once a quote is taken: the SDK puts an approval of the quoted amount in front of the
/// calls, an app perhaps one of nothing before it, which costs gas; what it approves must be enough for that, too. Its
/// limits are left to be found out.
/// `None` when there is nothing to approve, or no room for it.
fn with_approval(operation: &UserOperation, quotes: &FeeQuotes) -> Option<UserOperation> {
    let (quote, spender) = (quotes.fee_quotes.first()?, quotes.token_paymaster_address);
    let approval = approval(quote, spender, false).ok()?;
    // Some tokens want an allowance to be nothing before it changes.
    let nothing = approve_call(quote.token_address, spender, U256::ZERO);
    let call_data = patch_call_data(&operation.call_data, &approval).ok()?;
    let mut approving = UserOperation { call_data: patch_call_data(&call_data, &nothing).ok()?, ..operation.clone() };
    for limit in
        [&mut approving.call_gas_limit, &mut approving.verification_gas_limit, &mut approving.pre_verification_gas]
    {
        *limit = Default::default();
    }
    Some(approving)
}

/// A quote as the service writes it: amounts are numbers (the SDK multiplies them), the premium is text.
fn quote(quote: &FeeQuote) -> Value {
    let mut fields = json!({
        "symbol": quote.symbol,
        "decimal": quote.decimal,
        "tokenAddress": quote.token_address.to_string(),
        "maxGasFee": amount(&quote.max_gas_fee, HEADROOM),
    });
    let amounts = [
        ("maxGasFeeUSD", &quote.max_gas_fee_usd),
        ("usdPayment", &quote.usd_payment),
        ("exchangeRate", &quote.exchange_rate),
    ];
    for (name, value) in amounts {
        if let Some(value) = value {
            fields[name] = amount(value, 1.0);
        }
    }
    if let Some(premium) = &quote.premium_percentage {
        fields["premiumPercentage"] = json!(premium.to_string());
    }
    if let Some(url) = &quote.logo_url {
        fields["logoUrl"] = json!(url);
    }
    if let Some(end) = quote.valid_until {
        fields["validUntil"] = json!(end);
    }
    fields
}

/// The JSON number with these digits, as near as doubles come to it: that is what the SDK would make of it anyway.
fn amount(value: &DecimalText, factor: f64) -> Value {
    match value.to_string().parse::<f64>() {
        Ok(number) => json!(number * factor),
        Err(_) => json!(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;

    use super::*;

    fn context(fields: Value) -> Context {
        match fields {
            Value::Object(fields) => Context { fields },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_context_of_the_sdk_is_read() {
        let token = Address::repeat_byte(7);
        let sdk = context(json!({"mode": "SPONSORED", "calculateGasLimits": false, "expiryDuration": 600,
            "tokenInfo": {"feeTokenAddress": token},
            "sponsorshipInfo": {"webhookData": {"num": 2}, "smartAccountInfo": {"name": "BICONOMY", "version": "2.0.0"}}}));
        assert_eq!(sdk.mode(), Ok(Some(PaymasterMode::Sponsored)));
        let read = sdk.sponsor_context(PaymasterMode::Sponsored).unwrap();
        assert!(!read.calculate_gas_limits);
        assert_eq!((read.expiry_duration, read.webhook_data), (Some(600), Some(json!({"num": 2}))));
        assert_eq!(read.token_info, None, "nobody asked to be charged");
        let token_info = sdk.sponsor_context(PaymasterMode::Erc20).unwrap().token_info.unwrap();
        assert_eq!(token_info.fee_token_address, token);
        assert!(context(json!({})).sponsor_context(PaymasterMode::Sponsored).unwrap().calculate_gas_limits);
        assert!(context(json!({"mode": "FREE"})).mode().is_err());
        assert_eq!(context(json!({})).mode(), Ok(None));
    }

    #[test]
    fn the_tokens_of_the_sdk_are_read() {
        let token = Address::repeat_byte(7);
        let request = |info: Value| context(json!({"tokenInfo": info})).fee_quotes_request();
        assert_eq!(request(json!({"tokenList": []})).unwrap().tokens().len(), 0);
        assert_eq!(request(json!({"tokenList": [token]})).unwrap().tokens(), [token]);
        assert_eq!(request(json!({"preferredToken": token})).unwrap().tokens(), [token]);
        assert_eq!(context(json!({})).fee_quotes_request().unwrap().tokens().len(), 0);
        assert!(request(json!({"tokenList": ["x"]})).is_err());
    }

    #[test]
    fn quotes_are_written_as_the_service_writes_them() {
        let quoted: FeeQuote =
            serde_json::from_value(json!({"symbol": "USDC", "decimal": 6, "tokenAddress": Address::repeat_byte(7),
            "maxGasFee": "0.125331", "premiumPercentage": 7, "validUntil": 1_723_000_300}))
            .unwrap();
        let written = quote(&quoted);
        let quoted = written["maxGasFee"].as_f64().unwrap();
        assert!((quoted - 0.125_331 * HEADROOM).abs() < 1e-9, "{quoted}");
        assert_eq!(written["premiumPercentage"], json!("7"));
        assert_eq!(written["validUntil"], json!(1_723_000_300));
        assert_eq!(written.get("maxGasFeeUSD"), None);
    }
}
