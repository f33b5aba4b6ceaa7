//! Shows that a revoked session is dead: its key signs an operation, and the entry point on chain refuses it.
//!
//! Nothing is sent: the node runs `EntryPoint.simulateValidation` (`eth_call`), which validates exactly as a real
//! inclusion would and always reverts, with a `ValidationResult` or with the reason of the refusal.

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::SignerSync,
    sol_types::{SolCall, SolError},
};
use futures::future::try_join;
use serde_json::json;

use super::ports::{Relay, SessionStore};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    abi::IEntryPoint,
    accounts::biconomy_v2::{ENTRY_POINT, encode_calls},
    lint::example_call,
    revert::{decode_revert, revert_data},
    signature::{DUMMY_SESSION, session_key_manager, wrap},
    user_operation::{UserOperation, nonce_with_key},
};

/// How the chain answers the key of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationProof {
    /// The chain refuses it, with this reason (`AA23 reverted: SessionNotApproved`).
    Refused {
        /// The entry point's text.
        reason: String,
    },
    /// The chain lets it through, or refuses it for a reason that says nothing about the session.
    NotProven {
        /// What the chain answered.
        answer: String,
    },
}

/// Gas for the validation that is tried, far above what one takes.
const VERIFICATION_GAS: u64 = 2_000_000;

/// Lane of the nonce that the trial uses: one that nobody else does, so that its sequence is 0.
const TRIAL_LANE: u64 = u64::MAX;

/// Tries the session, with the last Merkle proof that it had. Any stored session can be tried: one that still works is
/// [`RevocationProof::NotProven`].
///
/// # Errors
/// `SessionNotFound`; those of the [`Relay`] and of the store; `Key` when signing fails.
pub async fn prove_revocation(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    session_id: &str,
) -> Result<RevocationProof, AppError> {
    let (chain, book) = try_join(relay.chain_info(), store.load(account)).await?;
    let leaf = book.find(session_id).ok_or_else(|| AppError::SessionNotFound { wanted: session_id.to_owned() })?;
    let proof = book.proof(session_id).ok().or_else(|| book.last_proof(session_id)).unwrap_or_default();
    let mut trial = UserOperation {
        entry_point: ENTRY_POINT,
        sender: account,
        nonce: nonce_with_key(U256::from(TRIAL_LANE), 0),
        call_data: encode_calls(&[example_call(leaf).unwrap_or_default()], false)?,
        verification_gas_limit: U256::from(VERIFICATION_GAS),
        ..UserOperation::default()
    };
    // The root is looked at before the signature, so a key that is not stored here, or that nodes share, changes nothing.
    let signature = match store.signer(account, leaf.session_key_address).await {
        Ok(key) => {
            let signed = key.sign_message_sync(trial.hash(chain.chain_id).as_slice());
            signed.map_err(|error| AppError::Key { reason: error.to_string() })?.as_bytes()
        }
        Err(AppError::SessionNotFound { .. } | AppError::Key { .. }) => DUMMY_SESSION,
        Err(error) => return Err(error),
    };
    trial.signature = wrap(leaf.manager().address(), &session_key_manager(leaf, &proof, &signature));
    let entry_point = trial.entry_point;
    let data = IEntryPoint::simulateValidationCall { operation: trial.into() }.abi_encode();
    let answer =
        relay.read("eth_call", json!([{ "to": entry_point.address(), "data": Bytes::from(data) }, "latest"])).await;
    judge(answer)
}

fn judge(answer: Result<serde_json::Value, AppError>) -> Result<RevocationProof, AppError> {
    let data = match answer {
        Err(AppError::UpstreamRejected { upstream: Upstream::Node, data: Some(data), .. }) => revert_data(&data),
        Err(error) => return Err(error),
        Ok(_) => None,
    };
    let data = data.unwrap_or_default();
    let answer = match data.first_chunk::<4>() {
        Some(&IEntryPoint::ValidationResult::SELECTOR) => "the operation is valid".to_owned(),
        _ => decode_revert(&data),
    };
    Ok(match answer.contains("SessionNotApproved") {
        true => RevocationProof::Refused { reason: answer },
        false => RevocationProof::NotProven { answer },
    })
}
