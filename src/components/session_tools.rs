//! What a long list of sessions needs: filter, search, and changes of several at once. Loaded with the page of all sessions.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use super::{
    code_split::split_function,
    live_text::live,
    session_changes::{Change, SessionChanges},
    session_words::{sessions_text, status_text},
};
use crate::{
    hooks::{UseSessionsReturn, use_smart_account},
    protocol::session::{ListedStatus, SessionState},
};

split_function! {
    /// Filter and search below the owner, over so many sessions, of which it is known or not how many there are.
    in sessions: pub(super) fn tools(parts: (UseSessionsReturn, Memo<usize>, Memo<bool>, Owner)) -> AnyView {
        let (sessions, count, known, owner) = parts;
        owner.with(|| view! { <Tools sessions count known /> }.into_any())
    }
}

split_function! {
    /// Changes of several, below the owner.
    in sessions: pub(super) fn selection(parts: (UseSessionsReturn, SessionChanges, Owner)) -> AnyView {
        let (sessions, changes, owner) = parts;
        owner.with(|| view! { <Selection sessions changes /> }.into_any())
    }
}

/// Filter by status, and search.
#[component]
fn Tools(
    /// The list.
    sessions: UseSessionsReturn,
    /// How many sessions there are.
    count: Memo<usize>,
    /// They were read: before that nobody knows how many there are.
    known: Memo<bool>,
) -> impl IntoView {
    let chip = move |status: Option<ListedStatus>| {
        let number = Memo::new(move |_| match status {
            None => count.get(),
            Some(status) => sessions
                .counts
                .with(|counts| counts.iter().find(|(other, _)| *other == status).map_or(0, |(_, number)| *number)),
        });
        let chosen = move || sessions.filter.get() == status;
        view! {
            <button
                type="button"
                data-testid="session-filter"
                data-filter=status.map_or("ALL", ListedStatus::wire_name)
                aria-pressed=move || chosen().to_string()
                hidden=move || status.is_some() && number.get() == 0 && !chosen()
                on:click=move |_| sessions.filter.set(status)
            >
                {live(status.map_or("All", status_text))}
                " "
                <span class="number">{move || known.get().then(|| live(number.get().to_string()))}</span>
            </button>
        }
        .into_any()
    };
    let news = move || {
        let shown = sessions.rows.with(|rows| rows.len());
        let narrowed = sessions.filter.get().is_some() || !sessions.search.with(|words| words.trim().is_empty());
        if narrowed { [&sessions_text(shown), " of ", &count.get().to_string()].concat() } else { sessions_text(shown) }
    };
    view! {
        <div class="session-tools" role="search" aria-label="Sessions">
            <div class="field">
                <label for="session-search">"Search by name, contract, function or key"</label>
                <input
                    id="session-search"
                    type="search"
                    data-testid="session-search"
                    autocomplete="off"
                    spellcheck="false"
                    bind:value=sessions.search
                />
            </div>
            <div class="chips" role="group" aria-label="Show only">
                {chip(None)}
                {ListedStatus::ALL.into_iter().map(|status| chip(Some(status))).collect_view()}
            </div>
            <p class="reason" role="status" data-testid="session-count">
                {move || known.get().then(|| live(news()))}
            </p>
        </div>
    }
    .into_any()
}

/// Several at once.
#[component]
fn Selection(
    /// The list.
    sessions: UseSessionsReturn,
    /// Its changes.
    changes: SessionChanges,
) -> impl IntoView {
    let selected = move || sessions.selected.with(|selected| selected.len());
    // What can be taken back of what is listed.
    let select_all = move |_| {
        let rows = sessions.rows.get_untracked();
        sessions.list.sessions.with_untracked(|all| {
            let leaves = rows.iter().filter_map(|place| all.get(*place));
            let takeable = leaves.filter(|leaf| leaf.state() == SessionState::Confirmed);
            sessions.selected.set(takeable.map(|leaf| leaf.session_id.clone()).collect());
        });
    };
    let account = use_smart_account();
    let ask = move |_| {
        let ids = sessions.selected.with_untracked(|selected| selected.iter().cloned().collect());
        changes.ask.set(Some(Change::Revoke(ids)));
    };
    view! {
        <div class="actions selection">
            <button type="button" class="button quiet small" data-testid="select-listed" on:click=select_all>
                "Select the listed"
            </button>
            <Show when=move || { selected() > 0 }>
                <button
                    type="button"
                    class="button small"
                    data-testid="revoke-selected"
                    disabled=move || account.owner_address.get().is_none() || changes.busy.get()
                    on:click=ask
                >
                    {move || live(["Take back ", &sessions_text(selected())].concat())}
                </button>
                <button
                    type="button"
                    class="link-button"
                    on:click=move |_| sessions.selected.update(|selected| selected.clear())
                >
                    "Select none"
                </button>
            </Show>
        </div>
    }
    .into_any()
}
