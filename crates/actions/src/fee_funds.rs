//! What an account can be made to pay fees with: the stake of whoever grants a session, because the session key decides
//! what its operations cost.

use alloy::primitives::{Address, U256};
use futures::future::{join_all, try_join, try_join3};
use serde_json::json;

use super::{data_fee::modest_data_fee, ports::Relay, token};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    entry_point::EntryPoint,
    paymaster::{FeeQuote, FeeQuotesRequest},
    user_operation::UserOperation,
};

/// Native currency that pays for operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NativeFunds {
    /// The account's balance, wei.
    pub balance: U256,
    /// Its deposit at the entry point, wei: what earlier operations had paid ahead and did not use, mostly.
    pub deposit: U256,
}

impl NativeFunds {
    /// Both together.
    pub fn total(self) -> U256 {
        self.balance.saturating_add(self.deposit)
    }
}

/// What a token paymaster may still take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeAllowance {
    /// The token.
    pub token: Address,
    /// Its symbol, as the paymaster's service tells it: foreign text.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// The paymaster.
    pub spender: Address,
    /// How much, smallest units; `None`: the token gave no answer, so it may be anything.
    pub amount: Option<U256>,
}

/// All that fees can be paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeFunds {
    /// Native currency.
    pub native: NativeFunds,
    /// Allowances that are not zero, of the token paymaster that the server works with; `None`: which tokens it takes could
    /// not be read.
    pub allowances: Option<Vec<FeeAllowance>>,
    /// What a unit of gas costs now at most, wei, by the server; `None`: it could not be read.
    pub max_fee_per_gas: Option<U256>,
    /// What a rollup takes besides, wei, for putting a modest operation's data on the chain below; zero elsewhere.
    pub data_fee: U256,
}

/// Reads balance and deposit. The account need not be deployed.
///
/// # Errors
/// Those of the [`Relay`].
pub async fn read_native_funds(relay: &dyn Relay, account: Address) -> Result<NativeFunds, AppError> {
    read_native_funds_at(relay, EntryPoint::default(), account).await
}

/// [`read_native_funds`] of an account whose operations this entry point takes.
///
/// # Errors
/// Those of the [`Relay`].
pub async fn read_native_funds_at(
    relay: &dyn Relay,
    entry_point: EntryPoint,
    account: Address,
) -> Result<NativeFunds, AppError> {
    let balance = async {
        let answer = relay.read("eth_getBalance", json!([account, "latest"])).await?;
        serde_json::from_value(answer)
            .map_err(|error| AppError::UpstreamMalformed { upstream: Upstream::Node, reason: error.to_string() })
    };
    let (balance, deposit) = try_join(balance, read_deposit(relay, entry_point, account)).await?;
    Ok(NativeFunds { balance, deposit })
}

/// What the account holds at the entry point, wei.
pub(super) async fn read_deposit(
    relay: &dyn Relay,
    entry_point: EntryPoint,
    account: Address,
) -> Result<U256, AppError> {
    // The entry point's function has the name and the form of a token's.
    token::balance_of(relay, entry_point.address(), account).await
}

/// Reads all that fees can be paid with.
///
/// # Errors
/// Those of reading the native currency.
pub async fn read_fee_funds(relay: &dyn Relay, account: Address) -> Result<FeeFunds, AppError> {
    read_fee_funds_at(relay, EntryPoint::default(), account).await
}

/// [`read_fee_funds`] of an account whose operations this entry point takes.
///
/// # Errors
/// Those of reading the native currency.
pub async fn read_fee_funds_at(
    relay: &dyn Relay,
    entry_point: EntryPoint,
    account: Address,
) -> Result<FeeFunds, AppError> {
    let allowances = async { Ok::<_, AppError>(read_allowances(relay, account).await.ok()) };
    let fees = async {
        let fee = relay.gas_fees().await.ok().map(|fees| fees.max_fee_per_gas);
        Ok((fee, modest_data_fee(relay, fee.unwrap_or_default()).await))
    };
    let native = read_native_funds_at(relay, entry_point, account);
    let (native, allowances, (max_fee_per_gas, data_fee)) = try_join3(native, allowances, fees).await?;
    Ok(FeeFunds { native, allowances, max_fee_per_gas, data_fee })
}

async fn read_allowances(relay: &dyn Relay, account: Address) -> Result<Vec<FeeAllowance>, AppError> {
    // Any operation will do: what is asked for is the tokens, not the prices.
    let some = U256::from(100_000);
    let operation = UserOperation {
        sender: account,
        call_gas_limit: some,
        verification_gas_limit: some,
        pre_verification_gas: some,
        max_fee_per_gas: U256::ONE,
        max_priority_fee_per_gas: U256::ONE,
        ..UserOperation::default()
    };
    let quotes = match relay.fee_quotes(&operation, &FeeQuotesRequest::default()).await {
        // Nobody takes tokens here.
        Err(AppError::GasTokenRefused { .. }) => return Ok(Vec::new()),
        quotes => quotes?,
    };
    let spender = quotes.token_paymaster_address;
    let allowances = quotes.fee_quotes.into_iter().map(|FeeQuote { symbol, token_address, decimal, .. }| async move {
        // One token that does not answer hides no other.
        let amount = token::allowance(relay, token_address, account, spender).await.ok();
        FeeAllowance { token: token_address, symbol, decimals: decimal, spender, amount }
    });
    let mut allowances = join_all(allowances).await;
    allowances.retain(|allowance| allowance.amount != Some(U256::ZERO));
    Ok(allowances)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;
    use crate::fake::Fake;

    #[test]
    fn a_token_that_does_not_answer_hides_no_other() {
        let fake = Fake::new();
        let [known, none, silent, account] = [1, 2, 3, 4].map(Address::repeat_byte);
        let quote = |token| json!({"symbol": "T", "tokenAddress": token, "decimal": 6, "maxGasFee": 1});
        let quotes = [silent, none, known].map(quote);
        let quotes = json!({"tokenPaymasterAddress": account, "feeQuotes": quotes});
        fake.offer(serde_json::from_value(quotes).unwrap());
        fake.answer_amount(known, U256::from(7));
        fake.answer_amount(none, U256::ZERO);
        let found = block_on(read_allowances(&fake, account)).unwrap();
        let found: Vec<_> = found.iter().map(|allowance| (allowance.token, allowance.amount)).collect();
        assert_eq!(found, [(silent, None), (known, Some(U256::from(7)))]);
    }
}
