//! What the account would answer to a whole, signed user operation.

use std::collections::HashSet;

use alloy::primitives::{Address, B256, Bytes, Signature, U256, aliases::U48};

use super::{Window, judge_batch_call, session_key_of, simulate_batch};
use crate::{
    abi::{BatchedRouterSignature, SessionKeyManagerSignature, WrappedSignature, decode},
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    merkle,
    session::SessionLeaf,
    signature::personal_digest,
    smart_account::decode_calls,
    user_operation::UserOperation,
};

/// Which source of the session key manager runs on chain (docs/protocol.md 0.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionKeyManagerVersion {
    /// Decodes the signature wrapper generically.
    #[default]
    V1_0_0,
    /// Reads the module signature at fixed byte 96.
    V1_1_0,
}

/// What the chain holds for the account.
#[derive(Clone, Debug)]
pub struct AccountView<'a> {
    /// Root in the session key manager.
    pub merkle_root: B256,
    /// Enabled modules.
    pub modules: &'a HashSet<Address>,
    /// Source of the session key manager.
    pub version: SessionKeyManagerVersion,
}

/// The account's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted within the window.
    Accepted(Window),
    /// Well-formed, but signed by another key. The window is packed all the same.
    SignatureFailed(Window),
    /// Reverts with this text; empty where it reverts without one.
    Reverted(String),
}

/// Judges a session operation (session key manager or batched session router).
pub fn simulate(user_operation: &UserOperation, user_op_hash: B256, account: &AccountView<'_>) -> Verdict {
    judge(user_operation, user_op_hash, account).unwrap_or_else(Verdict::Reverted)
}

/// `Err` = revert text.
fn judge(op: &UserOperation, user_op_hash: B256, account: &AccountView<'_>) -> Result<Verdict, String> {
    let silent = |_| String::new();
    // Loose, as the account reads it: of its two parts only one has an offset. What is inside must be canonical.
    let wrapped = decode::loose_params::<WrappedSignature>(&op.signature).map_err(silent)?;
    if !account.modules.contains(&wrapped.validationModule) {
        return Err(format!("WrongValidationModule({})", wrapped.validationModule));
    }
    let digest = personal_digest(user_op_hash);
    match wrapped.validationModule {
        SESSION_KEY_MANAGER => {
            let module_signature = match account.version {
                SessionKeyManagerVersion::V1_0_0 => wrapped.moduleSignature,
                SessionKeyManagerVersion::V1_1_0 => fixed_position(&op.signature).ok_or_else(String::new)?,
            };
            let session = decode::leading_params::<SessionKeyManagerSignature>(&module_signature).map_err(silent)?;
            let leaf = leaf_of(
                session.validUntil,
                session.validAfter,
                session.sessionValidationModule,
                session.sessionKeyData,
            );
            approve(&leaf, &session.merkleProof, account.merkle_root)?;
            let window = super::simulate_single(&leaf, &op.call_data).map_err(|violation| violation.revert_text)?;
            let signer = recover(digest, &session.sessionKeySignature)?;
            Ok(verdict(session_key_of(&leaf) == Some(signer), window))
        }
        BATCHED_SESSION_ROUTER => {
            let batch = decode::leading_params::<BatchedRouterSignature>(&wrapped.moduleSignature).map_err(silent)?;
            judge_batch(op, digest, &batch, account)
        }
        _ => Err(String::new()),
    }
}

/// The router's checks in its order (docs/protocol.md 3.6).
fn judge_batch(
    op: &UserOperation,
    digest: B256,
    batch: &BatchedRouterSignature,
    account: &AccountView<'_>,
) -> Result<Verdict, String> {
    let leaves: Vec<SessionLeaf> = batch
        .sessionData
        .iter()
        .map(|s| leaf_of(s.validUntil, s.validAfter, s.sessionValidationModule, s.sessionKeyData.clone()))
        .collect();
    let references: Vec<&SessionLeaf> = leaves.iter().collect();
    let outcome = simulate_batch(&references, &op.call_data);
    if let Err(violation) = &outcome
        && violation.revert_text == "SR Invalid Selector"
    {
        return Err(violation.revert_text.clone());
    }
    if !account.modules.contains(&batch.sessionKeyManager) {
        return Err("SR Invalid SKM".into());
    }
    let signer = recover(digest, &batch.sessionKeySignature)?;
    let calls = decode_calls(&op.call_data).map_err(|_| String::new())?;
    if calls.len() != leaves.len() {
        return Err("Lengths mismatch".into());
    }
    let mut signed = true;
    for ((leaf, session), call) in leaves.iter().zip(&batch.sessionData).zip(&calls) {
        approve(leaf, &session.merkleProof, account.merkle_root)?;
        judge_batch_call(leaf, call).map_err(|violation| violation.revert_text)?;
        signed &= session_key_of(leaf) == Some(signer);
        if !signed {
            return Ok(Verdict::SignatureFailed(Window::default()));
        }
    }
    outcome.map(|window| verdict(signed, window)).map_err(|violation| violation.revert_text)
}

fn verdict(signed: bool, window: Window) -> Verdict {
    if signed { Verdict::Accepted(window) } else { Verdict::SignatureFailed(window) }
}

fn leaf_of(valid_until: U48, valid_after: U48, module: Address, session_key_data: Bytes) -> SessionLeaf {
    SessionLeaf {
        valid_until: valid_until.to(),
        valid_after: valid_after.to(),
        session_validation_module: module,
        session_key_data,
        ..SessionLeaf::default()
    }
}

fn approve(leaf: &SessionLeaf, proof: &[B256], root: B256) -> Result<(), String> {
    if !root.is_zero() && merkle::verify(root, leaf.hash(), proof) { Ok(()) } else { Err("SessionNotApproved".into()) }
}

/// Bytes 96… of the signature, as long as the word at 64 says; canonical wrappers only.
fn fixed_position(signature: &[u8]) -> Option<Bytes> {
    let length = usize::try_from(U256::try_from_be_slice(signature.get(64..96)?)?).ok()?;
    signature.get(96..96usize.checked_add(length)?).map(|bytes| bytes.to_vec().into())
}

/// OpenZeppelin's `ECDSA.recover` with its texts.
fn recover(digest: B256, signature: &[u8]) -> Result<Address, String> {
    let bytes: &[u8; 65] = signature.try_into().map_err(|_| "ECDSA: invalid signature length")?;
    let r = U256::from_be_slice(&bytes[..32]);
    let s = U256::from_be_slice(&bytes[32..64]);
    let parsed = Signature::new(r, s, bytes[64] == 28);
    if parsed.normalize_s().is_some() {
        return Err("ECDSA: invalid signature 's' value".into());
    }
    if !matches!(bytes[64], 27 | 28) {
        return Err("ECDSA: invalid signature".into());
    }
    parsed.recover_address_from_prehash(&digest).map_err(|_| "ECDSA: invalid signature".into())
}
