//! Tokens in which gas can be paid, and at which price.

use alloy::primitives::{Address, U256};

use super::{ConfigError, ServeArgs, SignerKey, values};
use use_aa_protocol::{
    describe::{TokenFacts, exact_amount_words},
    foreign_text::{LONGEST_SYMBOL, cleaned},
    paymaster::{DecimalText, NO_MARKUP},
};

const VARIABLE: &str = "USE_AA_FEE_TOKENS";
const EXPECTED: &str =
    "entries SYMBOL:ADDRESS:DECIMALS:RATE[:PREMIUM%] separated by commas, such as USDC:0x0123…cdef:6:2450.75:7%";

/// A token that the built-in token paymaster takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeToken {
    /// Its symbol, for people.
    pub symbol: String,
    /// Its contract.
    pub address: Address,
    /// Its decimals.
    pub decimals: u8,
    /// Price of one whole native token (1e18 wei), in the token's smallest units.
    pub exchange_rate: U256,
    /// Markup in millionths; 1,000,000 = none.
    pub price_markup: u32,
}

impl FeeToken {
    /// An amount of it, for people.
    pub fn words(&self, units: U256) -> String {
        exact_amount_words(units, &TokenFacts::told_by(self.address, Some(&self.symbol), Some(self.decimals)))
    }

    /// The markup in percent.
    pub fn premium_percentage(&self) -> DecimalText {
        // millionths are percent with four places
        DecimalText::from_units(U256::from(self.price_markup.saturating_sub(NO_MARKUP)), 4)
    }

    fn parse(entry: &str) -> Option<Self> {
        let mut parts = entry.trim().split(':').map(str::trim);
        let is_symbol = |symbol: &&str| !symbol.is_empty() && cleaned(symbol, LONGEST_SYMBOL) == **symbol;
        let symbol = parts.next().filter(is_symbol)?.to_owned();
        let address = parts.next()?.parse::<Address>().ok().filter(|address| !address.is_zero())?;
        let decimals = parts.next()?.parse::<u8>().ok().filter(|decimals| *decimals <= 36)?;
        let rate: DecimalText = parts.next()?.parse().ok()?;
        let exchange_rate = rate.scaled_up(decimals).ok().filter(|rate| !rate.is_zero())?;
        let price_markup = match parts.next() {
            None => NO_MARKUP,
            Some(premium) => {
                let premium: DecimalText = premium.strip_suffix('%').unwrap_or(premium).trim().parse().ok()?;
                let millionths: u32 =
                    premium.scaled_up(4).ok()?.try_into().ok().filter(|premium| *premium <= NO_MARKUP)?;
                NO_MARKUP + millionths
            }
        };
        parts.next().is_none().then_some(Self { symbol, address, decimals, exchange_rate, price_markup })
    }
}

/// The built-in token paymaster: this server signs for a token paymaster contract, at prices of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenPaymasterConfig {
    /// The verifying signer of the contract.
    pub signer_key: SignerKey,
    /// The contract.
    pub address: Address,
    /// The contract on entry point v0.7, with the same signer; `None` = there is none.
    pub address_v07: Option<Address>,
    /// What it takes.
    pub tokens: Vec<FeeToken>,
}

pub(super) fn token_paymaster(
    args: &ServeArgs,
    signer_key: Option<&SignerKey>,
) -> Result<Option<TokenPaymasterConfig>, ConfigError> {
    let address = values::address("USE_AA_TOKEN_PAYMASTER_ADDRESS", args.token_paymaster_address.as_deref())?;
    let address_v07 =
        values::address("USE_AA_TOKEN_PAYMASTER_ADDRESS_V07", args.token_paymaster_address_v07.as_deref())?;
    let tokens = fee_tokens(args.fee_tokens.as_deref())?;
    let missing = |variable, other: &str| {
        let expected = format!("a value, because {other} is set (paying gas in tokens needs both)");
        ConfigError::new(variable, expected, "nothing")
    };
    match (address, tokens.is_empty()) {
        (None, _) if address_v07.is_some() => {
            Err(missing("USE_AA_TOKEN_PAYMASTER_ADDRESS", "USE_AA_TOKEN_PAYMASTER_ADDRESS_V07"))
        }
        (None, true) => Ok(None),
        (None, false) => Err(missing("USE_AA_TOKEN_PAYMASTER_ADDRESS", VARIABLE)),
        (Some(_), true) => Err(missing(VARIABLE, "USE_AA_TOKEN_PAYMASTER_ADDRESS")),
        (Some(address), false) => {
            let signer_key = signer_key.cloned();
            let signer_key =
                signer_key.ok_or_else(|| missing("USE_AA_PAYMASTER_SIGNER_KEY", "USE_AA_TOKEN_PAYMASTER_ADDRESS"))?;
            Ok(Some(TokenPaymasterConfig { signer_key, address, address_v07, tokens }))
        }
    }
}

fn fee_tokens(text: Option<&str>) -> Result<Vec<FeeToken>, ConfigError> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
    let mut tokens: Vec<FeeToken> = Vec::new();
    for entry in text.split(',') {
        let token = FeeToken::parse(entry).ok_or_else(|| ConfigError::new(VARIABLE, EXPECTED, entry.trim()))?;
        if tokens.iter().any(|known| known.address == token.address) {
            return Err(ConfigError::new(VARIABLE, "each token once", entry.trim()));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::{super::Config, *};

    const KEY: &str = "0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897";
    const ADDRESS: &str = "0x00000f7365cA6C59A2C93719ad53d567ed49c14C";
    const TOKENS: &str = "USDC:0x0101010101010101010101010101010101010101:6:2450.75:7%, DAI:0x0202020202020202020202020202020202020202:18:2450";

    fn args(tokens: &str) -> ServeArgs {
        ServeArgs {
            fee_tokens: Some(tokens.into()),
            token_paymaster_address: Some(ADDRESS.into()),
            paymaster_signer_key: Some(super::super::Secret::new(KEY)),
            ..ServeArgs::default()
        }
    }

    #[test]
    fn prices_are_read_exactly() {
        let config = Config::from_args(&args(TOKENS)).unwrap().token_paymaster.unwrap();
        let [usdc, dai] = config.tokens.as_slice() else { panic!("two tokens") };
        assert_eq!((usdc.symbol.as_str(), usdc.decimals), ("USDC", 6));
        assert_eq!((usdc.exchange_rate, usdc.price_markup), (U256::from(2_450_750_000_u64), 1_070_000));
        assert_eq!(usdc.premium_percentage().to_string(), "7");
        assert_eq!(dai.exchange_rate, U256::from(2_450) * U256::from(10).pow(U256::from(18)));
        assert_eq!(dai.price_markup, NO_MARKUP);
    }

    #[test]
    fn wrong_entries_are_named() {
        let token = "T:0x0101010101010101010101010101010101010101";
        for entry in [
            "T".to_owned(),
            format!("{token}:6"),
            format!("{token}:6:0"),
            format!("{token}:6:-1"),
            format!("{token}:99:1"),
            format!("{token}:6:1:101%"),
            format!("{token}:6:1:7%:more"),
            ":0x0101010101010101010101010101010101010101:6:1".to_owned(),
            "T:0x0000000000000000000000000000000000000000:6:1".to_owned(),
            format!("{token}:6:1,{token}:6:2"),
        ] {
            let error = Config::from_args(&args(&entry)).map(drop).unwrap_err();
            assert_eq!(error.variable, VARIABLE, "{entry}");
        }
    }

    #[test]
    fn all_parts_are_needed() {
        let error = |args: ServeArgs| Config::from_args(&args).map(drop).unwrap_err().variable;
        assert_eq!(error(ServeArgs { paymaster_signer_key: None, ..args(TOKENS) }), "USE_AA_PAYMASTER_SIGNER_KEY");
        let no_address = ServeArgs { token_paymaster_address: None, paymaster_signer_key: None, ..args(TOKENS) };
        assert_eq!(error(no_address), "USE_AA_TOKEN_PAYMASTER_ADDRESS");
        assert_eq!(error(ServeArgs { fee_tokens: None, ..args(TOKENS) }), VARIABLE);
    }
}
