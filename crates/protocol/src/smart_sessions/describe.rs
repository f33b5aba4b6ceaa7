//! What a session may do, in words. Single calls are described as V2's are ([`PolicyDescription`]); what is counted
//! over many of them stands beside.

use alloy::primitives::{Address, B256, U256};

use super::{
    ids,
    leaf::{as_leaf, is_plain_transfer, window_of},
    policy_data::PolicyConfig,
    session::{ActionData, PolicyData, Session},
    session_key::session_key_of,
};
use crate::{
    describe::{Names, PolicyDescription, amount_words, argument_name, utc},
    known_functions::known_function,
    policy::SessionEpoch,
};

/// What one action allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionDescription {
    /// The contract.
    pub target: Address,
    /// The function.
    pub selector: [u8; 4],
    /// Single calls; `None` = nobody can say: a policy is not known here, or cannot be read.
    pub calls: Option<PolicyDescription>,
    /// Most calls.
    pub uses: Option<u128>,
    /// Most native currency in all, wei.
    pub total_value: Option<U256>,
    /// Most of the token in all, in its smallest unit.
    pub total_spent: Option<U256>,
    /// Most that the words at these offsets may add up to.
    pub totals: Vec<(u64, U256)>,
    /// When it works, as its own policies say.
    pub window: SessionEpoch,
}

/// What a session allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// Its id.
    pub permission_id: B256,
    /// The address of its key, where one key uses it.
    pub session_key: Option<Address>,
    /// What it may call.
    pub actions: Vec<ActionDescription>,
    /// Most operations.
    pub operations: Option<u128>,
    /// Most native currency that all operations may send, wei.
    pub total_value: Option<U256>,
    /// When it works, as the policies of whole operations say.
    pub window: SessionEpoch,
    /// Others may pay for its operations.
    pub sponsored: bool,
    /// It may sign messages for the account.
    pub signs_messages: bool,
    /// A policy of whole operations is not known here, or cannot be read.
    pub is_unreadable: bool,
}

impl SessionDescription {
    /// Reads a session.
    pub fn of(session: &Session) -> Self {
        let key = session_key_of(session);
        let limits = Limits::of(&session.user_op_policies);
        let data = &session.erc7739_policies;
        Self {
            permission_id: ids::permission_id(session),
            session_key: key,
            actions: session.actions.iter().map(|action| ActionDescription::of(action, key)).collect(),
            operations: limits.uses,
            total_value: limits.total_value,
            window: window_of(&session.user_op_policies),
            sponsored: session.permit_erc4337_paymaster,
            signs_messages: !(data.allowed_erc7739_content.is_empty() && data.erc1271_policies.is_empty()),
            is_unreadable: session.user_op_policies.iter().any(|policy| PolicyConfig::read(policy).is_err()),
        }
    }

    /// What holds of all that it does, line by line.
    pub fn lines(&self, names: &Names<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.operations.map(|most| counted(most, "operation")));
        lines.extend(self.total_value.map(|most| in_all(&amount_words(most, names.native))));
        lines.extend(time_words(self.window));
        lines.extend(self.sponsored.then(|| "Others may pay for its operations".to_owned()));
        lines.extend(self.signs_messages.then(|| "May sign messages for the account".to_owned()));
        lines.extend(self.is_unreadable.then(|| "One of its policies cannot be read here".to_owned()));
        lines
    }
}

impl ActionDescription {
    fn of(action: &ActionData, key: Option<Address>) -> Self {
        let key = key.unwrap_or(Address::repeat_byte(1));
        let limits = Limits::of(&action.action_policies);
        let spent = |tokens: &[(Address, U256)]| {
            let of_target = tokens.iter().rev().find(|(token, _)| *token == action.action_target);
            of_target.map_or(U256::ZERO, |(_, limit)| *limit)
        };
        Self {
            target: action.action_target,
            selector: action.action_target_selector.0,
            calls: as_leaf(action, key)
                .filter(|_| !is_plain_transfer(action))
                .map(|leaf| PolicyDescription::of_leaf(&leaf)),
            uses: limits.uses,
            total_value: limits.total_value,
            total_spent: limits.tokens.as_deref().map(spent),
            totals: limits.totals,
            window: window_of(&action.action_policies),
        }
    }

    /// What it allows: a sentence about single calls, then what is counted over all of them, line by line.
    pub fn lines(&self, names: &Names<'_>) -> Vec<String> {
        let contract = names.contract(self.target, crate::describe::Detail::Review);
        let is_plain = self.selector == super::addresses::VALUE_SELECTOR;
        let mut lines = vec![match &self.calls {
            Some(calls) => calls.whole_line(names),
            None if is_plain => ["May send native currency to ", &contract].concat(),
            None => [
                "May call function 0x",
                &hex::encode(self.selector),
                " on ",
                &contract,
                " under policies that cannot be read here",
            ]
            .concat(),
        }];
        lines.extend(self.uses.map(|most| counted(most, "call")));
        lines.extend(self.total_value.map(|most| in_all(&amount_words(most, names.native))));
        lines.extend(self.total_spent.map(|most| {
            let words = in_all(&amount_words(most, names.token));
            [&words, ", transfers and allowances together"].concat()
        }));
        for (offset, most) in &self.totals {
            let known = known_function(self.selector);
            let name = argument_name(known, u32::try_from(*offset).unwrap_or(u32::MAX));
            let is_amount = known.and_then(|known| known.argument_at(u32::try_from(*offset).ok()?)).is_some();
            let most = amount_words(*most, names.token.filter(|_| is_amount));
            lines.push(["All calls' ", &name, " together: at most ", &most].concat());
        }
        lines.extend(time_words(self.window));
        lines
    }
}

/// What is counted.
#[derive(Default)]
struct Limits {
    uses: Option<u128>,
    total_value: Option<U256>,
    tokens: Option<Vec<(Address, U256)>>,
    totals: Vec<(u64, U256)>,
}

impl Limits {
    fn of(policies: &[PolicyData]) -> Self {
        let mut limits = Self::default();
        for config in policies.iter().filter_map(|policy| PolicyConfig::read(policy).ok()) {
            match config {
                PolicyConfig::UsageLimit(most) => limits.uses = Some(most),
                PolicyConfig::ValueLimit(most) => limits.total_value = Some(most),
                PolicyConfig::SpendingLimit(tokens) => limits.tokens = Some(tokens),
                PolicyConfig::UniversalAction(action) => {
                    limits.totals = action.rules.iter().filter_map(|rule| Some((rule.offset, rule.limit?))).collect();
                }
                PolicyConfig::Sudo | PolicyConfig::TimeFrame(_) => {}
            }
        }
        limits
    }
}

fn counted(most: u128, what: &str) -> String {
    let plural = if most == 1 { "" } else { "s" };
    ["At most ", &most.to_string(), " ", what, plural].concat()
}

fn in_all(amount: &str) -> String {
    ["In all at most ", amount].concat()
}

fn time_words(window: SessionEpoch) -> Vec<String> {
    let begin = (window.valid_after != 0).then(|| ["Not before ", &utc(window.valid_after)].concat());
    let end = (window.valid_until != 0).then(|| ["Not after ", &utc(window.valid_until)].concat());
    begin.into_iter().chain(end).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        describe::TokenFacts,
        policy::{Condition, Erc20Policy, Policy},
        smart_sessions::{ActionLimits, SessionLimits, session_of},
    };

    #[test]
    fn single_calls_and_what_is_counted_are_both_said() {
        let key = Address::repeat_byte(7);
        let mint = Policy::new(DEMO_NFT, "safeMint(address)")
            .with_rule(0, Condition::Equal, Address::repeat_byte(0xaa))
            .with_valid_until(1_900_003_600);
        let pay = Erc20Policy::new(DEMO_TOKEN, key, U256::from(2_500_000));
        let policies = [
            (mint.into(), ActionLimits { uses: Some(3), ..Default::default() }),
            (pay.into(), ActionLimits { totals: vec![(32, U256::from(10_000_000))], ..Default::default() }),
        ];
        let limits = SessionLimits { operations: Some(1), sponsored: true, ..Default::default() };
        let account = Address::repeat_byte(0xaa);
        let session = session_of(&policies, key, B256::repeat_byte(1), &limits, account, 0).unwrap();
        let told = SessionDescription::of(&session);
        let facts = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        let names = Names { account: Some(account), token: Some(&facts), ..Names::default() };
        assert_eq!(told.lines(&names), ["At most 1 operation", "Others may pay for its operations"]);
        assert_eq!(told.session_key, Some(key));
        let mint = told.actions[0].lines(&names);
        assert!(mint[0].contains("safeMint") && mint[0].contains("only for your own account"), "{mint:?}");
        assert_eq!(mint[1..], ["At most 3 calls", "Not after 2030-03-17 18:46:40 UTC"].map(str::to_owned)[..]);
        let pay = told.actions[1].lines(&names);
        assert!(pay[0].contains("transfer") && pay[0].contains("2.5 DUSD"), "{pay:?}");
        assert!(pay[1].ends_with("together: at most 10 DUSD"), "{pay:?}");
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be() {
        let unknown = PolicyData { policy: Address::repeat_byte(9), ..Default::default() };
        let action =
            ActionData { action_target: DEMO_NFT, action_policies: vec![unknown.clone()], ..Default::default() };
        let session = Session { actions: vec![action], user_op_policies: vec![unknown], ..Session::default() };
        let told = SessionDescription::of(&session);
        assert_eq!(told.lines(&Names::default()), ["One of its policies cannot be read here"]);
        assert!(told.actions[0].lines(&Names::default())[0].ends_with("policies that cannot be read here"));
    }
}
