//! Uses a session whose key nodes share: this browser's ephemeral key asks, `t` nodes check and sign together
//! (docs/protocol.md 3.14, U21).

use alloy::primitives::{Address, B256, Bytes, Signature};

use super::{
    ports::{DistributedKeys, Relay, SessionStore},
    prepare_user_operation::PreparedUserOperation,
    send_with_session::{SendWithSessionRequest, UnsignedUse, find_and_build},
    session_choice::KeyPlace,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    distributed_key::{DanModuleInfo, EphemeralKey, Revocation, RunKind, SignOutcome, SignRequest, joint_challenge},
    session::SessionLeaf,
    signature::personal_digest,
    user_op_response::UserOpResponse,
    user_operation::UserOperation,
};

/// How often other nodes are asked when some fail on the way.
const ATTEMPTS: usize = 4;

/// A use of a session that lacks only the nodes' signature.
#[derive(Clone, Debug)]
pub struct PreparedDistributedUse {
    unsigned: UnsignedUse,
    key: DistributedKey,
}

/// What this browser knows of a distributed key.
#[derive(Clone, Debug)]
pub(super) struct DistributedKey {
    session_key_address: Address,
    key_id: B256,
    info: DanModuleInfo,
    ephemeral_key: EphemeralKey,
}

impl PreparedDistributedUse {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.unsigned.operation
    }

    /// The session that is used.
    pub fn leaves(&self) -> impl Iterator<Item = &SessionLeaf> {
        self.unsigned.leaves()
    }
}

/// Uses a session: [`prepare_send_with_distributed_session`], then [`complete_send_with_distributed_session`].
///
/// # Errors
/// Those of the two.
pub async fn send_with_distributed_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    request: SendWithSessionRequest,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_send_with_distributed_session(relay, store, request).await?;
    complete_send_with_distributed_session(relay, keys, &prepared).await
}

/// Finds the session among those with a distributed key, checks that it allows the call, and builds the operation.
///
/// # Errors
/// Those of [`prepare_send_with_session`](super::send_with_session::prepare_send_with_session); `InvalidInput` when the
/// session was granted for another chain, or through the service that `@biconomy/use-aa` worked with.
pub async fn prepare_send_with_distributed_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithSessionRequest,
) -> Result<PreparedDistributedUse, AppError> {
    let account = request.account;
    let unsigned = find_and_build(relay, store, request, KeyPlace::Nodes).await?;
    let leaf = unsigned.leaves().next();
    let leaf = leaf.ok_or_else(|| AppError::SessionNotFound { wanted: "a session with a distributed key".into() })?;
    let key = DistributedKey::of(store, account, leaf).await?;
    key.check_chain(unsigned.operation.chain.chain_id)?;
    Ok(PreparedDistributedUse { unsigned, key })
}

/// Has the nodes sign and sends; once more when the bundler wants higher fees (`raise_fees.rs`). When some nodes fail on
/// the way others are asked.
///
/// # Errors
/// `SessionExpired` when its window ended since it was prepared; `TooFewNodes` at once when fewer answer than must sign;
/// `NodeRefused` and `PolicyViolation` when a node says no; those of the bundler. The store is not touched.
pub async fn complete_send_with_distributed_session(
    relay: &dyn Relay,
    keys: &dyn DistributedKeys,
    prepared: &PreparedDistributedUse,
) -> Result<UserOpResponse, AppError> {
    prepared.unsigned.check_windows()?;
    let signature = prepared.sign(keys).await?;
    let refusal = match prepared.unsigned.send(relay, &signature).await {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let Some(unsigned) = prepared.unsigned.raised(relay, &refusal).await? else { return Err(refusal) };
    let higher = PreparedDistributedUse { unsigned, key: prepared.key.clone() };
    let signature = higher.sign(keys).await?;
    higher.unsigned.send(relay, &signature).await
}

impl PreparedDistributedUse {
    async fn sign(&self, keys: &dyn DistributedKeys) -> Result<Bytes, AppError> {
        let operation = &self.unsigned.operation;
        sign(keys, &self.key, unsigned(&operation.user_operation), operation.user_op_hash).await
    }
}

/// Signs a stuck use of a session anew, for whoever replaces it.
pub(super) async fn sign_anew(
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    leaf: &SessionLeaf,
    operation: &UserOperation,
    user_op_hash: B256,
) -> Result<Bytes, AppError> {
    let key = DistributedKey::of(store, operation.sender, leaf).await?;
    sign(keys, &key, unsigned(operation), user_op_hash).await
}

/// Without a signature, of which the nodes of Smart Account V2's sessions read nothing.
fn unsigned(operation: &UserOperation) -> UserOperation {
    UserOperation { signature: Bytes::new(), ..operation.clone() }
}

/// Has the nodes sign it. Where its `signature` names the session that is used, the nodes are told.
pub(super) async fn sign(
    keys: &dyn DistributedKeys,
    key: &DistributedKey,
    operation: UserOperation,
    user_op_hash: B256,
) -> Result<Bytes, AppError> {
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let nonces = keys.challenge(key.info.threshold).await?;
        let mut request = SignRequest {
            key_id: key.key_id,
            user_operation: operation.clone(),
            entry_point: operation.entry_point.address(),
            chain_id: key.info.chain_id,
            challenge: joint_challenge(RunKind::Signing, &nonces)?,
            signers: nonces.iter().map(|nonce| nonce.node).collect(),
            ephemeral_signature: Bytes::new(),
        };
        key.ephemeral_key.sign(&mut request);
        match keys.sign(&request, &nonces, key.session_key_address).await? {
            SignOutcome::Signed { signature } => {
                check_signature(&signature, user_op_hash, key.session_key_address)?;
                return Ok(signature);
            }
            SignOutcome::Again { reason } => last = reason,
        }
    }
    Err(AppError::UpstreamUnavailable { upstream: Upstream::Nodes, reason: last })
}

/// The server in between is not trusted: what it hands over is the session key's signature, or an error.
fn check_signature(signature: &[u8], user_op_hash: B256, session_key_address: Address) -> Result<(), AppError> {
    let parsed = Signature::try_from(signature).ok().filter(|parsed| parsed.normalize_s().is_none());
    let signer = parsed.and_then(|it| it.recover_address_from_prehash(&personal_digest(user_op_hash)).ok());
    if signer == Some(session_key_address) {
        return Ok(());
    }
    let reason = "a signature that is not the session key's".into();
    Err(AppError::UpstreamMalformed { upstream: Upstream::Nodes, reason })
}

impl DistributedKey {
    /// Was it granted for this chain?
    pub fn check_chain(&self, chain_id: u64) -> Result<(), AppError> {
        if self.info.chain_id == chain_id {
            return Ok(());
        }
        Err(AppError::invalid("danModuleInfo.chainId", chain_id.to_string(), self.info.chain_id))
    }

    /// Tells the nodes to sign no more with it.
    pub fn revocation(&self) -> Revocation {
        self.ephemeral_key.revoke(self.key_id)
    }

    async fn of(store: &dyn SessionStore, account: Address, leaf: &SessionLeaf) -> Result<Self, AppError> {
        let not_found = || AppError::SessionNotFound { wanted: "a session with a distributed key".into() };
        let info = DanModuleInfo::of(leaf)?.ok_or_else(not_found)?;
        Self::known(store, account, leaf.session_key_address, info).await
    }

    /// With what is stored of it.
    pub async fn known(
        store: &dyn SessionStore,
        account: Address,
        session_key_address: Address,
        info: DanModuleInfo,
    ) -> Result<Self, AppError> {
        let key_id = info.mpc_key_id.parse().map_err(|_| {
            AppError::invalid("danModuleInfo.mpcKeyId", "the id of a key of these nodes: 32 bytes", &info.mpc_key_id)
        })?;
        let ephemeral_key = store.ephemeral_key(account, session_key_address).await?;
        Ok(Self { session_key_address, key_id, info, ephemeral_key })
    }
}

/// Tells the nodes to sign no more with the key of this session, which all its other sessions lose with it. Needs no
/// wallet and changes nothing on chain: to take the session out of the account, revoke it there as well.
///
/// # Errors
/// `SessionNotFound` when the session is not stored here or has no distributed key; `TooFewNodes` when so few nodes
/// heard it that the others could still sign.
pub async fn revoke_at_nodes(
    store: &dyn SessionStore,
    keys: &dyn DistributedKeys,
    account: Address,
    session_id: &str,
) -> Result<(), AppError> {
    let book = store.load(account).await?;
    let leaf = book.find(session_id);
    let leaf = leaf.ok_or_else(|| AppError::SessionNotFound { wanted: session_id.to_owned() })?;
    let key = DistributedKey::of(store, account, leaf).await?;
    keys.revoke(&key.revocation()).await
}
