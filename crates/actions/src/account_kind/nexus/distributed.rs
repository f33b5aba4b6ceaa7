//! Sessions of a Nexus account whose key nodes share: granted with one more signature of the owner, used by what the nodes
//! sign (docs/protocol.md U16 to U21).

use use_aa_protocol::{
    distributed_key::{
        DanModuleInfo, EphemeralKey, Grant, KeyOffer, NEXUS_GRANT_VERSION, NexusGrant, NexusProof, SignedGrant,
        sessions_hash,
    },
    nexus::{ENTRY_POINT, NexusAccount},
    policy::SessionPolicy,
    session_scheme::{SessionLimits, SessionScheme},
    smart_sessions::{SmartSessions, StoredSession},
    user_op_response::{CreatedSession, UserOpResponse},
};

use super::proxy_creation_code;
use super::verbs::{NexusSessions, choice_of_one, in_own_lane, limited};
use crate::{
    account::SmartAccountClient,
    clock::unix_seconds,
    create_session::CreateSessionVariables,
    create_session_with_distributed_key::{
        KEY_TAKEN, MOST_TAKEN, as_nodes_accept, end_of, operation_cost, signed_by_owner,
    },
    enable_mode::EnableMode,
    error::AppError,
    ports::DistributedKeys,
    random,
    scheme_sessions::{GrantedKey, PreparedGrant, SessionGrants},
    send_user_operation::may_have_arrived,
    send_with_session::SendWithSessionRequest,
};

/// Grants a session for each policy; nodes share their one key. The owner signs the grant for the nodes, every node binds
/// the key to it and says so, and the owner signs the operation. Resolves when the bundler has it.
///
/// # Errors
/// As [`create_session`](super::create_session); `NoDistributedKeys`; `TooFewNodes` when not all nodes are there;
/// `NodeRefused`; `InvalidInput` for `attestation` when a node does not say that it holds this key for this grant.
pub async fn create_session_with_distributed_key(
    sessions: &NexusSessions,
    owner: &SmartAccountClient,
    account: &NexusAccount,
    keys: &dyn DistributedKeys,
    variables: CreateSessionVariables,
) -> Result<UserOpResponse, AppError> {
    let CreateSessionVariables { policy, label, options, withdraw_native, max_operation_cost, limits, enable, .. } =
        variables;
    if enable == EnableMode::WithFirstUse {
        let expected = "a grant by an operation: with a distributed key there is no other";
        return Err(AppError::invalid("enable", expected, "WithFirstUse"));
    }
    let now = unix_seconds();
    policy.iter().try_for_each(|policy| policy.check(owner.account, now))?;
    let policy = policy.into_iter().map(SessionPolicy::from).collect();
    let grants = SessionGrants {
        sessions: limited(policy, &limits)?.into_iter().map(|policy| vec![policy]).collect(),
        limits: SessionLimits::default(),
        options,
        label,
        sponsored_where_possible: true,
        enable,
        withdraw_native,
    };
    let relay = owner.relay.as_ref();
    let proxy_creation_code = proxy_creation_code(relay, account.release).await?;
    let mut taken = 0;
    loop {
        let offer = keys.offer().await?;
        let ephemeral_key = random::ephemeral_key()?;
        let key = GrantedKey::of_nodes(offer.session_key_address, ephemeral_key.clone(), info(owner, &offer).await?);
        let mut prepared = sessions.prepare_grant_of(owner, grants.clone(), key).await?;
        let fee = prepared.operation().user_operation.max_fee_per_gas;
        let most = operation_cost(relay, max_operation_cost, fee).await;
        prepared.keep_operation_cost(most);
        let proof = NexusProof {
            sessions: prepared.sessions().iter().map(|stored| stored.session.clone()).collect(),
            safe_senders: account.safe_senders.clone(),
            further_validators: account.further_validators.clone(),
            proxy_creation_code: proxy_creation_code.clone(),
        };
        let drafted = Drafted { account, prepared: &prepared, offer: &offer, ephemeral_key: &ephemeral_key };
        let grant = Grant { max_operation_cost: Some(most), ..drafted.grant(owner, &proof)? };
        let typed_data = grant.nexus_typed_data(&proof.sessions)?;
        let signature = signed_by_owner(owner, grant.chain_id, &typed_data).await?;
        let signed = SignedGrant { grant, leaves: Vec::new(), signature, nexus: Some(proof) };
        let signed = as_nodes_accept(signed, prepared.operation().elapsed_clocks().wall)?;
        match keys.bind(&signed, &offer.nonces).await {
            Ok(attestations) => offer.check(&attestations, signed.digest()?)?,
            // Bound at another server of the same nodes meanwhile: the owner signs for another key.
            Err(AppError::NodeRefused { code, .. }) if code == KEY_TAKEN && taken < MOST_TAKEN => {
                taken += 1;
                continue;
            }
            Err(error) => return Err(error),
        }
        let granted = sessions.complete_grant(owner, prepared).await;
        if granted.as_ref().is_err_and(|error| !may_have_arrived(error)) {
            // No session will ever have this key. Should the nodes not hear it, it is of no use all the same.
            let _ = keys.revoke(&ephemeral_key.revoke(offer.key_id)).await;
        }
        let granted = granted?;
        let session = CreatedSession {
            account: owner.account,
            session_ids: granted.ids.iter().map(ToString::to_string).collect(),
            session_key_address: granted.session_key,
        };
        return Ok(UserOpResponse { session: Some(session), ..granted.response });
    }
}

/// A grant that lacks the owner's signatures.
struct Drafted<'a> {
    account: &'a NexusAccount,
    prepared: &'a PreparedGrant<StoredSession>,
    offer: &'a KeyOffer,
    ephemeral_key: &'a EphemeralKey,
}

impl Drafted<'_> {
    /// What the owner signs for the nodes; what an operation may cost is the caller's to fill in.
    fn grant(&self, owner: &SmartAccountClient, proof: &NexusProof) -> Result<Grant, AppError> {
        let Self { account, prepared, offer, ephemeral_key } = self;
        let index = account.index;
        let account_index =
            u64::try_from(index).map_err(|_| AppError::invalid("account.index", "below 2^64", index))?;
        let leaves = prepared.sessions().iter().flat_map(SmartSessions::leaves);
        Ok(Grant {
            version: NEXUS_GRANT_VERSION,
            owner: owner.owner,
            account: owner.account,
            account_index,
            chain_id: prepared.operation().chain.chain_id,
            entry_point: ENTRY_POINT.address(),
            session_key_address: offer.session_key_address,
            key_id: offer.key_id,
            ephemeral_key: ephemeral_key.public_key(),
            valid_until: end_of(leaves.map(|leaf| leaf.valid_until), prepared.operation().elapsed_clocks().wall),
            policy_hash: sessions_hash(&proof.sessions),
            max_operation_cost: None,
            threshold: offer.threshold,
            nodes: u8::try_from(offer.nodes.len()).unwrap_or(u8::MAX),
            challenge: offer.challenge()?,
            nexus: Some(NexusGrant {
                release: account.release,
                permission_ids: prepared.sessions().iter().map(SmartSessions::id).collect(),
            }),
        })
    }
}

async fn info(owner: &SmartAccountClient, offer: &KeyOffer) -> Result<DanModuleInfo, AppError> {
    Ok(DanModuleInfo {
        mpc_key_id: offer.key_id.to_string(),
        parties_number: u8::try_from(offer.nodes.len()).unwrap_or(u8::MAX),
        threshold: offer.threshold,
        eoa_address: owner.owner,
        chain_id: owner.relay.chain_info().await?.chain_id,
    })
}

/// Does what a session with a distributed key allows: the nodes check and sign. Without an id and a place the newest one
/// that allows the call.
///
/// # Errors
/// As [`send_with_session`](super::send_with_session); those of the nodes.
pub async fn send_with_distributed_session(
    sessions: &NexusSessions,
    keys: &dyn DistributedKeys,
    request: SendWithSessionRequest,
) -> Result<UserOpResponse, AppError> {
    let (choice, SendWithSessionRequest { calls, options, .. }) = choice_of_one(request)?;
    sessions.use_one_by_nodes(keys, &choice, &calls, &in_own_lane(options)?).await
}
