//! What a person should know, or must be kept from, before a session is granted. It reads the session, the very bytes
//! that go on chain. What conditions on arguments are worth is V2's linter's to say ([`crate::lint`]).

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::{
    addresses::SIMPLE_SIGNER,
    ids,
    policy_data::{PolicyConfig, PolicyContract},
    session::{PolicyData, Session},
    session_key::session_key_of,
};
use crate::{
    lint::{FindingKind, Severity, UNBOUNDED_FEES},
    policy::SessionEpoch,
};

mod actions;
mod time;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionFindingKind {
    /// The session stands for calls of any contract, the account itself included: it could install modules.
    Fallback,
    /// It may call the account itself, and so administer it.
    OwnAccount,
    /// It may call a contract that obeys the account.
    ObedientContract,
    /// A target, or the session key, is the zero address.
    ZeroAddress,
    /// The session key's data is not what a session validator of one key reads.
    BadKey,
    /// A session validator that is not known here: nobody can say who may use the session.
    UnknownValidator,
    /// A policy that is not known here: nobody can say what it allows.
    UnknownPolicy,
    /// A policy that the module refuses in this place.
    UnsupportedPolicy,
    /// A policy's data cannot be read, or says more than the policy reads.
    Malformed,
    /// A policy that its contract refuses, or that lets nothing through.
    NeverWorks,
    /// The same policy contract twice in one place: the second overwrites the first.
    OverwrittenPolicy,
    /// The same function twice.
    DuplicateAction,
    /// An action without a policy, or a session without an action.
    NothingAllowed,
    /// No policy looks at what its calls do.
    OpenAction,
    /// A limit of a token that is counted for each of several actions: together they allow a multiple of it.
    LimitPerAction,
    /// A session with this key and salt is enabled: granting it again adds to it and sets its counters back.
    AlreadyEnabled,
    /// The salt is zero: it is to be random.
    PredictableSalt,
    /// It may sign messages for the account; permits are messages.
    SignsMessages,
    /// Others may pay for it, and no policy of whole operations is there: sponsored uses would be refused.
    SponsoringNeedsPolicy,
    /// Others may pay for any number of operations.
    UnlimitedSponsoring,
    /// The time is over.
    WindowOver,
    /// The windows leave no time.
    EmptyWindow,
    /// It never ends by itself.
    NoExpiry,
    /// It lasts longer than a year.
    LongWindow,
    /// Native currency may leave with each call, and no limit counts it.
    NativeValue,
    /// Whoever has the key decides what its operations cost.
    GasIsUnbounded,
    /// What V2's linter finds about arguments.
    Arguments(FindingKind),
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFinding {
    /// How grave it is: what must not be granted, or what the person decides.
    pub severity: Severity,
    /// What it is.
    pub kind: SessionFindingKind,
    /// Which action, from 0; `None` = the session as a whole.
    pub action: Option<usize>,
    /// In words, for the person who decides.
    pub text: String,
}

/// What a session is judged against.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionLintContext<'a> {
    /// The account that would grant it.
    pub account: Address,
    /// Unix seconds.
    pub now: u64,
    /// Sessions that are enabled.
    pub enabled: &'a [B256],
    /// The account's modules, as the chain tells them; those that are known here are stopped without it.
    pub modules: &'a [Address],
    /// Contracts that the person named, so that calls of any kind may go there.
    pub named: &'a [Address],
    /// Session validators that judge one key, beside the lab's.
    pub session_validators: &'a [Address],
}

/// Everything there is to say about a session, the gravest first.
pub fn lint(session: &Session, context: SessionLintContext<'_>) -> Vec<SessionFinding> {
    use SessionFindingKind as Kind;
    let mut found = Findings { action: None, list: Vec::new() };
    identity(session, context, &mut found);
    if !session.erc7739_policies.allowed_erc7739_content.is_empty()
        || !session.erc7739_policies.erc1271_policies.is_empty()
    {
        let text = "It may sign messages for your account, and with a message tokens can be given away.";
        found.stop(Kind::SignsMessages, text);
    }
    policies(&session.user_op_policies, PolicyContract::judges_operations, &mut found);
    sponsoring(session, &mut found);
    time::check(session, context.now, &mut found);
    actions::check(session, context, &mut found);
    found.action = None;
    found.warn(Kind::GasIsUnbounded, UNBOUNDED_FEES);
    found.list.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.list
}

/// Collects the findings.
struct Findings {
    action: Option<usize>,
    list: Vec<SessionFinding>,
}

impl Findings {
    fn stop(&mut self, kind: SessionFindingKind, text: impl Into<String>) {
        self.add(Severity::Stop, kind, text.into());
    }

    fn warn(&mut self, kind: SessionFindingKind, text: impl Into<String>) {
        self.add(Severity::Warning, kind, text.into());
    }

    fn add(&mut self, severity: Severity, kind: SessionFindingKind, text: String) {
        let finding = SessionFinding { severity, kind, action: self.action, text };
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }
}

/// Validator, key, salt: what makes it this session.
fn identity(session: &Session, context: SessionLintContext<'_>, found: &mut Findings) {
    use SessionFindingKind as Kind;
    let validator = session.session_validator;
    if validator != SIMPLE_SIGNER && !context.session_validators.contains(&validator) {
        let text = format!("Contract {validator} would say who may use it. What it says is not known here.");
        found.stop(Kind::UnknownValidator, text);
    } else if session_key_of(session).is_none() {
        let is_zero = session.session_validator_init_data[..] == Address::ZERO[..];
        let (kind, text) = match is_zero {
            true => (Kind::ZeroAddress, "Nobody can hold its key."),
            false => (Kind::BadKey, "Its key is not one address, so nobody can say who may use it."),
        };
        found.stop(kind, text);
    }
    if session.salt.is_zero() {
        found.stop(Kind::PredictableSalt, "It has no random part, so another grant could become one with it.");
    }
    if context.enabled.contains(&ids::permission_id(session)) {
        let text = "This session is enabled already: granting it again would set everything that it has used back.";
        found.stop(Kind::AlreadyEnabled, text);
    }
}

/// The policies of one place.
fn policies(policies: &[PolicyData], is_able: fn(PolicyContract) -> bool, found: &mut Findings) {
    use SessionFindingKind as Kind;
    let mut seen = HashSet::new();
    for policy in policies {
        if !seen.insert(policy.policy) {
            let text = format!("Policy {} is named twice, so the first naming does not count.", policy.policy);
            found.stop(Kind::OverwrittenPolicy, text);
        }
        let Some(contract) = PolicyContract::at(policy.policy) else {
            let text = format!("Policy {} would judge it. What it allows is not known here.", policy.policy);
            found.stop(Kind::UnknownPolicy, text);
            continue;
        };
        if !is_able(contract) {
            found.stop(Kind::UnsupportedPolicy, "One of its policies cannot judge this; the grant would be refused.");
        }
        match PolicyConfig::read(policy) {
            Err(error) => found.stop(Kind::Malformed, format!("A policy's data cannot be read: {error}.")),
            Ok(config) if !config.is_exactly(policy) => {
                let text = "A policy's data says more than the policy reads, so it is not what it seems.";
                found.stop(Kind::Malformed, text);
            }
            Ok(config) => {
                if let Err(error) = config.check() {
                    found.stop(Kind::NeverWorks, format!("A policy of it can never work, or not as it says: {error}."));
                }
            }
        }
    }
}

fn sponsoring(session: &Session, found: &mut Findings) {
    use SessionFindingKind as Kind;
    let operations = session.user_op_policies.iter().map(|policy| policy.policy);
    let is_counted = operations.into_iter().any(|policy| policy == PolicyContract::UsageLimit.address());
    match (session.permit_erc4337_paymaster, session.user_op_policies.is_empty(), is_counted) {
        (true, true, _) => {
            let text =
                "Others may pay for it, but the chain would refuse that: a policy of whole operations is missing.";
            found.stop(Kind::SponsoringNeedsPolicy, text);
        }
        (true, false, false) => {
            let text = "Others may pay for its operations, and nothing limits how many there are.";
            found.warn(Kind::UnlimitedSponsoring, text);
        }
        _ => {}
    }
}

/// The time of a whole session's policies.
fn session_window(session: &Session) -> SessionEpoch {
    super::leaf::window_of(&session.user_op_policies)
}

#[cfg(test)]
mod tests;
