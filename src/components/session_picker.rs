//! Which session acts.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{live_text::live, session_words::title_of, time::local_time};
use crate::{
    hooks::{QueryStatus, UseSessionListReturn},
    protocol::{
        distributed_key::is_distributed,
        foreign_text::isolated,
        session::{SessionKeyManager, SessionLeaf, SessionStatus},
    },
};

/// Sessions that could act: on the chain, or on their way there; with a key that nodes share, or one of this browser.
fn usable(leaf: &SessionLeaf, distributed: bool) -> bool {
    let can_act = !matches!(leaf.status, SessionStatus::Revoked) && leaf.manager() == SessionKeyManager::Current;
    can_act && !leaf.is_on_other_device() && is_distributed(leaf) == distributed
}

/// The session that is used when the person chose none: the newest confirmed one, else the newest; those whose key is
/// gone from this browser come last.
pub fn preferred_session(leaves: &[SessionLeaf], lost: &BTreeSet<Address>, distributed: bool) -> Option<String> {
    let newest_first = || leaves.iter().rev().filter(|leaf| usable(leaf, distributed));
    let has_key = |leaf: &&SessionLeaf| !lost.contains(&leaf.session_key_address);
    let is_active = |leaf: &&SessionLeaf| leaf.status == SessionStatus::Active;
    newest_first()
        .filter(has_key)
        .find(is_active)
        .or_else(|| newest_first().find(has_key))
        .or_else(|| newest_first().find(is_active))
        .or_else(|| newest_first().next())
        .map(|leaf| leaf.session_id.clone())
}

/// The same of a list.
pub fn preferred_of(list: UseSessionListReturn, distributed: bool) -> Option<String> {
    list.sessions.with(|leaves| list.lost_keys.with(|lost| preferred_session(leaves, lost, distributed)))
}

/// The list is read, and holds no session that could act.
pub fn has_none(list: UseSessionListReturn, session_id: Signal<Option<String>>) -> Signal<bool> {
    Signal::derive(move || session_id.with(Option::is_none) && list.status.get() == QueryStatus::Success)
}

/// How many sessions are offered; older ones are rarely wanted and make the list unusable.
const OFFERED: usize = 50;

/// A select over the usable sessions, newest first.
#[component]
pub fn SessionPicker(
    /// The sessions.
    list: UseSessionListReturn,
    /// The session in use.
    #[prop(into)]
    session_id: Signal<Option<String>>,
    /// What the person chose.
    picked: RwSignal<Option<String>>,
    /// Sessions whose key nodes share, instead of those of this browser.
    #[prop(optional)]
    distributed: bool,
) -> impl IntoView {
    let options = move || {
        let lost = list.lost_keys.get();
        list.sessions.with(|leaves| {
            let newest_first = || leaves.iter().rev().filter(|leaf| usable(leaf, distributed));
            let is_lost = |leaf: &&SessionLeaf| lost.contains(&leaf.session_key_address);
            newest_first()
                .filter(|leaf| !is_lost(leaf))
                .chain(newest_first().filter(is_lost))
                .take(OFFERED)
                .map(|leaf| {
                    let name = isolated(&title_of(leaf));
                    let end = if leaf.valid_until == 0 { "no end".to_owned() } else { local_time(leaf.valid_until) };
                    let gone = if is_lost(&leaf) { ", key is gone" } else { "" };
                    (leaf.session_id.clone(), [&name, " (until ", &end, gone, ")"].concat())
                })
                .collect::<Vec<_>>()
        })
    };
    let none = move || session_id.get().is_none();
    let known = move || list.status.get() == QueryStatus::Success;
    view! {
        <div class="field wide">
            <label for="session-picker">"Session"</label>
            <select
                id="session-picker"
                data-testid="session-picker"
                disabled=none
                on:change:target=move |event| picked.set(Some(event.target().value()))
                prop:value=move || session_id.get().unwrap_or_default()
            >
                {move || (none() && known()).then(|| view! { <option value="">"None yet"</option> })}
                <For each=options key=|option| option.clone() let((id, text))>
                    // Nothing but text may be in an option; as an attribute it is left alone.
                    <option value=id.clone() label=text selected=move || session_id.get().as_deref() == Some(&id)></option>
                </For>
            </select>
            <span class="hint">
                {live(if distributed {
                    "The nodes sign. Your wallet is not asked."
                } else {
                    "Its key signs. Your wallet is not asked."
                })}
            </span>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(id: &str, status: SessionStatus) -> SessionLeaf {
        SessionLeaf { session_id: id.to_owned(), status, ..SessionLeaf::default() }
    }

    #[test]
    fn the_newest_confirmed_session_is_preferred() {
        use SessionStatus::{Active, Pending, Revoked};
        let leaves = [leaf("a", Active), leaf("b", Active), leaf("c", Pending), leaf("d", Revoked)];
        let preferred_session =
            |leaves: &[SessionLeaf], distributed| preferred_session(leaves, &BTreeSet::new(), distributed);
        assert_eq!(preferred_session(&leaves, false).as_deref(), Some("b"));
        assert_eq!(preferred_session(&leaves[2..], false).as_deref(), Some("c"));
        assert_eq!(preferred_session(&leaves[3..], false), None);
        assert_eq!(preferred_session(&leaves, true), None);
    }
    #[test]
    fn a_session_whose_key_is_gone_comes_last() {
        let with_key = |id: &str, key: u8, status| SessionLeaf {
            session_key_address: Address::repeat_byte(key),
            ..leaf(id, status)
        };
        let leaves = [
            with_key("a", 1, SessionStatus::Active),
            with_key("b", 2, SessionStatus::Active),
            with_key("c", 3, SessionStatus::Pending),
        ];
        let preferred = |keys: &[u8]| {
            let lost = keys.iter().copied().map(Address::repeat_byte).collect();
            preferred_session(&leaves, &lost, false)
        };
        assert_eq!(preferred(&[2]).as_deref(), Some("a"));
        assert_eq!(preferred(&[1, 2]).as_deref(), Some("c"), "one that waits will work");
        assert_eq!(preferred(&[1, 2, 3]).as_deref(), Some("b"), "using it says why not");
    }
}
