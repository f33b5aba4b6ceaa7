//! The names that this app knows.

use alloy::primitives::Address;

use super::token_facts::known_token;
use crate::protocol::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    describe::{Names, PolicyDescription, TokenFacts},
    session::SessionLeaf,
};

const CONTRACTS: &[(Address, &str)] = &[(DEMO_NFT, "Demo NFT"), (DEMO_TOKEN, "Demo token")];

/// Name of a contract that this app knows.
pub fn contract_name(contract: Address) -> Option<&'static str> {
    CONTRACTS.iter().find(|(address, _)| *address == contract).map(|(_, name)| *name)
}

/// The contracts that this app knows, with its names for them.
pub fn app_contracts() -> impl Iterator<Item = (Address, String)> {
    CONTRACTS.iter().map(|(address, name)| (*address, ["this app's contract “", name, "”"].concat()))
}

/// What is known for the words about one policy: `token` is the contract that it lets a session call.
pub fn names<'a>(account: Option<Address>, token: Option<&'a TokenFacts>, native: Option<&'a TokenFacts>) -> Names<'a> {
    Names { account, addresses: CONTRACTS, token, native }
}

/// What a leaf allows, said by `say` with all that is known of it. `native` is the chain's currency.
pub fn leaf_words(
    leaf: &SessionLeaf,
    account: Option<Address>,
    native: &TokenFacts,
    say: impl FnOnce(&PolicyDescription, &Names<'_>) -> String,
) -> String {
    let described = PolicyDescription::of_leaf(leaf);
    let token = described.contract().and_then(known_token);
    say(&described, &names(account, token.as_ref(), Some(native)))
}
