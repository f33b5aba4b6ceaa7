//! A session refused a call: which limit it breaks, and two ways on. The owner signs this one call, or the session is
//! extended after a review.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use std::collections::{BTreeSet, HashMap};

use leptos::prelude::*;

use super::{
    address_check::AddressCheck,
    code_split::split_function,
    deferred_view::when_wanted,
    gas_payer::{paid_by, use_is_sponsored},
    grant_review::{GrantDecision, GrantRequest, GrantReview, KeyHolder, use_token_facts},
    icon::{Glyph, Icon},
    live_text::live,
    native_currency::use_native_currency,
    operation_status::OperationStatus,
    time::{local_time, now_seconds},
};
use crate::{
    error::AppError,
    hooks::{
        LimitLeft, OperationKind, SendTransactionVariables, UseMutationReturn, UseSessionListReturn, UserOpResponse,
        use_create_batch_session, use_create_session, use_create_session_with_distributed_key, use_send_transaction,
        use_smart_account, use_user_op_wait,
    },
    protocol::{
        describe::call_addresses,
        distributed_key::is_distributed,
        policy::{SessionPolicy, widen_for},
        session::SessionLeaf,
        session_scheme::Counted,
        smart_account::Call,
    },
};

mod refusal;

/// How the sessions are used, and so how they are extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepUpKind {
    /// One session, one call ([`use_session`](crate::hooks::use_session)).
    Single,
    /// Several sessions of one key ([`use_batch_session`](crate::hooks::use_batch_session)).
    Batch,
    /// One session whose key nodes share
    /// ([`use_session_with_distributed_key`](crate::hooks::use_session_with_distributed_key)).
    Distributed,
}

impl StepUpKind {
    /// How operations of that kind use sessions.
    pub fn of(kind: OperationKind) -> Self {
        match kind {
            OperationKind::UseBatchSession => Self::Batch,
            OperationKind::UseDistributedSession => Self::Distributed,
            _ => Self::Single,
        }
    }
}

/// Shortest life of an extended session whose end is over, seconds.
const HOUR: u64 = 3_600;

/// Shown while `error` says that a session does not allow the calls. Few come here, so its code is loaded when one does.
#[component]
pub fn StepUp(
    /// What using the session ended with.
    #[prop(into)]
    error: Signal<Option<AppError>>,
    /// What was to be done.
    #[prop(into)]
    calls: Signal<Vec<Call>>,
    /// The session that was chosen; `None`: the newest.
    #[prop(into)]
    session_id: Signal<Option<String>>,
    /// All sessions.
    sessions: UseSessionListReturn,
    /// How they are used.
    kind: StepUpKind,
) -> impl IntoView {
    let wanted = move || error.with(|error| error.as_ref().is_some_and(is_for_the_owner));
    when_wanted(wanted, move |owner| load(Refused { error, calls, session_id, sessions, kind, owner }))
}

/// What [`StepUp`] is told, and the owner that it is shown below.
struct Refused {
    error: Signal<Option<AppError>>,
    calls: Signal<Vec<Call>>,
    session_id: Signal<Option<String>>,
    sessions: UseSessionListReturn,
    kind: StepUpKind,
    owner: Owner,
}

split_function! {
    /// Makes the view.
    in rest: fn load(refused: Refused) -> AnyView {
        refused.owner.clone().with(|| ways_on(refused))
    }
}

fn ways_on(Refused { error, calls, session_id, sessions, kind, .. }: Refused) -> AnyView {
    let account = use_smart_account();
    let native = use_native_currency();
    let review = RwSignal::new(None::<GrantRequest>);
    let send = use_send_transaction();
    let receipt = use_user_op_wait(send.data);
    let Extension { run, ready, status } = Extension::new(kind);

    let refused = Memo::new(move |_| error.get().filter(is_for_the_owner));
    let leaves = move || sessions.sessions.with(|leaves| concerned(leaves, session_id.get().as_deref(), kind));
    let policies = move || leaves().iter().filter_map(SessionPolicy::of_leaf).collect::<Vec<_>>();
    // Only once something was refused: the units in which it is said.
    let tokens = Memo::new(move |_| match refused.with(Option::is_some) {
        true => policies().iter().map(SessionPolicy::contract).collect::<BTreeSet<_>>(),
        false => BTreeSet::new(),
    });
    let facts = Memo::new_with_compare(
        move |_| tokens.get().into_iter().map(|token| (token, use_token_facts(token))).collect::<HashMap<_, _>>(),
        |_, _| true,
    );
    let reached = Memo::new(move |_| {
        let own = account.smart_account_address.get();
        let all = calls
            .with(|calls| calls.iter().flat_map(call_addresses).map(|(_, address)| address).collect::<BTreeSet<_>>());
        all.into_iter().filter(|address| Some(*address) != own).collect::<Vec<_>>()
    });
    let reason = move || match refused.get()? {
        AppError::PolicyViolation { .. } => {
            let own = account.smart_account_address.get().unwrap_or_default();
            let facts = facts.get();
            let token = |contract| facts.get(&contract).map(|facts| facts.get()).unwrap_or_default();
            refusal::refusal_words(&policies(), &calls.get(), own, &native.get(), &token)
        }
        AppError::SessionExpired { valid_until, .. } => Some(["It ended on ", &local_time(valid_until), "."].concat()),
        AppError::SessionNotYetValid { valid_after, .. } => {
            Some(["It begins on ", &local_time(valid_after), "."].concat())
        }
        _ => Some("It was taken back.".to_owned()),
    };
    let can_extend = move || {
        let is_wanted =
            matches!(refused.get(), Some(AppError::PolicyViolation { .. } | AppError::SessionExpired { .. }));
        is_wanted && !leaves().is_empty()
    };
    let no_owner = move || account.owner_address.with(Option::is_none);
    let is_sponsored = use_is_sponsored();

    let ask_owner = move |_| {
        let options = paid_by(is_sponsored.get_untracked());
        send.mutate.run(SendTransactionVariables { calls: calls.get_untracked(), options });
    };
    let extend = move |_| {
        let leaves = untrack(leaves);
        let Some(own_account) = account.smart_account_address.get_untracked() else { return };
        let sponsored = is_sponsored.get_untracked();
        let request = extension(&leaves, &calls.get_untracked(), kind, now_seconds());
        let request = limited_again(request, &leaves, &sessions.limits_left.get_untracked());
        review.set(Some(GrantRequest { account: own_account, sponsored, ..request }));
    };
    let confirm = Callback::new(move |decision: GrantDecision| run.run(decision.granted));
    let offer = move || {
        refused.get().map(|_| {
            view! {
                <div class="notice step-up" data-testid="step-up" role="group" aria-label="What you can do now">
                    <Icon glyph=Glyph::Key />
                    <strong>"It can still be done"</strong>
                    <p data-testid="step-up-reason">{move || reason().map(live)}</p>
                    <ul class="addresses">
                        {move || {
                            reached.get().into_iter().map(|address| view! { <li><AddressCheck address /></li> }).collect_view()
                        }}
                    </ul>
                    <div class="actions">
                        <button
                            type="button"
                            class="button small"
                            data-testid="step-up-owner"
                            disabled=move || no_owner() || send.is_pending.get()
                            on:click=ask_owner
                        >
                            "Do it with your wallet"
                        </button>
                        <Show when=can_extend>
                            <button
                                type="button"
                                class="button quiet small"
                                data-testid="step-up-extend"
                                disabled=no_owner
                                on:click=extend
                            >
                                "Extend the session"
                            </button>
                        </Show>
                    </div>
                    <Show when=no_owner>
                        <p class="detail">"Connect the wallet that owns this account for either."</p>
                    </Show>
                </div>
            }
        })
    };
    view! {
        <div class="step-up-place">
            {offer}
            <OperationStatus mutation=send wait=receipt hash_testid="step-up-owner-hash" />
            {status}
            // Only while it is wanted: the page may have a review of its own.
            <Show when=move || review.with(Option::is_some)>
                <GrantReview request=review sessions on_confirm=confirm on_ready=ready />
            </Show>
        </div>
    }
    .into_any()
}

/// The owner can do what the session cannot.
fn is_for_the_owner(error: &AppError) -> bool {
    matches!(
        error,
        AppError::PolicyViolation { .. }
            | AppError::SessionExpired { .. }
            | AppError::SessionNotYetValid { .. }
            | AppError::SessionRevoked { .. }
    )
}

/// The sessions that were to allow the calls: the chosen one, or for a batch all of the newest key.
fn concerned(leaves: &[SessionLeaf], session_id: Option<&str>, kind: StepUpKind) -> Vec<SessionLeaf> {
    let fits = |leaf: &&SessionLeaf| leaf.is_in_tree() && is_distributed(leaf) == (kind == StepUpKind::Distributed);
    let chosen = session_id.and_then(|id| leaves.iter().find(|leaf| leaf.session_id == id));
    let Some(first) = chosen.or_else(|| leaves.iter().rev().find(fits)) else { return Vec::new() };
    match kind {
        StepUpKind::Batch => {
            let same_key = |leaf: &&SessionLeaf| leaf.session_key_address == first.session_key_address;
            leaves.iter().filter(fits).filter(same_key).cloned().collect()
        }
        _ => vec![first.clone()],
    }
}

/// What the review is opened with: only what the calls need is wider than before.
fn extension(leaves: &[SessionLeaf], calls: &[Call], kind: StepUpKind, now: u64) -> GrantRequest {
    let first = leaves.first();
    let is_distributed = kind == StepUpKind::Distributed;
    GrantRequest {
        label: first.and_then(|leaf| leaf.label.clone()).unwrap_or_else(|| "Session".to_owned()),
        policies: extended(leaves, calls, kind, now),
        key_holder: if is_distributed { KeyHolder::Nodes } else { KeyHolder::ThisBrowser },
        max_operation_cost: first.filter(|_| is_distributed).and_then(|leaf| leaf.max_operation_cost),
        ..GrantRequest::default()
    }
}

/// Limited in all as the sessions were: what was used up begins anew, and nothing becomes limitless.
fn limited_again(request: GrantRequest, leaves: &[SessionLeaf], limits: &[LimitLeft]) -> GrantRequest {
    let of_them = limits.iter().filter(|limit| leaves.iter().any(|leaf| leaf.session_id == limit.session_id));
    of_them.fold(request, |request, limit| match limit.what {
        Counted::Uses => request.with_uses(limit.most.saturating_to()),
        Counted::Token(_) => request.clone().with_total(limit.most).unwrap_or(request),
        Counted::Native => request.clone().with_native_total(limit.most).unwrap_or(request),
    })
}

/// Their policies, widened to the calls and, where their time is over or nearly so, with a new end.
fn extended(leaves: &[SessionLeaf], calls: &[Call], kind: StepUpKind, now: u64) -> Vec<SessionPolicy> {
    let policies = leaves.iter().filter_map(|leaf| {
        let policy = SessionPolicy::of_leaf(leaf)?;
        let until = policy.interval().valid_until;
        if until == 0 || until > now + 60 {
            return Some(policy);
        }
        let lasted = leaf.created_at.map_or(HOUR, |begin| until.saturating_sub(begin));
        Some(policy.with_valid_until(now + lasted.max(HOUR)))
    });
    let policies = policies.collect::<Vec<_>>();
    let wider = widen_for(policies, calls);
    match (kind, calls) {
        (StepUpKind::Batch, _) => wider,
        // Only a batch grant takes policies of the ERC-20 module; and one session does one call.
        (_, [call]) => {
            let wider = wider.into_iter().last();
            wider.map(|policy| if matches!(policy, SessionPolicy::Erc20(_)) { policy.exactly(call) } else { policy })
        }
        .into_iter()
        .collect(),
        _ => wider,
    }
}

/// Granting what extends a session, whichever hook it takes.
struct Extension {
    run: Callback<GrantRequest>,
    ready: Callback<GrantRequest>,
    status: AnyView,
}

const TESTID: &str = "step-up-extend-hash";

impl Extension {
    fn new(kind: StepUpKind) -> Self {
        match kind {
            StepUpKind::Single => Self::of(use_create_session()),
            StepUpKind::Batch => Self::of(use_create_batch_session()),
            StepUpKind::Distributed => Self::of(use_create_session_with_distributed_key()),
        }
    }

    fn of<V>(grant: UseMutationReturn<V, UserOpResponse>) -> Self
    where
        V: From<GrantRequest> + Clone + Send + Sync + 'static,
    {
        let wait = use_user_op_wait(grant.data);
        Self {
            run: Callback::new(move |granted: GrantRequest| grant.mutate.run(granted.into())),
            ready: Callback::new(move |request: GrantRequest| grant.prepare.run(request.into())),
            status: view! { <OperationStatus mutation=grant wait hash_testid=TESTID /> }.into_any(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Address, U256};

    use super::*;
    use crate::protocol::{addresses::DEMO_NFT, policy::Policy, session::SessionStatus};

    #[test]
    fn an_extension_keeps_what_one_operation_may_cost() {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)");
        let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap();
        for max_operation_cost in [Some(U256::ZERO), Some(U256::from(1_000_000_000_000_000_u64)), None] {
            let leaf = SessionLeaf { status: SessionStatus::Active, max_operation_cost, ..leaf.clone() };
            // As it is read again.
            let leaf: SessionLeaf = serde_json::from_str(&serde_json::to_string(&leaf).unwrap()).unwrap();
            let limit = |kind| extension(std::slice::from_ref(&leaf), &[], kind, 0).max_operation_cost;
            assert_eq!(limit(StepUpKind::Distributed), max_operation_cost);
            // Nobody would keep to it.
            assert_eq!([StepUpKind::Single, StepUpKind::Batch].map(limit), [None; 2]);
        }
    }

    #[test]
    fn an_extension_ends_after_the_time_that_was_told() {
        let wall = 10_000;
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(wall + HOUR);
        let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap();
        let leaf = SessionLeaf { status: SessionStatus::Active, created_at: Some(wall), ..leaf };
        let end = |now| {
            let policies = extended(std::slice::from_ref(&leaf), &[], StepUpKind::Batch, now);
            policies.first().unwrap().interval().valid_until
        };
        assert_eq!(end(wall), wall + HOUR, "not over yet: as it was");
        // Blocks are two hours ahead, or the clock was moved: it is over there, and so would an hour from `wall` be.
        assert_eq!(end(wall + 2 * HOUR), wall + 3 * HOUR);
    }
}
