//! The sessions of the account: what each may do, where it stands, how long it lasts, and taking it back.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    error_notice::ErrorNotice,
    icon::{Glyph, Icon},
    live_text::live,
    owner_reason::OwnerReason,
    session_changes::{Change, SessionChangeStatus, SessionChanges, use_session_changes},
    session_rows::SessionRows,
    session_words::{sessions_text, status_text},
};
use crate::{
    hooks::{QueryStatus, UseSessionsReturn, use_smart_account},
    protocol::session::{ListedStatus, SessionKeyManager, SessionLeaf, SessionState},
};

/// Rows of the short list.
const FEW: usize = 10;

/// The list, newest first: short, or whole with filter, search and selection.
#[component]
pub fn SessionList(
    /// The sessions.
    sessions: UseSessionsReturn,
    /// All of them, with the tools that many need.
    #[prop(optional)]
    whole: bool,
) -> impl IntoView {
    let changes = use_session_changes(sessions);
    let account = use_smart_account();
    let list = sessions.list;
    let count = Memo::new(move |_| list.sessions.with(Vec::len));
    let loading = Memo::new(move |_| list.status.get() == QueryStatus::Pending);
    let valid = Memo::new(move |_| list.sessions.with(|all| all.iter().filter(|leaf| leaf.status.in_tree()).count()));
    let elsewhere = Memo::new(move |_| list.is_in_sync.get() == Some(false));
    let unknown = Memo::new(move |_| elsewhere.get() || list.older_unknown.get());
    let rows = Memo::new(move |_| {
        let rows = sessions.rows.get();
        if whole { rows } else { Arc::new(rows.iter().copied().take(FEW).collect()) }
    });
    // What could not be read is not known to be none; the error says more.
    let known = Memo::new(move |_| list.status.get() == QueryStatus::Success || count.get() > 0);
    let empty = move || {
        let text = match (loading.get(), count.get(), rows.with(|rows| rows.is_empty())) {
            (true, 0, _) => "Looking for sessions.",
            (false, 0, _) if !known.get() => return None,
            (false, 0, _) => "No session yet. What you grant appears here, with the time it has left.",
            (_, _, true) => "No session fits. Change the search or the filter.",
            _ => return None,
        };
        Some(view! { <p class="empty" data-testid="sessions-empty">{live(text)}</p> })
    };
    let unreadable = move || sessions.uses.data.with(|uses| uses.as_ref().map_or(0, |uses| uses.unreadable));
    let no_owner = move || account.owner_address.get().is_none();
    view! {
        {move || elsewhere.get().then(unknown_notice)}
        {move || list.older_unknown.get().then(older_notice)}
        <EndedElsewhere sessions changes />
        {whole.then(|| view! { <Tools sessions count known /> })}
        <SessionChangeStatus sessions changes />
        {whole
            .then(|| {
                view! {
                    <Show when=move || { valid.get() > 0 || unknown.get() }>
                        <Selection sessions changes />
                    </Show>
                }
            })}
        {empty}
        <SessionRows rows sessions changes selectable=whole loading />
        <div class="list-foot">
            <Show when=move || { valid.get() > 0 || unknown.get() }>
                <button
                    type="button"
                    class="button quiet small danger"
                    data-testid="revoke-all-sessions"
                    disabled=move || no_owner() || changes.busy.get()
                    on:click=move |_| changes.ask.set(Some(Change::RevokeAll))
                >
                    "Take back all"
                </button>
            </Show>
            {(!whole)
                .then(|| {
                    view! {
                        <Show when=move || { count.get() > 0 }>
                            <a href="/sessions" data-testid="all-sessions">
                                {move || live(["Search and manage ", &sessions_text(count.get())].concat())}
                            </a>
                        </Show>
                    }
                })}
            <Show when=move || { valid.get() > 0 }>
                <OwnerReason to="to take sessions back" />
            </Show>
        </div>
        <ErrorNotice error=list.error retry=list.refetch />
        <ErrorNotice error=sessions.uses.error retry=sessions.uses.refetch />
        <Show when=move || { unreadable() > 0 }>
            <p class="reason" data-testid="unreadable-uses">
                {move || {
                    live(
                        [
                            "Operations on the chain that are not encoded as they should be, counted for no session: ",
                            &unreadable().to_string(),
                        ]
                            .concat(),
                    )
                }}
            </p>
        </Show>
    }
    .into_any()
}

fn unknown_notice() -> AnyView {
    view! {
        <div class="notice" data-testid="sessions-elsewhere">
            <Icon glyph=Glyph::Warning />
            <strong>"This account has sessions that this browser does not know"</strong>
            <p class="detail">
                "They were granted in another browser or app and can be used there. Those listed here, if any, cannot be used now. You can take all of them back."
            </p>
        </div>
    }
    .into_any()
}

fn older_notice() -> AnyView {
    view! {
        <div class="notice" data-testid="older-sessions">
            <Icon glyph=Glyph::Warning />
            <strong>"An older session key manager of this account holds sessions that this browser does not know"</strong>
            <p class="detail">
                {live([
                    "They work until they are taken back, wherever their keys are. “Take back all” ends them, too. The older manager is ",
                    &SessionKeyManager::Older.address().to_string(),
                    ".",
                ]
                    .concat())}
            </p>
        </div>
    }
    .into_any()
}

/// Another device has ended sessions of this browser: bring them back, or leave it so.
#[component]
fn EndedElsewhere(
    /// The list.
    sessions: UseSessionsReturn,
    /// Its changes.
    changes: SessionChanges,
) -> impl IntoView {
    let account = use_smart_account();
    let ids = Memo::new(move |_| {
        let ended = sessions.ended_elsewhere.get();
        let now = sessions.list.now.get();
        let repairable = |leaf: &&SessionLeaf| {
            leaf.state().ending().is_some_and(|ending| ending.elsewhere)
                && !leaf.is_on_other_device()
                && (leaf.valid_until == 0 || leaf.valid_until > now)
                && ended.contains(&leaf.session_id)
        };
        match ended.is_empty() {
            true => Vec::new(),
            false => sessions
                .list
                .sessions
                .with(|all| all.iter().filter(repairable).map(|leaf| leaf.session_id.clone()).collect::<Vec<_>>()),
        }
    });
    let notice = move || {
        let count = ids.with(Vec::len);
        view! {
            <div class="notice warning" role="status" data-testid="sessions-ended-elsewhere" data-count=count.to_string()>
                <Icon glyph=Glyph::Warning />
                <strong>{live(["Another device ended ", &sessions_text(count), " of this browser"].concat())}</strong>
                <p class="detail">
                    "It took them back, or granted at the same moment without knowing them. Their keys are still here, so you can bring them back."
                </p>
                <div class="actions">
                    <button
                        type="button"
                        class="button small"
                        data-testid="repair-sessions"
                        disabled=move || account.owner_address.get().is_none() || changes.busy.get()
                        on:click=move |_| changes.ask.set(Some(Change::Restore(ids.get_untracked())))
                    >
                        "Bring back"
                    </button>
                    <button
                        type="button"
                        class="button quiet small"
                        data-testid="accept-ended"
                        on:click=move |_| sessions.accept_ended.run(())
                    >
                        "Leave them ended"
                    </button>
                </div>
            </div>
        }
        .into_any()
    };
    move || (!ids.with(Vec::is_empty)).then(notice)
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
