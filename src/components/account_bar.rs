//! Whose account this is: smart account, owner, network.

use leptos::prelude::*;

use super::{
    address::Address,
    live_text::{live, verbatim},
};
use crate::hooks::{use_smart_account, use_wallets};

/// The account in the header; nothing while none is known.
#[component]
pub fn AccountBar() -> impl IntoView {
    let account = use_smart_account();
    let smart_account = Memo::new(move |_| account.smart_account_address.get().map(|address| address.to_string()));
    let owner = Memo::new(move |_| account.owner_address.get().map(|address| address.to_string()));
    let chain = Memo::new(move |_| account.chain_info.get().map(|chain| (chain.name, chain.chain_id.to_string())));
    let wallets = use_wallets();
    let no_owner = move || match (wallets.connected.with(Option::is_some), account.owner_refused.with(Option::is_some))
    {
        (_, true) => "the wallet cannot sign for it",
        (true, false) => "looking at the wallet's account",
        _ if wallets.is_connecting.get() => "asking the wallet",
        _ => "not connected",
    };
    let known = Memo::new(move |_| smart_account.get().is_some());
    view! {
        {move || {
            known
                .get()
                .then(|| {
                    view! {
                        <dl>
                            <div>
                                <dt>"Smart account"</dt>
                                <dd>
                                    <Address
                                        value=Signal::derive(move || smart_account.get().unwrap_or_default())
                                        what="smart account address"
                                        testid="smart-account-address"
                                    />
                                </dd>
                            </div>
                            <div>
                                <dt>"Owner"</dt>
                                <dd>
                                    {move || {
                                        owner
                                            .get()
                                            .map_or_else(
                                                || {
                                                    view! { <span class="reason">{move || live(no_owner())}</span> }.into_any()
                                                },
                                                |owner| {
                                                    view! { <Address value=owner what="owner's address" testid="owner-address" /> }
                                                        .into_any()
                                                },
                                            )
                                    }}
                                </dd>
                            </div>
                            {move || {
                                chain
                                    .get()
                                    .map(|(name, id)| {
                                        view! {
                                            <div>
                                                <dt>"Network"</dt>
                                                <dd data-testid="chain-id" data-value=id.clone()>
                                                    {verbatim(if name.contains(&id) { name } else { [&name, " (", &id, ")"].concat() })}
                                                </dd>
                                            </div>
                                        }
                                    })
                            }}
                        </dl>
                    }
                })
        }}
    }
    .into_any()
}
