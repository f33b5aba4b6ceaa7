//! What a session may call.

use std::collections::{BTreeMap, HashSet};

use alloy::primitives::Address;

use super::{Findings, SessionFindingKind as Kind, SessionLintContext, policies};
use crate::{
    lint::{FindingKind, LintContext, lint as lint_leaves},
    smart_sessions::{
        addresses::{FALLBACK_TARGET, SMART_SESSION},
        leaf::{as_leaf, is_plain_transfer},
        obedient::obeys_account,
        policy_data::{PolicyConfig, PolicyContract},
        session::{ActionData, Session},
        session_key::session_key_of,
    },
};

pub(super) fn check(session: &Session, context: SessionLintContext<'_>, found: &mut Findings) {
    if session.actions.is_empty() {
        found.stop(Kind::NothingAllowed, "It allows nothing at all.");
    }
    let key = session_key_of(session).unwrap_or(Address::repeat_byte(1));
    let mut seen = HashSet::new();
    for (index, action) in session.actions.iter().enumerate() {
        found.action = Some(index);
        if !seen.insert((action.action_target, action.action_target_selector)) {
            found.stop(Kind::DuplicateAction, "This function is named twice, so the limits are not what they seem.");
        }
        target(action.action_target, context, found);
        if action.action_policies.is_empty() {
            found.stop(Kind::NothingAllowed, "No policy judges it, so the chain would refuse every call.");
        }
        policies(&action.action_policies, |_| true, found);
        effects(action, key, context, found);
    }
    found.action = None;
    counted_apart(session, found);
}

fn target(to: Address, context: SessionLintContext<'_>, found: &mut Findings) {
    if to == FALLBACK_TARGET {
        let text = "It stands for calls that nobody named, of your account itself too: the app could take the account \
                    over.";
        found.stop(Kind::Fallback, text);
    } else if to == context.account {
        found.stop(Kind::OwnAccount, "It may call your account itself, and so change who controls it.");
    } else if to == SMART_SESSION || obeys_account(to) || context.modules.contains(&to) {
        let text = format!("It may call {to}, which obeys your account: the app could allow itself everything.");
        found.stop(Kind::ObedientContract, text);
    } else if to.is_zero() {
        found.stop(Kind::ZeroAddress, "It is for the zero address, where there is no contract.");
    }
}

fn effects(action: &ActionData, key: Address, context: SessionLintContext<'_>, found: &mut Findings) {
    let configs = action.action_policies.iter().filter_map(|policy| PolicyConfig::read(policy).ok());
    let contracts = configs.map(|config| config.contract()).collect::<Vec<_>>();
    let has = |contract| contracts.contains(&contract);
    let looks = [PolicyContract::UniversalAction, PolicyContract::SpendingLimit];
    let is_bounded = has(PolicyContract::ValueLimit);
    // Where there are no arguments, rules about them judge nothing.
    let is_judged = if is_plain_transfer(action) { is_bounded } else { looks.into_iter().any(has) };
    let knows_all = contracts.len() == action.action_policies.len();
    if !is_judged && knows_all && !context.named.contains(&action.action_target) {
        found.stop(Kind::OpenAction, "No policy looks at what its calls do: any arguments are allowed.");
    }
    // A transfer without a function has no arguments to look at.
    let Some(leaf) = as_leaf(action, key).filter(|_| !is_plain_transfer(action)) else { return };
    let leaves = [leaf];
    for finding in lint_leaves(&leaves, LintContext { account: context.account, now: 0, granted: &[], modules: &[] }) {
        match finding.kind {
            kind if is_about_arguments(kind) => {
                found.add(finding.severity, Kind::Arguments(finding.kind), finding.text);
            }
            FindingKind::NativeValue if !is_bounded => {
                let text = "Each call may send native currency away, and nothing limits how much in all.";
                found.warn(Kind::NativeValue, text);
            }
            _ => {}
        }
    }
}

/// Of what V2's linter says, this holds of sessions of another kind, too. Time, key, target and fees are judged here.
fn is_about_arguments(kind: FindingKind) -> bool {
    use FindingKind as V2;
    matches!(
        kind,
        V2::UnruledSpend
            | V2::Unsatisfiable
            | V2::ZeroAmount
            | V2::UnlimitedAmount
            | V2::AnyReceiver
            | V2::NoRules
            | V2::VacuousRule
            | V2::OddOffset
            | V2::EvadedRule
            | V2::UnknownFunction
            | V2::AmountOrItem
            | V2::CallsInside
            | V2::Trade
            | V2::Control
    )
}

/// Limits in all that several actions have, each for itself.
fn counted_apart(session: &Session, found: &mut Findings) {
    let mut tokens = BTreeMap::<Address, usize>::new();
    for action in &session.actions {
        for policy in &action.action_policies {
            if let Ok(PolicyConfig::SpendingLimit(limits)) = PolicyConfig::read(policy)
                && limits.iter().any(|(token, _)| *token == action.action_target)
            {
                *tokens.entry(action.action_target).or_default() += 1;
            }
        }
    }
    for (token, count) in tokens.into_iter().filter(|(_, count)| *count > 1) {
        let text = format!("What may be spent of {token} is limited for each of {count} functions, not in all.");
        found.stop(Kind::LimitPerAction, text);
    }
}
