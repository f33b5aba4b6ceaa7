//! Gas paid in tokens on entry point v0.7: the contract takes the most that an operation may cost while it is validated, and
//! gives back what was not needed. An operation that cannot pay is refused by bundlers at nobody's cost, so nothing is
//! advanced, nothing is owed, and nothing must be tried out. The approval comes in an operation before.

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::SignerSync,
};
use serde_json::{Value, json};

use super::{
    super::{
        super::config::FeeToken,
        built_in::{DEFAULT_EXPIRY, STUB_TIMES, check_gas, paymaster_limits, with_headroom},
        none_for,
        upstreams::{Upstreams, with_data},
    },
    TokenPaymaster, check_holdings, holdings, larger_limits, quote_of,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
    paymaster::{FeeQuote, token_amount},
    rpc::{GasEstimate, PaymasterGas, SponsorContext, Sponsorship},
    signature::DUMMY_ECDSA,
    simulate::Window,
    user_operation::UserOperation,
};

/// Least limits of the contract: taking the fee of a token with a proxy, and giving the rest back.
const LEAST_GAS: [u128; 2] = [150_000, 80_000];
const _: () = assert!(LEAST_GAS[1] >= v07::LEAST_POST_OP_GAS as u128);
/// Gas of the paymaster's field as call data, no byte of it zero.
const DATA_GAS: u64 = ((v07::PAYMASTER_DATA_OFFSET + v07::TOKEN_PAYMASTER_DATA) * 16) as u64;

impl TokenPaymaster {
    pub(super) fn contract_v07(&self) -> Result<Address, AppError> {
        self.config.address_v07.ok_or_else(|| match none_for(EntryPoint::V07) {
            AppError::SponsorshipRefused { reason } => AppError::GasTokenRefused { reason },
            other => other,
        })
    }

    /// The signature, for an account that can pay.
    pub(super) async fn sponsor_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        context: &SponsorContext,
        token: &FeeToken,
    ) -> Result<Sponsorship, AppError> {
        let paymaster = self.contract_v07()?;
        let mut operation = user_operation.clone();
        let holdings = holdings(upstreams.node, operation.sender, token.address, paymaster);
        let (clocks, (balance, allowance)) = tokio::try_join!(upstreams.node.clocks(), holdings)?;
        if context.calculate_gas_limits {
            self.limits_v07(upstreams, &operation, None).await?.set(&mut operation);
        }
        let window = clocks.window(context.expiry_duration.unwrap_or(DEFAULT_EXPIRY));
        let data = |operation: &UserOperation| self.signed_v07(paymaster, operation, token, window);
        operation.paymaster_and_data = data(&operation)?;
        let gas = GasEstimate::of(&operation);
        check_gas(&gas)?;
        check_holdings(token, most_of(token, &operation)?, balance, allowance)?;
        Ok(Sponsorship { paymaster_and_data: operation.paymaster_and_data, gas })
    }

    /// Quotes: not less than what would be signed for the operation, or for limits that it brings along.
    pub(super) async fn quotes_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        tokens: &[&FeeToken],
        valid_until: u64,
    ) -> Result<Vec<FeeQuote>, AppError> {
        let mut operation = user_operation.clone();
        if !tokens.is_empty() {
            self.quoted_v07(upstreams, user_operation).await?.set(&mut operation);
        }
        let limits = limits_of(&operation);
        operation.paymaster_and_data = v07::paymaster_and_data(self.contract_v07()?, limits, &[]);
        tokens.iter().map(|token| Ok(quote_of(token, most_of(token, &operation)?, valid_until))).collect()
    }

    /// Data of the right length and form for an estimate of gas: [`Self::estimate_v07`].
    pub(super) fn stub_v07(&self, user_operation: &UserOperation, token: &FeeToken) -> Result<Bytes, AppError> {
        let [valid_after, valid_until] = STUB_TIMES;
        let mut data = terms(token, Window { valid_until, valid_after });
        data.signature = DUMMY_ECDSA.to_vec().into();
        let limits = limits_of(user_operation);
        Ok(v07::paymaster_and_data(self.contract_v07()?, limits, &data.encode()?))
    }

    /// Limits of a quote. Those that the operation brings along were found without the paymaster.
    async fn quoted_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
    ) -> Result<GasEstimate, AppError> {
        let given = GasEstimate { paymaster: None, ..GasEstimate::of(user_operation) };
        if given.verification_gas_limit.is_zero() {
            return self.limits_v07(upstreams, user_operation, None).await;
        }
        let given = self.completed_v07(upstreams, user_operation, given).await?;
        larger_limits(given, user_operation, self.limits_v07(upstreams, user_operation, None)).await
    }

    /// What the operation takes without a paymaster, whose own limits are apart, and the bytes that it adds.
    async fn limits_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        let rich = || json!({ user_operation.sender.to_string(): { "balance": U256::from(1) << 96 } });
        let state_override = state_override.unwrap_or_else(rich);
        let alone = UserOperation { paymaster_and_data: Bytes::new(), ..user_operation.clone() };
        let gas = upstreams.estimate(&alone, Some(state_override)).await?;
        self.completed_v07(upstreams, user_operation, gas).await
    }

    /// Limits that were found without the paymaster, as they are signed.
    async fn completed_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        gas: GasEstimate,
    ) -> Result<GasEstimate, AppError> {
        let gas = with_headroom(gas);
        let filled = vec![0xff; v07::TOKEN_PAYMASTER_DATA];
        let paymaster_and_data = v07::paymaster_and_data(self.contract_v07()?, limits_of(user_operation), &filled);
        let data = upstreams.node.data_gas(&UserOperation { paymaster_and_data, ..user_operation.clone() }).await;
        let pre_verification_gas = gas.pre_verification_gas.saturating_add(U256::from(DATA_GAS));
        Ok(GasEstimate { pre_verification_gas: with_data(pre_verification_gas, data), ..gas })
    }

    /// Limits for an operation that names this paymaster; `None` for any other. With the paymaster nobody could estimate it:
    /// bundlers do that at no price, and the contract takes no fee of nothing.
    ///
    /// # Errors
    /// As the bundler's estimate.
    pub(crate) async fn estimate_v07(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<Option<GasEstimate>, AppError> {
        let is_ours = self.config.address_v07.is_some_and(|ours| user_operation.paymaster() == Some(ours));
        if !is_ours || user_operation.entry_point != EntryPoint::V07 {
            return Ok(None);
        }
        let gas = self.limits_v07(upstreams, user_operation, state_override).await?;
        let [verification, post_op] = limits_of(user_operation).map(U256::from);
        Ok(Some(GasEstimate { paymaster: Some(PaymasterGas { verification, post_op }), ..gas }))
    }

    fn signed_v07(
        &self,
        paymaster: Address,
        user_operation: &UserOperation,
        token: &FeeToken,
        window: Window,
    ) -> Result<Bytes, AppError> {
        let limits = limits_of(user_operation);
        let paymaster_and_data = v07::paymaster_and_data(paymaster, limits, &[]);
        let operation = UserOperation { paymaster_and_data, ..user_operation.clone() };
        let mut data = terms(token, window);
        let hash = data.hash(&operation, self.chain_id)?;
        let signature = self
            .config
            .signer_key
            .signer()
            .sign_message_sync(hash.as_slice())
            .map_err(|_| AppError::Internal { reason: "the paymaster's key cannot sign".into() })?;
        data.signature = signature.as_bytes().to_vec().into();
        Ok(v07::paymaster_and_data(paymaster, limits, &data.encode()?))
    }
}

/// The paymaster's limits that the operation brings along, at least what the contract takes: an estimate in which no fee is
/// asked for finds less.
fn limits_of(operation: &UserOperation) -> [u128; 2] {
    let [verification, post_op] = paymaster_limits(operation, LEAST_GAS);
    let [least_verification, least_post_op] = LEAST_GAS;
    [verification.max(least_verification), post_op.max(least_post_op)]
}

/// What is to be signed.
fn terms(token: &FeeToken, Window { valid_until, valid_after }: Window) -> v07::TokenPaymasterData {
    v07::TokenPaymasterData {
        valid_until,
        valid_after,
        fee_token: token.address,
        exchange_rate: token.exchange_rate,
        price_markup: token.price_markup,
        signature: Bytes::new(),
    }
}

/// What is taken while the operation is validated.
fn most_of(token: &FeeToken, operation: &UserOperation) -> Result<U256, AppError> {
    let most = token_amount(operation.required_prefund(), token.exchange_rate, token.price_markup);
    let fee = operation.max_fee_per_gas;
    let most = most.ok_or_else(|| AppError::invalid("user_operation.maxFeePerGas", "fees below 2^256", fee))?;
    // The contract takes no charge of nothing.
    Ok(most.max(U256::ONE))
}
