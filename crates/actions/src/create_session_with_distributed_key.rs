//! Grants sessions whose key nobody holds: nodes share it and sign together (docs/protocol.md 3.11, U16 to U19).
//!
//! As [`super::create_session`], with a key from the nodes in place of one of our own, and one more signature of the
//! owner:
//!
//! 1. [`prepare_create_session_with_distributed_key`] takes an offered key, makes an ephemeral key for this browser,
//!    builds the leaves and the operation. Writes nothing.
//! 2. [`complete_create_session_with_distributed_key`] asks the owner to sign the [`Grant`] (EIP-712), has every node
//!    bind the key to it and checks that each says so, and goes on as an ordinary grant: the owner signs the operation,
//!    ephemeral key (encrypted) and leaves are stored, it is sent. When that fails the nodes are told to forget.

use alloy::primitives::{Bytes, U256};

use super::{
    account::SmartAccountClient,
    create_session::{CreateSessionVariables, PreparedCreateSession, complete_create_session, prepare_grant_of},
    data_fee::modest_data_fee,
    grant::{GrantRequest, Material},
    owner_signature::owner_signature,
    ports::{DistributedKeys, Relay, SessionStore},
    random,
    send_user_operation::{check_wallet_chain, may_have_arrived},
};
use crate::error::AppError;
use use_aa_protocol::{
    distributed_key::{
        DanModuleInfo, EphemeralKey, GRANT_VERSION, Grant, GrantedLeaf, KeyOffer, MAX_LIFETIME, SignedGrant, TypedData,
        default_operation_cost_with_data, policy_hash, verify_grant,
    },
    user_op_response::UserOpResponse,
};

/// The nonces of an offer must live at least so long when the owner is asked to sign, seconds.
const TIME_TO_SIGN: u64 = 120;
/// A node's code for a key that belongs to another grant.
pub(super) const KEY_TAKEN: &str = "key-taken";
/// The owner signs a grant for another key so often: the grant names its key.
pub(super) const MOST_TAKEN: usize = 2;
/// How much longer than its last session a grant lives, seconds: the clocks of nodes and chain differ.
const MARGIN: u64 = 300;

/// A grant that lacks the owner's two signatures. Nothing of it is stored yet.
#[derive(Clone, Debug)]
pub struct PreparedDistributedGrant {
    request: CreateSessionVariables,
    prepared: PreparedCreateSession,
    offer: KeyOffer,
    ephemeral_key: EphemeralKey,
    max_operation_cost: U256,
}

impl PreparedDistributedGrant {
    /// The granting operation and its leaves.
    pub fn session(&self) -> &PreparedCreateSession {
        &self.prepared
    }

    /// What one operation may cost the account, wei: what was asked for, or the default at the fee of now.
    pub fn max_operation_cost(&self) -> U256 {
        self.max_operation_cost
    }

    /// The key that the nodes offer.
    pub fn offer(&self) -> &KeyOffer {
        &self.offer
    }
}

/// Grants sessions with a distributed key: [`prepare_create_session_with_distributed_key`], then
/// [`complete_create_session_with_distributed_key`].
///
/// # Errors
/// Those of the two.
pub async fn create_session_with_distributed_key(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    request: CreateSessionVariables,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_create_session_with_distributed_key(client, store, keys, request).await?;
    complete_create_session_with_distributed_key(client, store, keys, prepared).await
}

/// Checks the policies, takes an offered key and builds the granting operation. Writes nothing.
///
/// # Errors
/// Those of [`prepare_create_session`](super::create_session::prepare_create_session), the policies' first;
/// `InvalidInput` for a policy that brings a key of its own; `NoDistributedKeys`; `TooFewNodes` when not all nodes are
/// there, all of which hold a share.
pub async fn prepare_create_session_with_distributed_key(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    request: CreateSessionVariables,
) -> Result<PreparedDistributedGrant, AppError> {
    let grant = GrantRequest::from(request.clone());
    grant.check(client.account)?;
    if request.policy.iter().any(|policy| policy.session_key_address.is_some()) {
        return Err(AppError::invalid("policy.sessionKeyAddress", "none: the nodes make the key", "an address"));
    }
    let offer = keys.offer().await?;
    let ephemeral_key = random::ephemeral_key()?;
    let chain_id = client.relay.chain_info().await?.chain_id;
    let info = DanModuleInfo {
        mpc_key_id: offer.key_id.to_string(),
        parties_number: u8::try_from(offer.nodes.len()).unwrap_or(u8::MAX),
        threshold: offer.threshold,
        eoa_address: client.owner,
        chain_id,
    };
    let material =
        Material::distributed(client.account, &grant, offer.session_key_address, ephemeral_key.clone(), &info)?;
    let mut prepared = prepare_grant_of(client, store, grant, material).await?;
    let fee = prepared.operation().user_operation.max_fee_per_gas;
    let max_operation_cost = operation_cost(client.relay.as_ref(), request.max_operation_cost, fee).await;
    prepared.keep_operation_cost(max_operation_cost);
    Ok(PreparedDistributedGrant { request, prepared, offer, ephemeral_key, max_operation_cost })
}

/// Has the owner sign the grant, the nodes bind the key, and the owner sign the operation; stores and sends. When
/// somebody else was faster with the key, at another server of the same nodes, the owner signs for another one.
///
/// # Errors
/// `WalletRejected` and the wallet's others, for either signature: nothing was stored. `NodeRefused`, `TooFewNodes`,
/// `InvalidInput` for `attestation` when a node does not say that it holds this key for this grant. Then those of
/// [`complete_create_session`].
pub async fn complete_create_session_with_distributed_key(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    mut prepared: PreparedDistributedGrant,
) -> Result<UserOpResponse, AppError> {
    let mut taken = 0;
    let (signed, attestations) = loop {
        let now = prepared.prepared.operation().elapsed_clocks().wall;
        if prepared.offer.expires < now.saturating_add(TIME_TO_SIGN) {
            let reviewed = Some(prepared.prepared.reviewed());
            let request = CreateSessionVariables { reviewed, ..prepared.request };
            prepared = prepare_create_session_with_distributed_key(client, store, keys, request).await?;
        }
        let signed = sign_grant(client, &prepared).await?;
        match keys.bind(&signed, &prepared.offer.nonces).await {
            Ok(attestations) => break (signed, attestations),
            // Offered by another server of the same nodes as well, and bound there meanwhile.
            Err(AppError::NodeRefused { code, .. }) if code == KEY_TAKEN && taken < MOST_TAKEN => {
                taken += 1;
                let reviewed = Some(prepared.prepared.reviewed());
                let request = CreateSessionVariables { reviewed, ..prepared.request };
                prepared = prepare_create_session_with_distributed_key(client, store, keys, request).await?;
            }
            Err(error) => return Err(error),
        }
    };
    let PreparedDistributedGrant { prepared, offer, ephemeral_key, .. } = prepared;
    offer.check(&attestations, signed.digest()?)?;
    let outcome = complete_create_session(client, store, prepared).await;
    if outcome.as_ref().is_err_and(|error| !may_have_arrived(error)) {
        // No leaf will ever name this key. Should the nodes not hear it, it is of no use all the same.
        let _ = keys.revoke(&ephemeral_key.revoke(offer.key_id)).await;
    }
    outcome
}

async fn sign_grant(
    client: &SmartAccountClient,
    PreparedDistributedGrant { prepared, offer, ephemeral_key, max_operation_cost, .. }: &PreparedDistributedGrant,
) -> Result<SignedGrant, AppError> {
    let chain_id = prepared.operation().chain.chain_id;
    let leaves: Vec<GrantedLeaf> = prepared.leaves().iter().map(GrantedLeaf::from).collect();
    // The nodes' clock, as far as the server's agrees with it: they take no grant for more than a year.
    let now = prepared.operation().elapsed_clocks().wall;
    let grant = Grant {
        version: GRANT_VERSION,
        owner: client.owner,
        account: client.account,
        account_index: 0,
        chain_id,
        entry_point: prepared.operation().user_operation.entry_point.address(),
        session_key_address: offer.session_key_address,
        key_id: offer.key_id,
        ephemeral_key: ephemeral_key.public_key(),
        valid_until: end_of(leaves.iter().map(|leaf| leaf.valid_until), now),
        policy_hash: policy_hash(&leaves),
        max_operation_cost: Some(*max_operation_cost),
        threshold: offer.threshold,
        nodes: u8::try_from(offer.nodes.len()).unwrap_or(u8::MAX),
        challenge: offer.challenge()?,
        nexus: None,
    };
    let signature = signed_by_owner(client, chain_id, &grant.typed_data(&leaves)?).await?;
    as_nodes_accept(SignedGrant { grant, leaves, signature, nexus: None }, now)
}

/// The owner's signature of a grant.
pub(super) async fn signed_by_owner(
    client: &SmartAccountClient,
    chain_id: u64,
    typed_data: &TypedData,
) -> Result<Bytes, AppError> {
    check_wallet_chain(client, chain_id).await?;
    let given = client.wallet.sign_typed_data(typed_data).await?;
    Ok(owner_signature(client.owner, typed_data.digest, &given)?.into())
}

/// As every node will: what it would refuse is known here, with its reason.
pub(super) fn as_nodes_accept(signed: SignedGrant, now: u64) -> Result<SignedGrant, AppError> {
    verify_grant(&signed, now).map_err(|refusal| AppError::invalid("grant", "what the nodes accept", refusal))?;
    Ok(signed)
}

/// What one operation may cost the account, wei: what was asked for, or the default at this fee.
pub(super) async fn operation_cost(relay: &dyn Relay, asked: Option<U256>, max_fee_per_gas: U256) -> U256 {
    match asked {
        Some(limit) => limit,
        None => {
            let data_fee = modest_data_fee(relay, max_fee_per_gas).await;
            default_operation_cost_with_data(max_fee_per_gas, data_fee)
        }
    }
}

/// The end of the last session and a margin; a year where one has no end (docs/protocol.md 7.1; `@biconomy/use-aa` looks at the first only,
/// 10-D6).
pub(super) fn end_of(ends: impl Iterator<Item = u64>, now: u64) -> u64 {
    // Somewhat less than the most: a node's clock may be behind.
    let latest = now.saturating_add(MAX_LIFETIME - MARGIN);
    let ends = ends.map(|end| match end {
        0 => latest,
        end => end.saturating_add(MARGIN),
    });
    ends.max().unwrap_or(latest).min(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_ends_a_little_after_its_last_session_and_never_lives_longer_than_a_year() {
        let end_of = |ends: &[u64]| end_of(ends.iter().copied(), 1_000);
        assert_eq!(end_of(&[2_000, 3_000]), 3_300);
        assert_eq!(end_of(&[2_000, 0]), 1_000 + MAX_LIFETIME - MARGIN);
        assert_eq!(end_of(&[u64::MAX]), 1_000 + MAX_LIFETIME - MARGIN);
    }
}
