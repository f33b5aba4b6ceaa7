//! A session in words: what it may do, and where it stands.

use alloy::primitives::{Address, B256, U256};

use super::{
    address::shortened,
    grant_review::{TokenFacts, amount_text, amount_words, contract_text},
};
use crate::protocol::{
    addresses::ERC20_SESSION_VALIDATION_MODULE,
    known_functions::{ArgumentKind, KnownFunction, known_function},
    policy::Condition,
    session::{ListedStatus, SessionLeaf},
    session_data::{AbiSessionData, Erc20SessionData},
};

/// More conditions than these are counted, not listed.
const MOST_RULES: usize = 2;

/// Its name, or a word for none.
pub fn title_of(leaf: &SessionLeaf) -> String {
    match leaf.label.as_deref().filter(|label| !label.is_empty()) {
        Some(label) => label.to_owned(),
        None if leaf.is_on_other_device() => "Session of another device".to_owned(),
        None => "Session without a name".to_owned(),
    }
}

/// What a session with this status waits for: `PENDING` has three reasons.
pub fn badge_text(leaf: &SessionLeaf, status: ListedStatus) -> &'static str {
    match status {
        ListedStatus::Pending if leaf.state().is_returning() => "Coming back",
        ListedStatus::Pending if leaf.status.in_tree() => "Not begun",
        ListedStatus::Pending => "Waiting for confirmation",
        status => status_text(status),
    }
}

/// The status for people.
pub fn status_text(status: ListedStatus) -> &'static str {
    match status {
        ListedStatus::Pending => "Waiting",
        ListedStatus::Active => "Active",
        ListedStatus::Expired => "Ended",
        ListedStatus::Revoked => "Revoked",
        ListedStatus::OtherDevice => "On another device",
    }
}

/// What the leaf allows, as far as its data can be read. `native` is the chain's currency.
pub fn permission_text(leaf: &SessionLeaf, account: Option<Address>, native: &TokenFacts) -> String {
    if leaf.session_validation_module == ERC20_SESSION_VALIDATION_MODULE
        && let Ok(data) = Erc20SessionData::decode(&leaf.session_key_data)
    {
        let amount = amount_text(data.token, data.max_amount);
        let recipient = address_text(data.recipient, account);
        return ["May send at most ", &amount, " of ", &contract_text(data.token), " per call, only to ", &recipient]
            .concat();
    }
    let Ok(data) = AbiSessionData::decode(&leaf.session_key_data) else {
        return ["Checked by module ", &shortened(&leaf.session_validation_module.to_string())].concat();
    };
    let known = known_function(data.selector);
    let function = known
        .map_or_else(|| ["function 0x", &hex::encode(data.selector)].concat(), |function| function.name().to_owned());
    let limits = match data.rules.as_slice() {
        [] => ", with any arguments".to_owned(),
        [one] if is_own_account(one, account) => ", only for your own account".to_owned(),
        rules if rules.len() <= MOST_RULES => {
            let rules = rules.iter().map(|rule| rule_text(rule, known, data.contract_address, account));
            [", if ", &rules.collect::<Vec<_>>().join(" and ")].concat()
        }
        rules => [", under ", &rules.len().to_string(), " conditions"].concat(),
    };
    let funds = match data.value_limit {
        0 => String::new(),
        limit => ["; each use may send at most ", &amount_words(U256::from(limit), Some(native))].concat(),
    };
    ["May call ", &function, " on ", &contract_text(data.contract_address), &limits, &funds].concat()
}

fn is_own_account(rule: &(u16, u8, B256), account: Option<Address>) -> bool {
    Condition::from_code(rule.1) == Some(Condition::Equal) && Some(rule.2) == account.map(|account| account.into_word())
}

fn address_text(address: Address, account: Option<Address>) -> String {
    match Some(address) == account {
        true => "your own account".to_owned(),
        false => shortened(&address.to_string()),
    }
}

/// `amount is at most 100 DUSD`.
fn rule_text(
    rule: &(u16, u8, B256),
    function: Option<&KnownFunction>,
    contract: Address,
    account: Option<Address>,
) -> String {
    let (offset, code, word) = rule;
    let known = function.and_then(|function| function.argument_at(u32::from(*offset)));
    let name = match known {
        Some((name, _)) => name.to_owned(),
        None => ["argument ", &(offset / 32 + 1).to_string()].concat(),
    };
    let condition = match Condition::from_code(*code) {
        Some(Condition::Equal) => " is ",
        Some(Condition::LessThanOrEqual) => " is at most ",
        Some(Condition::LessThan) => " is less than ",
        Some(Condition::GreaterThanOrEqual) => " is at least ",
        Some(Condition::GreaterThan) => " is more than ",
        Some(Condition::NotEqual) => " is not ",
        None => " is (never true) ",
    };
    let number = U256::from_be_bytes(word.0);
    let is_address = word.iter().take(12).all(|byte| *byte == 0) && number > U256::from(u64::MAX);
    let value = match known.map(|(_, kind)| kind) {
        Some(ArgumentKind::TokenAmount) => amount_text(contract, number),
        Some(ArgumentKind::Address) => address_text(Address::from_word(*word), account),
        Some(ArgumentKind::Flag) if number <= U256::ONE => if number.is_zero() { "no" } else { "yes" }.to_owned(),
        None if is_address => address_text(Address::from_word(*word), account),
        _ => shortened(&number.to_string()),
    };
    [&name, condition, &value].concat()
}

/// `1 session`, `3 sessions`.
pub fn sessions_text(count: usize) -> String {
    match count {
        1 => "1 session".to_owned(),
        many => [&many.to_string(), " sessions"].concat(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::Policy,
        session::SessionStatus,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn words(policy: &Policy) -> String {
        let leaf = SessionLeaf::from_policy(policy, Address::repeat_byte(1), "id").unwrap();
        permission_text(&leaf, Some(ACCOUNT), &xdai())
    }

    fn xdai() -> TokenFacts {
        TokenFacts { symbol: Some("XDAI".into()), decimals: Some(18) }
    }

    #[test]
    fn what_a_session_may_do_reads_like_a_sentence() {
        let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT);
        assert_eq!(words(&mint), "May call safeMint on Demo NFT (0x1758…665e), only for your own account");
        let pay = Policy::new(DEMO_TOKEN, "transfer(address,uint256)")
            .with_rule(0, Condition::Equal, Address::repeat_byte(0xbb))
            .with_rule(1, Condition::LessThanOrEqual, U256::from(2_500_000));
        let pay = words(&pay);
        assert!(pay.contains("recipient is 0xbBbB…BBbB and amount is at most 2.5 DUSD"), "{pay}");
        let odd = Policy::new(ACCOUNT, "f(uint256)").with_rule(0, Condition::NotEqual, U256::from(7));
        assert!(words(&odd).ends_with(", if argument 1 is not 7"), "{}", words(&odd));
        assert!(words(&Policy::new(ACCOUNT, "f()")).ends_with(", with any arguments"));
        let unreadable = SessionLeaf { session_key_data: vec![1].into(), ..SessionLeaf::default() };
        let paid = Policy { value_limit: U256::from(10).pow(U256::from(16)), ..Policy::new(ACCOUNT, "f()") };
        assert!(words(&paid).ends_with("; each use may send at most 0.01 XDAI"), "{}", words(&paid));
        assert!(permission_text(&unreadable, None, &xdai()).starts_with("Checked by module"));
    }

    #[test]
    fn a_waiting_session_says_what_for() {
        let text = |status| badge_text(&SessionLeaf { status, ..SessionLeaf::default() }, ListedStatus::Pending);
        assert_eq!(text(SessionStatus::Pending), "Waiting for confirmation");
        assert_eq!(text(SessionStatus::Active), "Not begun");
        assert_eq!(badge_text(&SessionLeaf::default(), ListedStatus::Expired), "Ended");
    }

    #[test]
    fn counts_and_titles() {
        assert_eq!([sessions_text(1), sessions_text(12)], ["1 session", "12 sessions"]);
        assert_eq!(title_of(&SessionLeaf::default()), "Session without a name");
    }
}
