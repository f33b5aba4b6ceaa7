//! What a caller of the paymaster's methods asks for beside the operation.

use serde_json::{Map, Value, json};

use super::errors::RpcError;
use use_aa_protocol::{
    paymaster::FeeQuotesRequest,
    rpc::{PaymasterMode, SponsorContext},
};

/// What is asked for an operation.
pub(super) struct Context {
    pub(super) fields: Map<String, Value>,
}

impl Context {
    /// Who pays; `None` = not said.
    pub(super) fn mode(&self) -> Result<Option<PaymasterMode>, RpcError> {
        match self.fields.get("mode") {
            None | Some(Value::Null) => Ok(None),
            Some(mode) => match mode.as_str() {
                Some("SPONSORED") => Ok(Some(PaymasterMode::Sponsored)),
                Some("ERC20") => Ok(Some(PaymasterMode::Erc20)),
                _ => Err(RpcError::fields("Invalid paymaster mode")),
            },
        }
    }

    /// May the paymaster set the limits?
    pub(super) fn calculates_gas_limits(&self) -> bool {
        self.fields.get("calculateGasLimits").is_none_or(|given| *given != Value::Bool(false))
    }

    /// Which tokens are to be quoted. The service takes an empty list for all.
    pub(super) fn fee_quotes_request(&self) -> Result<FeeQuotesRequest, RpcError> {
        let mut request = Map::new();
        let given = |fields: Option<&Value>, name: &str| {
            fields.and_then(|fields| fields.get(name)).filter(|value| !value.is_null()).cloned()
        };
        let tokens = self.fields.get("tokenInfo");
        let sponsorship = self.fields.get("sponsorshipInfo");
        for (name, value) in [
            ("tokenList", given(tokens, "tokenList")),
            ("preferredToken", given(tokens, "preferredToken")),
            ("expiryDuration", self.fields.get("expiryDuration").filter(|value| !value.is_null()).cloned()),
            ("webhookData", given(sponsorship, "webhookData")),
        ] {
            if let Some(value) = value {
                request.insert(name.to_owned(), value);
            }
        }
        serde_json::from_value(Value::Object(request))
            .map_err(|error| RpcError::fields(format!("the context: {error}")))
    }

    /// As the server functions have it.
    pub(super) fn sponsor_context(&self, mode: PaymasterMode) -> Result<SponsorContext, RpcError> {
        let given = |name: &str| self.fields.get(name).filter(|value| !value.is_null());
        let mut context =
            json!({"mode": mode, "calculateGasLimits": given("calculateGasLimits").unwrap_or(&json!(true))});
        let webhook = given("sponsorshipInfo").and_then(|info| info.get("webhookData")).filter(|data| !data.is_null());
        // The token matters only where one is charged.
        let token = given("tokenInfo").filter(|_| mode == PaymasterMode::Erc20);
        for (name, value) in
            [("expiryDuration", given("expiryDuration")), ("webhookData", webhook), ("tokenInfo", token)]
        {
            if let Some(value) = value {
                context[name] = value.clone();
            }
        }
        serde_json::from_value(context).map_err(|error| RpcError::fields(format!("the context: {error}")))
    }
}
