//! Which limit of a session a call breaks, in plain words.

use alloy::primitives::{Address, U256};

use crate::{
    components::grant_review::{
        TokenFacts, amount_words, known_token,
        words::{address_words, argument_name, condition_words, contract_text, function_name, short_name, value_words},
    },
    protocol::{
        known_functions::known_function_of,
        policy::{Erc20Policy, FunctionSelector, Policy, ReferenceValue, SessionPolicy, allowed_by, nearest},
        simulate::judge_call,
        smart_account::Call,
    },
};

/// Why the first call that none of these policies allows is refused; `None` when all are allowed. `native` is the
/// chain's currency.
pub fn refusal_words(
    policies: &[SessionPolicy],
    calls: &[Call],
    account: Address,
    native: &TokenFacts,
) -> Option<String> {
    let call = calls.iter().find(|call| allowed_by(policies, call).is_none())?;
    let policy = nearest(policies, call).and_then(|index| policies.get(index)).or_else(|| policies.first())?;
    let words = match policy {
        SessionPolicy::Abi(policy) => abi(policy, call, account, native),
        SessionPolicy::Erc20(policy) => erc20(policy, call, account, native),
    };
    Some(words)
}

fn abi(policy: &Policy, call: &Call, account: Address, native: &TokenFacts) -> String {
    if call.to != policy.contract_address {
        return elsewhere(&short_name(&policy.clone().into()), policy.contract_address, call);
    }
    let called = call.data.first_chunk::<4>().copied().unwrap_or_default();
    if policy.function_selector.selector().ok() != Some(called) {
        let allowed = function_name(&policy.function_selector);
        let called = function_name(&FunctionSelector::Raw(called));
        return ["It may call ", &allowed, ". This call is to ", &called, "."].concat();
    }
    if call.value > policy.value_limit {
        let [limit, sent] = [policy.value_limit, call.value].map(|wei| amount_words(wei, Some(native)));
        return ["It may send at most ", &limit, " per call. This call sends ", &sent, "."].concat();
    }
    let function = known_function_of(&policy.function_selector);
    let token = known_token(policy.contract_address);
    for rule in &policy.rules {
        // One rule alone, judged as the chain does.
        let alone = Policy { rules: vec![rule.clone()], ..policy.clone() };
        let leaf = SessionPolicy::from(alone).leaf(Address::repeat_byte(1), "");
        if leaf.is_ok_and(|leaf| judge_call(&leaf, call).is_ok()) {
            continue;
        }
        let name = argument_name(function, rule.offset);
        let words = |value: &ReferenceValue| value_words(function, rule.offset, value, account, token.as_ref());
        let start = usize::try_from(rule.offset).ok().and_then(|offset| offset.checked_add(4));
        let word = start.and_then(|start| call.data.get(start..start.checked_add(32)?));
        let given = word.map_or_else(
            || "is missing".to_owned(),
            |word| ["is ", &words(&ReferenceValue::from(U256::from_be_slice(word)))].concat(),
        );
        let allowed = words(&rule.reference_value);
        return ["The ", &name, " ", condition_words(rule.condition), " ", &allowed, ". In this call it ", &given, "."]
            .concat();
    }
    "It does not allow this call.".to_owned()
}

fn erc20(policy: &Erc20Policy, call: &Call, account: Address, native: &TokenFacts) -> String {
    if call.to != policy.token {
        return elsewhere("send", policy.token, call);
    }
    if !call.value.is_zero() {
        return [
            "It may send no ",
            native.symbol.as_deref().unwrap_or("native currency"),
            ". This call sends ",
            &amount_words(call.value, Some(native)),
            ".",
        ]
        .concat();
    }
    let (Some(recipient), Some(amount)) = (call.data.get(4..36), call.data.get(36..68)) else {
        return "It may send tokens, and this call names no recipient and amount.".to_owned();
    };
    let recipient = Address::from_slice(&recipient[12..]);
    if recipient != policy.recipient {
        let [allowed, given] = [policy.recipient, recipient].map(|address| address_words(address, account));
        return ["The recipient must be ", &allowed, ". In this call it is ", &given, "."].concat();
    }
    let [allowed, given] = [policy.max_amount, U256::from_be_slice(amount)]
        .map(|amount| crate::components::grant_review::amount_text(policy.token, amount));
    ["The amount must be at most ", &allowed, ". In this call it is ", &given, "."].concat()
}

fn elsewhere(what: &str, allowed: Address, call: &Call) -> String {
    ["It may ", what, " on ", &contract_text(allowed), ". This call goes to ", &contract_text(call.to), "."].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::Condition,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const OTHER: Address = Address::repeat_byte(0xbb);

    fn refused(policies: &[SessionPolicy], calls: &[Call]) -> Option<String> {
        let native = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        refusal_words(policies, calls, ACCOUNT, &native)
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
        assert_eq!(said, "The recipient must be your own account. In this call it is 0xbBbB…BBbB.");
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
