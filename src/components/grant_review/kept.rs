//! What a signature keeps of sessions that were not granted in this browser: said before it is asked for, and to be ended
//! by it.

use std::collections::HashSet;

use alloy::primitives::B256;
use leptos::{html, prelude::*};

use super::{known_token, leaf_words, names};
use crate::{
    components::{
        icon::{Glyph, Icon},
        live_text::live,
        native_currency::use_native_currency,
        session_titles::{sessions_text, title_view},
        time::local_time,
        whole_address::grouped,
    },
    hooks::{AccountKind, ReviewedSessions, UseSessionListReturn, effect, use_account_kind, use_smart_account},
    protocol::{
        describe::PolicyDescription,
        lint::LintContext,
        session::{SessionKeyManager, SessionLeaf},
    },
};

mod choice;

use choice::{Choice, DRAWN, Foreign, choose, ordered};

/// The sessions that a review shows, and which of them end; `Copy`.
#[derive(Clone, Copy)]
pub struct KeptSessions {
    /// What is shown: it stands still while somebody reads.
    shown: RwSignal<Option<Vec<SessionLeaf>>>,
    /// Hashes of those that end.
    ended: RwSignal<HashSet<B256>>,
    /// All are drawn, however many.
    draws_all: RwSignal<bool>,
    /// What is shown, in the order in which it is drawn.
    foreign: Memo<Vec<Foreign>>,
    /// What is decided by now.
    choice: Memo<Choice>,
    /// Some came in since.
    has_new: Memo<bool>,
    /// What there is now; nothing while that is being found out.
    current: Memo<Option<Vec<SessionLeaf>>>,
    /// Leaves that the older session key manager holds, which a grant does not touch.
    older: Memo<Vec<SessionLeaf>>,
    list: UseSessionListReturn,
}

impl KeptSessions {
    /// While `is_open`, of the managers that the sessions `leaving` are at, and of the current one when none leaves.
    pub fn new(list: UseSessionListReturn, is_open: Signal<bool>, leaving: Signal<Vec<String>>) -> Self {
        // Where each session stands for itself a signature for one says nothing of the others.
        let kind = use_account_kind().kind;
        let current = Memo::new(move |_| match (is_open.get(), list.is_in_sync.get()) {
            (true, _) if kind.get() != AccountKind::BiconomyV2 => Some(Vec::new()),
            (true, Some(true)) => Some(list.sessions.with(|all| leaving.with(|leaving| kept(all, leaving)))),
            (true, Some(false)) => Some(Vec::new()),
            _ => None,
        });
        let is_older = |leaf: &&SessionLeaf| leaf.manager() == SessionKeyManager::Older && leaf.status.in_tree();
        let older = Memo::new(move |_| match is_open.get() {
            true => list.sessions.with(|all| all.iter().filter(is_older).cloned().collect()),
            false => Vec::new(),
        });
        let shown = RwSignal::new(None::<Vec<SessionLeaf>>);
        let ended = RwSignal::new(HashSet::new());
        let draws_all = RwSignal::new(false);
        let has_new = Memo::new(move |_| {
            let shown = shown.get().unwrap_or_default().iter().map(SessionLeaf::hash).collect::<HashSet<_>>();
            current.with(|now| now.iter().flatten().any(|leaf| !shown.contains(&leaf.hash())))
        });
        effect(move || {
            if !is_open.get() {
                shown.set(None);
                ended.set(HashSet::new());
                draws_all.set(false);
            } else if shown.with(Option::is_none) && current.with(Option::is_some) {
                shown.set(current.get());
            }
        });
        let account = use_smart_account().smart_account_address;
        let foreign = Memo::new(move |_| {
            let (account, modules) = (account.get().unwrap_or_default(), list.modules.get());
            // The clock only warns; what is read stands still while it ticks.
            let now = list.now.get_untracked();
            let context = LintContext { account, now, modules: &modules, ..LintContext::default() };
            ordered(shown.get().unwrap_or_default(), context)
        });
        let choice = Memo::new(move |_| foreign.with(|all| ended.with(|ended| choose(all, ended, draws_all.get()))));
        Self { shown, ended, draws_all, foreign, choice, has_new, current, older, list }
    }

    /// What was shown and decided.
    pub fn reviewed(self) -> ReviewedSessions {
        self.choice.with(|choice| choice.reviewed.clone())
    }

    /// Some came in that were not shown, are not drawn, or must not stay.
    pub fn is_blocked(self) -> bool {
        self.has_new.get() || self.choice.with(|choice| !choice.is_complete())
    }

    /// The sessions in words, each to be ended. Nothing where there are none.
    pub fn view(self) -> AnyView {
        view! {
            {move || if self.has_new.get() { self.news() } else { ().into_any() }}
            {move || match self.foreign.get() {
                all if all.is_empty() => ().into_any(),
                all => self.section(all),
            }}
            {move || {
                let older = self.older.get();
                (!older.is_empty() || self.list.older_unknown.get()).then(|| older_notice(&older))
            }}
        }
        .into_any()
    }

    fn news(self) -> AnyView {
        // What the page knew before anything was shown is no news.
        if self.shown.with(Option::is_none) {
            return ().into_any();
        }
        view! {
            <div class="notice warning" data-testid="kept-news" role="alert">
                <Icon glyph=Glyph::Warning />
                <p>"Sessions of another browser or app came in while you were reading."</p>
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="kept-show"
                    on:click=move |_| self.shown.set(self.current.get_untracked())
                >
                    "Show them"
                </button>
            </div>
        }
        .into_any()
    }

    fn section(self, mut all: Vec<Foreign>) -> AnyView {
        let count = all.len();
        let hashes = all.iter().map(|foreign| foreign.leaf.hash()).collect::<HashSet<_>>();
        let have_come_back = all.iter().all(|foreign| foreign.leaf.has_come_back());
        let undrawn = all.split_off(count.min(DRAWN));
        let cards = all.into_iter().map(|foreign| self.card(foreign)).collect_view();
        let rest = (!undrawn.is_empty()).then(|| self.others(undrawn).into_any());
        let end_all = (count > 1).then(|| {
            view! {
                <button
                    type="button"
                    class="button quiet small"
                    data-testid="kept-end-all"
                    on:click=move |_| self.ended.set(hashes.clone())
                >
                    "End all of them"
                </button>
            }
        });
        let what = match have_come_back {
            true => " that you took back and that the chain has again",
            false => " that was not granted in this browser",
        };
        let what = if count > 1 { what.replace(" was ", " were ") } else { what.to_owned() };
        view! {
            <section class="grant-kept" data-testid="grant-kept" aria-labelledby="grant-kept-title">
                <h3 id="grant-kept-title">{live(["This signature also keeps ", &sessions_text(count), &what].concat())}</h3>
                <p class="reason">
                    "What you sign holds the new limits and everything that stays. End what you do not know."
                </p>
                {cards}
                {rest}
                {end_all}
            </section>
        }
        .into_any()
    }

    /// Those beyond the first: drawn on request. Until then they stand against a signature, unless they end.
    fn others(self, undrawn: Vec<Foreign>) -> AnyView {
        let place = NodeRef::<html::Div>::new();
        let show = move |_| {
            self.draws_all.set(true);
            // The button goes; whoever uses a keyboard goes on with what it showed.
            if let Some(place) = place.get_untracked() {
                // Fails only when it has left the document.
                drop(place.focus());
            }
        };
        let unseen = Memo::new(move |_| self.choice.with(|choice| choice.unseen));
        let undrawn = StoredValue::new(undrawn);
        let words = move || match unseen.get() {
            0 => "The others end with this signature.".to_owned(),
            1 => "1 more session is not shown yet. Show it, or end all, before you sign.".to_owned(),
            many => [&sessions_text(many), " more are not shown yet. Show them, or end all, before you sign."].concat(),
        };
        view! {
            <div class="grant-kept" node_ref=place tabindex="-1">
                {move || match self.draws_all.get() {
                    true => undrawn.get_value().into_iter().map(|foreign| self.card(foreign)).collect_view().into_any(),
                    false => {
                        view! {
                            <p class="notice warning" data-testid="kept-unseen">
                                {move || live(words())}
                            </p>
                            <button type="button" class="button quiet small" data-testid="kept-show-all" on:click=show>
                                "Show all"
                            </button>
                        }
                            .into_any()
                    }
                }}
            </div>
        }
        .into_any()
    }

    fn card(self, foreign: Foreign) -> AnyView {
        let Foreign { leaf, stops, warnings } = foreign;
        let leaf = &leaf;
        let hash = leaf.hash();
        let ends = Memo::new(move |_| self.ended.with(|ended| ended.contains(&hash)));
        let described = PolicyDescription::of_leaf(leaf);
        let token = described.contract().and_then(known_token);
        let account = use_smart_account().smart_account_address.get_untracked();
        let native = use_native_currency().get_untracked();
        let words = names(account, token.as_ref(), Some(&native));
        let rules = described.rules(&words);
        let contract = described.contract().unwrap_or(leaf.session_validation_module).to_string();
        let contract_name = if described.contract().is_some() { "Contract" } else { "Module" };
        let end = if leaf.valid_until == 0 { "Never by itself".to_owned() } else { local_time(leaf.valid_until) };
        let back = leaf
            .has_come_back()
            .then_some("You took it back, and the chain has it again though nobody here brought it back.");
        let texts = |texts: Vec<String>| texts.into_iter().map(|text| view! { <p>{live(text)}</p> }).collect_view();
        let has_stop = (!stops.is_empty()).to_string();
        view! {
            <section
                class="grant-call"
                data-testid="kept-session"
                data-session-id=leaf.session_id.clone()
                data-stop=has_stop
                data-kept=move || (!ends.get()).to_string()
            >
                <p class="grant-words">{title_view(leaf)} ": " {live(described.sentence(&words))}</p>
                {(!rules.is_empty())
                    .then(|| {
                        view! {
                            <ul class="conditions">
                                {rules.into_iter().map(|rule| view! { <li>{live(rule)}</li> }).collect_view()}
                            </ul>
                        }
                    })}
                {back.map(|text| view! { <p class="notice warning">{live(text)}</p> })}
                {(!stops.is_empty())
                    .then(|| {
                        view! {
                            <div class="notice error" role="note" data-testid="kept-stop">
                                <Icon glyph=Glyph::Warning />
                                {texts(stops)}
                                <p>"It must end before you sign."</p>
                            </div>
                        }
                    })}
                {(!warnings.is_empty())
                    .then(|| {
                        view! {
                            <div class="notice warning" role="note" data-testid="kept-warning">
                                <Icon glyph=Glyph::Warning />
                                {texts(warnings)}
                            </div>
                        }
                    })}
                <dl class="rows">
                    <div>
                        <dt>{live(contract_name)}</dt>
                        <dd>{grouped(&contract)}</dd>
                    </div>
                    <div>
                        <dt>"Calls may send"</dt>
                        <dd>{live(described.native_words(&words))}</dd>
                    </div>
                    <div>
                        <dt>"Ends"</dt>
                        <dd>{live(end)}</dd>
                    </div>
                    <div>
                        <dt>"Its key"</dt>
                        <dd>{grouped(&leaf.session_key_address.to_string())}</dd>
                    </div>
                </dl>
                <label class="grant-keep">
                    <input
                        type="checkbox"
                        data-testid="kept-end"
                        prop:checked=ends
                        on:change:target=move |event| {
                            let end = event.target().checked();
                            self.ended
                                .update(|ended| {
                                    if end {
                                        ended.insert(hash);
                                    } else {
                                        ended.remove(&hash);
                                    }
                                });
                        }
                    />
                    " End it with this signature"
                </label>
            </section>
        }
        .into_any()
    }
}

/// The leaves that stay under the roots that change and were not granted here.
fn kept(all: &[SessionLeaf], leaving: &[String]) -> Vec<SessionLeaf> {
    let leaves = |leaf: &&SessionLeaf| leaving.contains(&leaf.session_id);
    let mut managers = all.iter().filter(leaves).map(SessionLeaf::manager).collect::<HashSet<_>>();
    if leaving.is_empty() {
        managers.insert(SessionKeyManager::Current);
    }
    let stays = |leaf: &&SessionLeaf| {
        let is_concerned = leaf.status.in_tree() && !leaf.is_granted_here() && managers.contains(&leaf.manager());
        is_concerned && !leaving.contains(&leaf.session_id)
    };
    all.iter().filter(stays).cloned().collect()
}

/// The older session key manager's sessions, which no grant changes.
fn older_notice(older: &[SessionLeaf]) -> AnyView {
    let account = use_smart_account().smart_account_address.get_untracked();
    let native = use_native_currency().get_untracked();
    let line = |leaf| leaf_words(leaf, account, &native, PolicyDescription::whole_line);
    let lines = older.iter().take(DRAWN).map(|leaf| view! { <li>{live(line(leaf))}</li> }).collect_view();
    let hidden = older.len().saturating_sub(DRAWN);
    let more = (hidden > 0).then(|| view! { <li>{live(["and ", &hidden.to_string(), " more"].concat())}</li> });
    let what = match older.len() {
        0 => "sessions that this browser does not know".to_owned(),
        count => sessions_text(count),
    };
    view! {
        <div class="notice warning" role="note" data-testid="grant-older">
            <Icon glyph=Glyph::Warning />
            <p>
                {live([
                    "An older session key manager of your account (",
                    &SessionKeyManager::Older.address().to_string(),
                    ") holds ",
                    &what,
                    ", too. This signature does not change that; the list of sessions can end it.",
                ]
                    .concat())}
            </p>
            <ul class="conditions">{lines} {more}</ul>
        </div>
    }
    .into_any()
}
