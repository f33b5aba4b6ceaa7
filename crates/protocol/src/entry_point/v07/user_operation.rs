//! The operation as bundlers want it (JSON-RPC of ERC-4337 v0.7), unpacked.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{ProtocolError, quantity};

/// A user operation. Serialised as bundlers want it: camelCase, quantities as minimal hex, what is absent left out.
/// Quantities are read as hex, decimal text or number. `initCode` and `paymasterAndData`, which are v0.6's, are
/// refused rather than ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOperation {
    /// The smart account.
    pub sender: Address,
    /// `key << 64 | sequence`; what a key means is the account's business.
    #[serde(with = "quantity")]
    pub nonce: U256,
    /// The factory, while the account has no code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factory: Option<Address>,
    /// Call data for the factory; `None` counts as empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factory_data: Option<Bytes>,
    /// What the account is to do.
    pub call_data: Bytes,
    /// Gas limit of the call itself. A tenth of what stays unused of it is charged.
    #[serde(with = "quantity")]
    pub call_gas_limit: U256,
    /// Gas limit of account creation and validation.
    #[serde(with = "quantity")]
    pub verification_gas_limit: U256,
    /// Gas paid to the bundler beside execution (call data, overhead).
    #[serde(with = "quantity")]
    pub pre_verification_gas: U256,
    /// Highest total fee, wei per gas.
    #[serde(with = "quantity")]
    pub max_fee_per_gas: U256,
    /// Highest tip, wei per gas.
    #[serde(with = "quantity")]
    pub max_priority_fee_per_gas: U256,
    /// The paymaster; `None` when the account pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paymaster: Option<Address>,
    /// Gas limit of the paymaster's validation; `None` counts as 0.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_quantity")]
    pub paymaster_verification_gas_limit: Option<U256>,
    /// Gas limit of the paymaster's work after the call; `None` counts as 0.
    #[serde(skip_serializing_if = "Option::is_none", with = "optional_quantity")]
    pub paymaster_post_op_gas_limit: Option<U256>,
    /// What the paymaster reads; `None` counts as empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paymaster_data: Option<Bytes>,
    /// What the account's validator reads; not covered by the hash.
    pub signature: Bytes,
}

impl UserOperation {
    /// Refuses fields that stand for nothing: data without a factory, a paymaster's fields without a paymaster.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let lonely = |field: &str, of: &str| Err(ProtocolError::invalid(field, format!("{of} beside it"), "none"));
        if self.factory.is_none() && self.factory_data.is_some() {
            return lonely("factoryData", "a factory");
        }
        if self.paymaster.is_none() {
            if self.paymaster_data.is_some() {
                return lonely("paymasterData", "a paymaster");
            }
            if self.paymaster_verification_gas_limit.is_some() {
                return lonely("paymasterVerificationGasLimit", "a paymaster");
            }
            if self.paymaster_post_op_gas_limit.is_some() {
                return lonely("paymasterPostOpGasLimit", "a paymaster");
            }
        }
        Ok(())
    }

    /// What the entry point wants to be prefunded, wei: all gas limits times the fee. Saturates instead of overflowing.
    pub fn required_prefund(&self) -> U256 {
        let of_paymaster = |limit: Option<U256>| limit.filter(|_| self.paymaster.is_some()).unwrap_or_default();
        self.verification_gas_limit
            .saturating_add(self.call_gas_limit)
            .saturating_add(of_paymaster(self.paymaster_verification_gas_limit))
            .saturating_add(of_paymaster(self.paymaster_post_op_gas_limit))
            .saturating_add(self.pre_verification_gas)
            .saturating_mul(self.max_fee_per_gas)
    }

    /// Wei per gas at this base fee.
    pub fn gas_price(&self, base_fee: U256) -> U256 {
        self.max_fee_per_gas.min(self.max_priority_fee_per_gas.saturating_add(base_fee))
    }
}

impl<'de> Deserialize<'de> for UserOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            sender: Address,
            #[serde(with = "quantity")]
            nonce: U256,
            factory: Option<Address>,
            factory_data: Option<Bytes>,
            call_data: Bytes,
            #[serde(default, with = "quantity")]
            call_gas_limit: U256,
            #[serde(default, with = "quantity")]
            verification_gas_limit: U256,
            #[serde(default, with = "quantity")]
            pre_verification_gas: U256,
            #[serde(default, with = "quantity")]
            max_fee_per_gas: U256,
            #[serde(default, with = "quantity")]
            max_priority_fee_per_gas: U256,
            paymaster: Option<Address>,
            #[serde(default, with = "optional_quantity")]
            paymaster_verification_gas_limit: Option<U256>,
            #[serde(default, with = "optional_quantity")]
            paymaster_post_op_gas_limit: Option<U256>,
            paymaster_data: Option<Bytes>,
            #[serde(default)]
            signature: Bytes,
            init_code: Option<Bytes>,
            paymaster_and_data: Option<Bytes>,
        }
        let wire = Wire::deserialize(deserializer)?;
        for (field, of_v06) in [("initCode", &wire.init_code), ("paymasterAndData", &wire.paymaster_and_data)] {
            if of_v06.is_some() {
                return Err(serde::de::Error::custom(format!("{field}: not a field of entry point v0.7")));
            }
        }
        Ok(Self {
            sender: wire.sender,
            nonce: wire.nonce,
            factory: wire.factory,
            factory_data: wire.factory_data,
            call_data: wire.call_data,
            call_gas_limit: wire.call_gas_limit,
            verification_gas_limit: wire.verification_gas_limit,
            pre_verification_gas: wire.pre_verification_gas,
            max_fee_per_gas: wire.max_fee_per_gas,
            max_priority_fee_per_gas: wire.max_priority_fee_per_gas,
            paymaster: wire.paymaster,
            paymaster_verification_gas_limit: wire.paymaster_verification_gas_limit,
            paymaster_post_op_gas_limit: wire.paymaster_post_op_gas_limit,
            paymaster_data: wire.paymaster_data,
            signature: wire.signature,
        })
    }
}

/// A quantity that may be absent.
mod optional_quantity {
    use alloy::primitives::U256;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::quantity;

    #[derive(Deserialize)]
    struct Quantity(#[serde(with = "quantity")] U256);

    pub(super) fn serialize<S: Serializer>(value: &Option<U256>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => quantity::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
        Ok(Option::<Quantity>::deserialize(deserializer)?.map(|quantity| quantity.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(json: &str) -> Result<UserOperation, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    const SENDER: &str = r#""sender":"0x0788816536DEFa6A14779711c0B08b7f0edFe68b""#;

    #[test]
    fn absent_is_absent_and_v06_is_refused() {
        let op = read(&format!(r#"{{{SENDER},"nonce":"0x5","callData":"0x"}}"#)).unwrap();
        assert_eq!((op.factory, op.paymaster, op.paymaster_post_op_gas_limit), (None, None, None));
        let json = serde_json::to_value(&op).unwrap();
        for absent in ["factory", "factoryData", "paymaster", "paymasterData", "paymasterPostOpGasLimit"] {
            assert!(json.get(absent).is_none(), "{absent}");
        }
        for field in ["initCode", "paymasterAndData"] {
            let error = read(&format!(r#"{{{SENDER},"nonce":"0x5","callData":"0x","{field}":"0x"}}"#)).unwrap_err();
            assert!(error.contains(field), "{error}");
        }
        let error = read(&format!(r#"{{{SENDER},"nonce":-1,"callData":"0x"}}"#)).unwrap_err();
        assert!(error.contains("quantity"), "{error}");
    }

    #[test]
    fn data_of_nobody_is_refused() {
        let data = Some(Bytes::from_static(&[1]));
        let good = UserOperation { paymaster: Some(Address::ZERO), paymaster_data: data.clone(), ..Default::default() };
        assert_eq!(good.check(), Ok(()));
        for (op, field) in [
            (UserOperation { factory_data: data.clone(), ..Default::default() }, "factoryData"),
            (UserOperation { paymaster_data: data, ..Default::default() }, "paymasterData"),
            (
                UserOperation { paymaster_verification_gas_limit: Some(U256::ZERO), ..Default::default() },
                "paymasterVerificationGasLimit",
            ),
            (
                UserOperation { paymaster_post_op_gas_limit: Some(U256::ZERO), ..Default::default() },
                "paymasterPostOpGasLimit",
            ),
        ] {
            assert!(op.packed().unwrap_err().to_string().starts_with(field), "{field}");
        }
    }

    #[test]
    fn a_prefund_saturates_and_a_price_is_capped() {
        let gas = |number: u64| U256::from(number);
        let op = UserOperation {
            verification_gas_limit: gas(10),
            max_fee_per_gas: U256::MAX,
            max_priority_fee_per_gas: gas(2),
            ..Default::default()
        };
        assert_eq!(op.required_prefund(), U256::MAX);
        assert_eq!(op.gas_price(gas(3)), gas(5));
        assert_eq!(UserOperation { max_fee_per_gas: gas(4), ..op }.gas_price(gas(3)), gas(4));
    }
}
