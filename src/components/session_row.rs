//! One session of the list: what it may do, where it stands, how often it was used, and taking it back.

use alloy::primitives::{Address, B256};
use leptos::prelude::*;

use super::{
    address::shortened,
    countdown::Countdown,
    grant_review::NOT_ENABLED,
    live_text::{live, verbatim},
    native_currency::use_native_currency,
    session_changes::{Change, Proof, SessionChanges},
    session_left::SessionLeft,
    session_notes::{SessionNotes, unreadable_words},
    session_words::{badge_text, permission_text, title_of, title_view, whole_permission_text},
    time::local_time,
};
use crate::{
    hooks::{AccountKind, UseSessionsReturn, use_account_kind, use_smart_account},
    protocol::{
        distributed_key::is_distributed,
        foreign_text::{isolated, message},
        lint::{LintContext, Severity, lint_kept},
        session::{ListedStatus, SessionKeyManager, SessionLeaf, SessionUses},
    },
};

/// A row of the list.
#[component]
pub fn SessionRow(
    /// The session; changes while it is shown.
    leaf: Memo<SessionLeaf>,
    /// Place in the whole list, from 1, and the length of that list: most of it is not in the document.
    place: Memo<(usize, usize)>,
    /// Room before it for rows that are not in the document, as CSS.
    gap: Memo<String>,
    /// The list.
    sessions: UseSessionsReturn,
    /// Taking back and bringing back.
    changes: SessionChanges,
    /// With a box to select it.
    selectable: bool,
) -> impl IntoView {
    let account = use_smart_account();
    let kind = use_account_kind().kind;
    let owner_here = move || account.owner_address.get().is_some();
    let id = leaf.with_untracked(|leaf| leaf.session_id.clone());
    let (left_of, notes_of, words_of) = (id.clone(), id.clone(), id.clone());
    let now = sessions.list.now;
    let status = Memo::new(move |_| leaf.with(|leaf| leaf.listed_at(now.get())));
    let title = Memo::new(move |_| leaf.with(title_of));
    let leaving = Memo::new(move |_| leaf.with(SessionLeaf::is_leaving));
    let is_revoked = Memo::new(move |_| status.get() == ListedStatus::Revoked);
    let hash = Memo::new(move |_| leaf.with(SessionLeaf::hash));
    let native = use_native_currency();
    let unreadable = Memo::new(move |_| unreadable_words(sessions.list, &words_of));
    let what = move || {
        let readable = || leaf.with(|leaf| permission_text(leaf, account.smart_account_address.get(), &native.get()));
        unreadable.get().unwrap_or_else(readable)
    };
    // Sealed by something that this browser has deleted; of those that are over it does not matter.
    let is_key_lost = Memo::new(move |_| {
        leaf.with(|leaf| sessions.list.lost_keys.with(|lost| lost.contains(&leaf.session_key_address)))
    });
    let is_gone =
        Memo::new(move |_| matches!(status.get(), ListedStatus::Pending | ListedStatus::Active) && is_key_lost.get());
    let badge = move || match is_gone.get() {
        true => "Key is gone",
        false => leaf.with(|leaf| badge_text(leaf, status.get())),
    };
    let is_signed = Memo::new(move |_| leaf.with(|leaf| leaf.waits_for_first_use() && leaf.status.in_tree()));
    let until = Memo::new(move |_| leaf.with(|leaf| leaf.valid_until));
    let after = Memo::new(move |_| leaf.with(|leaf| leaf.valid_after));
    let countdown = move || {
        (!is_revoked.get()).then(|| view! { <Countdown valid_after=after.get() valid_until=until.get() now /> })
    };
    // Under the root: only from there can it be taken back.
    let in_tree = Memo::new(move |_| leaf.with(|leaf| leaf.status.in_tree()));
    let granted = move || leaf.with(|leaf| leaf.created_at).map(|time| ["Granted ", &local_time(time)].concat());
    let explorer_url = Memo::new(move |_| account.chain_info.get().and_then(|chain| chain.explorer_url));
    let whole = move || {
        let readable =
            || leaf.with(|leaf| whole_permission_text(leaf, account.smart_account_address.get(), &native.get()));
        unreadable.get().unwrap_or_else(readable)
    };
    // Of another device's session nobody may know it.
    let key = Memo::new(move |_| leaf.with(|leaf| leaf.session_key_address));
    let change = move |change: fn(Vec<String>) -> Change| {
        changes.ask.set(Some(change(vec![leaf.with_untracked(|leaf| leaf.session_id.clone())])));
    };
    let ended = move || {
        let end = until.get();
        end != 0 && end <= now.get()
    };
    // Elsewhere than on V2 it is enabled anew: by what is stored here, with a key that is here.
    let can_return = Memo::new(move |_| {
        let is_stored = |leaf: &SessionLeaf| !leaf.is_on_other_device() && !is_distributed(leaf);
        kind.get() == AccountKind::BiconomyV2 || (leaf.with(is_stored) && !is_key_lost.get())
    });
    let actions = move || match status.get() {
        ListedStatus::Revoked => view! {
            {can_return
                .get()
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="button quiet small"
                            data-testid="restore-session"
                            aria-label=move || ["Bring back ", &isolated(&title.get())].concat()
                            disabled=move || !owner_here() || changes.busy.get() || ended()
                            on:click=move |_| change(Change::Restore)
                        >
                            "Bring back"
                        </button>
                    }
                })}
            <button
                type="button"
                class="link-button"
                data-testid="try-session"
                aria-label=move || ["Ask the chain whether it refuses ", &isolated(&title.get())].concat()
                on:click=move |_| changes.prove.run(leaf.with_untracked(|leaf| leaf.session_id.clone()))
            >
                "Ask the chain"
            </button>
        }
        .into_any(),
        _ => view! {
            <button
                type="button"
                class="button quiet small"
                data-testid="revoke-session"
                aria-label=move || ["Take back ", &isolated(&title.get())].concat()
                disabled=move || !owner_here() || changes.busy.get() || leaving.get() || !in_tree.get()
                on:click=move |_| change(Change::Revoke)
            >
                "Take back"
            </button>
        }
        .into_any(),
    };
    let pick = selectable.then(|| {
        let (mine, toggled) = (id.clone(), id.clone());
        view! {
            <input
                type="checkbox"
                class="pick"
                data-testid="select-session"
                aria-label=move || ["Select ", &isolated(&title.get())].concat()
                disabled=move || !in_tree.get() || leaving.get()
                prop:checked=move || sessions.selected.with(|selected| selected.contains(&mine))
                on:change:target=move |event| {
                    let checked = event.target().checked();
                    sessions
                        .selected
                        .update(|selected| {
                            if checked {
                                selected.insert(toggled.clone());
                            } else {
                                selected.remove(&toggled);
                            }
                        });
                }
            />
        }
    });
    let news = {
        let id = id.clone();
        move || {
            news_view(status.get(), leaving.get(), leaf.with(SessionLeaf::is_on_other_device), changes.proof_of(&id))
        }
    };
    let doubts = move || {
        if unreadable.with(Option::is_some) {
            return None;
        }
        leaf.with(|leaf| {
            sessions.list.modules.with(|modules| doubts_view(leaf, account.smart_account_address.get(), modules))
        })
    };
    view! {
        <li
            class="session-row"
            data-testid="session-row"
            data-session-id=id
            data-status=move || status.get().wire_name()
            data-key=move || is_gone.get().then_some("gone")
            data-unreadable=move || unreadable.with(Option::is_some).then_some("true")
            style:margin-block-start=move || gap.get()
            aria-posinset=move || place.get().0.to_string()
            aria-setsize=move || place.get().1.to_string()
        >
            {pick}
            <span class="title" dir="auto">{move || leaf.with(title_view)}</span>
            <span class="badge" data-status=move || status.get().wire_name() data-key=move || is_gone.get().then_some("gone")>
                {move || live(badge())}
            </span>
            <p class="what" title=whole>{move || live(what())}</p>
            <p class="meta">
                {countdown}
                {move || granted().map(|text| view! { <span>{live(text)}</span> })}
                {move || key_view(key.get())}
                // Uses are counted by V2's leaves; where the chain counts, it says what is left.
                {move || (kind.get() == AccountKind::BiconomyV2).then(|| uses_view(hash.get(), sessions.uses.data.get().as_ref(), explorer_url.get()))}
            </p>
            <SessionLeft session_id=left_of list=sessions.list />
            <SessionNotes session_id=notes_of list=sessions.list />
            {move || is_gone.get().then(gone_view)}
            {move || is_signed.get().then(not_enabled_view)}
            {news}
            {doubts}
            <div class="row-actions">{actions}</div>
        </li>
    }
    .into_any()
}

fn key_view(key: Address) -> AnyView {
    if key.is_zero() {
        return view! { <span>"Key not known"</span> }.into_any();
    }
    let key = key.to_string();
    let short = shortened(&key);
    view! { <span>"Key " <span class="mono" title=key.clone() data-value=key>{verbatim(short)}</span></span> }
        .into_any()
}

/// How often it was used, and when last, with the transaction on the explorer; nothing while that is not known.
fn uses_view(leaf: B256, uses: Option<&SessionUses>, explorer_url: Option<String>) -> Option<AnyView> {
    let uses = uses?;
    let used = uses.of(leaf);
    let count = used.map_or(0, |used| used.count);
    let text = match count {
        0 => "Not used".to_owned(),
        1 => "Used once".to_owned(),
        2 => "Used twice".to_owned(),
        many => ["Used ", &many.to_string(), " times"].concat(),
    };
    let last = used.map(|used| {
        let time = match used.last_at {
            0 => "last transaction".to_owned(),
            at => ["last ", &local_time(at)].concat(),
        };
        let transaction = used.last_transaction.to_string();
        let title = ["In transaction ", &transaction].concat();
        match explorer_url {
            Some(url) => view! {
                <span>
                    ", "
                    <a
                        href=[&url, "/tx/", &transaction].concat()
                        target="_blank"
                        rel="noreferrer"
                        title=title
                        data-testid="last-use"
                    >
                        {live(time)}
                    </a>
                </span>
            }
            .into_any(),
            None if used.last_at == 0 => ().into_any(),
            None => view! { <span title=title>", " {live(time)}</span> }.into_any(),
        }
    });
    let since = (uses.from_block > 0).then(|| [" since block ", &uses.from_block.to_string()].concat());
    Some(
        view! { <span data-testid="session-uses" data-count=count.to_string()>{live(text)} {last} {since.map(live)}</span> }.into_any(),
    )
}

/// What happens to it, and what the chain answered.
fn news_view(status: ListedStatus, leaving: bool, elsewhere: bool, proof: Option<Proof>) -> AnyView {
    let line = |text: String| view! { <p class="news" role="status">{live(text)}</p> }.into_any();
    match (status, proof) {
        (ListedStatus::Revoked, Some(proof)) => proof_view(proof),
        _ if leaving => line("Being taken back. It works until the chain has confirmed that.".to_owned()),
        (ListedStatus::OtherDevice, _) => {
            line("Its key is in another browser or app. You can take it back from here.".to_owned())
        }
        (ListedStatus::Expired, _) if elsewhere => line("Was used from another browser or app.".to_owned()),
        _ => ().into_any(),
    }
}

/// Only the owner's signature grants it yet.
fn not_enabled_view() -> AnyView {
    view! { <p class="news" role="status" data-testid="session-not-enabled">{live(NOT_ENABLED)}</p> }.into_any()
}

/// The browser has deleted what opened its key, and what can be done.
fn gone_view() -> AnyView {
    view! {
        <p class="news" role="status" data-testid="session-key-gone">
            "Its key is gone: this browser has deleted what opened it, and nothing here can use the session. It is still valid on the chain. Grant it again, "
            <a href="/sessions#import">"bring the key back from a file"</a> " that you exported, or take it back."
        </p>
    }
    .into_any()
}

/// What a session that works should make the owner think of: where it came from, and what the linter stops.
fn doubts_view(leaf: &SessionLeaf, account: Option<Address>, modules: &[Address]) -> Option<AnyView> {
    if !leaf.status.in_tree() {
        return None;
    }
    let mut texts = Vec::new();
    if leaf.manager() == SessionKeyManager::Older {
        texts
            .push("An older session key manager holds it. It can be taken back from here, and not be used.".to_owned());
    }
    if leaf.has_come_back() {
        texts.push("You took it back, and the chain has it again though nobody here brought it back.".to_owned());
    }
    if !leaf.is_granted_here() {
        let context = LintContext { account: account.unwrap_or_default(), modules, ..LintContext::default() };
        let stops = lint_kept(std::slice::from_ref(leaf), context).into_iter();
        texts.extend(stops.filter(|finding| finding.severity == Severity::Stop).map(|finding| finding.text));
    }
    let lines = texts.into_iter().map(|text| view! { <p class="news" data-testid="session-doubt">{live(text)}</p> });
    let lines = lines.collect::<Vec<_>>();
    (!lines.is_empty()).then(|| lines.into_any())
}

fn proof_view(proof: Proof) -> AnyView {
    let (result, text, is_good) = match &proof {
        Proof::Trying => ("trying", "Asking the chain whether it still takes this key.".to_owned(), None),
        Proof::Refused { reason, .. } => {
            let name = if reason.contains("SessionNotApproved") { "SessionNotApproved" } else { reason };
            ("refused", ["The chain refuses it now: ", &isolated(&message(name))].concat(), Some(true))
        }
        Proof::NotProven { answer } => {
            ("not-proven", ["Not proven: the chain answered “", &isolated(&message(answer)), "”"].concat(), Some(false))
        }
        Proof::Unanswered { error } => {
            ("not-proven", ["The chain could not be asked: ", &message(error)].concat(), Some(false))
        }
    };
    let nodes = match proof {
        Proof::Refused { at_nodes: Some(true), .. } => {
            Some("The nodes that share its key were told, too: they sign no more with it.")
        }
        Proof::Refused { at_nodes: Some(false), .. } => {
            Some("The nodes that share its key could not be told. The chain refuses it all the same.")
        }
        _ => None,
    };
    view! {
        <p
            class="news"
            role="status"
            data-testid="revocation-proof"
            data-result=result
            data-good=is_good.map(|good| good.to_string())
        >
            {live(text)}
            {nodes.map(|text| view! { <span data-testid="revoked-at-nodes">" " {live(text)}</span> })}
        </p>
    }
    .into_any()
}

/// The contract's name, for the search.
pub fn name_of_contract(contract: Address) -> Option<&'static str> {
    super::grant_review::contract_name(contract)
}
