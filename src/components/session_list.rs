//! The sessions of the account: what each may do, where it stands, how long it lasts, and taking it back.

use std::{collections::HashMap, sync::Arc};

use leptos::{ev, html, prelude::*};

use super::{
    error_notice::ErrorNotice,
    icon::{Glyph, Icon},
    row_window::{RowWindow, Shown},
    session_changes::{Change, SessionChangeStatus, SessionChanges, use_session_changes},
    session_row::SessionRow,
    session_words::{sessions_text, status_text},
};
use crate::{
    hooks::{QueryStatus, UseSessionsReturn, use_smart_account},
    protocol::session::{ListedStatus, SessionLeaf},
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
    let live = Memo::new(move |_| list.sessions.with(|all| all.iter().filter(|leaf| leaf.status.in_tree()).count()));
    let unknown = Memo::new(move |_| list.is_in_sync.get() == Some(false));
    let rows = Memo::new(move |_| {
        let rows = sessions.rows.get();
        if whole { rows } else { Arc::new(rows.iter().copied().take(FEW).collect()) }
    });
    let empty = move || {
        let text = match (loading.get(), count.get(), rows.with(|rows| rows.is_empty())) {
            (true, 0, _) => "Looking for sessions.",
            (false, 0, _) => "No session yet. What you grant appears here, with the time it has left.",
            (_, _, true) => "No session fits. Change the search or the filter.",
            _ => return None,
        };
        Some(view! { <p class="empty" data-testid="sessions-empty">{text}</p> })
    };
    let no_owner = move || account.owner_address.get().is_none();
    view! {
        {move || unknown.get().then(unknown_notice)}
        <EndedElsewhere sessions changes />
        {whole.then(|| view! { <Tools sessions count /> })}
        <SessionChangeStatus sessions changes />
        {whole
            .then(|| {
                view! {
                    <Show when=move || { live.get() > 0 || unknown.get() }>
                        <Selection sessions changes />
                    </Show>
                }
            })}
        {empty}
        <Rows rows sessions changes selectable=whole loading />
        <div class="list-foot">
            <Show when=move || { live.get() > 0 || unknown.get() }>
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
                                {move || ["Search and manage ", &sessions_text(count.get())].concat()}
                            </a>
                        </Show>
                    }
                })}
            <Show when=move || { no_owner() && live.get() > 0 }>
                <span class="reason">"Connect the wallet that owns this account to take sessions back."</span>
            </Show>
        </div>
        <ErrorNotice error=list.error retry=list.refetch />
        <ErrorNotice error=sessions.uses.error retry=sessions.uses.refetch />
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
            leaf.was_ended_elsewhere()
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
                <strong>{["Another device ended ", &sessions_text(count), " of this browser"].concat()}</strong>
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
                {status.map_or("All", status_text)}
                " "
                <span class="number">{move || number.get().to_string()}</span>
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
                {news}
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
            let takeable = leaves.filter(|leaf| leaf.status.in_tree() && leaf.revoked_by().is_none());
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
                    {move || ["Take back ", &sessions_text(selected())].concat()}
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

/// The rows near the screen; the room of the others is kept.
#[component]
fn Rows(
    /// Places of the listed sessions.
    rows: Memo<Arc<Vec<usize>>>,
    /// The list.
    sessions: UseSessionsReturn,
    /// Its changes.
    changes: SessionChanges,
    /// With boxes to select them.
    selectable: bool,
    /// They are being read.
    loading: Memo<bool>,
) -> impl IntoView {
    let element = NodeRef::<html::Ul>::new();
    let window = StoredValue::new(RowWindow::default());
    let shown = RwSignal::new(Shown::default());
    let look = move || {
        let Some(list) = element.try_get_untracked().flatten() else { return };
        let page = leptos::prelude::window();
        let scrolled = page.scroll_y().unwrap_or_default();
        let height = page.inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(900.0);
        let now = window.try_with_value(|window| window.shown(scrolled - top_of(&list), height));
        if let Some(now) = now.filter(|now| shown.try_with_untracked(|shown| shown != now) == Some(true)) {
            shown.try_set(now);
        }
    };
    // Heights are read when the rows are laid out, before the next frame is painted.
    let measure = move || {
        let Some(list) = element.try_get_untracked().flatten() else { return };
        let start = shown.try_with_untracked(|shown| shown.start).unwrap_or_default();
        let rows = std::iter::successors(list.first_element_child(), |row| row.next_element_sibling());
        let heights = rows.map(|row| f64::from(row.client_height())).collect::<Vec<_>>();
        let news = window.try_update_value(|window| window.measured(start, &heights));
        if news == Some(true) {
            look();
        }
    };
    Effect::new(move |_| {
        let count = rows.with(|rows| rows.len());
        window.update_value(|window| window.reset(count));
        // Also once the list is in the page.
        if element.get().is_some() {
            look();
            request_animation_frame(measure);
        }
    });
    Effect::new(move |_| {
        shown.track();
        request_animation_frame(measure);
    });
    Effect::new(move |_| {
        let scrolled = window_event_listener(ev::scroll, move |_| look());
        let resized = window_event_listener(ev::resize, move |_| {
            window.update_value(|window| window.reset(window.len()));
            look();
            request_animation_frame(measure);
        });
        on_cleanup(move || {
            scrolled.remove();
            resized.remove();
        });
    });
    // The shown sessions and their places; rows look themselves up here, so that each is found once per change.
    let near = Memo::new(move |_| {
        let (rows, Shown { start, end, .. }) = (rows.get(), shown.get());
        sessions.list.sessions.with(|all| {
            let near = rows.iter().enumerate().take(end).skip(start);
            let near = near.filter_map(|(index, place)| Some(((index + 1, rows.len()), all.get(*place)?.clone())));
            near.collect::<Vec<((usize, usize), SessionLeaf)>>()
        })
    });
    let by_id = Memo::new(move |_| {
        near.with(|near| {
            near.iter()
                .map(|(place, leaf)| (leaf.session_id.clone(), (*place, leaf.clone())))
                .collect::<HashMap<_, _>>()
        })
    });
    let ids = move || near.with(|near| near.iter().map(|(_, leaf)| leaf.session_id.clone()).collect::<Vec<_>>());
    let row = move |id: String| {
        let found = {
            let id = id.clone();
            move || by_id.with(|near| near.get(&id).cloned())
        };
        let (of_leaf, of_place) = (found.clone(), found);
        let leaf = Memo::new(move |before: Option<&SessionLeaf>| {
            // One that is just leaving the window stays what it was.
            of_leaf().map(|(_, leaf)| leaf).or_else(|| before.cloned()).unwrap_or_default()
        });
        let place = Memo::new(move |before: Option<&(usize, usize)>| {
            of_place().map(|(place, _)| place).or_else(|| before.copied()).unwrap_or_default()
        });
        view! { <SessionRow leaf place sessions changes selectable /> }
    };
    let room = |height: f64| [&height.to_string(), "px"].concat();
    view! {
        <ul
            class="sessions"
            role="list"
            aria-label="Sessions"
            aria-busy=move || loading.get().to_string()
            node_ref=element
            style:padding-block-start=move || room(shown.get().above)
            style:padding-block-end=move || room(shown.get().below)
        >
            <For each=ids key=|id| id.clone() children=row />
        </ul>
    }
    .into_any()
}

/// Where the list begins, px below the document's top.
fn top_of(list: &leptos::web_sys::HtmlElement) -> f64 {
    let next = |element: &leptos::web_sys::HtmlElement| {
        use leptos::wasm_bindgen::JsCast;
        element.offset_parent()?.dyn_into::<leptos::web_sys::HtmlElement>().ok()
    };
    std::iter::successors(Some(list.clone()), next).map(|element| f64::from(element.offset_top())).sum()
}
