//! Grants for Nexus accounts (version 4): what they name beside the others' fields, and how a node verifies it.
//!
//! The policy is that of Smart Sessions of the shared key, whole, as the chain has them; kind, release, session module and
//! permission ids are in the text that the owner signs. What the chain counts from one operation to the next (uses, amounts
//! in all) nodes do not count: they judge each operation for itself.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use super::{Grant, GrantedLeaf, Refusal};
use crate::{
    abi::smart_sessions as abi,
    lint::Severity,
    nexus::{AddressScheme, NexusRelease, NexusSetup, salt},
    smart_sessions::{
        MAX_SESSIONS, Session, SessionDescription, SessionLintContext, addresses::SIMPLE_SIGNER, ids, lint,
        session_key_of,
    },
};

mod operation;
#[cfg(test)]
mod tests;
mod text;

pub(super) use operation::check_operation;

/// The version of grants for Nexus accounts.
pub const NEXUS_GRANT_VERSION: u32 = 4;
/// Most bytes of all policies' data together. The universal policy alone takes three thousand for each function.
const MAX_POLICY_BYTES: usize = 96 * 1024;
/// Most addresses in each list of an account's set-up.
const MAX_MODULES: usize = 16;

/// What the owner of a Nexus account signs beside the rest of a [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NexusGrant {
    /// The release of the account, which decides how it is spoken to.
    pub release: NexusRelease,
    /// Ids of the sessions, in their order.
    pub permission_ids: Vec<B256>,
}

/// What a node needs to verify a [`NexusGrant`]: the sessions, by their hash in the grant, and what the account was set up
/// with, by its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NexusProof {
    /// The sessions, all of the shared key.
    pub sessions: Vec<Session>,
    /// [`NexusSetup::safe_senders`] of the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub safe_senders: Vec<Address>,
    /// [`NexusSetup::further_validators`] of the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_validators: Vec<Address>,
    /// The creation code of the account's proxy, where its address does not follow without
    /// ([`NexusRelease::proxy_creation_code_in`]); believed by its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_creation_code: Option<Bytes>,
}

/// Keccak of the hashes of the sessions' ABI encodings, one behind the other, in the order given. Unlike a permission id it
/// covers the policies.
pub fn sessions_hash(sessions: &[Session]) -> B256 {
    let hash = |session: &Session| keccak256(abi::Session::from(session).abi_encode()).0;
    keccak256(sessions.iter().flat_map(hash).collect::<Vec<u8>>())
}

/// The first end of what a session may do, unix seconds; 0 = none.
pub(super) fn end_of(session: &Session) -> u64 {
    let description = SessionDescription::of(session);
    let actions = description.actions.iter().map(|action| action.window.valid_until);
    actions.chain([description.window.valid_until]).filter(|end| *end != 0).min().unwrap_or_default()
}

/// The parts of a grant for a Nexus account, when it is one: there with this version, and with no other.
pub(super) fn of_its_version<'a>(
    grant: &'a Grant,
    leaves: &[GrantedLeaf],
    proof: Option<&'a NexusProof>,
) -> Result<Option<(&'a NexusGrant, &'a NexusProof)>, Refusal> {
    match (grant.version == NEXUS_GRANT_VERSION, &grant.nexus, proof) {
        (false, None, None) => Ok(None),
        (true, Some(granted), Some(proof)) if leaves.is_empty() => Ok(Some((granted, proof))),
        (true, Some(_), Some(_)) => Err(Refusal::malformed("leaves", "a Nexus account has sessions instead")),
        (true, ..) => Err(Refusal::malformed("nexus", "missing")),
        (false, ..) => Err(Refusal::malformed("nexus", "not part of this version")),
    }
}

/// May these sessions be granted, and are they those of the grant?
pub(super) fn check_sessions(grant: &Grant, granted: &NexusGrant, proof: &NexusProof, now: u64) -> Result<(), Refusal> {
    let sessions = &proof.sessions;
    if sessions.is_empty() || sessions.len() > MAX_SESSIONS {
        return Err(Refusal::malformed("sessions", format!("1 to {MAX_SESSIONS}, not {}", sessions.len())));
    }
    for session in sessions {
        session.check_size().map_err(|error| Refusal::malformed("sessions", error.to_string()))?;
    }
    if sessions.iter().map(policy_bytes).sum::<usize>() > MAX_POLICY_BYTES {
        return Err(Refusal::malformed("sessions", format!("more than {MAX_POLICY_BYTES} bytes of policies")));
    }
    let ids = sessions.iter().map(ids::permission_id).collect::<Vec<_>>();
    if ids != granted.permission_ids {
        return Err(Refusal::malformed("permissionIds", "not those of the sessions"));
    }
    if ids.iter().enumerate().any(|(place, id)| ids.iter().take(place).any(|other| other == id)) {
        return Err(Refusal::malformed("permissionIds", "a session is named twice"));
    }
    let context = SessionLintContext {
        account: grant.account,
        now,
        modules: &proof.further_validators,
        ..SessionLintContext::default()
    };
    sessions.iter().try_for_each(|session| {
        let is_of_the_key = session_key_of(session) == Some(grant.session_key_address);
        if session.session_validator != SIMPLE_SIGNER || !is_of_the_key {
            return Err(Refusal::malformed("sessions", "a session of another key, or with another session validator"));
        }
        let stop = lint(session, context).into_iter().find(|found| found.severity == Severity::Stop);
        stop.map_or(Ok(()), |stop| Err(Refusal::PolicyRefused { reason: stop.text }))
    })
}

fn policy_bytes(session: &Session) -> usize {
    let actions = session.actions.iter().flat_map(|action| &action.action_policies);
    actions.chain(&session.user_op_policies).map(|policy| policy.init_data.len()).sum()
}

/// The address that the release's factory gives the owner's account of this set-up, with the release's own validator.
pub(super) fn expected_address(grant: &Grant, granted: &NexusGrant, proof: &NexusProof) -> Result<Address, Refusal> {
    for (field, list) in [("safeSenders", &proof.safe_senders), ("furtherValidators", &proof.further_validators)] {
        if list.len() > MAX_MODULES {
            return Err(Refusal::malformed(field, format!("at most {MAX_MODULES}, not {}", list.len())));
        }
    }
    let release = granted.release;
    let setup = NexusSetup {
        index: U256::from(grant.account_index),
        safe_senders: proof.safe_senders.clone(),
        further_validators: proof.further_validators.clone(),
        ..NexusSetup::new(release)
    };
    let code = proof.proxy_creation_code.as_ref().map(AsRef::as_ref);
    if code.is_some() && matches!(release.parts().address_scheme, AddressScheme::InitDataInSalt { .. }) {
        return Err(Refusal::malformed("proxyCreationCode", "none: the address follows without"));
    }
    let malformed = |field| move |error: crate::ProtocolError| Refusal::malformed(field, error.to_string());
    let init_data = setup.init_data(grant.owner).map_err(malformed("furtherValidators"))?;
    let hash = release.init_code_hash(code, &init_data).map_err(malformed("proxyCreationCode"))?;
    Ok(release.address(&init_data, salt(setup.index), hash))
}
