//! What is checked before a bundler sees it: operations that none would take, state override sets.

use alloy::primitives::{Address, U256};
use serde_json::{Map, Value, json};

use super::super::quantity::quantity;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, UserOperation, v07::MAX_GAS_VALUE},
    rpc::PaymasterGas,
};

/// What no bundler would take: caught here, with the field's name.
pub(super) fn check(user_operation: &UserOperation) -> Result<(), AppError> {
    if user_operation.sender.is_zero() {
        return Err(AppError::invalid("user_operation.sender", "a smart account", user_operation.sender));
    }
    let init_code = user_operation.init_code.len();
    if init_code != 0 && init_code < 20 {
        return Err(AppError::invalid("user_operation.initCode", "empty, or a factory and its call data", init_code));
    }
    let paymaster = user_operation.paymaster_and_data.len();
    if paymaster != 0 && paymaster < user_operation.entry_point.paymaster_data_offset() {
        return Err(AppError::invalid(
            "user_operation.paymasterAndData",
            "empty, or a paymaster and its data",
            paymaster,
        ));
    }
    if user_operation.entry_point == EntryPoint::V07 {
        let PaymasterGas { verification, post_op } = user_operation.paymaster_gas().unwrap_or_default();
        for (name, value) in [
            ("callGasLimit", user_operation.call_gas_limit),
            ("verificationGasLimit", user_operation.verification_gas_limit),
            ("preVerificationGas", user_operation.pre_verification_gas),
            ("maxFeePerGas", user_operation.max_fee_per_gas),
            ("maxPriorityFeePerGas", user_operation.max_priority_fee_per_gas),
            ("paymasterVerificationGasLimit", verification),
            ("paymasterPostOpGasLimit", post_op),
        ] {
            if value > U256::from(MAX_GAS_VALUE) {
                return Err(AppError::invalid(format!("user_operation.{name}"), "less than 2^120", value));
            }
        }
    }
    Ok(())
}

/// A state override set (docs/protocol.md 4.2): only its own fields, numbers as hex. Bundlers refuse `null` as third
/// parameter: one that is absent or empty must be absent.
pub(super) fn state_override_set(set: Option<Value>) -> Result<Option<Value>, AppError> {
    let set = match set {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(set)) if set.is_empty() => return Ok(None),
        Some(Value::Object(set)) => set,
        Some(other) => return Err(AppError::invalid("state_override", "an object of addresses", other)),
    };
    if set.len() > 16 {
        return Err(AppError::TooLarge { what: "the state override set".into(), limit: "16 accounts".into() });
    }
    let mut checked = Map::new();
    for (address, fields) in set {
        if address.parse::<Address>().is_err() {
            return Err(AppError::invalid("state_override", "addresses as keys", address));
        }
        let Value::Object(fields) = fields else {
            return Err(AppError::invalid(format!("state_override.{address}"), "an object", fields));
        };
        let mut entry = Map::new();
        for (name, value) in fields {
            let field = format!("state_override.{address}.{name}");
            let value = match name.as_str() {
                "balance" | "nonce" => {
                    json!(quantity(&value).ok_or_else(|| { AppError::invalid(field, "a number", &value) })?)
                }
                "code" if value.is_string() => value,
                "state" | "stateDiff" if value.is_object() => value,
                _ => return Err(AppError::invalid(field, "balance, nonce, code, state or stateDiff", value)),
            };
            entry.insert(name, value);
        }
        checked.insert(address, Value::Object(entry));
    }
    Ok(Some(Value::Object(checked)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_protocol::entry_point::v07;

    #[test]
    fn state_overrides_are_normalised_and_checked() {
        let address = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
        let set = |value: Value| state_override_set(Some(value));
        assert_eq!(
            set(json!({address: {"balance": "1000", "code": "0x60"}})).unwrap(),
            Some(json!({address: {"balance": "0x3e8", "code": "0x60"}}))
        );
        assert_eq!([state_override_set(None), set(json!(null)), set(json!({}))], [Ok(None), Ok(None), Ok(None)]);
        assert!(set(json!([])).is_err());
        assert!(set(json!({"nobody": {}})).is_err());
        assert!(set(json!({address: {"balance": "much"}})).is_err());
        assert!(set(json!({address: {"storage": {}}})).is_err());
        assert!(set(json!({address: 5})).is_err());
    }

    #[test]
    fn operations_that_nobody_would_take_are_named() {
        let field = |operation: UserOperation| match check(&operation) {
            Err(AppError::InvalidInput { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(UserOperation::default()), "user_operation.sender");
        let sender = Address::repeat_byte(1);
        let init_code = vec![1, 2, 3].into();
        assert_eq!(field(UserOperation { sender, init_code, ..Default::default() }), "user_operation.initCode");
        let paymaster_and_data = vec![1; 19].into();
        assert_eq!(
            field(UserOperation { sender, paymaster_and_data, ..Default::default() }),
            "user_operation.paymasterAndData"
        );
    }

    /// AA94 on v0.7, and an operation that cannot be written down from 2^128 on.
    #[test]
    fn gas_values_that_v07_does_not_take_are_named() {
        let most = UserOperation {
            entry_point: EntryPoint::V07,
            sender: Address::repeat_byte(1),
            max_fee_per_gas: U256::from(MAX_GAS_VALUE),
            paymaster_and_data: v07::paymaster_and_data(Address::repeat_byte(2), [MAX_GAS_VALUE; 2], &[]),
            ..Default::default()
        };
        assert_eq!(check(&most), Ok(()));
        let over = U256::from(MAX_GAS_VALUE) + U256::from(1);
        let mut post_op = most.clone();
        post_op.set_paymaster_gas(PaymasterGas { verification: U256::ZERO, post_op: over });
        for (operation, name) in [
            (UserOperation { max_fee_per_gas: over, ..most.clone() }, "maxFeePerGas"),
            (UserOperation { pre_verification_gas: U256::MAX, ..most.clone() }, "preVerificationGas"),
            (post_op, "paymasterPostOpGasLimit"),
        ] {
            let Err(AppError::InvalidInput { field, .. }) = check(&operation) else { panic!("{name}") };
            assert_eq!(field, format!("user_operation.{name}"));
            let as_ever = UserOperation { entry_point: EntryPoint::V06, ..operation };
            assert_eq!(check(&as_ever), Ok(()), "v0.6 has no such bound");
        }
    }
}
