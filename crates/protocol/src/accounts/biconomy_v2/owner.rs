//! The owner's signature, which the ECDSA module judges (docs/protocol.md 2.6, 2.7).

use alloy::primitives::Bytes;

use crate::{
    addresses::ECDSA_MODULE,
    signature::{DUMMY_ECDSA, wrap},
};

/// An operation's signature by nobody: the module answers "signature failed" without reverting.
pub fn owner_stub() -> Bytes {
    owner_signature(&DUMMY_ECDSA)
}

/// An operation's signature around the owner's own, which the ECDSA module is to judge.
pub fn owner_signature(signature: &[u8; 65]) -> Bytes {
    wrap(ECDSA_MODULE, signature)
}
