//! Signatures of user operations: the wrapper that names the module, the module signatures of the
//! session modules, and the dummies for gas estimation (docs/protocol.md 2.6, 2.7, 3.5, 3.6).

use alloy::{
    primitives::{Address, B256, Bytes, aliases::U48, eip191_hash_message, hex},
    sol_types::SolValue,
};

use super::{
    ProtocolError,
    abi::{
        BatchedRouterSignature, CounterfactualSignature, RouterSession, SessionKeyManagerSignature, WrappedSignature,
        decode,
    },
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0},
    session::SessionLeaf,
};

/// A well-formed ECDSA signature of nobody: the module answers "signature failed" without reverting.
pub const DUMMY_ECDSA: [u8; 65] = hex!(
    "81d4b4981670cb18f99f0b4a66446df1bf5b204d24cfcb659bf38ba27a4359b5"
    "711649ec2423c5e1247245eba2964679b6a1dbb85c992ae40b9b00c6935b02ff1b"
);

/// The session signature inside a dummy of the session modules; leaf and proof around it are real.
pub const DUMMY_SESSION: [u8; 65] = hex!(
    "73c3ac716c487ca34bb858247b5ccf1dc354fbaabdd089af3b2ac8e78ba85a49"
    "59a2d76250325bd67c11771c31fccda87c33ceec17cc0de912690521bb95ffcb1b"
);

/// What ends a signature of an account that has no code yet (ERC-6492).
const ERC_6492_MAGIC: [u8; 32] = hex!("6492649264926492649264926492649264926492649264926492649264926492");

/// `userOp.signature`: the module signature and the module that is to judge it. Canonical, so that
/// modules which read at fixed position 96 accept it, too.
pub fn wrap(module: Address, module_signature: &[u8]) -> Bytes {
    let wrapped = WrappedSignature { moduleSignature: module_signature.to_vec().into(), validationModule: module };
    wrapped.abi_encode_params().into()
}

/// Module and module signature inside `userOp.signature`, when the wrapper is canonical.
pub fn unwrap(signature: &[u8]) -> Result<(Address, Bytes), ProtocolError> {
    decode::params::<WrappedSignature>(signature)
        .map(|wrapped| (wrapped.validationModule, wrapped.moduleSignature))
        .map_err(|error| ProtocolError::invalid("signature", "abi(bytes moduleSignature, address module)", error))
}

/// What `personal_sign` over the 32 bytes of a user operation hash signs (EIP-191).
pub fn personal_digest(user_op_hash: B256) -> B256 {
    eip191_hash_message(user_op_hash)
}

/// Module signature of the session key manager for one session, not wrapped.
pub fn session_key_manager(leaf: &SessionLeaf, proof: &[B256], session_signature: &[u8]) -> Bytes {
    SessionKeyManagerSignature {
        validUntil: U48::saturating_from(leaf.valid_until),
        validAfter: U48::saturating_from(leaf.valid_after),
        sessionValidationModule: leaf.session_validation_module,
        sessionKeyData: leaf.session_key_data.clone(),
        merkleProof: proof.to_vec(),
        sessionKeySignature: session_signature.to_vec().into(),
    }
    .abi_encode_params()
    .into()
}

/// Module signature of the batched session router, not wrapped: session `i` is judged against call
/// `i`. All sessions must name the same session key.
pub fn batched_router(
    session_key_manager: Address,
    sessions: &[(&SessionLeaf, Vec<B256>)],
    session_signature: &[u8],
) -> Bytes {
    let call_specific_data = vec![Bytes::new(); sessions.len()];
    batched_router_with(session_key_manager, sessions, &call_specific_data, session_signature)
}

/// [`batched_router`] with data for each validation module; both known modules ignore it. Sessions
/// without an entry get none.
pub fn batched_router_with(
    session_key_manager: Address,
    sessions: &[(&SessionLeaf, Vec<B256>)],
    call_specific_data: &[Bytes],
    session_signature: &[u8],
) -> Bytes {
    let session_data = sessions.iter().enumerate().map(|(index, (leaf, proof))| RouterSession {
        validUntil: U48::saturating_from(leaf.valid_until),
        validAfter: U48::saturating_from(leaf.valid_after),
        sessionValidationModule: leaf.session_validation_module,
        sessionKeyData: leaf.session_key_data.clone(),
        merkleProof: proof.clone(),
        callSpecificData: call_specific_data.get(index).cloned().unwrap_or_default(),
    });
    BatchedRouterSignature {
        sessionKeyManager: session_key_manager,
        sessionData: session_data.collect(),
        sessionKeySignature: session_signature.to_vec().into(),
    }
    .abi_encode_params()
    .into()
}

/// The signature of a session key inside that of an operation, and what it signs for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSignature {
    module: Address,
    signed: Signed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Signed {
    Single(SessionKeyManagerSignature),
    Batch(BatchedRouterSignature),
}

impl SessionSignature {
    /// Out of `userOp.signature`; `None` when no session module is to judge it.
    pub fn read(signature: &[u8]) -> Option<Self> {
        let (module, inside) = unwrap(signature).ok()?;
        let signed = match module {
            BATCHED_SESSION_ROUTER => Signed::Batch(decode::params(&inside).ok()?),
            SESSION_KEY_MANAGER | SESSION_KEY_MANAGER_V1_0_0 => Signed::Single(decode::params(&inside).ok()?),
            _ => return None,
        };
        Some(Self { module, signed })
    }

    /// What the validation module is told of each session: the key's address is in it.
    pub fn session_key_data(&self) -> Vec<&Bytes> {
        match &self.signed {
            Signed::Single(signed) => vec![&signed.sessionKeyData],
            Signed::Batch(signed) => signed.sessionData.iter().map(|session| &session.sessionKeyData).collect(),
        }
    }

    /// The same for another operation: `userOp.signature` with this signature of the session key.
    pub fn with(mut self, session_signature: &[u8]) -> Bytes {
        let session_signature = session_signature.to_vec().into();
        let inside = match &mut self.signed {
            Signed::Single(signed) => {
                signed.sessionKeySignature = session_signature;
                signed.abi_encode_params()
            }
            Signed::Batch(signed) => {
                signed.sessionKeySignature = session_signature;
                signed.abi_encode_params()
            }
        };
        wrap(self.module, &inside)
    }
}

/// A wrapped signature of an account that is not deployed yet (ERC-6492): factory, its call data and
/// the signature, ended by the magic bytes.
pub fn counterfactual(factory: Address, factory_call_data: Bytes, wrapped: Bytes) -> Bytes {
    let signature = CounterfactualSignature { factory, factoryCallData: factory_call_data, signature: wrapped };
    [signature.abi_encode_params().as_slice(), &ERC_6492_MAGIC].concat().into()
}

/// Factory, its call data and the wrapped signature inside [`counterfactual`]; `None` for any other signature.
pub fn split_counterfactual(signature: &[u8]) -> Option<(Address, Bytes, Bytes)> {
    let inside = signature.strip_suffix(ERC_6492_MAGIC.as_slice())?;
    let told = decode::params::<CounterfactualSignature>(inside).ok()?;
    Some((told.factory, told.factoryCallData, told.signature))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::addresses::ECDSA_MODULE;

    /// docs/protocol.md 2.6: modules of version 1.1.0 read at fixed positions.
    #[test]
    fn the_wrapper_is_canonical() {
        let wrapped = wrap(ECDSA_MODULE, &DUMMY_ECDSA);
        assert_eq!(wrapped[31], 0x40);
        assert_eq!(wrapped[44..64], ECDSA_MODULE[..]);
        assert_eq!(wrapped[95], 65);
        assert_eq!(wrapped[96..161], DUMMY_ECDSA);
        assert_eq!(unwrap(&wrapped).unwrap(), (ECDSA_MODULE, DUMMY_ECDSA.to_vec().into()));
        assert!(unwrap(&wrapped[..100]).unwrap_err().to_string().starts_with("signature"));
    }

    #[test]
    fn a_counterfactual_signature_comes_apart_again() {
        let (data, inner) = (Bytes::from(vec![1; 40]), wrap(ECDSA_MODULE, &DUMMY_ECDSA));
        let signature = counterfactual(ECDSA_MODULE, data.clone(), inner.clone());
        assert_eq!(split_counterfactual(&signature), Some((ECDSA_MODULE, data, inner.clone())));
        assert_eq!(split_counterfactual(&inner), None);
        assert_eq!(split_counterfactual(&ERC_6492_MAGIC), None);
    }

    #[test]
    fn a_session_key_signs_again_around_the_same_proof() {
        let leaf = SessionLeaf { session_key_data: vec![1; 97].into(), ..SessionLeaf::default() };
        let single =
            |signature: &[u8]| wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &[B256::ZERO; 2], signature));
        let sessions = [(&leaf, vec![B256::ZERO]), (&leaf, vec![])];
        let batch =
            |signature: &[u8]| wrap(BATCHED_SESSION_ROUTER, &batched_router(SESSION_KEY_MANAGER, &sessions, signature));
        let read = SessionSignature::read(&single(&DUMMY_SESSION)).unwrap();
        assert_eq!(read.session_key_data(), [&leaf.session_key_data]);
        assert_eq!(read.with(&DUMMY_ECDSA), single(&DUMMY_ECDSA));
        let read = SessionSignature::read(&batch(&DUMMY_SESSION)).unwrap();
        assert_eq!(read.session_key_data().len(), 2);
        assert_eq!(read.with(&DUMMY_ECDSA), batch(&DUMMY_ECDSA));
        assert_eq!(SessionSignature::read(&wrap(ECDSA_MODULE, &DUMMY_ECDSA)), None);
        assert_eq!(SessionSignature::read(&wrap(SESSION_KEY_MANAGER, &[1; 40])), None);
    }

    /// docs/protocol.md 3.5: 192 + (32 + pad32(n)) + (32 + 32·p) + (32 + 96); n = 97, p = 2: 576.
    #[test]
    fn a_session_signature_has_the_size_that_the_layout_says() {
        let leaf = SessionLeaf { session_key_data: vec![1; 97].into(), ..SessionLeaf::default() };
        assert_eq!(session_key_manager(&leaf, &[B256::ZERO; 2], &DUMMY_SESSION).len(), 576);
    }
}
