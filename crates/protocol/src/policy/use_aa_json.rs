//! Policies as `@biconomy/use-aa`'s callers write them in JSON.

use alloy::primitives::{Address, U256};
use serde_json::Value;

use super::{Condition, FunctionSelector, Policy, ReferenceValue, Rule, SessionEpoch};
use crate::{ProtocolError, quantity};

impl Policy {
    /// The former name of [`Self::from_use_aa_json`].
    ///
    /// # Errors
    /// As there.
    #[deprecated(note = "is now `from_use_aa_json`")]
    pub fn from_seed_json(value: &Value) -> Result<Self, ProtocolError> {
        Self::from_use_aa_json(value)
    }

    /// Reads one policy element of `@biconomy/use-aa`: `contractAddress`, `functionSelector`, `rules`,
    /// and optionally `sessionKeyAddress`, `interval`, `valueLimit`.
    pub fn from_use_aa_json(value: &Value) -> Result<Self, ProtocolError> {
        let object = value.as_object().ok_or_else(|| ProtocolError::invalid("policy", "an object", value))?;
        let field = |name: &str| object.get(name).filter(|value| !value.is_null());
        let required = |name: &str| field(name).ok_or_else(|| ProtocolError::invalid(name, "a value", "nothing"));
        let rules = required("rules")?;
        let rules = rules.as_array().ok_or_else(|| ProtocolError::invalid("rules", "an array", rules))?;
        Ok(Self {
            session_key_address: field("sessionKeyAddress").map(|v| address("sessionKeyAddress", v)).transpose()?,
            contract_address: address("contractAddress", required("contractAddress")?)?,
            function_selector: FunctionSelector::from_use_aa_json(required("functionSelector")?)?,
            rules: rules.iter().enumerate().map(|(index, value)| rule(index, value)).collect::<Result<_, _>>()?,
            interval: field("interval").map(interval).transpose()?.unwrap_or_default(),
            value_limit: field("valueLimit").map(|v| wei("valueLimit", v)).transpose()?.unwrap_or_default(),
        })
    }
}

fn address(field: &str, value: &Value) -> Result<Address, ProtocolError> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| ProtocolError::invalid(field, "an address of 20 bytes", value))
}

fn wei(field: &str, value: &Value) -> Result<U256, ProtocolError> {
    let parsed = match value {
        Value::String(text) => quantity::parse(text),
        other => other.as_u64().map(U256::from),
    };
    parsed.ok_or_else(|| ProtocolError::invalid(field, "wei: decimal digits, 0x-hex or a whole number", value))
}

fn interval(value: &Value) -> Result<SessionEpoch, ProtocolError> {
    let seconds = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(0),
        Some(time) => time
            .as_u64()
            .filter(|seconds| *seconds < super::UINT48_END)
            .ok_or_else(|| ProtocolError::invalid(format!("interval.{name}"), "whole unix seconds below 2^48", time)),
    };
    Ok(SessionEpoch { valid_until: seconds("validUntil")?, valid_after: seconds("validAfter")? })
}

fn rule(index: usize, value: &Value) -> Result<Rule, ProtocolError> {
    let offset = value.get("offset").unwrap_or(&Value::Null);
    let condition = value.get("condition").unwrap_or(&Value::Null);
    let reference = value.get("referenceValue").unwrap_or(&Value::Null);
    let invalid_condition =
        || ProtocolError::invalid(format!("rules[{index}].condition"), "0 to 5, or a condition's name", condition);
    Ok(Rule {
        offset: offset.as_u64().filter(|offset| *offset <= 65_535).and_then(|o| u32::try_from(o).ok()).ok_or_else(
            || {
                ProtocolError::invalid(
                    format!("rules[{index}].offset"),
                    "bytes after the selector, at most 65535",
                    offset,
                )
            },
        )?,
        condition: match condition {
            Value::String(name) => Condition::from_name(name)?,
            other => other
                .as_u64()
                .and_then(|code| u8::try_from(code).ok())
                .and_then(Condition::from_code)
                .ok_or_else(invalid_condition)?,
        },
        reference_value: ReferenceValue::from_use_aa_json(reference).map_err(|error| match error {
            ProtocolError::Invalid { field, expected, got } => {
                ProtocolError::Invalid { field: format!("rules[{index}].{field}"), expected, got }
            }
            other => other,
        })?,
    })
}
