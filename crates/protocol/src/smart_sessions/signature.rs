//! Signatures of a session's operations: `00 ‖ permissionId ‖ …` to use it, and `01 ‖ flz(…)` to enable and use it at
//! once (vectors 17).

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolValue,
};

use super::{EnableMode, flz, grant::ChainDigest, session::Session};
use crate::{
    ProtocolError,
    abi::{
        decode,
        smart_sessions::{self as abi, EnableSignature},
    },
    signature::DUMMY_SESSION,
};

/// Most chains of one grant.
pub const MAX_CHAINS: usize = 64;

/// A signature that uses an enabled session.
pub fn use_signature(permission_id: B256, session_signature: &[u8]) -> Bytes {
    [&[0][..], permission_id.as_slice(), session_signature].concat().into()
}

/// [`use_signature`] for gas estimation. Policies are checked there all the same.
pub fn stub_use(permission_id: B256) -> Bytes {
    use_signature(permission_id, &DUMMY_SESSION)
}

/// A session, and the owner's consent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnableGrant {
    /// Which of the digests is this chain's.
    pub chain_digest_index: u8,
    /// What the owner consented to, for each chain.
    pub digests: Vec<ChainDigest>,
    /// The session.
    pub session: Session,
    /// Validator and owner's signature: [`permission_enable_sig`](super::grant::permission_enable_sig).
    pub permission_enable_sig: Bytes,
}

impl EnableGrant {
    /// `abi(EnableSession, sessionSignature)`, before it is compressed.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn encode(&self, session_signature: &[u8]) -> Result<Bytes, ProtocolError> {
        self.check()?;
        let digest = |it: &ChainDigest| abi::ChainDigest { chainId: it.chain_id, sessionDigest: it.session_digest };
        let signature = EnableSignature {
            enableSession: abi::EnableSession {
                chainDigestIndex: self.chain_digest_index,
                hashesAndChainIds: self.digests.iter().map(digest).collect(),
                sessionToEnable: (&self.session).into(),
                permissionEnableSig: self.permission_enable_sig.clone(),
            },
            sessionSignature: session_signature.to_vec().into(),
        };
        Ok(signature.abi_encode_params().into())
    }

    /// The signature of the operation that enables and uses the session. The module takes
    /// [`EnableMode::UnsafeEnable`], too; this library does not build it.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn signature(&self, session_signature: &[u8]) -> Result<Bytes, ProtocolError> {
        Ok([&[1][..], &flz::compress(&self.encode(session_signature)?)].concat().into())
    }

    /// Refuses sizes that nobody means, and an index without a digest.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> Result<(), ProtocolError> {
        self.session.check_size()?;
        if self.digests.len() > MAX_CHAINS {
            return Err(ProtocolError::invalid("hashesAndChainIds", "at most 64 chains", self.digests.len()));
        }
        if usize::from(self.chain_digest_index) >= self.digests.len() {
            return Err(ProtocolError::invalid("chainDigestIndex", "one of the digests", self.chain_digest_index));
        }
        Ok(())
    }

    /// The digest that this chain compares.
    pub fn digest(&self) -> Option<ChainDigest> {
        self.digests.get(usize::from(self.chain_digest_index)).copied()
    }
}

/// [`EnableGrant::signature`] for gas estimation: the grant is the real one, as a wrong one reverts.
///
/// # Errors
/// As [`EnableGrant::check`].
pub fn stub_enable(grant: &EnableGrant) -> Result<Bytes, ProtocolError> {
    grant.signature(&DUMMY_SESSION)
}

/// The signature of a session's operation, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationSignature {
    /// Uses an enabled session.
    Use {
        /// Which.
        permission_id: B256,
        /// What the session validator reads.
        session_signature: Bytes,
    },
    /// Enables a session and uses it at once.
    Enable {
        /// In which way.
        mode: EnableMode,
        /// The session and the owner's consent.
        grant: Box<EnableGrant>,
        /// What the session validator reads.
        session_signature: Bytes,
    },
}

impl OperationSignature {
    /// Takes a signature apart. Of what is compressed only the canonical encoding is read, of at most 128 KiB.
    ///
    /// # Errors
    /// `Invalid` with the field for anything that the module would refuse to read, and for sizes that nobody means.
    pub fn decode(signature: &[u8]) -> Result<Self, ProtocolError> {
        let invalid = |expected: &str, got: String| ProtocolError::invalid("signature", expected, got);
        let Some((mode, rest)) = signature.split_first() else {
            return Err(invalid("a mode byte, and more", "nothing".to_owned()));
        };
        let mode = match mode {
            0 => {
                let (id, session_signature) = rest
                    .split_first_chunk::<32>()
                    .ok_or_else(|| invalid("mode 0 and a permission id", format!("{} bytes", signature.len())))?;
                let session_signature = Bytes::copy_from_slice(session_signature);
                return Ok(Self::Use { permission_id: B256::from(id), session_signature });
            }
            1 => EnableMode::Enable,
            2 => EnableMode::UnsafeEnable,
            other => return Err(invalid("mode 0, 1 or 2", other.to_string())),
        };
        if rest.len() > decode::MAX_BYTES {
            return Err(invalid("at most 128 KiB", format!("{} bytes", rest.len())));
        }
        let plain = flz::decompress(rest, decode::MAX_BYTES)?;
        let read = decode::params::<EnableSignature>(&plain)
            .map_err(|error| invalid("canonical abi(EnableSession, bytes)", error.to_string()))?;
        let (grant, session_signature) = (read.enableSession, read.sessionSignature);
        let digest = |it: &abi::ChainDigest| ChainDigest { chain_id: it.chainId, session_digest: it.sessionDigest };
        let grant = EnableGrant {
            chain_digest_index: grant.chainDigestIndex,
            digests: grant.hashesAndChainIds.iter().map(digest).collect(),
            session: grant.sessionToEnable.into(),
            permission_enable_sig: grant.permissionEnableSig,
        };
        grant.check()?;
        Ok(Self::Enable { mode, grant: Box::new(grant), session_signature })
    }

    /// Which session it is for.
    pub fn permission_id(&self) -> B256 {
        match self {
            Self::Use { permission_id, .. } => *permission_id,
            Self::Enable { grant, .. } => super::ids::permission_id(&grant.session),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn grant() -> EnableGrant {
        EnableGrant {
            chain_digest_index: 0,
            digests: vec![ChainDigest { chain_id: 1, session_digest: B256::repeat_byte(1) }],
            session: Session::default(),
            permission_enable_sig: vec![7; 85].into(),
        }
    }

    #[test]
    fn signatures_come_apart_again() {
        let id = B256::repeat_byte(3);
        let used = OperationSignature::decode(&use_signature(id, &[1, 2])).unwrap();
        assert_eq!(used, OperationSignature::Use { permission_id: id, session_signature: vec![1, 2].into() });
        let signature = grant().signature(&[1, 2]).unwrap();
        let read = OperationSignature::decode(&signature).unwrap();
        assert_eq!(read.permission_id(), super::super::ids::permission_id(&Session::default()));
        let OperationSignature::Enable { mode, grant: told, session_signature } = read else { panic!("{read:?}") };
        assert_eq!((mode, *told, session_signature), (EnableMode::Enable, grant(), vec![1, 2].into()));
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        let signature = grant().signature(&[]).unwrap();
        let bomb = [&[1, 0, 7][..], &[0xe0, 0xff, 0].repeat(600)].concat();
        let two = EnableGrant { digests: vec![grant().digests[0]; 2], ..grant() };
        let index = EnableGrant { chain_digest_index: 2, ..two.clone() };
        assert!(index.signature(&[]).unwrap_err().to_string().starts_with("chainDigestIndex"));
        let many = EnableGrant { digests: vec![two.digests[0]; 65], ..two };
        assert!(many.signature(&[]).unwrap_err().to_string().starts_with("hashesAndChainIds"));
        for (bad, field) in [
            (&[][..], "signature"),
            (&[0; 32], "signature"),
            (&[3, 0], "signature"),
            (&[1], "signature"),
            (&signature[..signature.len() - 1], "flz"),
            (&bomb, "flz"),
            (&vec![1; decode::MAX_BYTES + 2], "signature"),
        ] {
            let error = OperationSignature::decode(bad).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }
}
