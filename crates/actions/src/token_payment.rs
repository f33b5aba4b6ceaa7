//! Gas paid in a token: what it may cost, whether the paymaster may take it, and that it signed no more than that.

use alloy::primitives::{Address, U256};
use serde_json::{Value, json};

use super::{
    gas::{offset_fees, offset_limits, set_limits},
    options::{BuildUserOpOptions, GasOffset, PaymasterServiceData, merge_json},
    ports::Relay,
    token,
};
use crate::error::AppError;
use use_aa_protocol::{
    addresses::{NATIVE_TOKEN, TOKEN_PAYMASTER},
    clocks::Clocks,
    describe::exact_amount_words,
    entry_point::TokenTerms,
    paymaster::{
        FeeQuote, FeeQuotes, FeeQuotesRequest, approval, approval_amount, approve_call, approved, patch_call_data,
    },
    rpc::{GasFees, PaymasterMode},
    smart_account::Call,
    user_operation::UserOperation,
};

/// What approvals in front of the calls may cost more, gas units: one of nothing and one of the fee. So a quote covers
/// them, whether they turn out to be needed or not.
const APPROVAL_GAS: u64 = 120_000;

/// What a paymaster adds to limits that it finds, gas units: an offset in per cent raises that, too.
const ADDED_GAS: u64 = 10_000;

/// The quote that an operation is paid by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TokenPayment {
    /// Token and most that is charged.
    pub quote: FeeQuote,
    /// Who takes the fee.
    pub spender: Address,
    /// The most that is charged, the token's smallest units.
    pub most: U256,
    /// It is taken before the calls are made, so they cannot approve it.
    pub taken_first: bool,
}

/// The caller's wish to pay in a token, if it is one.
pub(super) fn asked(options: &BuildUserOpOptions) -> Option<&PaymasterServiceData> {
    options.paymaster_service_data.as_ref().filter(|data| data.mode == Some(PaymasterMode::Erc20))
}

impl TokenPayment {
    /// The accepted quote, or a new one in the preferred token. `user_operation` lacks limits and approval still;
    /// `now` is what chain and server say: a device whose clock is fast would find every quote expired.
    ///
    /// # Errors
    /// `GasTokenRefused` when there is neither quote nor token, or the token is not taken; `FeeQuoteExpired`.
    pub async fn find(
        relay: &dyn Relay,
        user_operation: &UserOperation,
        options: &BuildUserOpOptions,
        now: Clocks,
    ) -> Result<Self, AppError> {
        let data = asked(options).cloned().unwrap_or_default();
        let entry_point = user_operation.entry_point;
        let (quote, offered_by) = match (data.fee_quote, data.preferred_token) {
            (Some(quote), _) => {
                let spender = match data.spender.or(entry_point.token_paymaster()) {
                    Some(spender) => spender,
                    None => quoting_paymaster(relay, user_operation, options, &quote).await?,
                };
                (quote, spender)
            }
            (None, Some(token)) if token.is_zero() => {
                return Err(AppError::invalid("preferredToken", "the address of a token, not zero", token));
            }
            (None, Some(token)) => {
                let request = FeeQuotesRequest { preferred_token: Some(token), ..request(options) };
                let quotes = fee_quotes(relay, user_operation, options, &request).await?;
                let quote = quotes.of(token).cloned();
                let refused = || AppError::GasTokenRefused { reason: format!("the paymaster does not take {token}") };
                (quote.ok_or_else(refused)?, quotes.token_paymaster_address)
            }
            (None, None) => {
                // `@biconomy/use-aa` sends such an operation without any paymaster (docs/protocol.md 10-S10).
                return Err(AppError::GasTokenRefused { reason: "neither a token nor a fee quote is given".into() });
            }
        };
        if let Some(valid_until) = quote.valid_until.filter(|until| now.is_over(*until)) {
            return Err(AppError::FeeQuoteExpired { valid_until });
        }
        let most = approval_amount(&quote, false)?;
        let taken_first = entry_point.takes_fee_first();
        Ok(Self { quote, spender: data.spender.unwrap_or(offered_by), most, taken_first })
    }

    /// The approvals that are missing and can be put in front of the calls: none where the fee is taken before these, which
    /// [`Self::check_allowed`] then refuses; none when the account allowed enough before, or when its own calls do; two for a
    /// token that refuses to change what is left of an earlier one (USD₮ on its main chain), the first of nothing.
    pub async fn missing_approvals(
        &self,
        relay: &dyn Relay,
        account: Address,
        call_data: &[u8],
        max_approval: bool,
    ) -> Result<Vec<Call>, AppError> {
        if self.taken_first {
            return Ok(Vec::new());
        }
        let token = self.quote.token_address;
        let own = approved(call_data, token, self.spender);
        if own.is_some_and(|own| own >= self.most) {
            return Ok(Vec::new());
        }
        let left = token::allowance(relay, token, account, self.spender).await?;
        if own.is_none() && left >= self.most {
            return Ok(Vec::new());
        }
        self.approvals_over(relay, account, left, max_approval).await
    }

    /// The approvals that an operation of their own must make before: none where enough is allowed.
    ///
    /// # Errors
    /// `GasTokenRefused` where the account has too little of the token: nobody need approve anything then.
    pub async fn approvals_before(
        &self,
        relay: &dyn Relay,
        account: Address,
        max_approval: bool,
    ) -> Result<Vec<Call>, AppError> {
        let token = self.quote.token_address;
        let left = token::allowance(relay, token, account, self.spender).await?;
        if left >= self.most {
            return Ok(Vec::new());
        }
        let held = token::balance_of(relay, token, account).await?;
        if held < self.most {
            let [held, most] = [held, self.most].map(|units| exact_amount_words(units, &self.quote.facts()));
            let reason = format!("the account has {held}, and the fee is up to {most}");
            return Err(AppError::GasTokenRefused { reason });
        }
        self.approvals_over(relay, account, left, max_approval).await
    }

    async fn approvals_over(
        &self,
        relay: &dyn Relay,
        account: Address,
        left: U256,
        max_approval: bool,
    ) -> Result<Vec<Call>, AppError> {
        let approval = approval(&self.quote, self.spender, max_approval)?;
        // Asked, not assumed: with all other tokens nobody pays for a second call.
        let refuses = !left.is_zero() && !token::takes_call(relay, account, &approval).await?;
        let zero = refuses.then(|| approve_call(self.quote.token_address, self.spender, U256::ZERO));
        Ok(zero.into_iter().chain([approval]).collect())
    }

    /// What the paymaster may take when it takes the fee: once the calls have run, or before.
    async fn allowed(&self, relay: &dyn Relay, account: Address, call_data: &[u8]) -> Result<U256, AppError> {
        let own = approved(call_data, self.quote.token_address, self.spender).filter(|_| !self.taken_first);
        match own {
            Some(amount) => Ok(amount),
            None => token::allowance(relay, self.quote.token_address, account, self.spender).await,
        }
    }

    /// The operation as it is may be charged.
    ///
    /// # Errors
    /// `GasTokenRefused` when the paymaster may not take enough. The calls of a session are what its policy allows, so
    /// nothing is put in front of them (docs/protocol.md 10-S11); where the fee is taken first, that would not help.
    pub async fn check_allowed(&self, relay: &dyn Relay, account: Address, call_data: &[u8]) -> Result<(), AppError> {
        let allowed = self.allowed(relay, account, call_data).await?;
        if allowed >= self.most {
            return Ok(());
        }
        let [allowed, most] = [allowed, self.most].map(|units| exact_amount_words(units, &self.quote.facts()));
        let reason = format!(
            "the paymaster {} may take {allowed} and needs up to {most}; approve it with a transaction of the owner before",
            self.spender
        );
        Err(AppError::GasTokenRefused { reason })
    }

    /// What the paymaster signed is what was quoted, or less. Another service's data, in a layout of its own, cannot be
    /// read; there the allowance is the limit. From a paymaster of ours unreadable data is refused, as is another
    /// paymaster than the one that quoted where all of them are ours.
    ///
    /// # Errors
    /// `GasTokenRefused` with both amounts.
    pub fn check_signed(&self, user_operation: &UserOperation) -> Result<(), AppError> {
        let refuse = |reason: String| Err(AppError::GasTokenRefused { reason });
        let by = user_operation.paymaster();
        let usual = user_operation.entry_point.token_paymaster();
        if usual.is_none() && by != Some(self.spender) {
            return refuse(format!("another paymaster than {} signed", self.spender));
        }
        let terms = match TokenTerms::read(user_operation) {
            Ok(terms) => terms,
            Err(_) if usual.is_some() && usual != by => return Ok(()),
            Err(_) => return refuse("what the paymaster signed cannot be read".into()),
        };
        if terms.fee_token != self.quote.token_address {
            return refuse(format!("the paymaster wants {} instead", terms.fee_token));
        }
        let whole = |units| exact_amount_words(units, &self.quote.facts());
        match terms.most_charged {
            Some(most) if most <= self.most => Ok(()),
            most => refuse(format!(
                "up to {} may be charged, {} were quoted; ask for a new quote",
                whole(most.unwrap_or(U256::MAX)),
                whole(self.most),
            )),
        }
    }
}

/// Who gave a quote, where the entry point has no usual paymaster: whoever quotes that token now.
async fn quoting_paymaster(
    relay: &dyn Relay,
    user_operation: &UserOperation,
    options: &BuildUserOpOptions,
    quote: &FeeQuote,
) -> Result<Address, AppError> {
    let request = FeeQuotesRequest { preferred_token: Some(quote.token_address), ..request(options) };
    Ok(fee_quotes(relay, user_operation, options, &request).await?.token_paymaster_address)
}

/// The part of a request for quotes that options say.
pub(super) fn request(options: &BuildUserOpOptions) -> FeeQuotesRequest {
    let data = options.paymaster_service_data.as_ref();
    FeeQuotesRequest {
        preferred_token: data.and_then(|data| data.preferred_token),
        expiry_duration: data.and_then(|data| data.expiry_duration),
        webhook_data: data.and_then(|data| data.webhook_data.clone()),
        ..Default::default()
    }
}

/// Quotes for an operation without limits and without raised fees, high enough for an approval in front of its calls where
/// one can be put there.
pub(super) async fn fee_quotes(
    relay: &dyn Relay,
    user_operation: &UserOperation,
    options: &BuildUserOpOptions,
    request: &FeeQuotesRequest,
) -> Result<FeeQuotes, AppError> {
    let state = options.state_override_set.clone().unwrap_or(Value::Null);
    let state = Some(merge_json(rich(user_operation.sender), state));
    let with_approvals = with_room_for_approvals(user_operation);
    let mut gas = match relay.estimate(&with_approvals, state.clone()).await {
        // A session's calls are what its policy allows: nothing can be put in front of them.
        Err(AppError::UpstreamRejected { .. }) => relay.estimate(user_operation, state).await?,
        gas => gas?,
    };
    let mut user_operation = user_operation.clone();
    if let Some(offset) = options.gas_offset.filter(|offset| *offset != GasOffset::default()) {
        for limit in [&mut gas.verification_gas_limit, &mut gas.pre_verification_gas] {
            *limit = limit.saturating_add(U256::from(ADDED_GAS));
        }
        gas = offset_limits(&gas, &offset)?;
        let fees = GasFees {
            max_fee_per_gas: user_operation.max_fee_per_gas,
            max_priority_fee_per_gas: user_operation.max_priority_fee_per_gas,
        };
        let fees = offset_fees(&fees, &offset)?;
        user_operation.max_fee_per_gas = fees.max_fee_per_gas;
        user_operation.max_priority_fee_per_gas = fees.max_priority_fee_per_gas;
    }
    if !user_operation.entry_point.takes_fee_first() {
        gas.call_gas_limit = gas.call_gas_limit.saturating_add(U256::from(APPROVAL_GAS));
    }
    set_limits(&mut user_operation, &gas);
    relay.fee_quotes(&user_operation, request).await
}

/// The operation with the bytes of two approvals in front of its calls, which cost more than gas on rollups. They are told to
/// an address without code: which token is paid in may be open still.
fn with_room_for_approvals(user_operation: &UserOperation) -> UserOperation {
    let [zero, most] = [U256::ZERO, U256::MAX].map(|amount| approve_call(NATIVE_TOKEN, TOKEN_PAYMASTER, amount));
    let patched =
        patch_call_data(&user_operation.call_data, &most).and_then(|patched| patch_call_data(&patched, &zero));
    match patched {
        Ok(call_data) => UserOperation { call_data, ..user_operation.clone() },
        // Nothing to put them in front of.
        Err(_) => user_operation.clone(),
    }
}

/// State override that gives the account 2^96 wei, for an estimate only.
pub(super) fn rich(account: Address) -> Value {
    json!({ account.to_string(): { "balance": U256::from(1) << 96 } })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::rc::Rc;

    use futures::executor::block_on;

    use super::{
        super::{
            account::SmartAccountClient,
            fake::{Fake, PAYMASTER, Step, nexus_client, unavailable},
            options::Options,
            send_gas_token_transaction::{TokenParam, send_gas_token_transaction},
        },
        *,
    };
    use use_aa_protocol::{
        entry_point::{EntryPoint, v07},
        paymaster::TokenPaymasterData,
    };

    fn payment(most: u64) -> TokenPayment {
        let quote = serde_json::from_value(json!({
            "symbol": "T", "tokenAddress": Address::repeat_byte(5), "decimal": 6, "maxGasFee": "1",
        }));
        let (spender, most) = (TOKEN_PAYMASTER, U256::from(most));
        TokenPayment { quote: quote.unwrap(), spender, most, taken_first: false }
    }

    /// Costs 145,000 wei at most with the charge itself; one unit per wei.
    fn signed(fee_token: Address, price_markup: u32) -> UserOperation {
        let data = TokenPaymasterData {
            paymaster: TOKEN_PAYMASTER,
            price_source: 0,
            valid_until: 0,
            valid_after: 0,
            fee_token,
            oracle_aggregator: Address::ZERO,
            exchange_rate: U256::from(10).pow(U256::from(18)),
            price_markup,
            signature: vec![1; 65].into(),
        };
        UserOperation {
            call_gas_limit: U256::from(70_000),
            verification_gas_limit: U256::from(10_000),
            max_fee_per_gas: U256::ONE,
            paymaster_and_data: data.encode(),
            ..Default::default()
        }
    }

    #[test]
    fn whatever_fails_on_the_way_nothing_is_sent() {
        let fake = Fake::new();
        let client = SmartAccountClient::new(Rc::new(fake.clone()), Rc::new(fake.clone()));
        let calls = [Call { to: Address::repeat_byte(3), ..Call::default() }];
        let token = TokenParam::from(Address::repeat_byte(5));
        let none = BuildUserOpOptions::default();
        let send = || block_on(send_gas_token_transaction(&client, &calls, &token, &none));
        assert!(matches!(send(), Err(AppError::GasTokenRefused { .. })), "no quotes at all");
        let quote = payment(1_000_000).quote;
        fake.offer(FeeQuotes { fee_quotes: vec![quote], ..Default::default() });
        // The fake chain has no tokens, so there is no allowance to read.
        assert!(matches!(send(), Err(AppError::UpstreamMalformed { .. })));
        for step in [Step::Estimate, Step::FeeQuotes, Step::AccountState, Step::GasFees] {
            fake.fail(step, unavailable());
            assert_eq!(send().unwrap_err(), unavailable(), "{step:?}");
            fake.fail(step, None);
        }
        assert_eq!(fake.sent(), 0);
    }

    #[test]
    fn more_than_was_quoted_is_not_signed_by_the_owner() {
        let token = Address::repeat_byte(5);
        assert_eq!(payment(145_000).check_signed(&signed(token, 1_000_000)), Ok(()));
        let dearer = [
            (payment(144_999), signed(token, 1_000_000)),
            (payment(145_000), signed(token, 1_000_010)),
            (payment(145_000), signed(Address::repeat_byte(6), 1_000_000)),
        ];
        for (payment, operation) in dearer {
            assert!(matches!(payment.check_signed(&operation), Err(AppError::GasTokenRefused { .. })));
        }
        // Data of a service with another layout: the allowance is the limit. The usual one has no other layout.
        let other = UserOperation { paymaster_and_data: vec![1; 200].into(), ..Default::default() };
        assert_eq!(payment(0).check_signed(&other), Ok(()));
        let unreadable = [TOKEN_PAYMASTER.as_slice(), &[1; 200]].concat();
        let other = UserOperation { paymaster_and_data: unreadable.into(), ..Default::default() };
        assert!(payment(0).check_signed(&other).is_err());
    }

    /// Costs 100,000 wei at most with the paymaster's own limits; one unit per wei.
    fn signed_v07(paymaster: Address, fee_token: Address, price_markup: u32) -> UserOperation {
        let terms = v07::TokenPaymasterData {
            fee_token,
            exchange_rate: U256::from(10).pow(U256::from(18)),
            price_markup,
            signature: vec![1; 65].into(),
            ..Default::default()
        };
        UserOperation {
            entry_point: EntryPoint::V07,
            call_gas_limit: U256::from(70_000),
            verification_gas_limit: U256::from(10_000),
            max_fee_per_gas: U256::ONE,
            paymaster_and_data: v07::paymaster_and_data(paymaster, [15_000, 5_000], &terms.encode().unwrap()),
            ..Default::default()
        }
    }

    #[test]
    fn nor_is_it_where_the_fee_is_taken_first() {
        let token = Address::repeat_byte(5);
        let payment = |most| TokenPayment { spender: PAYMASTER, taken_first: true, ..payment(most) };
        assert_eq!(payment(100_000).check_signed(&signed_v07(PAYMASTER, token, 1_000_000)), Ok(()));
        let unreadable = v07::paymaster_and_data(PAYMASTER, [15_000, 5_000], &[1; 129]);
        let sponsored = UserOperation { paymaster_and_data: unreadable, ..signed_v07(PAYMASTER, token, 1_000_000) };
        let dearer = [
            (payment(99_999), signed_v07(PAYMASTER, token, 1_000_000)),
            (payment(100_000), signed_v07(PAYMASTER, token, 1_000_010)),
            (payment(100_000), signed_v07(PAYMASTER, Address::repeat_byte(6), 1_000_000)),
            // What another contract does with the same words nobody knows.
            (payment(100_000), signed_v07(Address::repeat_byte(8), token, 1_000_000)),
            (payment(100_000), sponsored),
        ];
        for (payment, operation) in dearer {
            assert!(matches!(payment.check_signed(&operation), Err(AppError::GasTokenRefused { .. })), "{operation:?}");
        }
    }

    #[test]
    fn an_approval_that_comes_too_late_is_not_put_in_front() {
        let fake = Fake::new();
        let client = nexus_client(&fake);
        let token = Address::repeat_byte(5);
        let calls = [Call { to: Address::repeat_byte(3), ..Call::default() }];
        let quote = payment(1_000_000).quote;
        fake.offer(FeeQuotes {
            token_paymaster_address: PAYMASTER,
            fee_quotes: vec![quote.clone()],
            ..Default::default()
        });
        let named = Options::gas_token_fee_quote(quote.clone(), Some(PAYMASTER), false);
        // A quote without its paymaster: who quotes the token is asked, and never v0.6's meant.
        let unnamed = BuildUserOpOptions::default();
        let ways = [
            (TokenParam::from(token), unnamed.clone()),
            (TokenParam::from(quote.clone()), named),
            (TokenParam::from(quote), unnamed),
        ];
        let send = |(param, options): &_| block_on(send_gas_token_transaction(&client, &calls, param, options));
        fake.answer_amount(token, U256::from(999_999));
        // Nor does an approval among the account's own calls count.
        let own = [approve_call(token, PAYMASTER, U256::from(1_000_000))];
        let own = use_aa_protocol::smart_account::encode_calls(&own, false).unwrap();
        let operation = UserOperation { entry_point: EntryPoint::V07, sender: client.account, ..Default::default() };
        let (param, options) = &ways[1];
        let now = Clocks { block: 0, pending: 0, wall: 0 };
        let found = block_on(TokenPayment::find(&fake, &operation, &param.options(options), now)).unwrap();
        for call_data in [&[][..], &own] {
            assert_eq!(block_on(found.missing_approvals(&fake, client.account, call_data, false)), Ok(Vec::new()));
            assert!(block_on(found.check_allowed(&fake, client.account, call_data)).is_err());
        }
        for way in &ways {
            let refused = send(way).unwrap_err().to_string();
            assert!(refused.contains(&PAYMASTER.to_string()) && refused.contains("before"), "{refused}");
        }
        assert_eq!(fake.sent(), 0);
        fake.answer_amount(token, U256::from(1_000_000));
        for (sent, way) in ways.iter().enumerate() {
            send(way).unwrap();
            let operation = fake.last_sent();
            assert_eq!((fake.sent(), operation.paymaster()), (sent + 1, Some(PAYMASTER)));
            assert_eq!(operation.call_data, client.kind().encode_calls(&calls, false).unwrap(), "nothing in front");
        }
    }
}
