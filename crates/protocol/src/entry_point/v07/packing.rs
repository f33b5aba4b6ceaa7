//! From the operation as bundlers want it to the one that contracts see, and back (vectors 15).
//!
//! Two words hold two numbers each, the one that sounds smaller first: verification gas before call gas, tip before
//! fee.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::{packed::PackedUserOperation, user_operation::UserOperation};
use crate::ProtocolError;

impl UserOperation {
    /// As contracts see it.
    ///
    /// # Errors
    /// As [`Self::check`]; and for a gas value that does not fit into 128 bits, with its field.
    pub fn packed(&self) -> Result<PackedUserOperation, ProtocolError> {
        self.check()?;
        let paymaster_gas = [
            ("paymasterVerificationGasLimit", self.paymaster_verification_gas_limit),
            ("paymasterPostOpGasLimit", self.paymaster_post_op_gas_limit),
        ]
        .map(|(field, limit)| (field, limit.unwrap_or_default()));
        let paymaster_gas = two_halves(paymaster_gas)?;
        let data = |data: &Option<Bytes>| data.clone().unwrap_or_default();
        Ok(PackedUserOperation {
            sender: self.sender,
            nonce: self.nonce,
            initCode: match self.factory {
                Some(factory) => [factory.as_slice(), &data(&self.factory_data)].concat().into(),
                None => Bytes::new(),
            },
            callData: self.call_data.clone(),
            accountGasLimits: two_halves([
                ("verificationGasLimit", self.verification_gas_limit),
                ("callGasLimit", self.call_gas_limit),
            ])?,
            preVerificationGas: self.pre_verification_gas,
            gasFees: two_halves([
                ("maxPriorityFeePerGas", self.max_priority_fee_per_gas),
                ("maxFeePerGas", self.max_fee_per_gas),
            ])?,
            paymasterAndData: match self.paymaster {
                Some(paymaster) => {
                    [paymaster.as_slice(), paymaster_gas.as_slice(), &data(&self.paymaster_data)].concat().into()
                }
                None => Bytes::new(),
            },
            signature: self.signature.clone(),
        })
    }

    /// `EntryPoint.getUserOpHash`: what validators sign.
    ///
    /// # Errors
    /// As [`Self::packed`].
    pub fn hash(&self, entry_point: Address, chain_id: u64) -> Result<B256, ProtocolError> {
        Ok(self.packed()?.hash(entry_point, chain_id))
    }
}

/// The operation as bundlers want it, of what stands in a bundle.
///
/// # Errors
/// `Invalid` with the field for an `initCode` of 1 to 19 bytes and a `paymasterAndData` of 1 to 51 bytes (the entry
/// point's AA93).
pub fn unpack(packed: &PackedUserOperation) -> Result<UserOperation, ProtocolError> {
    let (factory, factory_data) = match packed.initCode.split_first_chunk::<20>() {
        Some((factory, data)) => (Some(Address::from(factory)), Some(Bytes::copy_from_slice(data))),
        None if packed.initCode.is_empty() => (None, None),
        None => return Err(ProtocolError::invalid("initCode", "nothing, or a factory and its data", &packed.initCode)),
    };
    let [verification_gas_limit, call_gas_limit] = halves(packed.accountGasLimits);
    let [max_priority_fee_per_gas, max_fee_per_gas] = halves(packed.gasFees);
    let mut op = UserOperation {
        sender: packed.sender,
        nonce: packed.nonce,
        factory,
        factory_data,
        call_data: packed.callData.clone(),
        call_gas_limit,
        verification_gas_limit,
        pre_verification_gas: packed.preVerificationGas,
        max_fee_per_gas,
        max_priority_fee_per_gas,
        signature: packed.signature.clone(),
        ..UserOperation::default()
    };
    if packed.paymasterAndData.is_empty() {
        return Ok(op);
    }
    let (paymaster, rest) = packed.paymasterAndData.split_first_chunk::<20>().unzip();
    let (gas, data) = rest.and_then(|rest| rest.split_first_chunk::<32>()).unzip();
    let (Some(paymaster), Some(gas), Some(data)) = (paymaster, gas, data) else {
        let expected = "nothing, or a paymaster, its two gas limits and its data";
        return Err(ProtocolError::invalid("paymasterAndData", expected, &packed.paymasterAndData));
    };
    let [verification, post_op] = halves(B256::from(gas));
    op.paymaster = Some(Address::from(paymaster));
    op.paymaster_verification_gas_limit = Some(verification);
    op.paymaster_post_op_gas_limit = Some(post_op);
    op.paymaster_data = Some(Bytes::copy_from_slice(data));
    Ok(op)
}

/// Two numbers of 16 bytes in one word.
fn two_halves(numbers: [(&str, U256); 2]) -> Result<B256, ProtocolError> {
    for (field, number) in numbers {
        if number.bit_len() > 128 {
            return Err(ProtocolError::invalid(field, "less than 2^128", format!("{number:#x}")));
        }
    }
    let [(_, high), (_, low)] = numbers;
    Ok(B256::from((high << 128) | low))
}

fn halves(word: B256) -> [U256; 2] {
    let word = U256::from_be_bytes(word.0);
    [word >> 128, word & U256::from(u128::MAX)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, b256};

    use super::*;
    use crate::entry_point::v07::ENTRY_POINT;

    /// vectors/15, case "all zero", computed by the EntryPoint contract.
    #[test]
    fn the_hash_is_the_entry_points() {
        let sender = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
        let op = UserOperation { sender, ..UserOperation::default() };
        let expected = b256!("f5fa26cfc1f0fe8d06aa637ead5e3fc41a0738d794e989967e8b1dfade9f1398");
        assert_eq!(op.hash(ENTRY_POINT, 31337).unwrap(), expected);
    }

    #[test]
    fn what_does_not_fit_or_is_cut_off_names_its_field() {
        let too_much = U256::from(1) << 128;
        let most = UserOperation { max_fee_per_gas: too_much - U256::from(1), ..Default::default() };
        assert!(most.packed().is_ok());
        for (op, field) in [
            (UserOperation { call_gas_limit: too_much, ..Default::default() }, "callGasLimit"),
            (UserOperation { max_priority_fee_per_gas: too_much, ..Default::default() }, "maxPriorityFeePerGas"),
        ] {
            assert!(op.packed().unwrap_err().to_string().starts_with(field));
        }
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
        }
    }
}
