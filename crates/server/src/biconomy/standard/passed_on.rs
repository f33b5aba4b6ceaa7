//! Operations of entry points that are not followed here: their fields are checked one by one, what they mean together is
//! for the bundler to judge.

use alloy::primitives::{Address, Bytes};
use serde_json::{Map, Value, json};

use super::super::{
    super::quantity::quantity,
    errors::RpcError,
    operation::{Purpose, shown},
};

/// The fields that operations of the known entry points have (v0.6 to v0.9).
const ADDRESSES: [&str; 2] = ["sender", "paymaster"];
/// A factory may be the mark of EIP-7702, which is shorter than an address.
const BYTES: [&str; 8] = [
    "factory",
    "factoryData",
    "initCode",
    "callData",
    "paymasterData",
    "paymasterAndData",
    "paymasterSignature",
    "signature",
];
const NUMBERS: [&str; 8] = [
    "nonce",
    "callGasLimit",
    "verificationGasLimit",
    "preVerificationGas",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "paymasterVerificationGasLimit",
    "paymasterPostOpGasLimit",
];
/// EIP-7702: what makes the account's code, signed by its key.
const AUTHORIZATION: &str = "eip7702Auth";
const AUTHORIZATION_FIELDS: [&str; 6] = ["address", "chainId", "nonce", "r", "s", "yParity"];

/// The operation that is the first parameter: known fields only, quantities as hex, `null` left out.
pub(super) fn read(params: &[Value], purpose: Purpose) -> Result<Value, RpcError> {
    let Some(Value::Object(given)) = params.first() else {
        return Err(RpcError::fields("userOperation is required and should be an object"));
    };
    let mut operation = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let value = match name.as_str() {
            AUTHORIZATION => authorization(value),
            name => field(name, value),
        };
        operation.insert(name.clone(), value.map_err(|why| RpcError::fields(format!("{}: {why}", shown(name))))?);
    }
    let required: &[&str] = match purpose {
        Purpose::Send => &["sender", "nonce", "callData", "signature"],
        Purpose::Estimate | Purpose::Sponsor => &["sender", "nonce", "callData"],
    };
    match required.iter().find(|name| !operation.contains_key(**name)) {
        Some(name) => Err(RpcError::fields(format!("{name} is required"))),
        None => Ok(Value::Object(operation)),
    }
}

fn field(name: &str, value: &Value) -> Result<Value, &'static str> {
    let text = value.as_str();
    if ADDRESSES.contains(&name) {
        return match text.map(str::parse::<Address>) {
            Some(Ok(_)) => Ok(value.clone()),
            _ => Err("should be an address"),
        };
    }
    if BYTES.contains(&name) {
        return match text.filter(|text| text.starts_with("0x")).map(str::parse::<Bytes>) {
            Some(Ok(_)) => Ok(value.clone()),
            _ => Err("should be 0x and hex digits"),
        };
    }
    if NUMBERS.contains(&name) {
        return quantity(value).map(|number| json!(number)).ok_or("should be a hex quantity");
    }
    Err("is not a field of a user operation")
}

fn authorization(value: &Value) -> Result<Value, &'static str> {
    let wrong = "should be an EIP-7702 authorization";
    let fields = value.as_object().ok_or(wrong)?;
    let right = |(name, value): (&String, &Value)| {
        AUTHORIZATION_FIELDS.contains(&name.as_str())
            && value.as_str().is_some_and(|text| text.len() <= 66 && text.starts_with("0x"))
    };
    if fields.iter().all(right) { Ok(value.clone()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn operation() -> Value {
        json!({"sender": Address::repeat_byte(1), "nonce": "0x01", "callData": "0x12", "factory": "0x7702", "factoryData": null,
            "paymaster": Address::repeat_byte(2), "paymasterVerificationGasLimit": "0x5", "signature": "0x",
            "eip7702Auth": {"address": Address::repeat_byte(3), "chainId": "0x1", "nonce": "0x0", "r": "0x1", "s": "0x2", "yParity": "0x0"}})
    }

    #[test]
    fn later_versions_fields_are_kept_and_their_quantities_written_alike() {
        let read = read(&[operation()], Purpose::Send).unwrap();
        assert_eq!((&read["nonce"], read.get("factoryData")), (&json!("0x1"), None));
        assert_eq!((&read["factory"], &read["paymasterVerificationGasLimit"]), (&json!("0x7702"), &json!("0x5")));
        assert_eq!(read["eip7702Auth"]["chainId"], "0x1");
    }

    #[test]
    fn what_is_no_operation_is_named() {
        let wrong = [
            ("sender", json!("me")),
            ("nonce", json!("many")),
            ("callData", json!("12")),
            ("callData", json!({"a": 1})),
            ("eip7702Auth", json!({"secret": "0x1"})),
            ("eip7702Auth", json!([])),
            ("color", json!("0x1")),
            ("signature", json!(null)),
        ];
        for (name, value) in wrong {
            let mut operation = operation();
            operation[name] = value;
            let error = read(&[operation], Purpose::Send).unwrap_err().body(&Value::Null);
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.starts_with(name), "{message}");
        }
        assert!(read(&[], Purpose::Estimate).is_err());
    }
}
