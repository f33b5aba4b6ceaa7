//! The sessions of the account: what each may do, where it stands, how long it lasts, and taking it back.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    deferred_view::when_wanted,
    error_notice::ErrorNotice,
    icon::{Glyph, Icon},
    live_text::live,
    owner_reason::OwnerReason,
    session_changes::{Change, SessionChangeStatus, SessionChanges, use_session_changes},
    session_rows::SessionRows,
    session_tools::{selection, tools},
    session_words::sessions_text,
};
use crate::{
    hooks::{QueryStatus, UseSessionsReturn, use_smart_account},
    protocol::session::{SessionKeyManager, SessionLeaf},
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
            (true, 0, _) => empty_text(true),
            (false, 0, _) if !known.get() => return None,
            (false, 0, _) => empty_text(false),
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
        {whole.then(|| when_wanted(|| true, move |owner| tools((sessions, count, known, owner))))}
        <SessionChangeStatus sessions changes />
        {whole
            .then(|| {
                view! {
                    <Show when=move || { valid.get() > 0 || unknown.get() }>
                        {when_wanted(|| true, move |owner| selection((sessions, changes, owner)))}
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

/// What is said where no session is listed, while they are being looked for and then.
pub fn empty_text(looking: bool) -> &'static str {
    match looking {
        true => "Looking for sessions.",
        false => "No session yet. What you grant appears here, with the time it has left.",
    }
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
