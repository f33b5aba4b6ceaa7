//! The multichain module: one owner signature for operations on several chains (docs/protocol.md 8).

use alloy::{
    primitives::{B256, Bytes, aliases::U48, keccak256},
    sol_types::SolValue,
};

use super::{
    ProtocolError,
    abi::MultichainSignature,
    addresses::MULTICHAIN_MODULE,
    merkle::MerkleTree,
    session::{packed_window, uint48},
    signature,
};

/// One operation of a multichain signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultichainOperation {
    /// Hash of the operation on its chain.
    pub user_op_hash: B256,
    /// End of its window, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of its window, unix seconds.
    pub valid_after: u64,
}

impl MultichainOperation {
    /// `keccak(uint48 validUntil ‖ uint48 validAfter ‖ userOpHash)`.
    pub fn leaf(&self) -> Result<B256, ProtocolError> {
        uint48("validUntil", self.valid_until)?;
        uint48("validAfter", self.valid_after)?;
        let window = packed_window(self.valid_until, self.valid_after);
        Ok(keccak256([&window, self.user_op_hash.as_slice()].concat()))
    }
}

/// The tree whose root the owner signs with `personal_sign`.
pub fn tree(operations: &[MultichainOperation]) -> Result<MerkleTree, ProtocolError> {
    let leaves = operations.iter().map(MultichainOperation::leaf).collect::<Result<Vec<_>, _>>()?;
    if leaves.is_empty() {
        return Err(ProtocolError::invalid("userOps", "at least one operation", "none"));
    }
    Ok(MerkleTree::new(leaves))
}

/// `userOp.signature` of the operation at `index`, wrapped for the multichain module.
pub fn sign(operations: &[MultichainOperation], index: usize, owner_signature: &[u8]) -> Result<Bytes, ProtocolError> {
    let tree = tree(operations)?;
    let missing = || ProtocolError::invalid("index", format!("an operation below {}", operations.len()), index);
    let operation = operations.get(index).ok_or_else(missing)?;
    let module_signature = MultichainSignature {
        validUntil: U48::saturating_from(operation.valid_until),
        validAfter: U48::saturating_from(operation.valid_after),
        merkleRoot: tree.root().unwrap_or_default(),
        merkleProof: tree.proof(index).ok_or_else(missing)?,
        moduleSignature: owner_signature.to_vec().into(),
    };
    Ok(signature::wrap(MULTICHAIN_MODULE, &module_signature.abi_encode_params()))
}
