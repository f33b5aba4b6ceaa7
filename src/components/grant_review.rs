//! The review before a grant: what is allowed, in plain words, before anything is signed, and a say in it.

use leptos::{html, prelude::*};

use super::{
    icon::{Glyph, Icon},
    live_text::{live, verbatim},
};
pub use crate::hooks::{GrantDecision, GrantRequest, KeyHolder};
use crate::{
    hooks::{UseSessionListReturn, effect},
    protocol::{foreign_text, lint::Severity, policy::SessionPolicy, session::SessionLeaf},
};

mod addresses;
mod card;
mod changes_notice;
mod draft;
mod enabling;
mod ends;
mod fees;
mod kept;
mod limits;
mod names;
mod scheme_remarks;
mod token_facts;

use card::card;
pub use changes_notice::GrantChangesNotice;
use draft::{Draft, Remark};
pub(super) use enabling::{NOT_ENABLED, granted_view};
use enabling::{enabling_row, fee_words, signature_words};
use ends::ends;
use fees::fees;
pub(super) use kept::KeptSessions;
pub use names::{app_contracts, contract_name};
pub(super) use names::{leaf_words, names};
use scheme_remarks::SchemeRemarks;
pub use token_facts::{known_token, use_token_facts};

/// Shows the request in a modal dialog while there is one. Esc and Cancel refuse; nothing is sent then.
///
/// The person may lower amounts, move the end, and leave calls out. What must not be granted (a past end, a call to
/// the own account, …) cannot be confirmed, and the reason is said.
#[component]
pub fn GrantReview(
    /// What is asked for; set it to open the review.
    request: RwSignal<Option<GrantRequest>>,
    /// The sessions that are there already.
    sessions: UseSessionListReturn,
    /// The person agreed, to `granted`, which may be less than `requested`.
    on_confirm: Callback<GrantDecision>,
    /// Hears what would be granted, when the review opens and after each change: a moment to prepare it in.
    #[prop(optional)]
    on_ready: Option<Callback<GrantRequest>>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let draft = RwSignal::new(None::<Draft>);
    effect(move || {
        draft.set(request.get().map(Draft::new));
        if request.with(Option::is_none)
            && let Some(dialog) = dialog.get()
        {
            // Taken back by the app, when it was not closed by the person.
            dialog.close();
        }
        if let (Some(dialog), true) = (dialog.get(), request.with(Option::is_some))
            && !dialog.open()
        {
            // Fails only when the element has left the document, and then there is nothing to show.
            drop(dialog.show_modal());
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    // Whether the grant ends other sessions must be known, and said, before anybody agrees to it.
    let unsure = move || sessions.is_in_sync.get().is_none() && sessions.error.with(Option::is_none);
    let replaces = Memo::new(move |_| sessions.is_in_sync.get() == Some(false));
    let of_scheme = SchemeRemarks::new(draft);
    let remarks = Memo::new(move |_| {
        if of_scheme.are_theirs() {
            return of_scheme.get();
        }
        let now = sessions.now.get();
        draft.with(|draft| draft.as_ref().map(|draft| remarks(draft, now, sessions)).unwrap_or_default())
    });
    let is_stopped = Memo::new(move |_| remarks.with(|remarks| remarks.iter().any(is_stop)));
    let has_problems = move || draft.with(|draft| draft.as_ref().is_some_and(Draft::has_problems));
    let is_open = Signal::derive(move || request.with(Option::is_some));
    let kept = KeptSessions::new(sessions, is_open, Signal::stored(Vec::new()));
    let cannot = move || is_stopped.get() || kept.is_blocked();
    // What one operation may cost is part of what is signed, too.
    let unsure = move || {
        unsure() || of_scheme.are_unknown() || draft.with(|draft| draft.as_ref().is_some_and(Draft::lacks_cost_limit))
    };
    let blocked = move || !is_open.get() || unsure() || cannot() || has_problems();
    let decide = move |draft: &Draft| {
        let mut decision = draft.decision();
        decision.granted.reviewed = Some(kept.reviewed());
        decision.granted.replace_unknown = sessions.is_in_sync.get() == Some(false);
        decision
    };
    if let Some(on_ready) = on_ready {
        effect(move || {
            let decision = draft.with(|draft| draft.as_ref().map(decide));
            if let (Some(decision), Some(_), false) = (decision, sessions.is_in_sync.get(), blocked()) {
                on_ready.run(decision.granted);
            }
        });
    }
    let confirm = move |_| {
        let decision = untrack(|| draft.with(|draft| draft.as_ref().map(decide)));
        close();
        if let Some(decision) = decision {
            on_confirm.run(decision);
        }
    };
    let changed = move || draft.with(|draft| draft.as_ref().is_some_and(|draft| draft.decision().is_changed()));
    let confirm_text = move || match (unsure(), cannot()) {
        (_, true) => "Cannot be granted",
        (true, _) => "Comparing with the chain",
        _ => "Sign and grant",
    };
    view! {
        <dialog
            class="review"
            node_ref=dialog
            data-testid="grant-review"
            aria-labelledby="review-title"
            aria-describedby="review-summary"
            // The event comes a moment after the dialog has closed: it may be open again by then.
            on:close=move |_| {
                if dialog.get_untracked().is_none_or(|dialog| !dialog.open()) {
                    request.set(None);
                }
            }
        >
            {move || request.get().map(|request| body(&request, draft, remarks, replaces, kept))}
            <div class="review-foot">
                <Show when=changed>
                    <p class="reason" data-testid="grant-changed">
                        "You changed what was asked for. The app is told."
                    </p>
                </Show>
                <button type="button" class="button quiet" data-testid="grant-cancel" on:click=move |_| close()>
                    "Cancel"
                </button>
                <button
                    type="button"
                    class="button"
                    data-testid="grant-confirm"
                    aria-describedby="grant-stop"
                    disabled=blocked
                    on:click=confirm
                >
                    {move || live(confirm_text())}
                </button>
            </div>
        </dialog>
    }
    .into_any()
}

fn is_stop(remark: &Remark) -> bool {
    remark.severity == Severity::Stop
}

fn remarks(draft: &Draft, now: u64, sessions: UseSessionListReturn) -> Vec<Remark> {
    // A leaf can only be there already when its key is not made anew.
    let brings_key = |policy: &SessionPolicy| policy.session_key_address().is_some();
    let granted = if draft.decision().granted.policies.iter().any(brings_key) {
        let in_tree =
            |leaves: &Vec<SessionLeaf>| leaves.iter().filter(|leaf| leaf.is_in_tree()).map(SessionLeaf::hash).collect();
        sessions.sessions.with(in_tree)
    } else {
        Vec::new()
    };
    sessions.modules.with(|modules| draft.remarks(now, &granted, modules))
}

/// Made once for each request; only texts change after that, so that a field keeps its focus.
fn body(
    request: &GrantRequest,
    draft: RwSignal<Option<Draft>>,
    remarks: Memo<Vec<Remark>>,
    replaces: Memo<bool>,
    kept: KeptSessions,
) -> AnyView {
    let first = request.policies.first().map(SessionPolicy::interval);
    let shared = first.filter(|first| request.policies.iter().all(|policy| policy.interval() == *first));
    let several = request.policies.len() > 1;
    let cards = request
        .policies
        .iter()
        .enumerate()
        .map(|(index, policy)| {
            card(index, policy, request.limits_of(index), request.account, draft, several, shared.is_none())
        })
        .collect::<Vec<_>>();
    let window = shared.map(|window| ends((0..request.policies.len()).collect(), window, draft));
    let gas = if request.sponsored { "Paid by this app's sponsor" } else { "Paid by your smart account" };
    let (holder, signatures) = match request.key_holder {
        KeyHolder::ThisBrowser => (
            "This browser, encrypted. It is made for this grant and is not your wallet's key.",
            "Your wallet asks for one signature. It signs the operation that stores these limits on the chain.",
        ),
        KeyHolder::Nodes => (
            "Nobody alone. Nodes share it, and several must agree; this browser keeps only the right to ask them.",
            "Your wallet asks for two signatures: what the nodes may sign, and the operation that stores these limits on the chain.",
        ),
    };
    let gas = fee_words(request.enable).unwrap_or(gas);
    let signatures = signature_words(request.enable).unwrap_or(signatures);
    let name = foreign_text::name(&request.label).unwrap_or_else(|| "a session without a name".to_owned());
    let foreign_sessions: AnyView = kept.view();
    let makes_key = request.policies.iter().any(|policy| policy.session_key_address().is_none());
    view! {
        <div class="review-head">
            <h2 id="review-title" tabindex="-1" autofocus>
                "Review this session"
            </h2>
            <p id="review-summary">
                "You are about to allow " <strong><bdi>{verbatim(name)}</bdi></strong> " to act for your smart account. Read which calls it may make: the chain refuses all others. What its fees may cost stands below."
            </p>
        </div>
        <div class="review-body">
            <div role="alert" id="grant-stop">
                {move || notice(remarks.with(|all| texts(all, true)), "notice error", "grant-stop")}
            </div>
            {move || {
                let mut texts = remarks.with(|all| texts(all, false));
                if replaces.get() {
                    texts.insert(0, REPLACES.to_owned());
                }
                notice(texts, "notice warning", "grant-warning")
            }}
            {cards}
            {window}
            {fees(request, draft)}
            {foreign_sessions}
            <dl class="rows">
                {makes_key
                    .then(|| {
                        view! {
                            <div>
                                <dt>"Key held by"</dt>
                                <dd data-testid="grant-key-holder">{live(holder)}</dd>
                            </div>
                        }
                    })}
                <div>
                    <dt>"Fee of this grant"</dt>
                    <dd>{live(gas)}</dd>
                </div>
                {enabling_row(request.enable)}
            </dl>
            <p class="reason">{live(signatures)}</p>
        </div>
    }
    .into_any()
}

const REPLACES: &str = "This account has sessions that were granted in another browser or app. This grant ends them, because this browser cannot see them and so cannot keep them.";

fn texts(remarks: &[Remark], stops: bool) -> Vec<String> {
    remarks.iter().filter(|remark| is_stop(remark) == stops).map(|remark| remark.text.clone()).collect()
}

fn notice(texts: Vec<String>, class: &'static str, testid: &'static str) -> Option<AnyView> {
    (!texts.is_empty()).then(|| {
        view! {
            <div class=class data-testid=testid role="note">
                <Icon glyph=Glyph::Warning />
                {texts.into_iter().map(|text| view! { <p>{live(text)}</p> }).collect_view()}
            </div>
        }
        .into_any()
    })
}
