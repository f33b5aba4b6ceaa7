//! Which limit of a session a call breaks, in plain words.

use alloy::primitives::{Address, B256};

use crate::{
    components::grant_review::names,
    protocol::{
        describe::{
            Constraint, Detail, Names, PolicyDescription, TokenFacts, amount_words, function_name, policy_name,
        },
        policy::{FunctionSelector, Policy, SessionPolicy, allowed_by, nearest},
        simulate::judge_call,
        smart_account::Call,
    },
};

/// Why the first call that none of these policies allows is refused; `None` when all are allowed. `native` is the
/// chain's currency, `token` what a contract says of itself.
pub fn refusal_words(
    policies: &[SessionPolicy],
    calls: &[Call],
    account: Address,
    native: &TokenFacts,
    token: &dyn Fn(Address) -> TokenFacts,
) -> Option<String> {
    let call = calls.iter().find(|call| allowed_by(policies, call).is_none())?;
    let policy = nearest(policies, call).and_then(|index| policies.get(index)).or_else(|| policies.first())?;
    let token = token(policy.contract());
    let names = names(Some(account), Some(&token), Some(native));
    if call.to != policy.contract() {
        return Some(elsewhere(policy, call, &names));
    }
    let Ok(described) = PolicyDescription::of_policy(policy) else { return Some(NOT_ALLOWED.to_owned()) };
    let words = match policy {
        SessionPolicy::Abi(policy) => abi(policy, &described.constraints(), call, &names),
        SessionPolicy::Erc20(_) => erc20(&described.constraints(), call, &names),
    };
    Some(words)
}

const NOT_ALLOWED: &str = "It does not allow this call.";

fn abi(policy: &Policy, constraints: &[Constraint], call: &Call, names: &Names<'_>) -> String {
    let called = call.data.first_chunk::<4>().copied().unwrap_or_default();
    if policy.function_selector.selector().ok() != Some(called) {
        let allowed = function_name(&policy.function_selector);
        let called = function_name(&FunctionSelector::Raw(called));
        return ["It may call ", &allowed, ". This call is to ", &called, "."].concat();
    }
    if call.value > policy.value_limit {
        let [limit, sent] = [policy.value_limit, call.value].map(|wei| amount_words(wei, names.native));
        return ["It may send at most ", &limit, " per call. This call sends ", &sent, "."].concat();
    }
    for (rule, constraint) in policy.rules.iter().zip(constraints) {
        // One rule alone, judged as the chain does.
        let alone = Policy { rules: vec![rule.clone()], ..policy.clone() };
        let leaf = SessionPolicy::from(alone).leaf(Address::repeat_byte(1), "");
        if !leaf.is_ok_and(|leaf| judge_call(&leaf, call).is_ok()) {
            return broken(constraint, call, names);
        }
    }
    NOT_ALLOWED.to_owned()
}

fn erc20(constraints: &[Constraint], call: &Call, names: &Names<'_>) -> String {
    if !call.value.is_zero() {
        let symbol = names.native.and_then(|native| native.symbol.as_deref()).unwrap_or("native currency");
        return ["It may send no ", symbol, ". This call sends ", &amount_words(call.value, names.native), "."]
            .concat();
    }
    if call.data.len() < 4 + 64 {
        return "It may send tokens, and this call names no recipient and amount.".to_owned();
    }
    let holds = |constraint: &&Constraint| {
        let (reference, given) = (constraint.value.as_word(), given(constraint, call));
        given.is_some_and(|given| constraint.condition.is_ok_and(|condition| condition.holds(given, reference)))
    };
    let first_broken = constraints.iter().find(|constraint| !holds(constraint));
    first_broken.map_or_else(|| NOT_ALLOWED.to_owned(), |constraint| broken(constraint, call, names))
}

/// `The amount must be at most 10 DUSD. In this call it is 11 DUSD.`
fn broken(constraint: &Constraint, call: &Call, names: &Names<'_>) -> String {
    let given = given(constraint, call).map_or_else(
        || "is missing".to_owned(),
        |word| ["is ", &constraint.read_value(word, call.to).words(Detail::Review, names)].concat(),
    );
    let words = constraint.words(Detail::Review, names);
    ["The ", words.strip_prefix("the ").unwrap_or(&words), ". In this call it ", &given, "."].concat()
}

/// The bytes of the call in this place.
fn given(constraint: &Constraint, call: &Call) -> Option<B256> {
    let start = usize::from(constraint.offset) + 4;
    call.data.get(start..start + 32).map(B256::from_slice)
}

fn elsewhere(policy: &SessionPolicy, call: &Call, names: &Names<'_>) -> String {
    let what = match policy {
        SessionPolicy::Abi(_) => policy_name(policy),
        SessionPolicy::Erc20(_) => "send".to_owned(),
    };
    let [allowed, called] = [policy.contract(), call.to].map(|contract| names.contract(contract, Detail::Review));
    ["It may ", &what, " on ", &allowed, ". This call goes to ", &called, "."].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::components::grant_review::known_token;
    use crate::protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::{Condition, Erc20Policy},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const OTHER: Address = Address::repeat_byte(0xbb);

    fn refused(policies: &[SessionPolicy], calls: &[Call]) -> Option<String> {
        let native = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        refusal_words(policies, calls, ACCOUNT, &native, &|contract| known_token(contract).unwrap_or_default())
    }

    fn call(to: Address, selector: [u8; 4], words: &[U256]) -> Call {
        let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
        Call { to, value: U256::ZERO, data: selector.into_iter().chain(words).collect::<Vec<_>>().into() }
    }

    #[test]
    fn rules_are_named_with_both_values() {
        let policies =
            [SessionPolicy::from(Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT))];
        let mint = |to: Address| call(DEMO_NFT, [0x40, 0xd0, 0x97, 0xc3], &[U256::from_be_slice(to.as_slice())]);
        assert_eq!(refused(&policies, &[mint(ACCOUNT)]), None);
        let said = refused(&policies, &[mint(ACCOUNT), mint(OTHER)]).unwrap();
        assert_eq!(
            said,
            "The recipient must be your own account. In this call it is 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB."
        );
        let elsewhere = refused(&policies, &[call(DEMO_TOKEN, [1; 4], &[])]).unwrap();
        assert!(elsewhere.contains("safeMint on Demo NFT") && elsewhere.contains("goes to Demo token"), "{elsewhere}");
        let missing = refused(&policies, &[call(DEMO_NFT, [0x40, 0xd0, 0x97, 0xc3], &[])]).unwrap();
        assert!(missing.ends_with("it is missing."), "{missing}");
    }

    #[test]
    fn amounts_are_in_whole_tokens() {
        let policies = [Erc20Policy::new(DEMO_TOKEN, OTHER, U256::from(10_000_000)).into()];
        let words = [U256::from_be_slice(OTHER.as_slice()), U256::from(11_000_000)];
        let said = refused(&policies, &[call(DEMO_TOKEN, [0xa9, 5, 0x9c, 0xbb], &words)]).unwrap();
        assert_eq!(said, "The amount must be at most 10 DUSD. In this call it is 11 DUSD.");
    }
    #[test]
    fn native_amounts_have_the_symbol_of_the_chain() {
        let limit = U256::from(10).pow(U256::from(17));
        let policy = Policy { value_limit: limit, ..Policy::new(DEMO_NFT, "safeMint(address)") };
        let paid = |to, value| Call { value, ..call(to, [0x40, 0xd0, 0x97, 0xc3], &[U256::ZERO]) };
        let said = refused(&[policy.into()], &[paid(DEMO_NFT, limit + limit)]).unwrap();
        assert_eq!(said, "It may send at most 0.1 POL per call. This call sends 0.2 POL.");
        let said =
            refused(&[Erc20Policy::new(DEMO_TOKEN, OTHER, U256::ONE).into()], &[paid(DEMO_TOKEN, limit)]).unwrap();
        assert_eq!(said, "It may send no POL. This call sends 0.1 POL.");
    }
}
