//! What the person makes of a request while reading it: pure, so that it can be tested without a page.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256};

use super::{GrantDecision, GrantRequest, KeyHolder};
use crate::protocol::{
    describe::{argument_name, policy_name},
    known_functions::{ArgumentKind, known_function_of},
    lint::{FindingKind, LintContext, Severity, lint},
    policy::{Condition, Policy, ReferenceValue, Rule, SessionPolicy},
};

/// Where an amount of a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Native currency per call.
    Native,
    /// The most of an ERC-20 policy.
    Transfer,
    /// The upper bound in this rule.
    Rule(usize),
    /// The argument at this offset, for which the request has no upper bound.
    Unbounded(u32),
}

/// What the person changed about one policy.
#[derive(Clone, Debug, Default, PartialEq)]
struct Edits {
    is_left_out: bool,
    /// Unix seconds; 0 = never.
    end: Option<u64>,
    amounts: BTreeMap<Place, U256>,
}

/// A request and what the person changed about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    requested: GrantRequest,
    edits: Vec<Edits>,
    /// The native currency goes to the owner with the grant.
    withdraw: bool,
    /// What one operation may cost the account where the request does not say.
    default_limit: Option<U256>,
    /// Fields with something unusable in them, by policy.
    problems: BTreeMap<(usize, Place), String>,
}

/// Something to know before agreeing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// A stop keeps the grant from being confirmed.
    pub severity: Severity,
    /// For people.
    pub text: String,
}

impl Draft {
    /// Nothing changed yet.
    pub fn new(requested: GrantRequest) -> Self {
        let edits = vec![Edits::default(); requested.policies.len()];
        Self { edits, withdraw: requested.withdraw_native, default_limit: None, requested, problems: BTreeMap::new() }
    }

    /// The policy as it would be granted.
    pub fn policy(&self, index: usize) -> Option<SessionPolicy> {
        let policy = self.requested.policies.get(index)?;
        Some(self.edits.get(index).map_or_else(|| policy.clone(), |edits| edits.apply(policy)))
    }

    /// Is this one granted?
    pub fn is_kept(&self, index: usize) -> bool {
        self.edits.get(index).is_some_and(|edits| !edits.is_left_out)
    }

    /// Grants this one or leaves it out; the last one stays.
    pub fn keep(&mut self, index: usize, keep: bool) {
        let others = (0..self.edits.len()).any(|other| other != index && self.is_kept(other));
        if let Some(edits) = self.edits.get_mut(index).filter(|_| keep || others) {
            edits.is_left_out = !keep;
        }
    }

    /// Sends the native currency to the owner with the grant, or not.
    pub fn withdraw(&mut self, withdraw: bool) {
        self.withdraw = withdraw;
    }

    /// Does the native currency go to the owner?
    pub fn withdraws(&self) -> bool {
        self.withdraw
    }

    /// What one operation may cost the account, as far as it is known; `None`, too, where nobody would keep to it.
    pub fn cost_limit(&self) -> Option<U256> {
        let limit = self.requested.max_operation_cost.or(self.default_limit);
        limit.filter(|_| self.requested.key_holder == KeyHolder::Nodes)
    }

    /// Nodes keep to a limit that is not known yet.
    pub fn lacks_cost_limit(&self) -> bool {
        self.requested.key_holder == KeyHolder::Nodes && self.cost_limit().is_none()
    }

    /// Sets the limit where there is none. The first stays: it may have been read.
    pub fn set_default_limit(&mut self, limit: U256) {
        self.default_limit.get_or_insert(limit);
    }

    /// How many are granted.
    pub fn kept(&self) -> usize {
        self.edits.iter().filter(|edits| !edits.is_left_out).count()
    }

    /// Ends these policies then, unix seconds; `None` = as asked for.
    pub fn set_end(&mut self, policies: &[usize], end: Option<u64>) {
        for index in policies {
            if let Some(edits) = self.edits.get_mut(*index) {
                edits.end = end;
            }
        }
    }

    /// Sets an amount: at most what was asked for, unless nothing was. `Err` is what was typed wrongly, and stays.
    pub fn set_amount(&mut self, index: usize, place: Place, amount: Result<Option<U256>, String>) {
        self.problems.remove(&(index, place));
        let most = self.requested.policies.get(index).and_then(|policy| asked_for(policy, place));
        let problem = match amount {
            Err(problem) => problem,
            Ok(None) => {
                // Empty: as asked for.
                if let Some(edits) = self.edits.get_mut(index) {
                    edits.amounts.remove(&place);
                }
                return;
            }
            Ok(Some(amount)) if most.is_some_and(|most| amount > most) => {
                "More than the app asked for. You can only allow less.".to_owned()
            }
            Ok(Some(amount)) => {
                if let Some(edits) = self.edits.get_mut(index) {
                    edits.amounts.insert(place, amount);
                }
                return;
            }
        };
        self.problems.insert((index, place), problem);
    }

    /// What is wrong with what was typed there.
    pub fn problem(&self, index: usize, place: Place) -> Option<String> {
        self.problems.get(&(index, place)).cloned()
    }

    /// The person set an amount there.
    pub fn is_bounded(&self, index: usize, place: Place) -> bool {
        self.edits.get(index).is_some_and(|edits| edits.amounts.contains_key(&place))
    }

    /// Something is typed wrongly in a policy that is kept.
    pub fn has_problems(&self) -> bool {
        self.problems.keys().any(|(index, _)| self.is_kept(*index))
    }

    /// What was asked for, and what would be granted now.
    pub fn decision(&self) -> GrantDecision {
        let (kept, left_out) = (0..self.edits.len()).partition::<Vec<_>, _>(|index| self.is_kept(*index));
        let limits = match self.requested.limits.as_slice() {
            [] => Vec::new(),
            _ => kept.iter().map(|index| self.requested.limits_of(*index)).collect(),
        };
        let policies = kept.into_iter().filter_map(|index| self.policy(index)).collect();
        let max_operation_cost = self.cost_limit().or(self.requested.max_operation_cost);
        let requested = self.requested.clone();
        let granted =
            GrantRequest { policies, limits, withdraw_native: self.withdraw, max_operation_cost, ..requested };
        GrantDecision { requested: self.requested.clone(), granted, left_out }
    }

    /// What the linter says about what would be granted, the gravest first; the same about several is said once.
    pub fn remarks(&self, now: u64, already_granted: &[B256], modules: &[Address]) -> Vec<Remark> {
        let GrantRequest { policies, account, key_holder, .. } = self.decision().granted;
        let mut found = Vec::new();
        let mut leaves = Vec::with_capacity(policies.len());
        for (index, policy) in policies.iter().enumerate() {
            // Some key or other: that of the grant is not made yet.
            let key = policy.session_key_address().unwrap_or(Address::repeat_byte(1));
            match policy.leaf(key, "") {
                Ok(leaf) => leaves.push((index, leaf)),
                Err(error) => {
                    found.push((
                        Some(index),
                        Severity::Stop,
                        ["It cannot be granted: ", &error.to_string(), "."].concat(),
                    ));
                }
            }
        }
        let (places, leaves): (Vec<_>, Vec<_>) = leaves.into_iter().unzip();
        for finding in lint(&leaves, LintContext { account, now, granted: already_granted, modules }) {
            // Nodes keep to a limit, which is said with the fees.
            if finding.kind == FindingKind::GasIsUnbounded && key_holder == KeyHolder::Nodes {
                continue;
            }
            found.push((places.get(finding.leaf).copied(), finding.severity, finding.text));
        }
        remarks_about(&policies, found)
    }
}

/// What was found about the policies at these places, or about all of them, the gravest first; the same about several is
/// said once.
pub fn remarks_about(policies: &[SessionPolicy], found: Vec<(Option<usize>, Severity, String)>) -> Vec<Remark> {
    let mut said = Vec::<(Severity, String, Vec<usize>)>::new();
    for (policy, severity, text) in found {
        let about = policy.map_or_else(|| (0..policies.len()).collect(), |policy| vec![policy]);
        match said.iter_mut().find(|(known, said, _)| *known == severity && *said == text) {
            Some((.., known)) => known.extend(about),
            None => said.push((severity, text, about)),
        }
    }
    let remark = |(severity, text, mut about): (Severity, String, Vec<usize>)| {
        about.sort_unstable();
        about.dedup();
        let names = about.iter().filter_map(|index| policies.get(*index)).map(policy_name).collect::<Vec<_>>();
        // Named only where it is not about all of them.
        let text = if about.len() == policies.len() { text } else { [&names.join(", "), ": ", &text].concat() };
        Remark { severity, text }
    };
    let mut remarks = said.into_iter().map(remark).collect::<Vec<_>>();
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    remarks
}

impl Edits {
    fn apply(&self, policy: &SessionPolicy) -> SessionPolicy {
        let mut policy = policy.clone();
        match &mut policy {
            SessionPolicy::Abi(policy) => {
                policy.interval.valid_until = self.end.unwrap_or(policy.interval.valid_until);
                for (place, amount) in &self.amounts {
                    match place {
                        Place::Native => policy.value_limit = *amount,
                        Place::Rule(index) => {
                            if let Some(rule) = policy.rules.get_mut(*index) {
                                rule.reference_value = ReferenceValue::Uint(*amount);
                            }
                        }
                        Place::Unbounded(offset) => policy.rules.push(Rule {
                            offset: *offset,
                            condition: Condition::LessThanOrEqual,
                            reference_value: ReferenceValue::Uint(*amount),
                        }),
                        Place::Transfer => {}
                    }
                }
            }
            SessionPolicy::Erc20(policy) => {
                policy.interval.valid_until = self.end.unwrap_or(policy.interval.valid_until);
                policy.max_amount = self.amounts.get(&Place::Transfer).copied().unwrap_or(policy.max_amount);
            }
        }
        policy
    }
}

/// The amount that the request names there; `None` where it names none.
pub fn asked_for(policy: &SessionPolicy, place: Place) -> Option<U256> {
    match (policy, place) {
        (SessionPolicy::Abi(policy), Place::Native) => Some(policy.value_limit),
        (SessionPolicy::Abi(policy), Place::Rule(index)) => {
            let word = policy.rules.get(index)?.reference_value.word("referenceValue").ok()?;
            Some(U256::from_be_bytes(word.0))
        }
        (SessionPolicy::Erc20(policy), Place::Transfer) => Some(policy.max_amount),
        _ => None,
    }
}

/// What that amount is called.
pub fn place_name(policy: &SessionPolicy, place: Place) -> String {
    let argument = |policy: &Policy, offset| argument_name(known_function_of(&policy.function_selector), offset);
    match (policy, place) {
        (_, Place::Native) => "native currency".to_owned(),
        (SessionPolicy::Abi(policy), Place::Rule(index)) => {
            argument(policy, policy.rules.get(index).map_or(0, |rule| rule.offset))
        }
        (SessionPolicy::Abi(policy), Place::Unbounded(offset)) => argument(policy, offset),
        _ => "amount".to_owned(),
    }
}

/// The amounts that the person may lower, or set where the request sets none.
pub fn adjustable(policy: &SessionPolicy) -> Vec<Place> {
    match policy {
        SessionPolicy::Erc20(_) => vec![Place::Transfer],
        SessionPolicy::Abi(policy) => {
            let mut places = argument_amounts(policy);
            if !policy.value_limit.is_zero() {
                places.push(Place::Native);
            }
            places
        }
    }
}

fn argument_amounts(policy: &Policy) -> Vec<Place> {
    let Some(function) = known_function_of(&policy.function_selector) else { return Vec::new() };
    let mut places = Vec::new();
    for (offset, (_, kind)) in (0_u32..).step_by(32).zip(function.arguments) {
        if !matches!(kind, ArgumentKind::TokenAmount | ArgumentKind::AmountOrId) {
            continue;
        }
        let mut at_offset = policy.rules.iter().enumerate().filter(|(_, rule)| rule.offset == offset).peekable();
        if at_offset.peek().is_none() {
            places.push(Place::Unbounded(offset));
        }
        let is_upper = |rule: &Rule| matches!(rule.condition, Condition::LessThan | Condition::LessThanOrEqual);
        places.extend(at_offset.filter(|(_, rule)| is_upper(rule)).map(|(index, _)| Place::Rule(index)));
    }
    places
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        lint::UNBOUNDED_FEES,
        policy::Erc20Policy,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const NOW: u64 = 1_000;

    fn draft() -> Draft {
        let until = NOW + 60;
        let policies = vec![
            Policy::new(DEMO_NFT, "safeMint(address)")
                .with_rule(0, Condition::Equal, ACCOUNT)
                .with_valid_until(until)
                .into(),
            Policy::new(DEMO_TOKEN, "mint(address,uint256)")
                .with_rule(0, Condition::Equal, ACCOUNT)
                .with_rule(1, Condition::LessThanOrEqual, 10_u64)
                .with_valid_until(until)
                .into(),
            Erc20Policy::new(DEMO_TOKEN, DEMO_NFT, U256::from(10)).with_valid_until(until).into(),
        ];
        Draft::new(GrantRequest {
            label: "all".into(),
            account: ACCOUNT,
            policies,
            sponsored: true,
            ..GrantRequest::default()
        })
    }

    #[test]
    fn fees_are_warned_of_where_no_node_limits_them_and_withdrawing_is_a_change() {
        let mut draft = draft();
        let warns = |draft: &Draft| draft.remarks(NOW, &[], &[]).iter().any(|remark| remark.text == UNBOUNDED_FEES);
        assert!(warns(&draft), "said once, of all calls");
        draft.withdraw(true);
        let decision = draft.decision();
        assert!(decision.is_changed() && decision.granted.withdraw_native);
        draft.requested.key_holder = KeyHolder::Nodes;
        assert!(!warns(&draft));
    }

    #[test]
    fn untouched_it_grants_what_was_asked_for() {
        let decision = draft().decision();
        assert!(!decision.is_changed());
        assert_eq!(decision.granted, decision.requested);
    }

    #[test]
    fn amounts_go_down_only() {
        let mut draft = draft();
        let places = |index: usize| adjustable(&draft.requested.policies[index]);
        assert_eq!([places(0), places(1), places(2)], [vec![], vec![Place::Rule(1)], vec![Place::Transfer]]);
        draft.set_amount(1, Place::Rule(1), Ok(Some(U256::from(4))));
        draft.set_amount(2, Place::Transfer, Ok(Some(U256::from(11))));
        assert!(draft.problem(2, Place::Transfer).is_some() && draft.has_problems());
        draft.set_amount(2, Place::Transfer, Ok(Some(U256::from(3))));
        assert!(!draft.has_problems());
        let decision = draft.decision();
        assert!(decision.is_changed());
        let SessionPolicy::Abi(mint) = &decision.granted.policies[1] else { panic!("the second is a call") };
        assert_eq!(mint.rules[1].reference_value, ReferenceValue::Uint(U256::from(4)));
        let SessionPolicy::Erc20(transfer) = &decision.granted.policies[2] else { panic!("the third is a transfer") };
        assert_eq!(transfer.max_amount, U256::from(3));
        draft.set_amount(2, Place::Transfer, Ok(None));
        assert_eq!(draft.policy(2).as_ref(), draft.requested.policies.get(2), "empty is as asked for");
    }

    #[test]
    fn an_amount_without_a_bound_can_get_one() {
        let mut draft = draft();
        draft.requested.policies[0] = Policy::new(DEMO_TOKEN, "approve(address,uint256)").into();
        assert_eq!(adjustable(&draft.requested.policies[0]), [Place::Unbounded(32)]);
        draft.set_amount(0, Place::Unbounded(32), Ok(Some(U256::MAX)));
        let Some(SessionPolicy::Abi(approve)) = draft.policy(0) else { panic!("a call") };
        assert_eq!((approve.rules.len(), approve.rules[0].offset), (1, 32));
    }

    #[test]
    fn calls_can_be_left_out_but_not_all() {
        let mut draft = draft();
        for index in 0..3 {
            draft.keep(index, false);
        }
        assert_eq!((draft.kept(), draft.is_kept(2)), (1, true));
        assert_eq!(draft.decision().granted.policies.len(), 1);
        draft.keep(0, true);
        assert_eq!(draft.kept(), 2);
    }

    #[test]
    fn a_past_end_is_a_stop_and_said_once() {
        let mut draft = draft();
        let stops = |draft: &Draft| {
            let remarks = draft.remarks(NOW, &[], &[]);
            remarks.into_iter().filter(|remark| remark.severity == Severity::Stop).collect::<Vec<_>>()
        };
        assert_eq!(stops(&draft), []);
        draft.set_end(&[0, 1, 2], Some(NOW));
        assert_eq!(stops(&draft).len(), 1);
        assert_eq!(stops(&draft)[0].text, "Its time is over already.");
        draft.set_end(&[1, 2], None);
        assert_eq!(stops(&draft)[0].text, "safeMint: Its time is over already.");
    }

    #[test]
    fn what_cannot_become_a_leaf_is_a_stop() {
        let mut draft = draft();
        draft.set_amount(2, Place::Transfer, Ok(Some(U256::ZERO)));
        let first = draft.remarks(NOW, &[], &[]).remove(0);
        assert!(first.severity == Severity::Stop && first.text.contains("maxAmount"), "{first:?}");
    }
}
