//! [`SignRequest`]: a page asks the nodes to sign a user operation, and how a node decides.

use alloy::primitives::{Address, B256, Bytes};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::{CostRules, Refusal, SignedGrant, nexus};
use crate::{
    session::SessionLeaf,
    signature::personal_digest,
    simulate::{Violation, judge_call},
    smart_account::decode_calls,
    user_operation::UserOperation,
};

/// How far the nodes' clocks may be behind the chain's when a session begins, seconds. (The chain checks, too.)
pub(super) const CLOCK_TOLERANCE: u64 = 60;

/// What the page asks the nodes for. The whole operation travels: no node signs a hash that it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignRequest {
    /// Which key.
    pub key_id: B256,
    /// What is to be signed. Its own `signature` field does not count; on Nexus it names the session that is used
    /// ([`use_signature`](crate::smart_sessions::use_signature)), of which the nodes look at nothing else.
    pub user_operation: UserOperation,
    /// For this entry point, the operation's own.
    pub entry_point: Address,
    /// On this chain.
    pub chain_id: u64,
    /// Joint challenge of the signing nodes, of kind signing.
    pub challenge: B256,
    /// Ids of exactly t nodes, from 1.
    pub signers: Vec<u8>,
    /// Ed25519 over [`Self::signed_text`] by the grant's ephemeral key, 64 bytes.
    pub ephemeral_signature: Bytes,
}

impl SignRequest {
    /// What the session key must sign: `personal_sign` of the user operation hash.
    pub fn digest(&self) -> B256 {
        personal_digest(self.user_operation.hash(self.chain_id))
    }

    /// What the ephemeral key signs: kind, challenge, key, digest and the set of nodes.
    pub fn signed_text(&self) -> String {
        let mut signers = self.signers.clone();
        signers.sort_unstable();
        let signers = signers.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        format!("use-aa dan sign 1\n{}\n{}\n{}\n{signers}\n", self.challenge, self.key_id, self.digest())
    }
}

/// [`authorize_sign_by`] the rules of a node of which nothing else was set.
///
/// # Errors
/// The first check that fails.
pub fn authorize_sign(signed: &SignedGrant, request: &SignRequest, now: u64) -> Result<B256, Refusal> {
    authorize_sign_by(signed, request, now, &CostRules::default())
}

/// May a node take part in this signature at `now` (unix seconds)? The answer is the digest to sign, computed from the
/// operation itself.
///
/// `signed` is the grant as the node verified and stored it. Left to the node: the challenge is of unspent nonces of
/// exactly these signers, the key is not revoked, rate limits.
///
/// # Errors
/// The first check that fails.
pub fn authorize_sign_by(
    signed: &SignedGrant,
    request: &SignRequest,
    now: u64,
    costs: &CostRules,
) -> Result<B256, Refusal> {
    let SignedGrant { grant, leaves, nexus: proof, .. } = signed;
    if request.key_id != grant.key_id {
        return Err(Refusal::OtherKey);
    }
    signed.check_policy_hash()?;
    if grant.valid_until <= now {
        return Err(Refusal::GrantExpired { valid_until: grant.valid_until });
    }
    // The operation is hashed for its own one.
    let named = [request.entry_point, request.user_operation.entry_point.address()];
    if let Some(got) = named.into_iter().find(|named| *named != grant.entry_point) {
        return Err(Refusal::OtherEntryPoint { granted: grant.entry_point, got });
    }
    if request.chain_id != grant.chain_id {
        return Err(Refusal::OtherChain { granted: grant.chain_id, got: request.chain_id });
    }
    if request.user_operation.sender != grant.account {
        return Err(Refusal::OtherAccount { granted: grant.account, got: request.user_operation.sender });
    }
    check_signers(&request.signers, grant.threshold, grant.nodes)?;
    check_ephemeral_signature(grant.ephemeral_key, request)?;
    match proof {
        Some(proof) => nexus::check_operation(&proof.sessions, &request.user_operation, now)?,
        None => {
            let leaves: Vec<SessionLeaf> = leaves.iter().map(super::GrantedLeaf::to_session).collect();
            check_calls(&leaves, &request.user_operation.call_data, now)?;
        }
    }
    costs.check(grant, &request.user_operation)?;
    Ok(request.digest())
}

fn check_signers(signers: &[u8], threshold: u8, nodes: u8) -> Result<(), Refusal> {
    let refused = |reason: String| Err(Refusal::SignerSet { reason });
    if signers.len() != usize::from(threshold) {
        return refused(format!("{threshold} nodes sign, not {}", signers.len()));
    }
    let mut sorted = signers.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair.first() == pair.last()) {
        return refused("a node is named twice".into());
    }
    match sorted.iter().find(|node| !(1..=nodes).contains(*node)) {
        Some(node) => refused(format!("there is no node {node}")),
        None => Ok(()),
    }
}

fn check_ephemeral_signature(ephemeral_key: B256, request: &SignRequest) -> Result<(), Refusal> {
    let refused = |_| Refusal::NotTheEphemeralKey;
    let key = VerifyingKey::from_bytes(&ephemeral_key.0).map_err(refused)?;
    let signature = Signature::from_slice(&request.ephemeral_signature).map_err(refused)?;
    key.verify_strict(request.signed_text().as_bytes(), &signature).map_err(refused)
}

/// Each call must be allowed by a leaf whose window is open. Which leaf a batch presents for which call is not covered
/// by the session key's signature on chain (docs/protocol.md 3.6), so any will do here.
fn check_calls(leaves: &[SessionLeaf], call_data: &[u8], now: u64) -> Result<(), Refusal> {
    let calls = decode_calls(call_data).map_err(|error| Refusal::malformed("callData", error.to_string()))?;
    if calls.is_empty() {
        return Err(Refusal::malformed("callData", "no call"));
    }
    for call in &calls {
        let mut closest: Option<Violation> = None;
        let allowed = leaves.iter().any(|leaf| {
            let outcome = judge_window(leaf, now).and_then(|()| judge_call(leaf, call));
            match outcome {
                Ok(()) => true,
                Err(violation) => {
                    let further = closest.as_ref().is_none_or(|known| how_far(&violation) >= how_far(known));
                    closest = if further { Some(violation) } else { closest.take() };
                    false
                }
            }
        });
        if !allowed {
            let nothing = || Refusal::PolicyRefused { reason: "the grant has no leaf".into() };
            return Err(closest.map_or_else(nothing, Refusal::from));
        }
    }
    Ok(())
}

fn judge_window(leaf: &SessionLeaf, now: u64) -> Result<(), Violation> {
    let outside = |reason: String| {
        Err(Violation { rule: "window".into(), reason, revert_text: "AA22 expired or not due".into() })
    };
    if leaf.valid_until != 0 && now > leaf.valid_until {
        return outside(format!("the session ended at {} (unix seconds)", leaf.valid_until));
    }
    if now.saturating_add(CLOCK_TOLERANCE) < leaf.valid_after {
        return outside(format!("the session begins at {} (unix seconds)", leaf.valid_after));
    }
    Ok(())
}

/// How many checks a call passed before this one: of several leaves the closest says best what is wrong.
fn how_far(violation: &Violation) -> u8 {
    match violation.rule.as_str() {
        "destination" => 0,
        "selector" => 1,
        "window" => 2,
        "value limit" => 3,
        _ => 4,
    }
}
