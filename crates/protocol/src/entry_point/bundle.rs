//! Operations in a bundle: the input of the transaction that bundlers send.

use alloy::{
    primitives::{Address, Bytes},
    sol_types::{SolCall, SolValue},
};

use super::{
    EntryPoint, UserOperation,
    v06::IEntryPoint,
    v07::{self, PackedUserOperation, abi::IEntryPointV07},
};
use crate::{ProtocolError, abi::decode};

impl EntryPoint {
    /// Call data of `handleOps`.
    ///
    /// # Errors
    /// `Invalid` with the field for an operation of another version, and for one that contracts cannot see.
    pub fn handle_ops(self, operations: Vec<UserOperation>, beneficiary: Address) -> Result<Bytes, ProtocolError> {
        if let Some(other) = operations.iter().find(|operation| operation.entry_point != self) {
            let expected = format!("an operation of entry point {self}");
            return Err(ProtocolError::invalid("operations", expected, other.entry_point));
        }
        let call = match self {
            Self::V06 => {
                let operations = operations.into_iter().map(Into::into).collect();
                IEntryPoint::handleOpsCall { operations, beneficiary }.abi_encode()
            }
            Self::V07 => {
                let ops = operations.iter().map(v07::pack).collect::<Result<_, _>>()?;
                IEntryPointV07::handleOpsCall { ops, beneficiary }.abi_encode()
            }
        };
        Ok(call.into())
    }

    /// The operations in the input of a mined transaction; none for what is no `handleOps` of this version.
    ///
    /// # Errors
    /// `Invalid` for one that is not encoded as it should be.
    pub fn operations_in(self, input: &[u8]) -> Result<Vec<UserOperation>, ProtocolError> {
        let unreadable = |error| ProtocolError::invalid("input", "canonical arguments of handleOps", error);
        match (self, input.first_chunk()) {
            (Self::V06, Some(&IEntryPoint::handleOpsCall::SELECTOR)) => {
                let call = decode::mined_call::<IEntryPoint::handleOpsCall>(input).map_err(unreadable)?;
                Ok(call.operations.into_iter().map(Into::into).collect())
            }
            (Self::V07, Some(&IEntryPointV07::handleOpsCall::SELECTOR)) => {
                let call = decode::mined_call::<IEntryPointV07::handleOpsCall>(input).map_err(unreadable)?;
                call.ops.iter().map(v07::unpack).collect()
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl UserOperation {
    /// ABI encoding of what contracts see: its bytes are what a bundler pays for. What contracts cannot see counts as
    /// much as the largest that they can.
    pub fn abi_encoded(&self) -> Vec<u8> {
        match self.entry_point {
            EntryPoint::V06 => IEntryPoint::Operation::from(self.clone()).abi_encode(),
            EntryPoint::V07 => PackedUserOperation::saturating(self).abi_encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_version_reads_its_own_bundles_only() {
        let beneficiary = Address::repeat_byte(7);
        for entry_point in EntryPoint::ALL {
            let operation = UserOperation { entry_point, signature: vec![1; 65].into(), ..UserOperation::default() };
            let bundle = entry_point.handle_ops(vec![operation.clone(); 2], beneficiary).unwrap();
            assert_eq!(entry_point.operations_in(&bundle).unwrap(), vec![operation.clone(); 2]);
            assert!(entry_point.operations_in(&bundle[..bundle.len() - 32]).is_err(), "{entry_point}");
            assert!(entry_point.operations_in(&[]).unwrap().is_empty());
            for other in EntryPoint::ALL.into_iter().filter(|other| *other != entry_point) {
                assert!(other.operations_in(&bundle).unwrap().is_empty());
                let error = other.handle_ops(vec![operation.clone()], beneficiary).unwrap_err().to_string();
                assert!(error.contains(&other.to_string()), "{error}");
            }
            // Head of the call, the list's offset and length, and where each of them begins.
            let once = operation.abi_encoded().len() - 32;
            assert_eq!(bundle.len(), 4 + 3 * 32 + 2 * (32 + once), "{entry_point}");
        }
    }
}
