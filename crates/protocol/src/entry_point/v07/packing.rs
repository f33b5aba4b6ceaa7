//! From an operation to the one that contracts see, and back; its hash (vectors 15).
//!
//! Two words hold two numbers each, the one that sounds smaller first: verification gas before call gas, tip before
//! fee.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};

use super::packed::PackedUserOperation;
use crate::{
    ProtocolError,
    entry_point::{EntryPoint, UserOperation},
};

/// Where the paymaster's own data begin in `paymasterAndData`: address and two gas limits stand before.
pub const PAYMASTER_DATA_OFFSET: usize = 52;

/// As contracts see it.
///
/// # Errors
/// `Invalid` with the field for a gas value that does not fit into 128 bits, and for a `paymasterAndData` of 1 to 51
/// bytes (the entry point's AA93).
pub fn pack(op: &UserOperation) -> Result<PackedUserOperation, ProtocolError> {
    for (field, number) in [
        ("verificationGasLimit", op.verification_gas_limit),
        ("callGasLimit", op.call_gas_limit),
        ("maxPriorityFeePerGas", op.max_priority_fee_per_gas),
        ("maxFeePerGas", op.max_fee_per_gas),
    ] {
        check_half(field, number)?;
    }
    check_lengths(&op.init_code, &op.paymaster_and_data)?;
    Ok(PackedUserOperation::saturating(op))
}

impl PackedUserOperation {
    /// [`pack`], where a gas value that does not fit counts as the largest that does.
    pub(in crate::entry_point) fn saturating(op: &UserOperation) -> Self {
        Self {
            sender: op.sender,
            nonce: op.nonce,
            initCode: op.init_code.clone(),
            callData: op.call_data.clone(),
            accountGasLimits: account_gas_limits(op),
            preVerificationGas: op.pre_verification_gas,
            gasFees: gas_fees(op),
            paymasterAndData: op.paymaster_and_data.clone(),
            signature: op.signature.clone(),
        }
    }
}

/// The operation in a bundle.
///
/// # Errors
/// `Invalid` with the field for an `initCode` of 1 to 19 bytes and a `paymasterAndData` of 1 to 51 bytes (the entry
/// point's AA93).
pub fn unpack(packed: &PackedUserOperation) -> Result<UserOperation, ProtocolError> {
    check_lengths(&packed.initCode, &packed.paymasterAndData)?;
    let [verification_gas_limit, call_gas_limit] = halves(packed.accountGasLimits);
    let [max_priority_fee_per_gas, max_fee_per_gas] = halves(packed.gasFees);
    Ok(UserOperation {
        entry_point: EntryPoint::V07,
        sender: packed.sender,
        nonce: packed.nonce,
        init_code: packed.initCode.clone(),
        call_data: packed.callData.clone(),
        call_gas_limit,
        verification_gas_limit,
        pre_verification_gas: packed.preVerificationGas,
        max_fee_per_gas,
        max_priority_fee_per_gas,
        paymaster_and_data: packed.paymasterAndData.clone(),
        signature: packed.signature.clone(),
    })
}

fn check_lengths(init_code: &Bytes, paymaster_and_data: &Bytes) -> Result<(), ProtocolError> {
    if matches!(init_code.len(), 1..20) {
        return Err(ProtocolError::invalid("initCode", "nothing, or a factory and its data", init_code));
    }
    if matches!(paymaster_and_data.len(), 1..PAYMASTER_DATA_OFFSET) {
        let expected = "nothing, or a paymaster, its two gas limits and its data";
        return Err(ProtocolError::invalid("paymasterAndData", expected, paymaster_and_data));
    }
    Ok(())
}

/// `initCode`: the factory and its call data.
pub fn init_code(factory: Address, data: &[u8]) -> Bytes {
    [factory.as_slice(), data].concat().into()
}

/// `paymasterAndData`: the paymaster, gas limits of its validation and of its work after the call, and what it reads.
pub fn paymaster_and_data(paymaster: Address, [verification, post_op]: [u128; 2], data: &[u8]) -> Bytes {
    [paymaster.as_slice(), &verification.to_be_bytes(), &post_op.to_be_bytes(), data].concat().into()
}

/// Gas limits in `paymasterAndData`, of the paymaster's validation and of its work after the call; 0 without one.
pub fn paymaster_gas_limits(paymaster_and_data: &[u8]) -> [U256; 2] {
    paymaster_and_data.get(20..PAYMASTER_DATA_OFFSET).map(B256::from_slice).map(halves).unwrap_or_default()
}

/// The eight words whose hash goes into the operation's.
pub(in crate::entry_point) fn hashed_words(op: &UserOperation) -> Vec<u8> {
    (
        op.sender,
        op.nonce,
        keccak256(&op.init_code),
        keccak256(&op.call_data),
        account_gas_limits(op),
        op.pre_verification_gas,
        gas_fees(op),
        keccak256(&op.paymaster_and_data),
    )
        .abi_encode()
}

/// All gas limits.
pub(in crate::entry_point) fn gas_limit(op: &UserOperation) -> U256 {
    let [verification, post_op] = paymaster_gas_limits(&op.paymaster_and_data);
    op.verification_gas_limit
        .saturating_add(op.call_gas_limit)
        .saturating_add(verification)
        .saturating_add(post_op)
        .saturating_add(op.pre_verification_gas)
}

fn account_gas_limits(op: &UserOperation) -> B256 {
    two_halves(op.verification_gas_limit, op.call_gas_limit)
}

fn gas_fees(op: &UserOperation) -> B256 {
    two_halves(op.max_priority_fee_per_gas, op.max_fee_per_gas)
}

/// Two numbers of 16 bytes in one word; a larger one counts as the largest, which the entry point refuses just so
/// ([`super::MAX_GAS_VALUE`]).
fn two_halves(high: U256, low: U256) -> B256 {
    let [high, low] = [high, low].map(|number| number.min(U256::from(u128::MAX)));
    B256::from((high << 128) | low)
}

pub(super) fn halves(word: B256) -> [U256; 2] {
    let word = U256::from_be_bytes(word.0);
    [word >> 128, word & U256::from(u128::MAX)]
}

pub(super) fn check_half(field: &str, number: U256) -> Result<(), ProtocolError> {
    match number.bit_len() > 128 {
        true => Err(ProtocolError::invalid(field, "less than 2^128", format!("{number:#x}"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, b256};

    use super::*;

    fn operation() -> UserOperation {
        UserOperation { entry_point: EntryPoint::V07, ..UserOperation::default() }
    }

    /// vectors/15, case "all zero", computed by the EntryPoint contract.
    #[test]
    fn the_hash_is_the_entry_points() {
        let sender = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
        let op = UserOperation { sender, ..operation() };
        let expected = b256!("f5fa26cfc1f0fe8d06aa637ead5e3fc41a0738d794e989967e8b1dfade9f1398");
        assert_eq!(op.hash(31337), expected);
    }

    #[test]
    fn what_does_not_fit_or_is_cut_off_names_its_field() {
        let too_much = U256::from(1) << 128;
        let most = UserOperation { max_fee_per_gas: too_much - U256::from(1), ..operation() };
        assert!(pack(&most).is_ok());
        for (op, field) in [
            (UserOperation { call_gas_limit: too_much, ..operation() }, "callGasLimit"),
            (UserOperation { max_priority_fee_per_gas: too_much, ..operation() }, "maxPriorityFeePerGas"),
        ] {
            assert!(pack(&op).unwrap_err().to_string().starts_with(field));
        }
        // Hashed as an operation that the entry point takes just as little, and never as a smaller one.
        assert_eq!(UserOperation { max_fee_per_gas: U256::MAX, ..operation() }.hash(1), most.hash(1));
        let bytes = |length: usize| Bytes::from(vec![1; length]);
        for (init_code, paymaster, fine) in
            [(0, 0, true), (20, 52, true), (19, 0, false), (0, 1, false), (0, 51, false)]
        {
            let packed = PackedUserOperation {
                initCode: bytes(init_code),
                paymasterAndData: bytes(paymaster),
                ..Default::default()
            };
            assert_eq!(unpack(&packed).is_ok(), fine, "{init_code} {paymaster}");
            let op = UserOperation { init_code: bytes(init_code), paymaster_and_data: bytes(paymaster), ..operation() };
            assert_eq!(pack(&op).is_ok(), fine, "{init_code} {paymaster}");
        }
    }
}
