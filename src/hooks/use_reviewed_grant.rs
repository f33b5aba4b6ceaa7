//! [`use_reviewed_grant`].

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    GrantDecision, GrantRequest, KeyHolder, OperationKind, UseMutationReturn, UseSessionListReturn,
    UseUserOpWaitReturn, UserOpResponse, use_resumed_operation, use_session_list, use_smart_account, use_user_op_wait,
};
use crate::{error::AppError, protocol::rpc::ChainInfo};

/// What [`use_reviewed_grant`] returns. `Copy`: pass it around like a signal.
pub struct UseReviewedGrantReturn<V: Send + Sync + 'static> {
    /// Makes the request and opens the review; what cannot be asked for is in `refused`. Does nothing while a grant is
    /// pending.
    pub review: Callback<()>,
    /// What is being reviewed; the review sets it to `None` when it closes.
    pub request: RwSignal<Option<GrantRequest>>,
    /// Why there was nothing to review.
    pub refused: Signal<Option<AppError>>,
    /// For the review: what is there already, and what the grant would end.
    pub sessions: UseSessionListReturn,
    /// For the review: builds the operation while the person still reads.
    pub prepare: Callback<GrantRequest>,
    /// For the review: grants what the person agreed to.
    pub confirm: Callback<GrantDecision>,
    /// What the last review ended with. What is granted may be less than what was asked for: an app that needs more
    /// compares the two.
    pub decision: Signal<Option<GrantDecision>>,
    /// The mutation that grants.
    pub grant: UseMutationReturn<V, UserOpResponse>,
    /// The wait for its receipt; it goes on after a reload, too.
    pub wait: UseUserOpWaitReturn,
}

impl<V: Send + Sync + 'static> Copy for UseReviewedGrantReturn<V> {}

impl<V: Send + Sync + 'static> Clone for UseReviewedGrantReturn<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Grants after a review in plain words: from the click, over the review, in which the person may lower amounts and leave
/// calls out, to the receipt. `grant` is what grants, `kind` what it is noted as so that the wait goes on after a reload,
/// and `request` makes what is asked for out of the page's fields; it hears the account that grants.
///
/// The review is `components::grant_review::GrantReview`, or an app's own over the same fields;
/// `components::grant_form::GrantForm` is a whole form.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     components::grant_review::GrantReview, prelude::*, protocol::addresses::DEMO_NFT,
/// };
///
/// #[component]
/// fn Grant() -> impl IntoView {
///     let form = use_reviewed_grant(use_create_session(), OperationKind::CreateSession, |me| {
///         let mint = Policy::new(DEMO_NFT, "safeMint(address to)");
///         Ok(GrantRequest::new("Mint for me", [mint.with_rule_on("to", Condition::Equal, me)?]))
///     });
///     let error = move || form.refused.get().or(form.grant.error.get()).or(form.wait.error.get());
///     view! {
///         <button on:click=move |_| form.review.run(())>"Review and grant"</button>
///         <p>{move || form.wait.status.get().to_string()}</p>
///         <p role="alert">{move || error().map(|error| error.to_string())}</p>
///         <GrantReview
///             request=form.request
///             sessions=form.sessions
///             on_confirm=form.confirm
///             on_ready=form.prepare
///         />
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `review` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_reviewed_grant<V>(
    grant: UseMutationReturn<V, UserOpResponse>,
    kind: OperationKind,
    request: impl Fn(Address) -> Result<GrantRequest, AppError> + Send + Sync + 'static,
) -> UseReviewedGrantReturn<V>
where
    V: From<GrantRequest> + Clone + Send + Sync + 'static,
{
    let account = use_smart_account();
    let wait = use_user_op_wait(use_resumed_operation(kind, grant.data));
    let under_review = RwSignal::new(None::<GrantRequest>);
    let refused = RwSignal::new(None::<AppError>);
    let decision = RwSignal::new(None::<GrantDecision>);
    let key_holder = match kind {
        OperationKind::CreateDistributedSession => KeyHolder::Nodes,
        _ => KeyHolder::ThisBrowser,
    };
    let asked = move || {
        let account_address = account.smart_account_address.get().ok_or(AppError::NoSmartAccount)?;
        let sponsored = account.chain_info.with(|chain| chain.as_ref().is_some_and(ChainInfo::sponsors_pages));
        Ok::<_, AppError>(GrantRequest { account: account_address, sponsored, key_holder, ..request(account_address)? })
    };
    let review = move |()| {
        if grant.is_pending.get_untracked() {
            return;
        }
        let asked = untrack(&asked);
        refused.set(asked.as_ref().err().cloned());
        under_review.set(asked.ok());
    };
    let confirm = move |agreed: GrantDecision| {
        grant.mutate.run(agreed.granted.clone().into());
        decision.set(Some(agreed));
    };
    UseReviewedGrantReturn {
        review: Callback::new(review),
        request: under_review,
        refused: refused.into(),
        sessions: use_session_list(),
        prepare: Callback::new(move |request: GrantRequest| grant.prepare.run(request.into())),
        confirm: Callback::new(confirm),
        decision: decision.into(),
        grant,
        wait,
    }
}
