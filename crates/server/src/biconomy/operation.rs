//! User operations as the SDK sends them: some fields may be absent, numbers are hex or decimal text (docs/protocol.md 4.1, 5.1).

use alloy::primitives::{Address, B256, Bytes};
use serde_json::{Value, json};

use super::{super::quantity::quantity, errors::RpcError};
use use_aa_protocol::{
    addresses::ENTRY_POINT,
    user_operation::{EntryPoint, UserOperation},
};

/// Fields that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `eth_sendUserOperation`: `initCode` and `paymasterAndData`.
    Send,
    /// `eth_estimateUserOperationGas`: everything but who, what and the nonce.
    Estimate,
    /// The paymaster's methods: the limits, when it is to find them out.
    Sponsor,
    /// A bundler tells it: as for the paymaster.
    Told,
}

const BYTES: [&str; 4] = ["initCode", "callData", "paymasterAndData", "signature"];
const NUMBERS: [&str; 6] =
    ["nonce", "callGasLimit", "verificationGasLimit", "preVerificationGas", "maxFeePerGas", "maxPriorityFeePerGas"];

impl Purpose {
    fn requires(self, field: &str) -> bool {
        match self {
            Self::Send => !matches!(field, "initCode" | "paymasterAndData"),
            Self::Estimate => matches!(field, "sender" | "nonce" | "initCode" | "callData"),
            Self::Sponsor | Self::Told => matches!(field, "sender" | "nonce" | "callData"),
        }
    }
}

/// A name that a caller gave a field, as an error repeats it.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// The operation that is parameter `index`. Unknown fields are refused, as the service refuses them.
pub(super) fn read(params: &[Value], index: usize, purpose: Purpose) -> Result<UserOperation, RpcError> {
    let Some(Value::Object(fields)) = params.get(index) else {
        return Err(RpcError::fields("userOp is required and should be an object"));
    };
    if let Some(name) = fields.keys().find(|name| *name != "sender" && !known(name)) {
        let name = shown(name);
        return Err(RpcError::fields(format!("{name} is not a field of a user operation")));
    }
    let wrong = |name: &str| RpcError::fields(format!("{name} is required and should be a string"));
    let given = |name: &str| match fields.get(name) {
        None | Some(Value::Null) if purpose.requires(name) => Err(wrong(name)),
        None | Some(Value::Null) => Ok(None),
        Some(value) => Ok(Some(value)),
    };
    let bytes = |name: &str| match given(name)? {
        None => Ok(Bytes::new()),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| RpcError::fields(format!("{name} should be 0x and hex digits"))),
    };
    // `0x` is what the SDK makes of a number that it does not have.
    let number = |name: &str| match given(name)? {
        None => Ok(Default::default()),
        Some(value) => {
            quantity(value).ok_or_else(|| RpcError::fields(format!("{name} should be a number as hex or decimal text")))
        }
    };
    let sender: Address = given("sender")?
        .and_then(|value| value.as_str()?.parse().ok())
        .ok_or_else(|| RpcError::fields("sender is required and should be an address"))?;
    Ok(UserOperation {
        sender,
        nonce: number("nonce")?,
        init_code: bytes("initCode")?,
        call_data: bytes("callData")?,
        call_gas_limit: number("callGasLimit")?,
        verification_gas_limit: number("verificationGasLimit")?,
        pre_verification_gas: number("preVerificationGas")?,
        max_fee_per_gas: number("maxFeePerGas")?,
        max_priority_fee_per_gas: number("maxPriorityFeePerGas")?,
        paymaster_and_data: bytes("paymasterAndData")?,
        signature: bytes("signature")?,
        // The service knows no other entry point.
        entry_point: EntryPoint::default(),
    })
}

fn known(name: &str) -> bool {
    BYTES.contains(&name) || NUMBERS.contains(&name)
}

/// Parameter `index` must be the entry point that is served here.
pub(super) fn entry_point(params: &[Value], index: usize) -> Result<(), RpcError> {
    let given = params.get(index).and_then(|value| value.as_str()?.parse::<Address>().ok());
    match given {
        Some(ENTRY_POINT) => Ok(()),
        Some(_) => Err(RpcError::fields(format!("entryPoint should be {ENTRY_POINT}, the one that is served here"))),
        None => Err(RpcError::fields("entryPoint is required and should be an address")),
    }
}

/// The hash that is the only parameter.
pub(super) fn hash(params: &[Value]) -> Result<B256, RpcError> {
    let [hash] = params else { return Err(RpcError::fields("one parameter is required: userOpHash")) };
    let hash = hash.as_str().and_then(|text| text.parse::<B256>().ok()).filter(|hash| !hash.is_zero());
    hash.ok_or_else(|| RpcError::fields("userOpHash should be 0x and 64 hex digits"))
}

/// A number as JSON number while it fits one; text beyond that.
pub(super) fn number(value: alloy::primitives::U256) -> Value {
    match u64::try_from(value) {
        Ok(number) => json!(number),
        Err(_) => json!(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;

    fn sdk_operation() -> Value {
        json!({"sender": "0x0788816536DEFa6A14779711c0B08b7f0edFe68b", "nonce": "0x0", "initCode": "0x", "callData": "0x1234",
            "signature": "0x12", "paymasterAndData": "0x", "maxFeePerGas": "0x826299e00", "verificationGasLimit": "130342"})
    }

    fn message(operation: &Value, purpose: Purpose) -> String {
        let error = read(std::slice::from_ref(operation), 0, purpose).unwrap_err();
        error.body(&Value::Null)["error"]["message"].as_str().unwrap().to_owned()
    }

    #[test]
    fn hex_and_decimal_text_are_read_and_absent_numbers_are_zero() {
        let operation = read(&[sdk_operation()], 0, Purpose::Sponsor).unwrap();
        assert_eq!(operation.max_fee_per_gas, U256::from(35_000_000_000_u64));
        assert_eq!(operation.verification_gas_limit, U256::from(130_342));
        assert_eq!(operation.call_gas_limit, U256::ZERO);
        let mut empty = sdk_operation();
        empty["callGasLimit"] = json!("0x");
        assert_eq!(read(&[empty], 0, Purpose::Estimate).unwrap().call_gas_limit, U256::ZERO);
    }

    #[test]
    fn what_each_method_requires_is_named() {
        assert_eq!(message(&sdk_operation(), Purpose::Send), "callGasLimit is required and should be a string");
        let without = |name: &str| {
            let mut operation = sdk_operation();
            operation.as_object_mut().unwrap().remove(name);
            operation
        };
        assert_eq!(message(&without("nonce"), Purpose::Estimate), "nonce is required and should be a string");
        assert!(read(&[without("signature")], 0, Purpose::Estimate).is_ok());
        assert!(read(&[without("initCode")], 0, Purpose::Sponsor).is_ok());
        assert_eq!(message(&json!(1), Purpose::Send), "userOp is required and should be an object");
        let mut foreign = sdk_operation();
        foreign["factory"] = json!("0x");
        assert_eq!(message(&foreign, Purpose::Sponsor), "factory is not a field of a user operation");
    }

    #[test]
    fn the_entry_point_may_be_written_in_any_case_but_no_other() {
        assert!(entry_point(&[json!("0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789")], 0).is_ok());
        assert!(entry_point(&[json!("0x0000000071727De22E5E9d8BAf0edAc6f37da032")], 0).is_err());
        assert!(entry_point(&[], 0).is_err());
    }

    #[test]
    fn numbers_beyond_64_bits_are_text() {
        assert_eq!(number(U256::from(u64::MAX)), json!(u64::MAX));
        assert_eq!(number(U256::from(u64::MAX) + U256::from(1)), json!("18446744073709551616"));
    }
}
