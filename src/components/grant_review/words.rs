//! Policies in plain words.

use alloy::primitives::{Address, U256};

use super::token_facts::{TokenFacts, amount_words};
use crate::{
    components::address::shortened,
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        known_functions::{ArgumentKind, KnownFunction, known_function_of},
        policy::{Condition, FunctionSelector, Policy, ReferenceValue, Rule, SessionPolicy},
    },
};

/// Names of contracts that this app knows.
pub fn contract_name(contract: Address) -> Option<&'static str> {
    match contract {
        DEMO_NFT => Some("Demo NFT"),
        DEMO_TOKEN => Some("Demo token"),
        _ => None,
    }
}

/// A contract for people: its name when known, and its address.
pub fn contract_text(contract: Address) -> String {
    let short = shortened(&contract.to_string());
    contract_name(contract).map_or_else(|| short.clone(), |name| [name, " (", &short, ")"].concat())
}

/// An address for people: the own account by its role, a known contract by its name.
pub fn address_words(address: Address, account: Address) -> String {
    if address == account { "your own account".to_owned() } else { contract_text(address) }
}

/// The function's name, or its selector when the name is not known.
pub fn function_name(selector: &FunctionSelector) -> String {
    if let Some(known) = known_function_of(selector) {
        return known.name().to_owned();
    }
    match selector {
        FunctionSelector::Signature(signature) => {
            let name = signature.trim().trim_start_matches("function ").trim_start();
            name.split('(').next().unwrap_or(name).to_owned()
        }
        FunctionSelector::Raw(bytes) => ["function 0x", &hex::encode(bytes)].concat(),
    }
}

/// What the argument at this offset is called: by its name where the function is known.
pub fn argument_name(function: Option<&KnownFunction>, offset: u32) -> String {
    match function.and_then(|function| function.argument_at(offset)) {
        Some((name, _)) => name.to_owned(),
        None if offset.is_multiple_of(32) => ["argument ", &(offset / 32 + 1).to_string()].concat(),
        None => ["the 32 bytes from byte ", &offset.to_string(), " of the arguments"].concat(),
    }
}

/// A comparison in words.
pub fn condition_words(condition: Condition) -> &'static str {
    match condition {
        Condition::Equal => "must be",
        Condition::LessThanOrEqual => "must be at most",
        Condition::LessThan => "must be less than",
        Condition::GreaterThanOrEqual => "must be at least",
        Condition::GreaterThan => "must be greater than",
        Condition::NotEqual => "must not be",
    }
}

/// A word of the arguments, as what it is.
pub fn value_words(
    function: Option<&KnownFunction>,
    offset: u32,
    value: &ReferenceValue,
    account: Address,
    token: Option<&TokenFacts>,
) -> String {
    let Ok(word) = value.word("referenceValue") else { return "an unusable value".to_owned() };
    let number = U256::from_be_bytes(word.0);
    let is_address = word[..12] == [0; 12];
    match (function.and_then(|function| function.argument_at(offset)), value) {
        (Some((_, ArgumentKind::Address)), _) | (None, ReferenceValue::Address(_)) if is_address => {
            address_words(Address::from_word(word), account)
        }
        (Some((_, ArgumentKind::TokenAmount)), _) => amount_words(number, token),
        // A number without decimals to it is an item, or an amount of what nobody knows.
        (Some((_, ArgumentKind::AmountOrId)), _) if token.is_some_and(|facts| facts.decimals.is_some()) => {
            amount_words(number, token)
        }
        (Some((_, ArgumentKind::Flag)), _) | (_, ReferenceValue::Bool(_)) => {
            if number.is_zero() { "no" } else { "yes" }.to_owned()
        }
        (_, ReferenceValue::Int(number)) => number.to_string(),
        _ if number.bit_len() <= 96 => number.to_string(),
        _ if is_address => address_words(Address::from_word(word), account),
        _ => word.to_string(),
    }
}

/// A rule in words: `recipient must be your own account`.
pub fn rule_words(policy: &Policy, rule: &Rule, account: Address, token: Option<&TokenFacts>) -> String {
    let function = known_function_of(&policy.function_selector);
    let name = argument_name(function, rule.offset);
    let value = value_words(function, rule.offset, &rule.reference_value, account, token);
    [&name, " ", condition_words(rule.condition), " ", &value].concat()
}

/// The rule that binds an argument to the own account.
fn is_for_oneself(policy: &Policy, rule: &Rule, account: Address) -> bool {
    let argument = known_function_of(&policy.function_selector).and_then(|function| function.argument_at(rule.offset));
    let is_address = match argument {
        Some((_, kind)) => kind == ArgumentKind::Address,
        None => matches!(rule.reference_value, ReferenceValue::Address(_)),
    };
    rule.condition == Condition::Equal
        && is_address
        && rule.reference_value.word("referenceValue").is_ok_and(|word| word == account.into_word())
}

/// The rest of "may call f on C": what limits it. [`other_rules`] says what comes after "only if".
pub fn limits_words(policy: &Policy, account: Address) -> &'static str {
    let own = policy.rules.iter().filter(|rule| is_for_oneself(policy, rule, account)).count();
    match (policy.rules.len(), own) {
        (0, _) => "with any arguments",
        (all, own) if all == own => "only for your own account",
        (_, 0) => "only if:",
        _ => "only for your own account, and only if:",
    }
}

/// The rules that [`limits_words`] leaves unsaid.
pub fn other_rules(policy: &Policy, account: Address, token: Option<&TokenFacts>) -> Vec<String> {
    let rules = policy.rules.iter().filter(|rule| !is_for_oneself(policy, rule, account));
    rules.map(|rule| rule_words(policy, rule, account, token)).collect()
}

/// One permission in one sentence, without its time.
pub fn sentence(policy: &SessionPolicy, account: Address, token: Option<&TokenFacts>) -> String {
    match policy {
        SessionPolicy::Abi(policy) => {
            let [function, contract] =
                [function_name(&policy.function_selector), contract_text(policy.contract_address)];
            ["May call ", &function, " on ", &contract, " ", limits_words(policy, account)].concat()
        }
        SessionPolicy::Erc20(policy) => {
            let amount = amount_words(policy.max_amount, token);
            let recipient = address_words(policy.recipient, account);
            let contract = contract_text(policy.token);
            ["May send at most ", &amount, " of ", &contract, " per call, only to ", &recipient].concat()
        }
    }
}

/// The name of a permission in a list of several.
pub fn short_name(policy: &SessionPolicy) -> String {
    match policy {
        SessionPolicy::Abi(policy) => function_name(&policy.function_selector),
        SessionPolicy::Erc20(_) => "token transfer".to_owned(),
    }
}

/// What may be spent of the native currency.
pub fn native_words(limit: U256, native: &TokenFacts) -> String {
    match limit {
        U256::ZERO => ["None. It cannot move ", native.symbol.as_deref().unwrap_or("native currency"), "."].concat(),
        limit => ["At most ", &amount_words(limit, Some(native)), " in each call"].concat(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::policy::Erc20Policy;

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn dusd() -> TokenFacts {
        TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) }
    }

    #[test]
    fn a_mint_for_oneself_reads_as_one_sentence() {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT);
        let words = sentence(&policy.into(), ACCOUNT, None);
        assert_eq!(words, "May call safeMint on Demo NFT (0x1758…665e) only for your own account");
    }

    #[test]
    fn amounts_have_their_unit_and_arguments_their_names() {
        let policy = Policy::new(DEMO_TOKEN, "transfer(address to, uint256 amount)")
            .with_rule(0, Condition::Equal, DEMO_NFT)
            .with_rule(1, Condition::LessThanOrEqual, 2_500_000_u64);
        let words = policy.rules.iter().map(|rule| rule_words(&policy, rule, ACCOUNT, Some(&dusd())));
        assert_eq!(
            words.collect::<Vec<_>>(),
            ["recipient must be Demo NFT (0x1758…665e)", "amount must be at most 2.5 DUSD"]
        );
        let transfer = Erc20Policy::new(DEMO_TOKEN, ACCOUNT, U256::from(10_000_000));
        let words = sentence(&transfer.into(), ACCOUNT, Some(&dusd()));
        assert!(words.contains("10 DUSD") && words.ends_with("only to your own account"), "{words}");
    }

    #[test]
    fn native_amounts_have_the_symbol_of_the_chain() {
        let pol = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        assert_eq!(native_words(U256::from(50_000_000_000_000_000_u64), &pol), "At most 0.05 POL in each call");
        assert_eq!(native_words(U256::ZERO, &pol), "None. It cannot move POL.");
    }

    #[test]
    fn unknown_functions_are_called_by_selector_and_place() {
        let mut policy = Policy::new(DEMO_NFT, "0x01020304").with_rule(1, Condition::NotEqual, 7_u64);
        policy.function_selector = FunctionSelector::Raw([1, 2, 3, 4]);
        assert_eq!(function_name(&policy.function_selector), "function 0x01020304");
        assert_eq!(rule_words(&policy, &policy.rules[0], ACCOUNT, None), "argument 2 must not be 7");
    }
}
