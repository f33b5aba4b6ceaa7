//! The operation as bundlers want it (JSON-RPC of ERC-4337 v0.7), unpacked: camelCase, quantities as minimal hex, what is
//! absent left out.

use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Serialize, de::Error};

use super::packing::{PAYMASTER_DATA_OFFSET, check_half, halves, init_code};
use crate::{
    ProtocolError,
    abi::decode::MAX_BYTES,
    entry_point::{EntryPoint, UserOperation, wire},
    quantity,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::entry_point) struct Wire<'a> {
    sender: Address,
    #[serde(with = "quantity")]
    nonce: U256,
    #[serde(flatten)]
    factory: Option<Factory>,
    call_data: &'a Bytes,
    #[serde(with = "quantity")]
    call_gas_limit: U256,
    #[serde(with = "quantity")]
    verification_gas_limit: U256,
    #[serde(with = "quantity")]
    pre_verification_gas: U256,
    #[serde(with = "quantity")]
    max_fee_per_gas: U256,
    #[serde(with = "quantity")]
    max_priority_fee_per_gas: U256,
    #[serde(flatten)]
    paymaster: Option<Paymaster>,
    signature: &'a Bytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Factory {
    factory: Address,
    factory_data: Bytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paymaster {
    paymaster: Address,
    #[serde(with = "quantity")]
    paymaster_verification_gas_limit: U256,
    #[serde(with = "quantity")]
    paymaster_post_op_gas_limit: U256,
    paymaster_data: Bytes,
}

impl<'a> TryFrom<&'a UserOperation> for Wire<'a> {
    type Error = ProtocolError;

    fn try_from(op: &'a UserOperation) -> Result<Self, ProtocolError> {
        Ok(Self {
            sender: op.sender,
            nonce: op.nonce,
            factory: factory(&op.init_code)?,
            call_data: &op.call_data,
            call_gas_limit: op.call_gas_limit,
            verification_gas_limit: op.verification_gas_limit,
            pre_verification_gas: op.pre_verification_gas,
            max_fee_per_gas: op.max_fee_per_gas,
            max_priority_fee_per_gas: op.max_priority_fee_per_gas,
            paymaster: paymaster(&op.paymaster_and_data)?,
            signature: &op.signature,
        })
    }
}

fn factory(init_code: &Bytes) -> Result<Option<Factory>, ProtocolError> {
    match init_code.split_first_chunk::<20>() {
        Some((factory, _)) => Ok(Some(Factory { factory: factory.into(), factory_data: init_code.slice(20..) })),
        None if init_code.is_empty() => Ok(None),
        None => Err(ProtocolError::invalid("initCode", "nothing, or a factory and its data", init_code)),
    }
}

fn paymaster(paymaster_and_data: &Bytes) -> Result<Option<Paymaster>, ProtocolError> {
    if paymaster_and_data.is_empty() {
        return Ok(None);
    }
    let (paymaster, rest) = paymaster_and_data.split_first_chunk::<20>().unzip();
    let (Some(paymaster), Some((gas, _))) = (paymaster, rest.and_then(|rest| rest.split_first_chunk::<32>())) else {
        let expected = "nothing, or a paymaster, its two gas limits and its data";
        return Err(ProtocolError::invalid("paymasterAndData", expected, paymaster_and_data));
    };
    let [paymaster_verification_gas_limit, paymaster_post_op_gas_limit] = halves(B256::from(gas));
    Ok(Some(Paymaster {
        paymaster: paymaster.into(),
        paymaster_verification_gas_limit,
        paymaster_post_op_gas_limit,
        paymaster_data: paymaster_and_data.slice(PAYMASTER_DATA_OFFSET..),
    }))
}

/// Refuses what no contract can be told: fields that stand for nothing (data without a factory, a paymaster's without a
/// paymaster), numbers and bytes that are too long.
pub(in crate::entry_point) fn read<E: Error>(wire: wire::Wire) -> Result<UserOperation, E> {
    wire::foreign(wire.paymaster_and_data.map(|it| ("paymasterAndData", it)), EntryPoint::V07)?;
    let lonely = |field: &str, of: &str| Err(E::custom(format!("{field}: {of} is missing")));
    let data = [&wire.factory_data, &wire.paymaster_data];
    for (field, bytes) in ["factoryData", "paymasterData"]
        .into_iter()
        .zip(data)
        .filter_map(|(field, bytes)| Some((field, bytes.as_ref()?)))
        .chain([("callData", &wire.call_data), ("signature", &wire.signature)])
    {
        if bytes.len() > MAX_BYTES {
            return Err(E::custom(format!("{field}: expected at most {MAX_BYTES} bytes, got {}", bytes.len())));
        }
    }
    let half = |field: &str, number: Option<U256>| {
        let number = number.unwrap_or_default();
        check_half(field, number).map(|()| number).map_err(E::custom)
    };
    let init_code = match (wire.factory, wire.factory_data) {
        (Some(factory), data) => init_code(factory, &data.unwrap_or_default()),
        (None, None) => Bytes::new(),
        (None, Some(_)) => return lonely("factoryData", "factory"),
    };
    let [verification, post_op] = [wire.paymaster_verification_gas_limit, wire.paymaster_post_op_gas_limit];
    let paymaster_and_data = match wire.paymaster {
        Some(paymaster) => {
            let limits =
                [half("paymasterVerificationGasLimit", verification)?, half("paymasterPostOpGasLimit", post_op)?];
            super::packing::paymaster_and_data(
                paymaster,
                limits.map(|limit| limit.saturating_to()),
                &wire.paymaster_data.unwrap_or_default(),
            )
        }
        None if verification.is_some() => return lonely("paymasterVerificationGasLimit", "paymaster"),
        None if post_op.is_some() => return lonely("paymasterPostOpGasLimit", "paymaster"),
        None if wire.paymaster_data.is_some() => return lonely("paymasterData", "paymaster"),
        None => Bytes::new(),
    };
    Ok(UserOperation {
        entry_point: EntryPoint::V07,
        sender: wire.sender,
        nonce: wire.nonce,
        init_code,
        call_data: wire.call_data,
        call_gas_limit: half("callGasLimit", wire.call_gas_limit)?,
        verification_gas_limit: half("verificationGasLimit", wire.verification_gas_limit)?,
        pre_verification_gas: wire.pre_verification_gas.unwrap_or_default(),
        max_fee_per_gas: half("maxFeePerGas", wire.max_fee_per_gas)?,
        max_priority_fee_per_gas: half("maxPriorityFeePerGas", wire.max_priority_fee_per_gas)?,
        paymaster_and_data,
        signature: wire.signature,
    })
}
