//! The owner's consent to sessions that no operation of the owner's enables: the first use of each carries it (ENABLE,
//! vectors 17), and from then on the chain has the session.

use alloy::primitives::{Address, Bytes, U256};

use super::{
    EnableMode, MAX_CHAINS,
    addresses::SMART_SESSION,
    grant::{self, ChainDigest},
    stored::{Consent, StoredSession},
};
use crate::{ProtocolError, distributed_key::TypedData, session_scheme::OnChain};

fn digests(account: Address, sessions: &[(StoredSession, U256)], chain_id: u64) -> Vec<ChainDigest> {
    let digest = |(stored, nonce): &(StoredSession, U256)| ChainDigest {
        chain_id,
        session_digest: grant::session_digest(&stored.session, account, *nonce, EnableMode::Enable),
    };
    sessions.iter().map(digest).collect()
}

/// What the owner signs, once for all of them.
pub(super) fn request(
    on_chain: &OnChain<'_, StoredSession>,
    sessions: &[(StoredSession, U256)],
    chain_id: u64,
) -> Result<TypedData, ProtocolError> {
    if sessions.is_empty() || sessions.len() > MAX_CHAINS {
        return Err(ProtocolError::invalid("sessions", "1 to 64 sessions in one signature", sessions.len()));
    }
    if !on_chain.modules.contains(&SMART_SESSION) {
        let reason = "the account has no Smart Sessions yet, and only an operation of the owner's installs them";
        return Err(ProtocolError::refused("enable", reason));
    }
    sessions.iter().try_for_each(|(stored, _)| stored.session.check_size())?;
    let plain = sessions.iter().map(|(stored, nonce)| (&stored.session, *nonce)).collect::<Vec<_>>();
    Ok(TypedData {
        json: grant::typed_data_of_several(&plain, on_chain.account, chain_id),
        digest: grant::enable_hash(&digests(on_chain.account, sessions, chain_id)),
    })
}

/// The sessions with the owner's consent in them.
pub(super) fn given(
    account: Address,
    sessions: Vec<(StoredSession, U256)>,
    chain_id: u64,
    signature: &Bytes,
) -> Result<Vec<StoredSession>, ProtocolError> {
    let digests = digests(account, &sessions, chain_id);
    let with_consent = |(place, (stored, nonce)): (usize, (StoredSession, U256))| {
        let index = u8::try_from(place).map_err(|_| ProtocolError::invalid("sessions", "at most 64", place))?;
        let consent = Consent { nonce, index, digests: digests.clone(), permission_enable_sig: signature.clone() };
        consent.with(stored.session.clone()).check()?;
        Ok(StoredSession { consent: Some(consent), grant_signed: true, ..stored })
    };
    sessions.into_iter().enumerate().map(with_consent).collect()
}
