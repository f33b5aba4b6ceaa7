//! [`Grant`]: what the owner signs so that the nodes work for a page, and how a node verifies it.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use serde::{Deserialize, Serialize};

use super::{
    MAX_NODES, NEXUS_GRANT_VERSION, NexusGrant, NexusProof, Refusal, nexus, operation_cost::check_limit_is_signed,
    typed_data::signed_by,
};
use crate::{
    ProtocolError,
    addresses::ABI_SESSION_VALIDATION_MODULE,
    entry_point::EntryPoint,
    policy::{UINT48_END, check_destination},
    session::SessionLeaf,
    session_data::AbiSessionData,
    smart_account::counterfactual_address,
};

/// The version of new grants for Smart Account V2; those for Nexus are of [`NEXUS_GRANT_VERSION`]. It decides what the wallet
/// shows, and with it what is signed.
pub const GRANT_VERSION: u32 = 3;
/// Most leaves of one grant.
pub const MAX_LEAVES: usize = 100;
/// Longest life of a grant, seconds: one year.
pub const MAX_LIFETIME: u64 = 365 * 24 * 60 * 60;
/// Most bytes of all leaves' data together.
const MAX_POLICY_BYTES: usize = 32 * 1024;

/// One leaf of the session tree as a node needs it: no name, no status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantedLeaf {
    /// End of the window, unix seconds; 0 = none.
    pub valid_until: u64,
    /// Begin of the window, unix seconds.
    pub valid_after: u64,
    /// The contract that judges the calls: only the ABI session validation module is granted.
    pub session_validation_module: Address,
    /// What it judges by.
    pub session_key_data: Bytes,
}

impl GrantedLeaf {
    /// The session that this leaf makes.
    pub fn to_session(&self) -> SessionLeaf {
        SessionLeaf {
            valid_until: self.valid_until,
            valid_after: self.valid_after,
            session_validation_module: self.session_validation_module,
            session_key_data: self.session_key_data.clone(),
            session_key_address: self.session_key_data.get(..20).map(Address::from_slice).unwrap_or_default(),
            ..SessionLeaf::default()
        }
    }
}

impl From<&SessionLeaf> for GrantedLeaf {
    fn from(leaf: &SessionLeaf) -> Self {
        Self {
            valid_until: leaf.valid_until,
            valid_after: leaf.valid_after,
            session_validation_module: leaf.session_validation_module,
            session_key_data: leaf.session_key_data.clone(),
        }
    }
}

/// Keccak of the leaves' hashes, one behind the other, in the order given.
pub fn policy_hash(leaves: &[GrantedLeaf]) -> B256 {
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.to_session().hash().0).collect();
    keccak256(hashes)
}

/// The owner's permission: these nodes sign with this key for this account on this chain what this policy allows, when
/// the page that holds the ephemeral key asks, until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which text is signed: [`GRANT_VERSION`] or [`NEXUS_GRANT_VERSION`], or 1 where none is named. Those of earlier
    /// versions hold.
    #[serde(default = "first_version", skip_serializing_if = "is_first_version")]
    pub version: u32,
    /// Who signs the grant.
    pub owner: Address,
    /// The smart account: the one that its kind's factory makes for `owner` and `account_index`.
    pub account: Address,
    /// Index of the account, 0 for the first.
    pub account_index: u64,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The entry point whose user operations are signed.
    pub entry_point: Address,
    /// Address of the shared key.
    pub session_key_address: Address,
    /// Its id at the nodes.
    pub key_id: B256,
    /// Public half of the page's ephemeral Ed25519 key.
    pub ephemeral_key: B256,
    /// End, unix seconds.
    pub valid_until: u64,
    /// [`policy_hash`] of the leaves; of the sessions on Nexus ([`sessions_hash`](super::sessions_hash)).
    pub policy_hash: B256,
    /// The most that the gas of one operation which the account pays itself may cost, wei; part of the text since version 3.
    /// Tokens that a paymaster may take by an allowance are not limited by it. Earlier ones name none, and are held to [`DEFAULT_MAX_OPERATION_COST`](super::DEFAULT_MAX_OPERATION_COST).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_operation_cost: Option<U256>,
    /// How many nodes must sign, t.
    pub threshold: u8,
    /// How many nodes hold a share, n.
    pub nodes: u8,
    /// Joint challenge of all nodes, of kind key generation.
    pub challenge: B256,
    /// The account is a Nexus account: of version 4, and of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nexus: Option<NexusGrant>,
}

fn first_version() -> u32 {
    1
}

fn is_first_version(version: &u32) -> bool {
    *version == first_version()
}

/// A grant, the leaves that it covers by their hash, and the owner's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedGrant {
    /// What was granted.
    pub grant: Grant,
    /// The policy; none on Nexus, where it is in the sessions.
    pub leaves: Vec<GrantedLeaf>,
    /// `eth_signTypedData_v4` of [`Grant::typed_data`] by the owner, 65 bytes; of [`Grant::nexus_typed_data`] on Nexus.
    pub signature: Bytes,
    /// Sessions and set-up of a Nexus account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nexus: Option<NexusProof>,
}

impl SignedGrant {
    /// The EIP-712 digest that the owner signed.
    ///
    /// # Errors
    /// As [`Grant::typed_data`].
    pub fn digest(&self) -> Result<B256, ProtocolError> {
        let typed = match &self.nexus {
            Some(proof) => self.grant.nexus_typed_data(&proof.sessions),
            None => self.grant.typed_data(&self.leaves),
        };
        typed.map(|typed| typed.digest)
    }

    /// Are leaves or sessions those that the owner signed?
    pub(super) fn check_policy_hash(&self) -> Result<(), Refusal> {
        let found = match &self.nexus {
            Some(proof) => nexus::sessions_hash(&proof.sessions),
            None => policy_hash(&self.leaves),
        };
        if found == self.grant.policy_hash { Ok(()) } else { Err(Refusal::OtherPolicy) }
    }

    /// The last moment, unix seconds, at which the grant and all that it lets sign held.
    pub fn last_moment(&self) -> u64 {
        let sessions = self.nexus.iter().flat_map(|proof| proof.sessions.iter().map(nexus::end_of));
        let ends = self.leaves.iter().map(|leaf| leaf.valid_until).chain(sessions).filter(|end| *end != 0);
        ends.chain([self.grant.valid_until]).min().unwrap_or_default().saturating_sub(1)
    }
}

/// Does this grant hold at `now` (unix seconds)? Answers with it when the owner signed it, the account is the owner's
/// and the policy may be granted.
///
/// What makes an account the owner's, without looking at a chain: its address is the factory's for this owner, the
/// default ECDSA module and this index; on Nexus that of the release, its own validator and what else the account was set
/// up with. Not covered: an account whose ownership was transferred (its new owner is
/// refused; the old one is not, but a key of his is worth nothing, because only the present owner can put its leaf
/// under the account's root), accounts with another default module, owners that are contracts.
///
/// Left to the node, which knows its nonces and keys: the challenge is of unspent nonces of all n nodes, key id,
/// address, threshold and number of nodes are those of a key of its own, which belongs to no other grant.
///
/// # Errors
/// The first check that fails.
pub fn verify_grant(signed: &SignedGrant, now: u64) -> Result<Grant, Refusal> {
    let SignedGrant { grant, leaves, signature, nexus: proof } = signed;
    if !(1..=NEXUS_GRANT_VERSION).contains(&grant.version) {
        return Err(Refusal::UnknownVersion { version: grant.version, newest: NEXUS_GRANT_VERSION });
    }
    let of_nexus = nexus::of_its_version(grant, leaves, proof.as_ref())?;
    check_limit_is_signed(grant)?;
    if !(1..=MAX_NODES).contains(&grant.nodes) || !(1..=grant.nodes).contains(&grant.threshold) {
        let reason = format!("{} of {} nodes", grant.threshold, grant.nodes);
        return Err(Refusal::malformed("threshold", reason));
    }
    let entry_point = of_nexus.map_or_else(EntryPoint::default, |_| crate::nexus::ENTRY_POINT).address();
    if grant.entry_point != entry_point {
        return Err(Refusal::OtherEntryPoint { granted: entry_point, got: grant.entry_point });
    }
    check_lifetime(grant, now)?;
    check_ephemeral_key(grant.ephemeral_key)?;
    let expected = match of_nexus {
        Some((granted, proof)) => {
            nexus::check_sessions(grant, granted, proof, now)?;
            nexus::expected_address(grant, granted, proof)?
        }
        None => {
            check_leaves(grant, leaves, now)?;
            counterfactual_address(grant.owner, U256::from(grant.account_index))
        }
    };
    signed.check_policy_hash()?;
    if expected != grant.account {
        let (account, owner, index) = (grant.account, grant.owner, grant.account_index);
        return Err(Refusal::NotTheOwnersAccount { account, owner, index, expected });
    }
    let digest = signed.digest().map_err(|error| Refusal::malformed("leaves", error.to_string()))?;
    signed_by(grant.owner, digest, signature)?;
    Ok(grant.clone())
}

fn check_lifetime(grant: &Grant, now: u64) -> Result<(), Refusal> {
    if grant.valid_until <= now {
        return Err(Refusal::GrantExpired { valid_until: grant.valid_until });
    }
    if grant.valid_until - now > MAX_LIFETIME {
        return Err(Refusal::malformed("validUntil", "more than a year from now"));
    }
    Ok(())
}

/// A public key for which nobody can sign everything: not of small order.
fn check_ephemeral_key(key: B256) -> Result<(), Refusal> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(&key.0);
    match key {
        Ok(key) if !key.is_weak() => Ok(()),
        _ => Err(Refusal::malformed("ephemeralKey", "no Ed25519 public key")),
    }
}

fn check_leaves(grant: &Grant, leaves: &[GrantedLeaf], now: u64) -> Result<(), Refusal> {
    if leaves.is_empty() || leaves.len() > MAX_LEAVES {
        return Err(Refusal::malformed("leaves", format!("1 to {MAX_LEAVES} leaves, not {}", leaves.len())));
    }
    if leaves.iter().map(|leaf| leaf.session_key_data.len()).sum::<usize>() > MAX_POLICY_BYTES {
        return Err(Refusal::malformed("leaves", format!("more than {MAX_POLICY_BYTES} bytes")));
    }
    leaves.iter().try_for_each(|leaf| check_leaf(grant, leaf, now))
}

fn check_leaf(grant: &Grant, leaf: &GrantedLeaf, now: u64) -> Result<(), Refusal> {
    if leaf.session_validation_module != ABI_SESSION_VALIDATION_MODULE {
        let reason = format!("{} is not the ABI session validation module", leaf.session_validation_module);
        return Err(Refusal::PolicyRefused { reason });
    }
    let malformed = |reason: &str| Refusal::malformed("sessionKeyData", reason);
    let data = AbiSessionData::decode(&leaf.session_key_data).map_err(|error| malformed(&error.to_string()))?;
    // The contract ignores what follows the counted rules; a person would believe that it counts.
    if data.encode().is_ok_and(|encoded| encoded != leaf.session_key_data) {
        return Err(malformed("bytes behind the counted rules"));
    }
    if data.session_key_address != grant.session_key_address {
        return Err(malformed("it names another session key"));
    }
    check_destination(grant.account, data.contract_address)
        .map_err(|error| Refusal::PolicyRefused { reason: error.to_string() })?;
    if leaf.valid_until >= UINT48_END || leaf.valid_after >= UINT48_END {
        return Err(Refusal::malformed("validUntil", "unix seconds below 2^48"));
    }
    if leaf.valid_until != 0 && (leaf.valid_until <= now || leaf.valid_until < leaf.valid_after) {
        return Err(Refusal::PolicyRefused { reason: "a window that is over or empty".into() });
    }
    Ok(())
}
