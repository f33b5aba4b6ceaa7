//! How much of a token the account holds, read from the chain.

use alloy::primitives::{Address, Bytes, U256};
use leptos::prelude::*;

use super::{error_notice::ErrorNotice, live_text::verbatim};
use crate::{hooks::use_read_contract, protocol::describe::shown_amount};

/// The balance in whole tokens; `data-value` holds smallest units.
#[component]
pub fn TokenBalance(
    /// The token.
    token: Address,
    /// Its symbol.
    symbol: &'static str,
    /// Its decimals.
    decimals: u8,
    /// Whose balance.
    #[prop(into)]
    owner: Signal<Option<Address>>,
) -> impl IntoView {
    let call = Signal::derive(move || owner.get().map(|owner| (token, balance_of(owner))));
    let read = use_read_contract(call);
    let balance = Memo::new(move |_| read.data.get().and_then(|data| U256::try_from_be_slice(&data)));
    let whole = move || balance.get().map_or_else(|| "–".to_owned(), |units| shown_amount(units, decimals));
    view! {
        <div>
            <p class="figure" role="status">
                <span class="number" data-testid="token-balance" data-value=move || balance.get().map(|n| n.to_string())>
                    {move || verbatim(whole())}
                </span>
                <span class="unit">{verbatim(symbol)} " in your account"</span>
            </p>
            <ErrorNotice error=read.error retry=read.refetch />
        </div>
    }
    .into_any()
}

/// `balanceOf(address)`.
pub fn balance_of(owner: Address) -> Bytes {
    let mut data = vec![0x70, 0xa0, 0x82, 0x31];
    data.extend_from_slice(owner.into_word().as_slice());
    data.into()
}
