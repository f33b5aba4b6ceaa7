//! The chain's native currency in words.

use leptos::prelude::*;

use crate::{hooks::use_smart_account, protocol::describe::TokenFacts};

/// Symbol and decimals of the currency in which the chain's gas is paid; ether until the chain is known.
pub fn use_native_currency() -> Signal<TokenFacts> {
    let account = use_smart_account();
    Memo::new(move |_| account.chain_info.get().map(|chain| chain.native_currency).unwrap_or_default().facts()).into()
}
