//! A paymaster service: Biconomy's `pm_sponsorUserOperation` (docs/protocol.md 5.1–5.3), or ERC-7677.
//!
//! The API key is added here and never leaves this server otherwise. A `{key}` in the URL is replaced by
//! it; else Biconomy's dialect puts it behind the path (`/api/v1/{chainId}/{key}`), and ERC-7677 services
//! get it as the header `x-api-key`.

mod context;

use std::time::Duration;

use alloy::primitives::{Address, Bytes, U256};
use serde_json::{Map, Value, json};

use super::{
    super::{
        config::PaymasterContext, json_rpc::JsonRpcClient, quantity::quantity, secret::Secret,
        upstream_health::UpstreamHealth, upstream_url::UpstreamUrl,
    },
    built_in::paymaster_limits,
    upstreams::Upstreams,
};
use context::{AboutContext, about_context};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
    paymaster::{FeeQuotes, FeeQuotesRequest},
    rpc::{GasEstimate, PaymasterMode, SponsorContext, Sponsorship},
    user_operation::UserOperation,
};

/// What stands for the key in a URL, as written and as `Url` escapes it.
const PLACEHOLDERS: [&str; 2] = ["{key}", "%7Bkey%7D"];

/// A paymaster service.
pub(crate) struct Remote {
    rpc: JsonRpcClient,
    chain_id: u64,
    /// What the operator wants an ERC-7677 service to be told.
    context: Option<PaymasterContext>,
}

impl Remote {
    pub(super) fn biconomy(
        urls: &[UpstreamUrl],
        api_key: Option<&Secret>,
        chain_id: u64,
        timeout: Duration,
    ) -> Result<Self, AppError> {
        let keyed = |url: &UpstreamUrl| match (with_key(url, api_key)?, api_key) {
            (Some(url), _) => Ok(url),
            (None, Some(key)) => append_key(url, key),
            (None, None) => Ok(url.clone()),
        };
        let urls = urls.iter().map(keyed).collect::<Result<Vec<_>, AppError>>()?;
        Ok(Self { rpc: JsonRpcClient::new(Upstream::Paymaster, &urls, timeout)?, chain_id, context: None })
    }

    pub(super) fn erc7677(
        urls: &[UpstreamUrl],
        api_key: Option<&Secret>,
        context: Option<&PaymasterContext>,
        chain_id: u64,
        timeout: Duration,
    ) -> Result<Self, AppError> {
        let keyed = urls.iter().map(|url| with_key(url, api_key)).collect::<Result<Vec<_>, AppError>>()?;
        let in_urls = keyed.iter().any(Option::is_some);
        let urls =
            keyed.into_iter().zip(urls).map(|(keyed, url)| keyed.unwrap_or_else(|| url.clone())).collect::<Vec<_>>();
        let api_key = api_key.filter(|_| !in_urls);
        let untold = context.map(PaymasterContext::secrets).unwrap_or_default();
        let rpc = JsonRpcClient::with_api_key(Upstream::Paymaster, &urls, timeout, api_key, untold)?;
        Ok(Self { rpc, chain_id, context: context.cloned() })
    }

    /// How its URLs do.
    pub(crate) fn health(&self) -> Vec<UpstreamHealth> {
        self.rpc.health()
    }

    /// Does it answer at all? Any JSON-RPC answer, an error too, is a yes.
    pub(crate) async fn ping(&self) -> Result<(), AppError> {
        match self.rpc.call_value("eth_chainId", json!([])).await {
            Ok(_) | Err(AppError::UpstreamRejected { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(in super::super) async fn sponsor_biconomy(
        &self,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Sponsorship, AppError> {
        let params = json!([biconomy_operation(user_operation)?, biconomy_context(context)]);
        let answer = self.rpc.call_value("pm_sponsorUserOperation", params).await?;
        self.sponsorship("pm_sponsorUserOperation", &answer, user_operation, context.mode)
    }

    /// `pm_getFeeQuoteOrData` in mode ERC20.
    pub(in super::super) async fn fee_quotes_biconomy(
        &self,
        user_operation: &UserOperation,
        request: &FeeQuotesRequest,
    ) -> Result<FeeQuotes, AppError> {
        let method = "pm_getFeeQuoteOrData";
        let params = json!([biconomy_operation(user_operation)?, quotes_context(request)]);
        let answer = self.rpc.call_value(method, params).await?;
        if mode_of(&answer).is_none_or(|mode| !mode.eq_ignore_ascii_case("ERC20")) {
            return Err(self.rpc.malformed(format!("{method}: a mode that was not asked for")));
        }
        let read = |name: &str| answer.get(name).filter(|value| !value.is_null()).cloned();
        let unreadable = |name: &str| self.rpc.malformed(format!("{method}: {name}"));
        let address = read("paymasterAddress").and_then(|address| serde_json::from_value(address).ok());
        let quotes = read("feeQuotes").map(serde_json::from_value);
        let unsupported = read("unsupportedTokens").map_or(Ok(Vec::new()), serde_json::from_value);
        Ok(FeeQuotes {
            token_paymaster_address: address.ok_or_else(|| unreadable("paymasterAddress"))?,
            fee_quotes: match quotes {
                None => return Err(unreadable("no feeQuotes")),
                Some(quotes) => quotes.map_err(|error| unreadable(&format!("feeQuotes: {error}")))?,
            },
            unsupported_tokens: unsupported.map_err(|_| unreadable("unsupportedTokens"))?,
        })
    }

    /// `pm_getPaymasterStubData`: what has the length and the paymaster of the true data, and signs nothing. A service may
    /// sign already with its stub (`isFinal`), and signatures leave by [`super::super::sponsor`] only.
    pub(super) async fn stub_erc7677(
        &self,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Bytes, AppError> {
        let method = "pm_getPaymasterStubData";
        let stub = self.ask(method, user_operation, context).await?;
        let data = self.sponsorship(method, &stub, user_operation, context.mode)?.paymaster_and_data;
        if stub.get("isFinal").and_then(Value::as_bool).unwrap_or(false) {
            return Ok(without_signature(&data, user_operation.entry_point.paymaster_data_offset()));
        }
        Ok(data)
    }

    pub(super) async fn sponsor_erc7677(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Sponsorship, AppError> {
        let mut operation = user_operation.clone();
        let stub = self.ask("pm_getPaymasterStubData", &operation, context).await?;
        let sponsorship = self.sponsorship("pm_getPaymasterStubData", &stub, &operation, context.mode)?;
        operation.paymaster_and_data = sponsorship.paymaster_and_data.clone();
        if context.calculate_gas_limits {
            let estimate = upstreams.estimate(&operation, None).await?;
            estimate.set(&mut operation);
        }
        let is_final = stub.get("isFinal").and_then(Value::as_bool).unwrap_or(false);
        if is_final && !context.calculate_gas_limits {
            return Ok(sponsorship);
        }
        let answer = self.ask("pm_getPaymasterData", &operation, context).await?;
        self.sponsorship("pm_getPaymasterData", &answer, &operation, context.mode)
    }

    /// Does it take the context that is set, or none? Asks for a stub, which pays for nothing, for an operation of nobody;
    /// what it says of that operation is no matter.
    pub(crate) async fn try_context(&self) -> Result<(), AppError> {
        let nobody = UserOperation { sender: Address::repeat_byte(1), ..Default::default() };
        let params = json!([
            nobody,
            nobody.entry_point.address(),
            format!("{:#x}", self.chain_id),
            self.context_for(&SponsorContext::sponsored())
        ]);
        match self.rpc.call_value("pm_getPaymasterStubData", params).await {
            Err(error) if about_context(&error) == AboutContext::Yes => Err(error),
            _ => Ok(()),
        }
    }

    async fn ask(
        &self,
        method: &str,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Value, AppError> {
        let chain_id = format!("{:#x}", self.chain_id);
        let params = json!([user_operation, user_operation.entry_point.address(), chain_id, self.context_for(context)]);
        self.rpc.call_value(method, params).await.map_err(|error| self.told(error))
    }

    /// Reads the four fields; limits that are absent stay the operation's.
    fn sponsorship(
        &self,
        method: &str,
        answer: &Value,
        operation: &UserOperation,
        asked: PaymasterMode,
    ) -> Result<Sponsorship, AppError> {
        if mode_of(answer).is_some_and(|mode| !mode.eq_ignore_ascii_case(asked.name())) {
            return Err(self.rpc.malformed(format!("{method}: a mode that was not asked for")));
        }
        if operation.entry_point == EntryPoint::V07 {
            return self.sponsorship_v07(method, answer, operation);
        }
        let data = answer.get("paymasterAndData").filter(|data| !data.is_null());
        let data: Bytes = data
            .and_then(|data| serde_json::from_value(data.clone()).ok())
            .ok_or_else(|| self.rpc.malformed(format!("{method}: no paymasterAndData")))?;
        if data.is_empty() {
            // Taken as it is, the account itself would pay.
            return Err(AppError::SponsorshipRefused {
                reason: "the paymaster answered without data: no policy of it covers this operation".into(),
            });
        }
        if data.len() < 20 {
            return Err(self.rpc.malformed(format!("{method}: {} bytes of paymasterAndData", data.len())));
        }
        let limit = |name: &str, own: U256| match answer.get(name) {
            None | Some(Value::Null) => Ok(own),
            Some(value) => quantity(value).ok_or_else(|| self.rpc.malformed(format!("{method}: {name}: {value}"))),
        };
        Ok(Sponsorship {
            paymaster_and_data: data,
            gas: GasEstimate {
                call_gas_limit: limit("callGasLimit", operation.call_gas_limit)?,
                verification_gas_limit: limit("verificationGasLimit", operation.verification_gas_limit)?,
                pre_verification_gas: limit("preVerificationGas", operation.pre_verification_gas)?,
                paymaster: None,
            },
        })
    }
}

impl Remote {
    /// The same on v0.7: the paymaster is a field of its own, its limits are the service's, else the operation's.
    fn sponsorship_v07(
        &self,
        method: &str,
        answer: &Value,
        operation: &UserOperation,
    ) -> Result<Sponsorship, AppError> {
        let given = |name: &str| answer.get(name).filter(|value| !value.is_null());
        let missing = |name: &str| self.rpc.malformed(format!("{method}: no {name}"));
        let Some(paymaster) = given("paymaster") else {
            return Err(AppError::SponsorshipRefused {
                reason: "the paymaster answered without data: no policy of it covers this operation".into(),
            });
        };
        let paymaster: Address = serde_json::from_value(paymaster.clone()).map_err(|_| missing("paymaster"))?;
        let data: Bytes = match given("paymasterData") {
            Some(data) => serde_json::from_value(data.clone()).map_err(|_| missing("paymasterData"))?,
            None => Bytes::new(),
        };
        let limit = |name: &str, own: u128| match given(name) {
            None => Ok(own),
            Some(value) => {
                let limit = quantity(value).and_then(|limit| u128::try_from(limit).ok());
                limit.ok_or_else(|| self.rpc.malformed(format!("{method}: {name}: {value}")))
            }
        };
        let [verification, post_op] = paymaster_limits(operation, [0, 0]);
        let limits =
            [limit("paymasterVerificationGasLimit", verification)?, limit("paymasterPostOpGasLimit", post_op)?];
        let paymaster_and_data = v07::paymaster_and_data(paymaster, limits, &data);
        let gas = GasEstimate { paymaster: None, ..GasEstimate::of(operation) };
        Ok(Sponsorship { paymaster_and_data, gas })
    }
}

/// The documentation writes MODE where the SDK reads mode (docs/protocol.md 5.4).
fn mode_of(answer: &Value) -> Option<&str> {
    answer.get("mode").or_else(|| answer.get("MODE")).and_then(Value::as_str)
}

/// The URL with the key in place of the placeholder; `None` when there is no placeholder.
fn with_key(url: &UpstreamUrl, api_key: Option<&Secret>) -> Result<Option<UpstreamUrl>, AppError> {
    let text = url.expose().as_str();
    let Some(placeholder) = PLACEHOLDERS.iter().find(|placeholder| text.contains(**placeholder)) else {
        return Ok(None);
    };
    let key = api_key.ok_or_else(|| AppError::Internal {
        reason: "USE_AA_PAYMASTER_URL wants a key, but USE_AA_PAYMASTER_API_KEY is not set".into(),
    })?;
    text.replace(placeholder, key.expose().trim()).parse().map(Some).map_err(|_| key_does_not_fit())
}

fn append_key(url: &UpstreamUrl, key: &Secret) -> Result<UpstreamUrl, AppError> {
    let mut url = url.expose().clone();
    url.path_segments_mut().map_err(|()| key_does_not_fit())?.pop_if_empty().push(key.expose().trim());
    url.as_str().parse().map_err(|_| key_does_not_fit())
}

fn key_does_not_fit() -> AppError {
    AppError::Internal { reason: "USE_AA_PAYMASTER_API_KEY does not fit into USE_AA_PAYMASTER_URL".into() }
}

/// docs/protocol.md 5.1: nonce and fees as hex, gas limits as decimal text; zero limits are left out.
fn biconomy_operation(user_operation: &UserOperation) -> Result<Value, AppError> {
    let mut value =
        serde_json::to_value(user_operation).map_err(|error| AppError::Internal { reason: error.to_string() })?;
    if let Some(fields) = value.as_object_mut() {
        for (name, limit) in [
            ("callGasLimit", user_operation.call_gas_limit),
            ("verificationGasLimit", user_operation.verification_gas_limit),
            ("preVerificationGas", user_operation.pre_verification_gas),
        ] {
            if limit.is_zero() {
                fields.remove(name);
            } else {
                fields.insert(name.into(), Value::String(limit.to_string()));
            }
        }
    }
    Ok(value)
}

/// docs/protocol.md 5.3.
fn biconomy_context(context: &SponsorContext) -> Value {
    let mut value = Map::new();
    value.insert("mode".into(), json!(context.mode));
    value.insert("calculateGasLimits".into(), json!(context.calculate_gas_limits));
    if let Some(expiry) = context.expiry_duration {
        value.insert("expiryDuration".into(), json!(expiry));
    }
    if let Some(token) = &context.token_info {
        value.insert("tokenInfo".into(), json!(token));
    }
    value.insert("sponsorshipInfo".into(), sponsorship_info(context.webhook_data.as_ref()));
    Value::Object(value)
}

/// docs/protocol.md 5.4.
fn quotes_context(request: &FeeQuotesRequest) -> Value {
    let mut token_info = json!({"tokenList": request.tokens()});
    if let Some(token) = request.preferred_token {
        token_info["preferredToken"] = json!(token);
    }
    let mut value = json!({
        "mode": PaymasterMode::Erc20,
        "calculateGasLimits": true,
        "tokenInfo": token_info,
        "sponsorshipInfo": sponsorship_info(request.webhook_data.as_ref()),
    });
    if let Some(expiry) = request.expiry_duration {
        value["expiryDuration"] = json!(expiry);
    }
    value
}

fn sponsorship_info(webhook_data: Option<&Value>) -> Value {
    let mut info = Map::new();
    if let Some(data) = webhook_data {
        info.insert("webhookData".into(), data.clone());
    }
    info.insert("smartAccountInfo".into(), json!({"name": "BICONOMY", "version": "2.0.0"}));
    Value::Object(info)
}

/// The same paymaster, limits and length, every other byte as dear as a byte can be.
fn without_signature(data: &Bytes, offset: usize) -> Bytes {
    let (paymaster, rest) = data.split_at(data.len().min(offset));
    [paymaster, vec![0xff; rest.len()].as_slice()].concat().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn remote() -> Remote {
        Remote::biconomy(&["http://127.0.0.1:1".parse().unwrap()], None, 80002, Duration::from_secs(1)).unwrap()
    }

    fn operation() -> UserOperation {
        UserOperation {
            sender: Address::repeat_byte(1),
            nonce: U256::from(5),
            max_fee_per_gas: U256::from(35),
            ..Default::default()
        }
    }

    #[test]
    fn the_operation_is_spelled_as_biconomy_does() {
        let value = biconomy_operation(&operation()).unwrap();
        assert_eq!((&value["nonce"], &value["maxFeePerGas"]), (&json!("0x5"), &json!("0x23")));
        assert!(value.get("callGasLimit").is_none(), "no limits when they are to be calculated");
        let value = biconomy_operation(&UserOperation { call_gas_limit: U256::from(86_895), ..operation() }).unwrap();
        assert_eq!(value["callGasLimit"], json!("86895"));
    }

    /// vectors/14, scenario "sponsored, mode only"
    #[test]
    fn the_context_is_spelled_as_biconomy_does() {
        let context = SponsorContext { calculate_gas_limits: true, ..SponsorContext::sponsored() };
        let expected = json!({"mode": "SPONSORED", "calculateGasLimits": true,
            "sponsorshipInfo": {"smartAccountInfo": {"name": "BICONOMY", "version": "2.0.0"}}});
        assert_eq!(biconomy_context(&context), expected);
        let context = SponsorContext { expiry_duration: Some(600), webhook_data: Some(json!({"a": 1})), ..context };
        assert_eq!(biconomy_context(&context)["expiryDuration"], json!(600));
        assert_eq!(biconomy_context(&context)["sponsorshipInfo"]["webhookData"], json!({"a": 1}));
    }

    #[test]
    fn limits_come_as_text_or_number_or_not_at_all() {
        let data = Bytes::from(vec![7; 200]);
        let read = |answer: Value| remote().sponsorship("m", &answer, &operation(), PaymasterMode::Sponsored);
        let answer = json!({"mode": "SPONSORED", "paymasterAndData": data, "preVerificationGas": "75388",
            "verificationGasLimit": 57121, "callGasLimit": "0x1a930"});
        let gas = read(answer).unwrap().gas;
        assert_eq!(gas.pre_verification_gas, U256::from(75_388));
        assert_eq!(gas.verification_gas_limit, U256::from(57_121));
        assert_eq!(gas.call_gas_limit, U256::from(108_848));
        assert_eq!(
            read(json!({"MODE": "SPONSORED", "paymasterAndData": data})).unwrap().gas.call_gas_limit,
            U256::ZERO
        );
    }

    #[test]
    fn refusals_and_rubbish_are_told_apart() {
        let read =
            |answer: Value| remote().sponsorship("m", &answer, &operation(), PaymasterMode::Sponsored).unwrap_err();
        assert!(matches!(read(json!({"paymasterAndData": "0x"})), AppError::SponsorshipRefused { .. }));
        for rubbish in [
            json!(null),
            json!({}),
            json!({"paymasterAndData": 5}),
            json!({"paymasterAndData": "0x1234"}),
            json!({"paymasterAndData": Bytes::from(vec![7; 200]), "callGasLimit": "much"}),
            json!({"paymasterAndData": Bytes::from(vec![7; 200]), "mode": "ERC20"}),
        ] {
            assert!(matches!(read(rubbish.clone()), AppError::UpstreamMalformed { .. }), "{rubbish}");
        }
    }

    #[test]
    fn the_key_goes_where_it_belongs() {
        let key = Secret::new("abc.123");
        let url = |text: &str| text.parse::<UpstreamUrl>().unwrap();
        let appended = append_key(&url("https://paymaster.biconomy.io/api/v1/80002/"), &key).unwrap();
        assert_eq!(appended.expose().as_str(), "https://paymaster.biconomy.io/api/v1/80002/abc.123");
        let placed = with_key(&url("https://api.example/v2/x/rpc?apikey={key}"), Some(&key)).unwrap().unwrap();
        assert_eq!(placed.expose().query(), Some("apikey=abc.123"));
        let placed = with_key(&url("https://api.example/{key}/rpc"), Some(&key)).unwrap().unwrap();
        assert_eq!(placed.expose().path(), "/abc.123/rpc");
        assert!(with_key(&url("https://api.example/{key}/rpc"), None).is_err());
        assert!(with_key(&url("https://api.example/rpc"), None).unwrap().is_none());
    }
}
