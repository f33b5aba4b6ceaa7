//! How many demo NFTs the account holds, read from the chain.

use alloy::primitives::{Address, Bytes, U256};
use leptos::prelude::*;

use super::{
    error_notice::ErrorNotice,
    live_text::{live, verbatim},
};
use crate::hooks::use_read_contract;

/// The balance, and by how much it grew since the page was opened.
#[component]
pub fn NftBalance(
    /// The NFT contract.
    contract: Address,
    /// Whose balance.
    #[prop(into)]
    owner: Signal<Option<Address>>,
) -> impl IntoView {
    let call = Signal::derive(move || owner.get().map(|owner| (contract, balance_of(owner))));
    let read = use_read_contract(call);
    let balance = Memo::new(move |_| read.data.get().and_then(|data| U256::try_from_be_slice(&data)));
    // The first balance that was read; what came on top of it came while you watched.
    let first = Memo::new(move |before: Option<&(Option<Address>, Option<U256>)>| match before {
        Some((of, Some(first))) if *of == owner.get() => (*of, Some(*first)),
        _ => (owner.get(), balance.get()),
    });
    let grown = move || match (first.get().1, balance.get()) {
        (Some(first), Some(now)) if now > first => {
            Some(["+", &(now - first).to_string(), " since you opened the page"].concat())
        }
        _ => None,
    };
    let unit = move || {
        if balance.get() == Some(U256::from(1)) { "demo NFT in your account" } else { "demo NFTs in your account" }
    };
    view! {
        <div>
            <p class="figure" role="status">
                <span class="number" data-testid="nft-balance" data-value=move || balance.get().map(|n| n.to_string())>
                    {move || verbatim(balance.get().map_or_else(|| "–".to_owned(), |n| n.to_string()))}
                </span>
                <span class="unit">{move || live(unit())}</span>
                {move || grown().map(|text| view! { <span class="delta">{live(text)}</span> })}
            </p>
            <ErrorNotice error=read.error retry=read.refetch />
        </div>
    }
    .into_any()
}

/// `balanceOf(address)`.
fn balance_of(owner: Address) -> Bytes {
    let mut data = vec![0x70, 0xa0, 0x82, 0x31];
    data.extend_from_slice(owner.into_word().as_slice());
    data.into()
}
