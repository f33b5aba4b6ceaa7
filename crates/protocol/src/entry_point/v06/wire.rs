//! The operation as bundlers want it: camelCase, quantities as minimal hex, every field there.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Serialize, de::Error};

use crate::{
    entry_point::{EntryPoint, UserOperation, wire},
    quantity,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::entry_point) struct Wire<'a> {
    sender: Address,
    #[serde(with = "quantity")]
    nonce: U256,
    init_code: &'a Bytes,
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
    paymaster_and_data: &'a Bytes,
    signature: &'a Bytes,
}

impl<'a> From<&'a UserOperation> for Wire<'a> {
    fn from(op: &'a UserOperation) -> Self {
        Self {
            sender: op.sender,
            nonce: op.nonce,
            init_code: &op.init_code,
            call_data: &op.call_data,
            call_gas_limit: op.call_gas_limit,
            verification_gas_limit: op.verification_gas_limit,
            pre_verification_gas: op.pre_verification_gas,
            max_fee_per_gas: op.max_fee_per_gas,
            max_priority_fee_per_gas: op.max_priority_fee_per_gas,
            paymaster_and_data: &op.paymaster_and_data,
            signature: &op.signature,
        }
    }
}

pub(in crate::entry_point) fn read<E: Error>(wire: wire::Wire) -> Result<UserOperation, E> {
    let entry_point = EntryPoint::V06;
    wire::foreign(wire.factory.map(|it| ("factory", it)), entry_point)?;
    wire::foreign(wire.factory_data.map(|it| ("factoryData", it)), entry_point)?;
    wire::foreign(wire.paymaster.map(|it| ("paymaster", it)), entry_point)?;
    let limit = wire.paymaster_verification_gas_limit;
    wire::foreign(limit.map(|it| ("paymasterVerificationGasLimit", it)), entry_point)?;
    wire::foreign(wire.paymaster_post_op_gas_limit.map(|it| ("paymasterPostOpGasLimit", it)), entry_point)?;
    wire::foreign(wire.paymaster_data.map(|it| ("paymasterData", it)), entry_point)?;
    let missing = |field: &'static str| move || E::missing_field(field);
    Ok(UserOperation {
        entry_point,
        sender: wire.sender,
        nonce: wire.nonce,
        init_code: wire.init_code.ok_or_else(missing("initCode"))?,
        call_data: wire.call_data,
        call_gas_limit: wire.call_gas_limit.ok_or_else(missing("callGasLimit"))?,
        verification_gas_limit: wire.verification_gas_limit.ok_or_else(missing("verificationGasLimit"))?,
        pre_verification_gas: wire.pre_verification_gas.ok_or_else(missing("preVerificationGas"))?,
        max_fee_per_gas: wire.max_fee_per_gas.ok_or_else(missing("maxFeePerGas"))?,
        max_priority_fee_per_gas: wire.max_priority_fee_per_gas.ok_or_else(missing("maxPriorityFeePerGas"))?,
        paymaster_and_data: wire.paymaster_and_data.ok_or_else(missing("paymasterAndData"))?,
        signature: wire.signature,
    })
}
