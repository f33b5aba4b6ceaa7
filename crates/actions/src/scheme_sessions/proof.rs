//! Shows that a session is over: the chain lists it no more, and its entry point refuses what the session's key signs.
//!
//! Nothing is sent: a node runs the entry point's `handleOps` over one operation (`eth_call`), as an inclusion would.

use alloy::{
    primitives::{B256, Bytes, U256},
    signers::SignerSync,
};
use futures::future::try_join;
use serde_json::json;
use use_aa_protocol::{
    lint::example_call, revert::revert_data, session_scheme::SessionScheme, signature::DUMMY_SESSION,
    user_operation::UserOperation,
};

use super::{SchemeSessions, listing::permission_of};
use crate::{
    error::{AppError, Upstream},
    prove_revocation::RevocationProof,
};

/// Gas for the validation that is tried, far above what one takes.
const VERIFICATION_GAS: u64 = 2_000_000;

/// Lane of the nonce that the trial uses: one that hardly anybody else does. Nonces are looked at last.
const TRIAL_LANE: u64 = (1 << 24) - 1;

impl<S: SessionScheme> SchemeSessions<S> {
    /// Tries the session with this listed id, stored or not. One that the chain still has is
    /// [`RevocationProof::NotProven`].
    ///
    /// # Errors
    /// `SessionNotFound` for an id that is none; those of relay and store; `Key` when signing fails.
    pub async fn prove_revocation(&self, listed: &str) -> Result<RevocationProof, AppError> {
        let id = permission_of(listed).ok_or_else(|| AppError::SessionNotFound { wanted: listed.to_owned() })?;
        let (chain, known) = try_join(self.relay.chain_info(), self.read()).await?;
        if known.ids_in_force().contains(&id) {
            return Ok(RevocationProof::NotProven { answer: "the chain still has the session".to_owned() });
        }
        let (account, entry_point) = (self.kind.address(), self.kind.entry_point());
        let session = known.stored.iter().map(|stored| &stored.session).find(|session| S::id(session) == id);
        let call = session.and_then(|session| S::leaves(session).iter().find_map(example_call)).unwrap_or_default();
        let mut trial = UserOperation {
            entry_point,
            sender: account,
            nonce: S::nonce_key(U256::from(TRIAL_LANE))? << 64,
            call_data: self.kind.encode_calls(&[call], false)?,
            verification_gas_limit: U256::from(VERIFICATION_GAS),
            ..UserOperation::default()
        };
        let signed = self.trial_signature(session, trial.hash(chain.chain_id)).await?;
        let cannot = || AppError::invalid("account", "one whose sessions the chain tells apart", self.kind.name());
        trial.signature = S::trial_signature(id, &signed).ok_or_else(cannot)?;
        // What it would be paid goes to the account itself: nothing.
        let data = entry_point.handle_ops(vec![trial], account)?;
        let asked = json!([{ "to": entry_point.address(), "data": data }, "latest"]);
        let reverted = match self.relay.read("eth_call", asked).await {
            Ok(_) => return Ok(RevocationProof::NotProven { answer: "the operation is valid".to_owned() }),
            Err(AppError::UpstreamRejected { upstream: Upstream::Node, data: Some(data), .. }) => revert_data(&data),
            Err(error) => return Err(error),
        };
        Ok(match S::refuses_ended(id, &reverted.unwrap_or_default()) {
            Ok(reason) => RevocationProof::Refused { reason },
            Err(answer) => RevocationProof::NotProven { answer },
        })
    }

    /// The session key's; nobody's where it is not here, which changes nothing: whether there is a session is looked at
    /// first.
    async fn trial_signature(&self, session: Option<&S::Session>, hash: B256) -> Result<Bytes, AppError> {
        let Some(session) = session else { return Ok(DUMMY_SESSION.into()) };
        match self.store.signer(self.kind.address(), S::session_key(session)).await {
            Ok(key) => {
                let signed = key.sign_message_sync(hash.as_slice());
                let signed = signed.map_err(|error| AppError::Key { reason: error.to_string() })?;
                Ok(signed.as_bytes().into())
            }
            Err(AppError::SessionNotFound { .. } | AppError::Key { .. }) => Ok(DUMMY_SESSION.into()),
            Err(error) => Err(error),
        }
    }
}
