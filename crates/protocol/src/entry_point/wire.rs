//! Operations as JSON. Each version has a shape of its own and no field says which it is: `initCode`, which v0.6 always
//! has and v0.7 never, tells them apart. A mixture of both is an error, as each side would read another operation.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EntryPoint, UserOperation, v06, v07};

/// The fields of all versions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    pub(super) sender: Address,
    #[serde(with = "crate::quantity")]
    pub(super) nonce: U256,
    pub(super) init_code: Option<Bytes>,
    pub(super) factory: Option<Address>,
    pub(super) factory_data: Option<Bytes>,
    pub(super) call_data: Bytes,
    #[serde(default, with = "optional_quantity")]
    pub(super) call_gas_limit: Option<U256>,
    #[serde(default, with = "optional_quantity")]
    pub(super) verification_gas_limit: Option<U256>,
    #[serde(default, with = "optional_quantity")]
    pub(super) pre_verification_gas: Option<U256>,
    #[serde(default, with = "optional_quantity")]
    pub(super) max_fee_per_gas: Option<U256>,
    #[serde(default, with = "optional_quantity")]
    pub(super) max_priority_fee_per_gas: Option<U256>,
    pub(super) paymaster_and_data: Option<Bytes>,
    pub(super) paymaster: Option<Address>,
    #[serde(default, with = "optional_quantity")]
    pub(super) paymaster_verification_gas_limit: Option<U256>,
    #[serde(default, with = "optional_quantity")]
    pub(super) paymaster_post_op_gas_limit: Option<U256>,
    pub(super) paymaster_data: Option<Bytes>,
    #[serde(default)]
    pub(super) signature: Bytes,
    eip7702_auth: Option<serde::de::IgnoredAny>,
}

/// A field that the version has not.
pub(super) fn foreign<T, E: serde::de::Error>(field: Option<(&str, T)>, version: EntryPoint) -> Result<(), E> {
    match field {
        Some((field, _)) => Err(E::custom(format!(
            "{field}: not a field of entry point {version} (an operation with initCode is for v0.6, one without for v0.7)"
        ))),
        None => Ok(()),
    }
}

impl Serialize for UserOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.entry_point {
            EntryPoint::V06 => v06::wire::Wire::from(self).serialize(serializer),
            EntryPoint::V07 => {
                v07::wire::Wire::try_from(self).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for UserOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        if wire.eip7702_auth.is_some() {
            return Err(serde::de::Error::custom("eip7702Auth: such accounts are not served here"));
        }
        if wire.init_code.is_some() { v06::wire::read(wire) } else { v07::wire::read(wire) }
    }
}

/// A quantity that may be absent.
mod optional_quantity {
    use alloy::primitives::U256;
    use serde::{Deserialize, Deserializer};

    use crate::quantity;

    #[derive(Deserialize)]
    struct Quantity(#[serde(with = "quantity")] U256);

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
        Ok(Option::<Quantity>::deserialize(deserializer)?.map(|quantity| quantity.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const SENDER: &str = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";

    fn with(fields: serde_json::Value) -> serde_json::Value {
        let mut op = json!({"sender": SENDER, "nonce": "0x5", "callData": "0x"});
        op.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        op
    }

    fn read(fields: serde_json::Value) -> Result<UserOperation, String> {
        serde_json::from_value(with(fields)).map_err(|error| error.to_string())
    }

    /// A whole one of v0.6.
    fn of_v06(fields: serde_json::Value) -> serde_json::Value {
        let mut op = json!({"initCode": "0x", "callGasLimit": 1, "verificationGasLimit": "2", "preVerificationGas": "0x3",
            "maxFeePerGas": 4, "maxPriorityFeePerGas": 5, "paymasterAndData": "0x"});
        op.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        op
    }

    /// Byte for byte what pages and servers exchange, and stores hold, since the first release.
    #[test]
    fn v06_is_written_as_ever() {
        let op = read(of_v06(json!({}))).unwrap();
        assert_eq!(op.entry_point, EntryPoint::V06);
        let expected = concat!(
            r#"{"sender":"0x0788816536defa6a14779711c0b08b7f0edfe68b","nonce":"0x5","initCode":"0x","callData":"0x","#,
            r#""callGasLimit":"0x1","verificationGasLimit":"0x2","preVerificationGas":"0x3","maxFeePerGas":"0x4","#,
            r#""maxPriorityFeePerGas":"0x5","paymasterAndData":"0x","signature":"0x"}"#
        );
        assert_eq!(serde_json::to_string(&op).unwrap(), expected);
        assert_eq!(serde_json::from_str::<UserOperation>(expected).unwrap(), op);
    }

    #[test]
    fn absent_is_absent_in_v07() {
        let op = read(json!({})).unwrap();
        assert_eq!((op.entry_point, op.factory(), op.paymaster()), (EntryPoint::V07, None, None));
        let json = serde_json::to_value(&op).unwrap();
        for absent in ["initCode", "factory", "factoryData", "paymasterAndData", "paymaster", "paymasterPostOpGasLimit"]
        {
            assert!(json.get(absent).is_none(), "{absent}");
        }
        assert_eq!(serde_json::from_value::<UserOperation>(json).unwrap(), op);
    }

    #[test]
    fn a_mixture_is_refused_and_names_the_field() {
        let word = format!("0x1{}", "0".repeat(32));
        for (fields, field) in [
            (of_v06(json!({"factory": SENDER})), "factory"),
            (of_v06(json!({"factoryData": "0x"})), "factoryData"),
            (of_v06(json!({"paymaster": SENDER})), "paymaster"),
            (of_v06(json!({"paymasterVerificationGasLimit": "0x0"})), "paymasterVerificationGasLimit"),
            (of_v06(json!({"paymasterPostOpGasLimit": "0x0"})), "paymasterPostOpGasLimit"),
            (of_v06(json!({"paymasterData": "0x"})), "paymasterData"),
            (of_v06(json!({"callGasLimit": null})), "callGasLimit"),
            (json!({"initCode": "0x"}), "callGasLimit"),
            (json!({"paymasterAndData": "0x"}), "paymasterAndData"),
            (json!({"paymasterAndData": "0x", "factory": SENDER}), "paymasterAndData"),
            (json!({"factoryData": "0x"}), "factoryData"),
            (json!({"paymasterData": "0x"}), "paymasterData"),
            (json!({"paymasterVerificationGasLimit": "0x0"}), "paymasterVerificationGasLimit"),
            (json!({"paymasterPostOpGasLimit": "0x0"}), "paymasterPostOpGasLimit"),
            (json!({"callGasLimit": word}), "callGasLimit"),
            (json!({"maxPriorityFeePerGas": word}), "maxPriorityFeePerGas"),
            (json!({"paymaster": SENDER, "paymasterPostOpGasLimit": word}), "paymasterPostOpGasLimit"),
            (json!({"factory": SENDER, "factoryData": format!("0x{}", "00".repeat(128 * 1024 + 1))}), "factoryData"),
            (json!({"eip7702Auth": {"chainId": "0x1"}}), "eip7702Auth"),
            (json!({"nonce": -1}), "quantity"),
        ] {
            let error = read(fields).unwrap_err();
            assert!(error.contains(field), "{field}: {error}");
        }
    }

    /// `null` for what is not there, as some clients write it.
    #[test]
    fn null_is_absent() {
        let op = read(json!({"initCode": null, "factory": null, "paymaster": null, "eip7702Auth": null})).unwrap();
        assert_eq!(op, read(json!({})).unwrap());
        let op = read(of_v06(json!({"factory": null, "paymasterData": null}))).unwrap();
        assert_eq!(op, read(of_v06(json!({}))).unwrap());
    }

    #[test]
    fn what_is_no_paymasters_is_not_written() {
        let short = UserOperation {
            entry_point: EntryPoint::V07,
            paymaster_and_data: vec![1; 51].into(),
            ..UserOperation::default()
        };
        assert!(serde_json::to_string(&short).unwrap_err().to_string().starts_with("paymasterAndData"));
    }
}
