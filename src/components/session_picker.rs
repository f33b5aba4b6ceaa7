//! Which session acts.

use leptos::prelude::*;

use super::time::local_time;
use crate::protocol::{
    distributed_key::is_distributed,
    session::{SessionKeyManager, SessionLeaf, SessionStatus},
};

/// Sessions that could act: on the chain, or on their way there; with a key that nodes share, or one of this browser.
fn usable(leaf: &SessionLeaf, distributed: bool) -> bool {
    let can_act = !matches!(leaf.status, SessionStatus::Revoked) && leaf.manager() == SessionKeyManager::Current;
    can_act && !leaf.is_on_other_device() && is_distributed(leaf) == distributed
}

/// The session that is used when the person chose none: the newest confirmed one, else the newest.
pub fn preferred_session(leaves: &[SessionLeaf], distributed: bool) -> Option<String> {
    let newest_first = || leaves.iter().rev().filter(|leaf| usable(leaf, distributed));
    newest_first()
        .find(|leaf| leaf.status == SessionStatus::Active)
        .or_else(|| newest_first().next())
        .map(|leaf| leaf.session_id.clone())
}

/// How many sessions are offered; older ones are rarely wanted and make the list unusable.
const OFFERED: usize = 50;

/// A select over the usable sessions, newest first.
#[component]
pub fn SessionPicker(
    /// The sessions as stored, oldest first.
    #[prop(into)]
    leaves: Signal<Vec<SessionLeaf>>,
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
        leaves.with(|leaves| {
            leaves
                .iter()
                .rev()
                .filter(|leaf| usable(leaf, distributed))
                .take(OFFERED)
                .map(|leaf| {
                    let name = leaf.label.clone().unwrap_or_else(|| "Session without a name".to_owned());
                    let end = if leaf.valid_until == 0 { "no end".to_owned() } else { local_time(leaf.valid_until) };
                    (leaf.session_id.clone(), [&name, " (until ", &end, ")"].concat())
                })
                .collect::<Vec<_>>()
        })
    };
    let none = move || session_id.get().is_none();
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
                {move || none().then(|| view! { <option value="">"None yet"</option> })}
                <For each=options key=|option| option.clone() let((id, text))>
                    <option value=id.clone() selected=move || session_id.get().as_deref() == Some(&id)>
                        {text}
                    </option>
                </For>
            </select>
            <span class="hint">
                {if distributed { "The nodes sign. Your wallet is not asked." } else { "Its key signs. Your wallet is not asked." }}
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
        assert_eq!(preferred_session(&leaves, false).as_deref(), Some("b"));
        assert_eq!(preferred_session(&leaves[2..], false).as_deref(), Some("c"));
        assert_eq!(preferred_session(&leaves[3..], false), None);
        assert_eq!(preferred_session(&leaves, true), None);
    }
}
