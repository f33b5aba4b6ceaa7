//! A session's state as it is stored: the SDK's status, the hash of the granting operation, and fields of our own
//! beside the SDK's. Only this file knows their names. What a state does not speak of stays as it was stored: a
//! confirmed leaf keeps the nonce of its grant, and a status that another program wrote (`EXPIRED`).

use alloy::primitives::{B256, U256};
use serde_json::{Value, json};

use super::{Ending, GrantOperation, ImpossibleChange, RevocationOperation, SessionEvent, SessionState};
use crate::session::{SessionBook, SessionLeaf, SessionStatus, kept::CAME_BACK};

/// Nonce of the granting operation, hex.
const GRANT_NONCE: &str = "userOpNonce";
/// End of the paymaster's signature on the granting operation, unix seconds.
const GRANT_VALID_UNTIL: &str = "userOpValidUntil";
/// On `PENDING` leaves: the bundler may or may not have the operation.
const GRANT_IN_DOUBT: &str = "sendInDoubt";
/// On `PENDING` leaves: it was revoked before.
const RETURNING: &str = "returning";
/// Hash of the operation that takes it out of the tree.
const REVOKED_BY: &str = "revokedByUserOp";
/// Its nonce, hex.
const REVOCATION_NONCE: &str = "revocationNonce";
/// End of the paymaster's signature on it, unix seconds.
const REVOCATION_VALID_UNTIL: &str = "revocationValidUntil";
/// The bundler dropped it; it may be included all the same.
const REVOCATION_IN_DOUBT: &str = "revocationInDoubt";
/// On revoked leaves: hash of the operation that took it out.
const TAKEN_BY: &str = "takenByUserOp";
/// On revoked leaves: root of the tree that it was in last.
const LEFT_TREE: &str = "leftTree";
/// On revoked leaves: another device's root left it out.
const ENDED_ELSEWHERE: &str = "endedElsewhere";
/// The key is not in this browser.
const OTHER_DEVICE: &str = "otherDevice";

impl SessionLeaf {
    /// Where it stands between this browser and the chain.
    pub fn state(&self) -> SessionState {
        match self.status {
            SessionStatus::Pending if self.has(RETURNING) => {
                SessionState::Returning { grant: self.grant(), ended: self.ending() }
            }
            SessionStatus::Pending => SessionState::Pending(self.grant()),
            SessionStatus::Revoked => self.hash_in(REVOKED_BY).map_or_else(
                || SessionState::Revoked(self.ending()),
                |revocation| SessionState::ImportedWhileRevoking { revocation },
            ),
            SessionStatus::Active | SessionStatus::Inactive | SessionStatus::Expired => self
                .hash_in(REVOKED_BY)
                .map_or(SessionState::Confirmed, |hash| SessionState::Revoking { operation: self.revoked_by(hash) }),
        }
    }

    /// Writes down what happened to it; gives its state afterwards. `None`: it is as before, and has to go out of the
    /// book.
    ///
    /// # Errors
    /// Those of [`SessionState::after`]; it is as before, then.
    pub fn record(&mut self, event: &SessionEvent) -> Result<Option<SessionState>, ImpossibleChange> {
        let before = self.state();
        let next = before.clone().after(event)?;
        if let Some(next) = next.as_ref().filter(|next| **next != before) {
            self.write(&before, next);
        }
        Ok(next)
    }

    /// The operation that takes it out of the tree, while that is on its way.
    pub fn revocation(&self) -> Option<B256> {
        self.state().revocation()
    }

    /// It is being taken out of the tree, and nothing speaks against it.
    pub fn is_leaving(&self) -> bool {
        self.state().revoking().is_some_and(|operation| !operation.in_doubt)
    }

    /// The last root that it was under, when it is under none now.
    pub fn last_root(&self) -> Option<B256> {
        match self.state() {
            SessionState::Revoked(ended) | SessionState::Returning { ended, .. } => ended.last_root,
            _ => None,
        }
    }

    /// Its key is in another browser or app.
    pub fn is_on_other_device(&self) -> bool {
        self.has(OTHER_DEVICE)
    }

    /// The key has come to this browser.
    pub fn key_arrived(&mut self) {
        self.extra.remove(OTHER_DEVICE);
    }

    /// The leaf is known here, but not its key.
    pub fn key_is_elsewhere(&mut self) {
        self.extra.insert(OTHER_DEVICE.into(), true.into());
    }

    fn has(&self, field: &str) -> bool {
        self.extra.contains_key(field)
    }

    fn hash_in(&self, field: &str) -> Option<B256> {
        self.extra.get(field)?.as_str()?.parse().ok()
    }

    fn grant(&self) -> GrantOperation {
        GrantOperation {
            user_op_hash: self.user_op_hash,
            nonce: self.nonce_in(GRANT_NONCE),
            valid_until: self.extra.get(GRANT_VALID_UNTIL).and_then(Value::as_u64),
            in_doubt: self.has(GRANT_IN_DOUBT),
        }
    }

    fn revoked_by(&self, user_op_hash: B256) -> RevocationOperation {
        RevocationOperation {
            user_op_hash,
            nonce: self.nonce_in(REVOCATION_NONCE),
            valid_until: self.extra.get(REVOCATION_VALID_UNTIL).and_then(Value::as_u64),
            in_doubt: self.has(REVOCATION_IN_DOUBT),
        }
    }

    fn nonce_in(&self, field: &str) -> Option<U256> {
        self.extra.get(field)?.as_str()?.parse().ok()
    }

    fn ending(&self) -> Ending {
        Ending {
            last_root: self.hash_in(LEFT_TREE),
            operation: self.hash_in(TAKEN_BY),
            elsewhere: self.has(ENDED_ELSEWHERE),
        }
    }

    pub(super) fn write(&mut self, before: &SessionState, next: &SessionState) {
        let (status, ended, revoked_by): (_, _, Option<RevocationOperation>) = match next {
            SessionState::Pending(_) => (SessionStatus::Pending, None, None),
            SessionState::Returning { ended, .. } => (SessionStatus::Pending, Some(ended), None),
            SessionState::Confirmed => (SessionStatus::Active, None, None),
            SessionState::Revoking { operation } => (SessionStatus::Active, None, Some(*operation)),
            SessionState::Revoked(ended) => (SessionStatus::Revoked, Some(ended), None),
            SessionState::ImportedWhileRevoking { revocation } => {
                (SessionStatus::Revoked, None, Some((*revocation).into()))
            }
        };
        if !(status.in_tree() && self.status.in_tree()) {
            self.status = status;
        }
        let hash = |hash: B256| Value::from(hash.to_string());
        let yes = |is: bool| is.then_some(Value::from(true));
        let fields = [
            (REVOKED_BY, revoked_by.map(|operation| hash(operation.user_op_hash))),
            (REVOCATION_NONCE, revoked_by.and_then(|operation| operation.nonce).map(|nonce| json!(nonce))),
            (REVOCATION_VALID_UNTIL, revoked_by.and_then(|operation| operation.valid_until).map(Value::from)),
            (REVOCATION_IN_DOUBT, yes(revoked_by.is_some_and(|operation| operation.in_doubt))),
            (TAKEN_BY, ended.and_then(|ended| ended.operation).map(hash)),
            (LEFT_TREE, ended.and_then(|ended| ended.last_root).map(hash)),
            (ENDED_ELSEWHERE, yes(ended.is_some_and(|ended| ended.elsewhere))),
            (RETURNING, yes(next.is_returning())),
            (CAME_BACK, yes(next.in_tree() && (self.has_come_back() || before.was_ended_here()))),
        ];
        self.write_fields(fields);
        if let Some(grant) = next.grant().filter(|grant| before.grant() != Some(*grant)) {
            self.user_op_hash = grant.user_op_hash;
            self.write_fields([
                (GRANT_NONCE, grant.nonce.map(|nonce| json!(nonce))),
                (GRANT_VALID_UNTIL, grant.valid_until.map(Value::from)),
                (GRANT_IN_DOUBT, yes(grant.in_doubt)),
            ]);
        }
    }

    fn write_fields<const N: usize>(&mut self, fields: [(&str, Option<Value>); N]) {
        for (field, _) in fields.iter().filter(|(_, value)| value.is_none()) {
            self.extra.remove(*field);
        }
        for (field, value) in fields {
            value.map(|value| self.extra.insert(field.into(), value));
        }
    }
}

impl SessionBook {
    /// Writes down what happened to the sessions that are `concerned`; gives the ids of those that it happened
    /// to. Sessions that it cannot have happened to stay as they are.
    pub(in crate::session) fn record(
        &mut self,
        event: &SessionEvent,
        concerned: impl Fn(&SessionState) -> bool,
    ) -> Vec<String> {
        let mut changed = Vec::new();
        self.leaf_nodes.retain_mut(|leaf| {
            let outcome = if concerned(&leaf.state()) { leaf.record(event).ok() } else { None };
            if outcome.is_some() {
                changed.push(leaf.session_id.clone());
            }
            !matches!(outcome, Some(None))
        });
        changed
    }
}
