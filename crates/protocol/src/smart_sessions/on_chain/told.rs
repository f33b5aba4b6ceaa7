//! What was read, as lists show it.

use alloy::primitives::{Address, FixedBytes, U256};

use super::{
    super::{
        addresses::{FALLBACK_GENERIC, FALLBACK_TARGET, SIMPLE_SIGNER, VALUE_SELECTOR},
        leaf::{as_leaf, as_transfer, both, window_of},
        policy_data::PolicyConfig,
        session::{ActionData, PolicyData, Session},
        session_key_of,
    },
    Found, FoundAction, Policies,
    known::Plain,
    policies::FoundPolicy,
};
use crate::{
    describe::function_name,
    policy::FunctionSelector,
    session::SessionLeaf,
    session_scheme::{Counted, ReadLimit, ReadSession, SessionNote},
};

/// Leaves, notes and limits of a session that is known by nothing else.
pub(super) fn told(found: &Found) -> ReadSession {
    let key = key_of(found);
    let window = window_of(&found.operations.set_to());
    let unexplained = found.actions.iter().filter(|action| action.plain.is_none()).count();
    let mut read = ReadSession { unexplained, ..ReadSession::default() };
    for (place, action) in found.actions.iter().enumerate() {
        let reason = unreadable(action).or_else(|| all_operations(&found.operations));
        let policies = action.policies.set_to();
        let leaf = match (&reason, action.plain) {
            (None, Some((target, selector))) => {
                let (action_target, action_target_selector) = (target, FixedBytes(selector));
                let action = ActionData { action_target, action_target_selector, action_policies: policies.clone() };
                as_leaf(&action, key).map(|leaf| as_transfer(&leaf).unwrap_or(leaf))
            }
            _ => None,
        };
        let text = match (reason, leaf.is_none()) {
            (None, true) => Some("its policies let through what no words here say".to_owned()),
            (reason, _) => reason,
        };
        read.note(place, text.map(|reason| cannot_be_read(action.plain, &reason)), true);
        read.note(place, plain_transfer(action.plain).filter(|_| leaf.is_some()), false);
        let leaf = leaf.unwrap_or_default();
        let SessionLeaf { valid_until, valid_after, .. } = leaf;
        let own = both(window_of(&policies), crate::policy::SessionEpoch { valid_until, valid_after });
        let window = both(own, window);
        let (valid_until, valid_after) = (window.valid_until, window.valid_after);
        read.leaves.push(SessionLeaf { session_key_address: key, valid_until, valid_after, ..leaf });
        let target = action.plain.map(|(target, _)| target);
        read.left.extend(limits(place, &action.policies, target));
    }
    read.left.extend(limits(0, &found.operations, None));
    beside(found, &mut read);
    read
}

/// What is about the whole session, and that there is more of it than was read.
fn beside(found: &Found, read: &mut ReadSession) {
    let key = key_of(found);
    let blank = || SessionLeaf { session_key_address: key, ..SessionLeaf::default() };
    if read.leaves.is_empty() {
        read.leaves.push(blank());
        let text = match found.validator.is_zero() {
            true => "The chain lists it, and tells nothing of it".to_owned(),
            false => "No function is open to it now; its owner can open some without its key changing".to_owned(),
        };
        read.note(0, Some(text), true);
    }
    if !found.further_actions.is_empty() {
        let text = [
            "Cannot be read here: ",
            &found.further_actions.len().to_string(),
            " more functions, more than are looked at",
        ];
        read.leaves.push(blank());
        read.note(read.leaves.len() - 1, Some(text.concat()), true);
    }
    let signs = found.signs_messages.then(|| "It may sign messages for the account".to_owned());
    read.note(None, signs, false);
    if key.is_zero() && !found.validator.is_zero() {
        let text = ["Who may use it is decided by a contract that is not known here, ", &found.validator.to_string()];
        read.note(None, Some(text.concat()), false);
    }
}

impl ReadSession {
    fn note(&mut self, place: impl Into<Option<usize>>, text: Option<String>, is_unreadable: bool) {
        let place = place.into();
        self.notes.extend(text.map(|text| SessionNote { place, text, is_unreadable }));
    }
}

fn key_of(found: &Found) -> Address {
    let session = Session { session_validator_init_data: found.validator_data.clone(), ..Session::default() };
    session_key_of(&session).filter(|_| found.validator == SIMPLE_SIGNER).unwrap_or_default()
}

/// Why nobody can say what an action lets through.
fn unreadable(action: &FoundAction) -> Option<String> {
    match action.plain {
        None => {
            let id = action.id.to_string();
            Some(["the chain keeps a hash of its function, ", &id, ", and nothing known here makes that hash"].concat())
        }
        Some((FALLBACK_TARGET, FALLBACK_GENERIC)) => {
            Some("May make any call that none of its other functions is for, also of the account itself".to_owned())
        }
        Some((FALLBACK_TARGET, _)) => {
            Some("May call the module that keeps sessions: it can give itself more".to_owned())
        }
        Some(_) => of_policies(&action.policies),
    }
}

fn all_operations(policies: &Policies) -> Option<String> {
    of_policies(policies).map(|reason| ["of all its operations: ", &reason].concat())
}

fn of_policies(policies: &Policies) -> Option<String> {
    let silent = policies.read.iter().find(|policy| policy.config.is_none());
    match silent {
        Some(policy) => Some(["policy ", &policy.policy.to_string(), " is not known here, or does not tell"].concat()),
        None if !policies.further.is_empty() => Some("it has more policies than are looked at".to_owned()),
        None => None,
    }
}

fn cannot_be_read(plain: Option<Plain>, reason: &str) -> String {
    match plain {
        Some((FALLBACK_TARGET, _)) => reason.to_owned(),
        Some((target, selector)) => {
            let function = match selector {
                VALUE_SELECTOR => "sending native currency".to_owned(),
                selector => function_name(&FunctionSelector::Raw(selector)),
            };
            ["Cannot be read here: ", &function, " on ", &target.to_string(), "; ", reason].concat()
        }
        None => ["Cannot be read here: ", reason].concat(),
    }
}

fn plain_transfer(plain: Option<Plain>) -> Option<String> {
    let (target, _) = plain.filter(|(_, selector)| *selector == VALUE_SELECTOR)?;
    Some(["May send native currency to ", &target.to_string()].concat())
}

impl Policies {
    /// As a grant would say them.
    fn set_to(&self) -> Vec<PolicyData> {
        let data = |policy: &FoundPolicy| {
            let mut config = policy.config.clone()?;
            if let PolicyConfig::UniversalAction(action) = &mut config {
                action.rules.iter_mut().for_each(|rule| rule.used = U256::ZERO);
            }
            Some(PolicyData { policy: policy.policy, init_data: config.init_data().ok()? })
        };
        self.read.iter().filter_map(data).collect()
    }
}

fn limits(place: usize, policies: &Policies, target: Option<Address>) -> Vec<ReadLimit> {
    let limit = |what, most: U256, used: U256| ReadLimit { place, what, most, left: most.saturating_sub(used) };
    let of_policy = |policy: &FoundPolicy| match (&policy.config, policy.used) {
        (Some(PolicyConfig::UsageLimit(most)), Some(used)) => vec![limit(Counted::Uses, U256::from(*most), used)],
        (Some(PolicyConfig::ValueLimit(most)), Some(used)) => vec![limit(Counted::Native, *most, used)],
        (Some(PolicyConfig::SpendingLimit(tokens)), Some(used)) => {
            tokens.iter().map(|(token, most)| limit(Counted::Token(*token), *most, used)).collect()
        }
        (Some(PolicyConfig::UniversalAction(action)), _) => {
            let Some(target) = target else { return Vec::new() };
            let limited = action.rules.iter().filter_map(|rule| Some((rule.limit?, rule.used)));
            limited.map(|(most, used)| limit(Counted::Token(target), most, used)).collect()
        }
        _ => Vec::new(),
    };
    policies.read.iter().flat_map(of_policy).collect()
}
