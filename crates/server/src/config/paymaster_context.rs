//! `USE_AA_PAYMASTER_CONTEXT`: what a paymaster service (ERC-7677) wants to know of whoever asks it, such as a policy's id.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    ConfigError, ServeArgs,
    values::{self, Secret},
};

/// The variable.
pub(crate) const VARIABLE: &str = "USE_AA_PAYMASTER_CONTEXT";
/// Shorter texts in it are found everywhere, and tell nothing.
const LEAST_SECRET: usize = 4;

/// A JSON object that is never printed: ids of policies admit whoever knows them at some services.
#[derive(Clone, PartialEq)]
pub struct PaymasterContext(Map<String, Value>);

impl PaymasterContext {
    /// As it is sent.
    pub(crate) fn expose(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Texts and numbers in it, which a service may repeat in what it says.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.0.values().for_each(|value| collect(value, &mut found));
        found.retain(|text| text.len() >= LEAST_SECRET);
        // Parts of others last.
        found.sort_by_key(|text| std::cmp::Reverse(text.len()));
        found
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) => {}
    }
}

impl fmt::Debug for PaymasterContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymasterContext(***)")
    }
}

/// Reads the variable.
pub(super) fn paymaster_context(args: &ServeArgs) -> Result<Option<PaymasterContext>, ConfigError> {
    let Some(text) = values::given(args.paymaster_context.as_ref().map(Secret::expose)) else { return Ok(None) };
    let expected = r#"a JSON object, such as {"policyId":"…"}"#;
    let wrong = |got: String| ConfigError::new(VARIABLE, expected, got);
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(Some(PaymasterContext(fields))),
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "a list",
                Value::String(_) => "a text",
                Value::Number(_) => "a number",
                _ => "another value",
            };
            Err(wrong(format!("{kind} (not shown)")))
        }
        // The error's own words may quote the value.
        Err(error) => Err(wrong(format!("no JSON (line {}, column {}; not shown)", error.line(), error.column()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(text: &str) -> Result<Option<PaymasterContext>, ConfigError> {
        paymaster_context(&ServeArgs { paymaster_context: Some(Secret::new(text)), ..Default::default() })
    }

    #[test]
    fn an_object_is_kept_as_it_is_and_never_shown() {
        let text = r#"{"policyId":"sp_hidden_1","b":[12345,{"deep":"hidden_22"}],"a":true}"#;
        let context = read(text).unwrap().unwrap();
        assert_eq!(context.expose().to_string(), text, "the order, too");
        assert_eq!(format!("{context:?}"), "PaymasterContext(***)");
        assert_eq!(context.secrets(), ["sp_hidden_1", "hidden_22", "12345"]);
        assert_eq!((read(" ").unwrap(), read("{}").unwrap().unwrap().len()), (None, 0));
    }

    #[test]
    fn anything_else_is_refused_by_name_without_being_shown() {
        for wrong in ["[\"hidden\"]", "\"hidden\"", "4711", "null", "{\"policyId\": hidden}", "policyId=hidden", "{"] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.variable, VARIABLE);
            let told = error.to_string();
            assert!(told.contains("a JSON object") && !told.contains("hidden") && !told.contains("4711"), "{told}");
        }
    }
}
