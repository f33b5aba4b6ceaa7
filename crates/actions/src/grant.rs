//! What a grant is made of: the same for [`super::create_session`] and [`super::create_batch_session`].

use std::collections::HashSet;

use alloy::{primitives::Address, signers::local::PrivateKeySigner};

use super::{
    clock::unix_seconds,
    enable_mode::{EnableMode, refuse_first_use},
    grant_limits::refuse_limits,
    options::BuildUserOpOptions,
    ports::SessionStore,
    prepare_user_operation::PreparedUserOperation,
    random,
    reviewed_sessions::ReviewedSessions,
};
use crate::error::AppError;
use use_aa_protocol::{
    clocks::Clocks,
    distributed_key::{DanModuleInfo, EphemeralKey},
    foreign_text,
    lint::{FindingKind, LintContext, Severity, lint},
    policy::SessionPolicy,
    session::{GrantOperation, SessionBook, SessionEvent, SessionLeaf, SessionState},
    session_scheme::ActionLimits,
};

/// Most sessions in one grant.
pub const MAX_SESSIONS_PER_GRANT: usize = 100;

/// What is to be granted.
#[derive(Clone, Debug, Default)]
pub(super) struct GrantRequest {
    /// One leaf each.
    pub policy: Vec<SessionPolicy>,
    pub label: Option<String>,
    pub options: BuildUserOpOptions,
    pub reviewed: Option<ReviewedSessions>,
    pub replace_unknown: bool,
    /// Enable the batched session router, too.
    pub batched: bool,
    /// Send the account's native currency to its owner in the same operation.
    pub withdraw_native: bool,
    /// What is limited over many calls: nothing, or it is refused.
    pub limits: Vec<ActionLimits>,
    /// By an operation, or it is refused.
    pub enable: EnableMode,
}

impl GrantRequest {
    /// Checks what can be checked without a key and without asking anybody.
    pub fn check(&self, account: Address) -> Result<(), AppError> {
        let policies = &self.policy;
        if policies.is_empty() || policies.len() > MAX_SESSIONS_PER_GRANT {
            let expected = format!("1 to {MAX_SESSIONS_PER_GRANT} policies");
            return Err(AppError::invalid("policy", expected, policies.len()));
        }
        refuse_limits(&self.limits)?;
        refuse_first_use(self.enable)?;
        let now = unix_seconds();
        policies.iter().try_for_each(|policy| policy.check(account, now))?;
        Ok(())
    }
}

/// The secret that comes with a grant.
#[derive(Clone, Debug)]
pub(super) enum NewKey {
    /// The session key itself.
    Session(PrivateKeySigner),
    /// The session key is shared by nodes; this one speaks for it.
    Ephemeral(EphemeralKey),
}

/// Key and leaves: the same however often the operation around them is built anew.
#[derive(Clone, Debug)]
pub(super) struct Material {
    /// The key made for this grant; `None` when every policy brought its own.
    pub key: Option<NewKey>,
    pub leaves: Vec<SessionLeaf>,
    pub session_key_address: Address,
}

impl Material {
    pub fn new(account: Address, grant: &GrantRequest) -> Result<Self, AppError> {
        let policies = &grant.policy;
        grant.check(account)?;
        let needs_key = policies.iter().any(|policy| policy.session_key_address().is_none());
        let key = needs_key.then(random::session_key).transpose()?;
        let made = key.as_ref().map(PrivateKeySigner::address);
        Self::with_leaves(account, grant, made, key.map(NewKey::Session))
    }

    /// Leaves for the key at `session_key_address`, which nodes share; `ephemeral_key` speaks for it.
    pub fn distributed(
        account: Address,
        grant: &GrantRequest,
        session_key_address: Address,
        ephemeral_key: EphemeralKey,
        info: &DanModuleInfo,
    ) -> Result<Self, AppError> {
        let key = Some(NewKey::Ephemeral(ephemeral_key));
        let mut material = Self::with_leaves(account, grant, Some(session_key_address), key)?;
        material.leaves.iter_mut().for_each(|leaf| info.write(leaf));
        Ok(material)
    }

    fn with_leaves(
        account: Address,
        grant: &GrantRequest,
        made: Option<Address>,
        key: Option<NewKey>,
    ) -> Result<Self, AppError> {
        let now = unix_seconds();
        let leaves = grant.policy.iter().map(|policy| {
            // One of the two is there: a key was made when any policy lacks one.
            let address = policy.session_key_address().or(made).unwrap_or_default();
            let mut leaf = policy.leaf(address, random::session_id()?)?;
            leaf.label = grant.label.as_deref().and_then(foreign_text::name);
            leaf.created_at = Some(now);
            Ok(leaf)
        });
        let leaves = leaves.collect::<Result<Vec<_>, AppError>>()?;
        refuse_what_must_not_be_granted(LintContext { account, now, ..Default::default() }, &leaves)?;
        let first = leaves.first().map(|leaf| leaf.session_key_address);
        let session_key_address = made.or(first).unwrap_or_default();
        Ok(Self { key, leaves, session_key_address })
    }

    /// Refuses sessions that are over by the chain's clock, though not by this device's.
    pub fn check_windows(&self, now: Clocks) -> Result<(), AppError> {
        match self.leaves.iter().enumerate().find(|(_, leaf)| now.is_over(leaf.valid_until)) {
            Some((_, leaf @ SessionLeaf { session_id, valid_until, .. })) if !is_new(leaf) => {
                Err(AppError::SessionExpired { session_id: session_id.clone(), valid_until: *valid_until })
            }
            Some((index, leaf)) => {
                let end = leaf.valid_until;
                let reason = format!("policy[{index}]: it ended at {end} (unix seconds) by the chain's clock");
                Err(AppError::PolicyRefused { reason })
            }
            None => Ok(()),
        }
    }

    /// Refuses sessions that may call a module that this very account has enabled.
    pub fn check_modules(&self, modules: &[Address]) -> Result<(), AppError> {
        let contract = |leaf: &SessionLeaf| leaf.contract().filter(|contract| modules.contains(contract));
        match self.leaves.iter().enumerate().find_map(|(index, leaf)| Some((index, contract(leaf)?))) {
            Some((index, module)) => Err(AppError::PolicyRefused {
                reason: format!("policy[{index}]: {module} is a module of this account and obeys it"),
            }),
            None => Ok(()),
        }
    }

    /// Sessions that come back do so at the end of the tree: their revoked entries go.
    pub fn replace_returning(&self, book: &mut SessionBook) {
        let returning = self.leaves.iter().filter(|leaf| leaf.state().is_returning());
        let ids = returning.map(|leaf| leaf.session_id.as_str()).collect::<HashSet<_>>();
        if !ids.is_empty() {
            book.leaf_nodes.retain(|leaf| !ids.contains(leaf.session_id.as_str()));
        }
    }

    /// Stores the secret.
    pub async fn store_key(&self, store: &dyn SessionStore, account: Address) -> Result<(), AppError> {
        match &self.key {
            Some(NewKey::Session(key)) => store.put_signer(account, key).await,
            Some(NewKey::Ephemeral(key)) => store.put_ephemeral_key(account, self.session_key_address, key).await,
            None => Ok(()),
        }
    }

    /// Writes into the leaves which operation grants them, and until when it can be included.
    pub fn granted_by(&mut self, operation: &PreparedUserOperation) -> Result<(), AppError> {
        let event = SessionEvent::GrantPrepared(GrantOperation {
            user_op_hash: Some(operation.user_op_hash),
            nonce: Some(operation.user_operation.nonce),
            valid_until: operation.sponsored_until(),
            in_doubt: false,
        });
        self.leaves.iter_mut().try_for_each(|leaf| leaf.record(&event).map(drop))?;
        Ok(())
    }
}

/// Not one that was revoked and comes back.
fn is_new(leaf: &SessionLeaf) -> bool {
    matches!(leaf.state(), SessionState::Pending(_))
}

/// The linter's stops hold here, too, for callers that show no review. Some are left to the review alone: granting the
/// same twice does no harm, and what a function does by its name is what some apps are for.
pub(super) fn refuse_what_must_not_be_granted(
    context: LintContext<'_>,
    leaves: &[SessionLeaf],
) -> Result<(), AppError> {
    use FindingKind::{CallsInside, Control, Duplicate, UnruledSpend};
    let stop = lint(leaves, context).into_iter().find(|finding| {
        finding.severity == Severity::Stop && !matches!(finding.kind, Duplicate | UnruledSpend | CallsInside | Control)
    });
    match stop {
        Some(finding) => Err(AppError::PolicyRefused { reason: format!("policy[{}]: {}", finding.leaf, finding.text) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_protocol::{
        addresses::{BATCHED_SESSION_ROUTER, DEMO_TOKEN},
        policy::{Condition, Policy},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn outcome(policies: Vec<Policy>) -> Result<(), AppError> {
        let policy = policies.into_iter().map(SessionPolicy::from).collect();
        let grant = GrantRequest { policy, ..GrantRequest::default() };
        Material::new(ACCOUNT, &grant).map(drop)
    }

    #[test]
    fn what_the_linter_stops_is_refused_with_its_reason() {
        let transfer = Policy::new(DEMO_TOKEN, "transfer(address,uint256)");
        let impossible = transfer.clone().with_rule(1, Condition::Equal, 1_u64).with_rule(1, Condition::Equal, 2_u64);
        let router = Policy::new(BATCHED_SESSION_ROUTER, "anything()");
        for (policy, words) in [(impossible, "contradict"), (router, "obeys")] {
            let refused = outcome(vec![transfer.clone(), policy]).unwrap_err();
            assert_eq!(refused.name(), "PolicyRefused");
            assert!(refused.to_string().contains("policy[1]") && refused.to_string().contains(words), "{refused}");
        }
        assert_eq!(outcome(vec![transfer.clone(), transfer]), Ok(()), "left to the review");
    }
}
