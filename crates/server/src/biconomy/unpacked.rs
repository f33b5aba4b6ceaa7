//! Operations as the standards have them: those of v0.6 as the services read them, too, those of v0.7 with factory and
//! paymaster in fields of their own. Of entry points that are not known here the fields are checked one by one; what they
//! mean together is for the bundler to judge.

use alloy::primitives::{Address, Bytes};
use serde_json::{Map, Value, json};

use super::{
    super::quantity::quantity,
    errors::RpcError,
    operation::{self, Purpose, shown},
};
use use_aa_protocol::entry_point::{EntryPoint, UserOperation};

/// The operation that a caller, or a bundler, gives.
pub(super) enum Given {
    /// Of a known entry point: it is followed, and can be paid for.
    Known(Box<UserOperation>),
    /// Of another, or by an account of EIP-7702: only the bundler knows what its hash is.
    Other(Value),
}

/// The operation that is the first parameter, for this entry point.
pub(super) fn given(params: &[Value], entry_point: Address, purpose: Purpose) -> Result<Given, RpcError> {
    match EntryPoint::from_address(entry_point) {
        Some(EntryPoint::V06) => Ok(Given::Known(Box::new(operation::read(params, 0, purpose)?))),
        Some(EntryPoint::V07) => {
            let mut fields = read(params, purpose)?;
            let is_7702 = |factory: &str| factory.parse::<Address>().is_err();
            if fields.get(AUTHORIZATION).is_some() || fields["factory"].as_str().is_some_and(is_7702) {
                return Ok(Given::Other(fields));
            }
            if let Some(name) = ["initCode", "paymasterAndData"].iter().find(|name| fields.get(**name).is_some()) {
                return Err(RpcError::fields(format!("{name}: not a field of an operation of entry point v0.7")));
            }
            // Whoever asks for a paymaster may say its limits before it has one.
            let limits = ["paymasterVerificationGasLimit", "paymasterPostOpGasLimit"];
            let has_limits = limits.iter().any(|name| fields.get(*name).is_some());
            if purpose == Purpose::Sponsor && has_limits && fields.get("paymaster").is_none() {
                fields["paymaster"] = json!(Address::ZERO);
            }
            let operation = serde_json::from_value(fields).map_err(|error| RpcError::fields(error.to_string()))?;
            Ok(Given::Known(Box::new(operation)))
        }
        None => Ok(Given::Other(read(params, purpose)?)),
    }
}

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
fn read(params: &[Value], purpose: Purpose) -> Result<Value, RpcError> {
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
        Purpose::Estimate | Purpose::Sponsor | Purpose::Told => &["sender", "nonce", "callData"],
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
    fn operations_of_v07_are_known_but_for_accounts_of_eip_7702() {
        let seven = EntryPoint::V07.address();
        let mut fields = operation();
        assert!(matches!(given(&[fields.clone()], seven, Purpose::Send), Ok(Given::Other(_))));
        fields.as_object_mut().unwrap().remove("eip7702Auth");
        assert!(matches!(given(&[fields.clone()], seven, Purpose::Send), Ok(Given::Other(_))), "its mark");
        fields["factory"] = json!(Address::repeat_byte(4));
        let Ok(Given::Known(known)) = given(&[fields.clone()], seven, Purpose::Send) else { panic!() };
        assert_eq!((known.entry_point, known.factory()), (EntryPoint::V07, Some(Address::repeat_byte(4))));
        assert_eq!(known.paymaster_gas().unwrap().verification.to::<u64>(), 5);
        fields.as_object_mut().unwrap().remove("paymaster");
        assert!(given(&[fields.clone()], seven, Purpose::Send).is_err(), "limits of nobody");
        let Ok(Given::Known(known)) = given(&[fields.clone()], seven, Purpose::Sponsor) else { panic!() };
        assert_eq!(known.paymaster_gas().unwrap().verification.to::<u64>(), 5, "who will pay is not known yet");
        for (name, value) in
            [("initCode", "0x"), ("paymasterAndData", "0x"), ("callGasLimit", &format!("0x1{}", "0".repeat(32)))]
        {
            let mut wrong = fields.clone();
            wrong[name] = json!(value);
            let Err(error) = given(&[wrong], seven, Purpose::Sponsor) else { panic!("{name}") };
            assert!(error.body(&Value::Null)["error"]["message"].as_str().unwrap().starts_with(name));
        }
        assert!(given(&[fields], EntryPoint::V06.address(), Purpose::Send).is_err());
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
