//! [`use_address_book`].

use alloy::primitives::Address;
use leptos::prelude::*;

use super::provider::use_context_or_detached;
use crate::{client::address_book::AddressBook, error::AppError};

/// What [`use_address_book`] returns.
#[derive(Clone, Copy)]
pub struct UseAddressBookReturn {
    /// What is kept of addresses that were granted or sent something from this browser.
    pub book: Signal<AddressBook>,
    /// Gives an address the owner's own name; an empty one takes it away.
    pub set_name: Callback<(Address, String)>,
    /// Why a name could not be kept.
    pub error: Signal<Option<AppError>>,
}

/// The address book of the account of [`use_smart_account`](super::use_smart_account): which addresses this browser
/// granted or sent something to, under the owner's own names. Hooks that send add to it by themselves. It is stored in
/// this browser only and is forgotten with the account.
///
/// ```
/// use alloy::primitives::Address;
/// use leptos::prelude::*;
/// use use_aa::hooks::use_address_book;
///
/// #[component]
/// fn NameOf(address: Address) -> impl IntoView {
///     let addresses = use_address_book();
///     let name = move || addresses.book.with(|book| book.get(address).and_then(|known| known.name.clone()));
///     view! {
///         <bdi>{name}</bdi>
///         <button on:click=move |_| addresses.set_name.run((address, "Alice".into()))>"That is Alice"</button>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// The book is empty: it is known to the browser only.
///
/// In React: nothing; ours.
pub fn use_address_book() -> UseAddressBookReturn {
    let context = use_context_or_detached();
    let error = RwSignal::new(None);
    let book = Memo::new(move |_| {
        context.stored.track();
        context.account.get().map(load).unwrap_or_default()
    });
    let set_name = Callback::new(move |(address, name): (Address, String)| {
        #[cfg(feature = "hydrate")]
        leptos::task::spawn_local(async move {
            let kept = match context.account_or(None) {
                Ok(account) => crate::client::address_book::change(account, |book| book.set_name(address, &name)).await,
                Err(error) => Err(error),
            };
            error.try_set(kept.err());
        });
        #[cfg(not(feature = "hydrate"))]
        let _ = (address, name);
    });
    UseAddressBookReturn { book: book.into(), set_name, error: error.into() }
}

fn load(account: Address) -> AddressBook {
    #[cfg(feature = "hydrate")]
    return crate::client::address_book::load(account);
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = account;
        AddressBook::default()
    }
}
