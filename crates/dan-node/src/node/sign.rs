//! A signature: this node's own decision, then the protocol with the other signers.

use std::sync::Arc;

use alloy::primitives::B256;

use super::{Node, evidence, now};
use crate::{
    api::{NodeRefusal, RunKind, SignAnswer, SignBody},
    keys::Key,
    laps::{Laps, Part},
    run::{RunError, RunName},
    signing::sign,
};
use use_aa_protocol::distributed_key::authorize_sign_by;

impl Node {
    /// Signs a user operation together with the others, if this node finds that it may.
    pub async fn sign(self: &Arc<Self>, body: SignBody) -> Result<SignAnswer, NodeRefusal> {
        let mut laps = Laps::begin();
        let request = &body.request;
        let (own, challenge) = self.challenge(RunKind::Signing, &body.nonces)?;
        let mut participants: Vec<u8> = body.nonces.iter().map(|nonce| nonce.node).collect();
        participants.sort_unstable();
        // Computed from the operation itself, before anything is believed: the others find the same or disagree.
        let digest = request.digest();
        let kind = RunKind::Signing.name();
        let name = RunName::new(kind, challenge, 0, request.key_id, digest, &participants);
        let decided = self.decide(&body, own, challenge, &participants).await;
        let key = decided.inspect_err(|refusal| self.runs.refuse(&name, &refusal.code, &refusal.message))?;
        let user_op_hash = request.user_operation.hash(request.chain_id);
        laps.lap(Part::Deciding);
        let signature = self.sign_together(name, &mut laps, &key, digest).await?;
        laps.log(self.config.id);
        Ok(SignAnswer { node: self.config.id, user_op_hash, signature })
    }

    /// All that this node checks. Ends with the nonce spent and the signature counted.
    async fn decide(
        self: &Arc<Self>,
        body: &SignBody,
        own: B256,
        challenge: B256,
        participants: &[u8],
    ) -> Result<Arc<Key>, NodeRefusal> {
        let request = &body.request;
        self.nonces.check(RunKind::Signing, &own, now()).map_err(|error| self.by_nonce(error))?;
        if challenge != request.challenge {
            return Err(self.refuse("challenge", "the request is over another challenge"));
        }
        let mut signers = request.signers.clone();
        signers.sort_unstable();
        if signers != participants {
            return Err(self.refuse("participants", "the request names other signers than the nonces do"));
        }
        let key = self.known(request.key_id)?;
        {
            let record = key.record();
            let record = record.as_ref().ok_or_else(|| self.unknown(key.id))?;
            let signed = record.grant.as_ref().ok_or_else(|| self.unknown(key.id))?;
            if record.revoked {
                return Err(self.refuse("revoked", "the grant was revoked"));
            }
            let decided = authorize_sign_by(signed, request, now(), &self.config.costs);
            decided.map_err(|refusal| self.by_rule(&refusal))?;
        }
        self.none_banned(signers)?;
        self.nonces.spend(RunKind::Signing, &own, now()).map_err(|error| self.by_nonce(error))?;
        Ok(key)
    }

    async fn sign_together(
        self: &Arc<Self>,
        name: RunName,
        laps: &mut Laps,
        key: &Arc<Key>,
        digest: B256,
    ) -> Result<alloy::primitives::Bytes, NodeRefusal> {
        // Opened first: what the others send from now on finds its run.
        let mut run = match self.runs.open(name, self.config.signing_timeout) {
            Ok(run) => run,
            Err(error) => return Err(self.ended(error, None).await),
        };
        let mut epoch = 0;
        let result = async {
            let per_minute = self.config.signatures_per_minute;
            let to_write = key.take(per_minute, now()).map_err(RunError::RateLimited)?;
            let writing = to_write.map(|limit| {
                let (node, id) = (self.clone(), key.id);
                tokio::spawn(async move { node.write_limit(id, limit).await })
            });
            let share = self.share_with(key, run.others().collect()).await?;
            epoch = share.epoch();
            laps.lap(Part::Share);
            let release = async {
                match writing {
                    Some(writing) => writing.await.map_err(|error| RunError::Internal(error.to_string()))?,
                    None => Ok(()),
                }
            };
            sign(&mut run, laps, &self.workers, share, digest, release).await
        };
        match result.await {
            Ok(signature) => Ok(signature),
            Err(error) => {
                run.tell(&error);
                Err(self.ended(error, Some(evidence(&run, RunKind::Signing, key.id, epoch))).await)
            }
        }
    }
}
