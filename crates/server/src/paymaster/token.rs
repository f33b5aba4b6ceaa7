//! Gas paid in tokens: quotes (`pm_getFeeQuoteOrData`) and signatures in mode ERC20 of the built-in token paymaster.

mod outcome;
mod v07;

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::SignerSync,
    sol_types::SolCall,
};
use serde_json::json;

use super::{
    super::{
        config::{FeeToken, TokenPaymasterConfig},
        node::ChainNode,
        sponsor::pre_verification_gas::usual,
    },
    built_in::{DEFAULT_EXPIRY, STUB_TIMES, check, check_gas, with_headroom},
    upstreams::{Upstreams, with_data},
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    abi::IErc20,
    entry_point::EntryPoint,
    paymaster::{
        DecimalText, FeeQuote, FeeQuotes, FeeQuotesRequest, TOKEN_PAYMASTER_AND_DATA, TokenPaymasterData, approved,
        most_charged,
    },
    rpc::{GasEstimate, SponsorContext, Sponsorship},
    signature::DUMMY_ECDSA,
    simulate::Window,
    user_operation::UserOperation,
};

/// Least verification gas: the contract's check and its charge run under this limit, too. Charging a token with a
/// proxy takes some 70,000 gas.
const LEAST_VERIFICATION_GAS: u64 = 100_000;
/// Gas of the paymaster's data as call data, no byte of it zero.
const DATA_GAS: u64 = TOKEN_PAYMASTER_AND_DATA as u64 * 16;

/// The token that somebody wants to pay in.
pub(in super::super) fn fee_token(context: &SponsorContext) -> Result<Address, AppError> {
    let token = context.token_info.map(|token| token.fee_token_address).filter(|token| !token.is_zero());
    token.ok_or_else(|| {
        AppError::invalid("context.tokenInfo.feeTokenAddress", "the token to pay in, for mode ERC20", "nothing")
    })
}

/// Signs for one token paymaster contract, at configured prices.
pub(crate) struct TokenPaymaster {
    config: TokenPaymasterConfig,
    chain_id: u64,
}

impl TokenPaymaster {
    pub fn new(config: TokenPaymasterConfig, chain_id: u64) -> Self {
        Self { config, chain_id }
    }

    /// Quotes for one operation.
    pub async fn fee_quotes(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        request: &FeeQuotesRequest,
    ) -> Result<FeeQuotes, AppError> {
        check(user_operation)?;
        let wanted = request.tokens();
        let known = |token: &Address| self.config.tokens.iter().any(|known| known.address == *token);
        let quoted: Vec<_> =
            self.config.tokens.iter().filter(|token| wanted.is_empty() || wanted.contains(&token.address)).collect();
        let unsupported_tokens = wanted.iter().filter(|token| !known(token)).copied().collect();
        if user_operation.entry_point == EntryPoint::V07 {
            let window = upstreams.node.clocks().await?.window(request.expiry_duration.unwrap_or(DEFAULT_EXPIRY));
            return Ok(FeeQuotes {
                token_paymaster_address: self.contract_v07()?,
                fee_quotes: self.quotes_v07(upstreams, user_operation, &quoted, window.valid_until).await?,
                unsupported_tokens,
            });
        }
        let (clocks, gas) = tokio::try_join!(upstreams.node.clocks(), async {
            match quoted.first() {
                Some(token) => self.quoted_limits(upstreams, user_operation, token).await,
                None => Ok(GasEstimate::of(user_operation)),
            }
        })?;
        let valid_until = clocks.window(request.expiry_duration.unwrap_or(DEFAULT_EXPIRY)).valid_until;
        Ok(FeeQuotes {
            token_paymaster_address: self.config.address,
            fee_quotes: quoted
                .into_iter()
                .map(|token| quote(token, &gas, user_operation.max_fee_per_gas, valid_until))
                .collect::<Result<_, _>>()?,
            unsupported_tokens,
        })
    }

    /// The signature, for an operation that was tried out.
    pub async fn sponsor(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        context: &SponsorContext,
        token: Address,
    ) -> Result<Sponsorship, AppError> {
        check(user_operation)?;
        let token = self.token(token)?;
        if user_operation.entry_point == EntryPoint::V07 {
            return self.sponsor_v07(upstreams, user_operation, context, token).await;
        }
        let mut operation = user_operation.clone();
        let holdings = holdings(upstreams.node, operation.sender, token.address, self.config.address);
        let (clocks, (balance, allowance)) = tokio::try_join!(upstreams.node.clocks(), holdings)?;
        if context.calculate_gas_limits {
            let gas = self.limits(upstreams, &operation, token).await?;
            gas.set(&mut operation);
        }
        let gas = GasEstimate::of(&operation);
        check_gas(&gas)?;
        let most = most_of(token, &gas, operation.max_fee_per_gas)?;
        let allowance = approved(&operation.call_data, token.address, self.config.address).unwrap_or(allowance);
        check_holdings(token, most, balance, allowance)?;
        outcome::check(upstreams.node, self.trial(&operation, token)?, token, self.config.address, most).await?;
        let window = clocks.window(context.expiry_duration.unwrap_or(DEFAULT_EXPIRY));
        let data = self.sign(&operation, token, window)?;
        Ok(Sponsorship { paymaster_and_data: data.encode(), gas })
    }

    /// Data of the right length and form for an estimate of gas.
    pub fn stub(&self, user_operation: &UserOperation, token: Address) -> Result<Bytes, AppError> {
        let token = self.token(token)?;
        match user_operation.entry_point {
            EntryPoint::V06 => Ok(self.stub_in(token)),
            EntryPoint::V07 => self.stub_v07(user_operation, token),
        }
    }

    fn stub_in(&self, token: &FeeToken) -> Bytes {
        let [valid_after, valid_until] = STUB_TIMES;
        let data = self.data(token, Window { valid_until, valid_after });
        TokenPaymasterData { signature: DUMMY_ECDSA.to_vec().into(), ..data }.encode()
    }

    fn with_stub(&self, user_operation: &UserOperation, token: &FeeToken) -> UserOperation {
        UserOperation { paymaster_and_data: self.stub_in(token), ..user_operation.clone() }
    }

    /// Limits for the operation, from an estimate with data as the signed ones: with a signature that does not fit the
    /// contract looks at no balance, which need not be there while somebody only asks for the price.
    async fn limits(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        token: &FeeToken,
    ) -> Result<GasEstimate, AppError> {
        let rich = json!({ user_operation.sender.to_string(): { "balance": U256::from(1) << 96 } });
        let estimate = upstreams.estimate(&self.with_stub(user_operation, token), Some(rich)).await?;
        Ok(at_least_a_charge(with_headroom(estimate)))
    }

    /// The same for a quote: not less than limits that the operation brings along, which were found without the
    /// paymaster and may allow for an approval.
    async fn quoted_limits(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        token: &FeeToken,
    ) -> Result<GasEstimate, AppError> {
        let given = GasEstimate::of(user_operation);
        if given.verification_gas_limit.is_zero() {
            return self.limits(upstreams, user_operation, token).await;
        }
        let with_stub = self.with_stub(user_operation, token);
        let data = upstreams.node.data_gas(&with_stub).await;
        let given = with_charge(with_headroom(given), user_operation);
        let given = GasEstimate { pre_verification_gas: with_data(given.pre_verification_gas, data), ..given };
        larger_limits(given, user_operation, self.limits(upstreams, user_operation, token)).await
    }

    fn token(&self, token: Address) -> Result<&FeeToken, AppError> {
        let known = self.config.tokens.iter().find(|known| known.address == token);
        known.ok_or_else(|| AppError::GasTokenRefused { reason: format!("this paymaster does not take {token}") })
    }

    /// What is to be signed.
    fn data(&self, token: &FeeToken, Window { valid_until, valid_after }: Window) -> TokenPaymasterData {
        TokenPaymasterData {
            paymaster: self.config.address,
            price_source: 0,
            valid_until,
            valid_after,
            fee_token: token.address,
            oracle_aggregator: Address::ZERO,
            exchange_rate: token.exchange_rate,
            price_markup: token.price_markup,
            signature: Bytes::new(),
        }
    }

    /// The operation as it is tried out.
    fn trial(&self, operation: &UserOperation, token: &FeeToken) -> Result<outcome::Trial, AppError> {
        const IN_1970: Window = Window { valid_until: 1, valid_after: 0 };
        let operation = outcome::dearest(operation);
        let nobodys = TokenPaymasterData { signature: DUMMY_ECDSA.to_vec().into(), ..self.data(token, IN_1970) };
        let expired = self.sign(&operation, token, IN_1970)?;
        Ok(outcome::Trial {
            uncharged: UserOperation { paymaster_and_data: nobodys.encode(), ..operation.clone() },
            charged: UserOperation { paymaster_and_data: expired.encode(), ..operation },
        })
    }

    fn sign(
        &self,
        user_operation: &UserOperation,
        token: &FeeToken,
        window: Window,
    ) -> Result<TokenPaymasterData, AppError> {
        let mut data = self.data(token, window);
        let hash = data.hash(user_operation, self.chain_id)?;
        let signature = self
            .config
            .signer_key
            .signer()
            .sign_message_sync(hash.as_slice())
            .map_err(|_| AppError::Internal { reason: "the paymaster's key cannot sign".into() })?;
        data.signature = signature.as_bytes().to_vec().into();
        Ok(data)
    }
}

/// Limits that cover those that came with the operation and those that would be found and signed for it.
async fn larger_limits(
    given: GasEstimate,
    user_operation: &UserOperation,
    find: impl Future<Output = Result<GasEstimate, AppError>> + Send,
) -> Result<GasEstimate, AppError> {
    // Nothing is done in an operation that only asks for the price of gas.
    if user_operation.call_data.is_empty() {
        return Ok(given);
    }
    match find.await {
        Ok(found) => Ok(GasEstimate {
            call_gas_limit: given.call_gas_limit.max(found.call_gas_limit),
            verification_gas_limit: given.verification_gas_limit.max(found.verification_gas_limit),
            pre_verification_gas: given.pre_verification_gas.max(found.pre_verification_gas),
            paymaster: None,
        }),
        // Only an approval before it may let it run.
        Err(AppError::UpstreamRejected { .. }) => Ok(given),
        Err(error) => Err(error),
    }
}

fn at_least_a_charge(gas: GasEstimate) -> GasEstimate {
    let least = U256::from(LEAST_VERIFICATION_GAS);
    GasEstimate { verification_gas_limit: gas.verification_gas_limit.max(least), ..gas }
}

/// What the paymaster's part adds to limits of this operation that were reckoned without it. Where data is dearer than as
/// call data, its bytes cost as much as the others.
fn with_charge(gas: GasEstimate, operation: &UserOperation) -> GasEstimate {
    let mut data = U256::from(DATA_GAS);
    if gas.pre_verification_gas > usual(operation) {
        let bytes = operation.abi_encoded().len();
        let share = gas.pre_verification_gas.saturating_mul(U256::from(TOKEN_PAYMASTER_AND_DATA));
        data = data.max(share / U256::from(bytes.max(1)));
    }
    let gas = at_least_a_charge(gas);
    GasEstimate { pre_verification_gas: gas.pre_verification_gas.saturating_add(data), ..gas }
}

/// Balance of the account and what it lets the paymaster take, in the token's smallest units.
async fn holdings(
    node: &ChainNode,
    account: Address,
    token: Address,
    paymaster: Address,
) -> Result<(U256, U256), AppError> {
    tokio::try_join!(
        read_token(node, token, IErc20::balanceOfCall { account }.abi_encode()),
        read_token(node, token, IErc20::allowanceCall { owner: account, spender: paymaster }.abi_encode()),
    )
}

async fn read_token(node: &ChainNode, token: Address, data: Vec<u8>) -> Result<U256, AppError> {
    let params = json!([{"to": token, "data": Bytes::from(data)}, "latest"]);
    let answer = node.read("eth_call", params).await?;
    let word = serde_json::from_value::<Bytes>(answer).ok().filter(|word| word.len() == 32);
    word.and_then(|word| U256::try_from_be_slice(&word)).ok_or_else(|| AppError::UpstreamMalformed {
        upstream: Upstream::Node,
        reason: format!("no amount from the token {token}"),
    })
}

/// An operation that cannot be charged would cost the paymaster's deposit.
fn check_holdings(token: &FeeToken, most: U256, balance: U256, allowance: U256) -> Result<(), AppError> {
    let [held, allowed, most_words] = [balance, allowance, most].map(|units| token.words(units));
    let refuse = |reason: String| Err(AppError::GasTokenRefused { reason });
    if balance < most {
        return refuse(format!("the account holds {held}; up to {most_words} may be charged"));
    }
    if allowance < most {
        return refuse(format!("the paymaster may take {allowed}; up to {most_words} may be charged"));
    }
    Ok(())
}

fn most_of(token: &FeeToken, gas: &GasEstimate, max_fee_per_gas: U256) -> Result<U256, AppError> {
    let most = most_charged(gas, max_fee_per_gas, token.exchange_rate, token.price_markup);
    let most =
        most.ok_or_else(|| AppError::invalid("user_operation.maxFeePerGas", "fees below 2^256", max_fee_per_gas))?;
    // The contract takes no charge of nothing.
    Ok(most.max(U256::ONE))
}

fn quote(token: &FeeToken, gas: &GasEstimate, max_fee_per_gas: U256, valid_until: u64) -> Result<FeeQuote, AppError> {
    Ok(quote_of(token, most_of(token, gas, max_fee_per_gas)?, valid_until))
}

/// A quote of at most so many of the token's smallest units.
fn quote_of(token: &FeeToken, most: U256, valid_until: u64) -> FeeQuote {
    FeeQuote {
        symbol: token.symbol.clone(),
        token_address: token.address,
        decimal: token.decimals,
        max_gas_fee: DecimalText::from_units(most, token.decimals),
        max_gas_fee_usd: None,
        usd_payment: None,
        exchange_rate: Some(DecimalText::from_units(token.exchange_rate, 0)),
        premium_percentage: Some(token.premium_percentage()),
        logo_url: None,
        valid_until: Some(valid_until),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, Signature, eip191_hash_message};

    use super::*;
    use crate::secret::SignerKey;

    fn token() -> FeeToken {
        FeeToken {
            symbol: "T".into(),
            address: Address::repeat_byte(5),
            decimals: 6,
            exchange_rate: U256::from(2_500_000_000_u64),
            price_markup: 1_050_000,
        }
    }

    fn gas() -> GasEstimate {
        GasEstimate {
            call_gas_limit: U256::from(80_000),
            verification_gas_limit: U256::from(60_000),
            pre_verification_gas: U256::from(50_000),
            paymaster: None,
        }
    }

    #[test]
    fn a_quote_is_the_most_that_the_contract_takes() {
        let gas = with_charge(gas(), &UserOperation::default());
        assert_eq!(gas.verification_gas_limit, U256::from(LEAST_VERIFICATION_GAS));
        let quote = quote(&token(), &gas, U256::from(1_000_000_000), 1_700_000_300).unwrap();
        // (80,000 + 3 · 100,000 + 50,000 + 4,448 + 45,000) gas · 1 gwei · 2,500 per ether · 1.05
        assert_eq!(quote.max_gas_fee.to_string(), "1.258551");
        assert_eq!(quote.premium_percentage.unwrap().to_string(), "5");
        assert_eq!(quote.valid_until, Some(1_700_000_300));
    }

    #[test]
    fn the_paymasters_bytes_cost_as_much_as_the_others() {
        let operation = UserOperation { call_data: vec![7; 1_000].into(), ..Default::default() };
        let priced = |gas_of_data: u64| {
            let gas = GasEstimate { pre_verification_gas: U256::from(gas_of_data), ..gas() };
            with_charge(gas, &operation).pre_verification_gas - U256::from(gas_of_data)
        };
        assert_eq!(priced(50_000), U256::from(DATA_GAS), "as call data");
        // Some 1,500 bytes for ten million gas.
        let dear = priced(10_000_000);
        assert!(dear > U256::from(1_500_000) && dear < U256::from(2_500_000), "{dear}");
    }

    #[test]
    fn who_cannot_pay_is_told_what_is_missing() {
        let units = |millionths: u64| U256::from(millionths);
        assert_eq!(check_holdings(&token(), units(10), units(10), units(10)), Ok(()));
        let poor = check_holdings(&token(), units(1_500_000), units(10), units(0)).unwrap_err();
        assert!(poor.to_string().contains("holds 0.00001 T; up to 1.5 T may be charged"), "{poor}");
        let closed = check_holdings(&token(), units(10), units(10), units(9)).unwrap_err();
        assert!(matches!(closed, AppError::GasTokenRefused { .. }));
    }

    #[test]
    fn the_signature_recovers_to_the_signer_and_covers_the_gas() {
        let signer_key = SignerKey::from_bytes(&B256::repeat_byte(7)).unwrap();
        let config = TokenPaymasterConfig {
            signer_key,
            address: Address::repeat_byte(6),
            address_v07: None,
            tokens: vec![token()],
        };
        let paymaster = TokenPaymaster::new(config, 31_337);
        let operation = UserOperation { sender: Address::repeat_byte(1), ..Default::default() };
        let window = Window { valid_until: 1_700_000_300, valid_after: 1_700_000_000 };
        let data = paymaster.sign(&operation, &token(), window).unwrap();
        assert_eq!(data.encode().len(), TOKEN_PAYMASTER_AND_DATA);
        let recover = |operation: &UserOperation| {
            let digest = eip191_hash_message(data.hash(operation, 31_337).unwrap());
            Signature::from_raw(&data.signature).unwrap().recover_address_from_prehash(&digest).unwrap()
        };
        assert_eq!(recover(&operation), paymaster.config.signer_key.address());
        let other = UserOperation { call_gas_limit: U256::ONE, ..operation };
        assert_ne!(recover(&other), paymaster.config.signer_key.address());
    }
}
