//! An address that somebody is about to decide about: whole, with what is known of it, and a way to name it.

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    copy_button::CopyButton,
    grant_review::app_contracts,
    icon::{Glyph, Icon},
    live_text::{live, verbatim},
    whole_address::grouped,
};
use crate::{
    hooks::{AddressStanding, UseAddressBookReturn, use_address_book, use_smart_account},
    protocol::foreign_text::{LONGEST_NAME, isolated},
};

/// The address in groups, a copy button, whether it was used before under which name, and a warning when it only looks
/// like one that is known.
#[component]
pub fn AddressCheck(
    /// The address.
    address: Address,
    /// What it is: completes "Copy the …".
    #[prop(optional)]
    what: Option<&'static str>,
) -> impl IntoView {
    let book = use_address_book();
    let familiar = use_familiar();
    let verdict = Memo::new(move |_| {
        let familiar = familiar.get();
        match familiar.iter().find(|(known, _)| *known == address) {
            Some((_, name)) => Verdict::Familiar(name.clone()),
            None => Verdict::Book(book.book.with(|book| book.standing(address, &familiar))),
        }
    });
    let plain = address.to_string();
    let copied = Signal::stored(plain.clone());
    view! {
        <span class="address-check" data-testid="address-check" data-value=plain.clone() data-standing=move || verdict.with(Verdict::word)>
            {grouped(&plain)}
            <CopyButton value=copied what=what.unwrap_or("address") />
            {move || said(&verdict.get())}
            {move || (!matches!(verdict.get(), Verdict::Familiar(_))).then(|| naming(address, book))}
        </span>
    }
    .into_any()
}

/// What is known of the address that was typed into a field; nothing while it is none.
pub fn typed_address(text: &str) -> Option<AnyView> {
    let address = text.trim().parse::<Address>().ok()?;
    Some(view! { <AddressCheck address /> }.into_any())
}

#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    /// The page itself knows it.
    Familiar(String),
    /// What the address book says.
    Book(AddressStanding),
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Familiar(_) => "familiar",
            Self::Book(AddressStanding::Known(known)) if known.uses > 0 => "used",
            Self::Book(AddressStanding::Known(_)) => "named",
            Self::Book(AddressStanding::New) => "new",
            Self::Book(AddressStanding::LooksLike(..)) => "looks-like",
        }
    }
}

/// What the page knows without a book: the account, its owner, the app's own contracts.
fn use_familiar() -> Memo<Vec<(Address, String)>> {
    let account = use_smart_account();
    Memo::new(move |_| {
        let own = account.smart_account_address.get().map(|address| (address, "your own account".to_owned()));
        let owner = account.owner_address.get().map(|address| (address, "your wallet, the owner".to_owned()));
        own.into_iter().chain(owner).chain(app_contracts()).collect()
    })
}

fn said(verdict: &Verdict) -> AnyView {
    let line =
        |text: String| view! { <span class="standing" data-testid="address-standing">{live(text)}</span> }.into_any();
    let named = |before: &'static str, name: String| {
        view! {
            <span class="standing" data-testid="address-standing">
                {live(before)} <strong><bdi>{verbatim(name)}</bdi></strong>
            </span>
        }
        .into_any()
    };
    match verdict {
        Verdict::Familiar(name) => line(capital(name)),
        Verdict::Book(AddressStanding::New) => line("New address: never used before from this browser.".to_owned()),
        Verdict::Book(AddressStanding::Known(known)) => match (known.name.clone(), known.uses) {
            (Some(name), 0) => named("Never used before from this browser. You named it ", name),
            (Some(name), _) => named("Used before: ", name),
            (None, _) => line("Used before, without a name.".to_owned()),
        },
        Verdict::Book(AddressStanding::LooksLike(other, name)) => {
            let who = match name {
                Some(name) => verbatim(["“", &isolated(name), "”"].concat()),
                None => live("one that you used before"),
            };
            view! {
                <span class="notice warning" data-testid="address-looks-like" data-other=other.to_string() role="note">
                    <Icon glyph=Glyph::Warning />
                    <strong>"This is another address than " {who} ", and looks like it."</strong>
                    <span class="detail">
                        "Both begin and end alike, as is done to deceive. Compare every digit with " {grouped(&other.to_string())}
                    </span>
                </span>
            }
            .into_any()
        }
    }
}

/// A name of the owner's own, typed where the address is decided about.
fn naming(address: Address, book: UseAddressBookReturn) -> AnyView {
    let kept = book.book.with_untracked(|book| book.get(address).and_then(|known| known.name.clone()));
    let title = if kept.is_some() { "Rename" } else { "Give it a name" };
    let typed = RwSignal::new(kept.unwrap_or_default());
    let save = move || book.set_name.run((address, typed.get_untracked()));
    view! {
        <details class="naming">
            <summary data-testid="name-address">{live(title)}</summary>
            <span class="fields">
                <input
                    data-testid="address-name"
                    aria-label=["Your name for ", &address.to_string()].concat()
                    maxlength=LONGEST_NAME.to_string()
                    autocomplete="off"
                    dir="auto"
                    translate="no"
                    bind:value=typed
                    on:keydown=move |event| {
                        if event.key() == "Enter" {
                            // A form around it is not sent by this.
                            event.prevent_default();
                            save();
                        }
                    }
                />
                <button type="button" class="button quiet small" data-testid="save-address-name" on:click=move |_| save()>
                    "Save"
                </button>
            </span>
            {move || book.error.get().map(|error| view! { <span class="reason" role="alert">{live(error.to_string())}</span> })}
        </details>
    }
    .into_any()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    // Ours begin so.
    letters
        .next()
        .map(|first| [first.to_ascii_uppercase()].into_iter().chain(letters).chain(['.']).collect())
        .unwrap_or_default()
}
