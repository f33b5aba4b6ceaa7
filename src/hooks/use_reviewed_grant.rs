//! [`use_reviewed_grant`].

use std::any::TypeId;

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    CreateSessionVariables, GrantDecision, GrantRequest, KeyHolder, OperationKind, UseMutationReturn,
    UseSessionListReturn, UseUserOpWaitReturn, UserOpResponse, effects::effect, use_resumed_operation,
    use_session_list, use_smart_account, use_user_op_wait,
};
use crate::{
    error::AppError,
    protocol::{policy::SessionPolicy, rpc::ChainInfo},
};

/// What [`use_reviewed_grant`] returns. `Copy`: pass it around like a signal.
pub struct UseReviewedGrantReturn<V: Send + Sync + 'static> {
    /// Makes the request and opens the review; what cannot be asked for, or what this hook cannot grant, is in `refused`.
    /// Does nothing while a grant is pending.
    pub review: Callback<()>,
    /// What is being reviewed; the review sets it to `None` when it closes, and closes when another account is connected.
    pub request: RwSignal<Option<GrantRequest>>,
    /// Why there was nothing to review, or why what was reviewed is not granted: another account is connected now.
    pub refused: Signal<Option<AppError>>,
    /// For the review: what is there already, and what the grant would end.
    pub sessions: UseSessionListReturn,
    /// For the review: builds the operation while the person still reads.
    pub prepare: Callback<GrantRequest>,
    /// For the review: grants what the person agreed to, for the account that was reviewed. Does nothing while a grant is
    /// pending.
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
/// calls out, to the receipt, also after a reload. `grant` is what grants, and `request` makes what is asked for out of the
/// page's fields; it hears the account that grants.
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
///     let form = use_reviewed_grant(use_create_session(), |me| {
///         let mint = Policy::new(DEMO_NFT, "safeMint(address to)");
///         Ok(GrantRequest::new("Mint for me", [mint.with_rule_on("to", Condition::Equal, me)?]))
///     });
///     let error = move || form.refused.get().or(form.grant.error.get()).or(form.wait.error.get());
///     view! {
///         <button on:click=move |_| form.review.run(())>"Review and grant"</button>
///         <p>{move || form.wait.response.get().map(|_| form.wait.status.get().to_string())}</p>
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
    request: impl Fn(Address) -> Result<GrantRequest, AppError> + Send + Sync + 'static,
) -> UseReviewedGrantReturn<V>
where
    V: From<GrantRequest> + Clone + Send + Sync + 'static,
{
    let account = use_smart_account();
    let sent = grant.grants.map_or(grant.data, |kind| use_resumed_operation(kind, grant.data));
    let wait = use_user_op_wait(sent);
    let under_review = RwSignal::new(None::<GrantRequest>);
    let refused = RwSignal::new(None::<AppError>);
    let decision = RwSignal::new(None::<GrantDecision>);
    let key_holder = match grant.grants {
        Some(OperationKind::CreateDistributedSession) => KeyHolder::Nodes,
        _ => KeyHolder::ThisBrowser,
    };
    let asked = move || {
        let account_address = account.smart_account_address.get().ok_or(AppError::NoSmartAccount)?;
        let sponsored = account.chain_info.with(|chain| chain.as_ref().is_some_and(ChainInfo::sponsors_pages));
        let request = request(account_address)?;
        grantable::<V>(&request)?;
        Ok::<_, AppError>(GrantRequest { account: account_address, sponsored, key_holder, ..request })
    };
    // What was reviewed for one account is not for another that the wallet shares by now.
    let is_current = move |request: &GrantRequest| {
        let current = account.smart_account_address.get();
        if current == Some(request.account) {
            return Ok(());
        }
        let current = current.map_or_else(|| "none".to_owned(), |current| current.to_string());
        let expected = format!("{}, for which it was reviewed", request.account);
        Err(AppError::invalid("account", expected, current))
    };
    effect(move || {
        if let Some(Err(error)) = under_review.with(|request| request.as_ref().map(is_current)) {
            refused.set(Some(error));
            under_review.set(None);
        }
    });
    let review = move |()| {
        if grant.is_pending.get_untracked() {
            return;
        }
        let asked = untrack(&asked);
        refused.set(asked.as_ref().err().cloned());
        under_review.set(asked.ok());
    };
    let confirm = move |agreed: GrantDecision| {
        if grant.is_pending.get_untracked() {
            return;
        }
        let current = untrack(|| is_current(&agreed.granted));
        refused.set(current.as_ref().err().cloned());
        if current.is_err() {
            return;
        }
        grant.mutate.run(agreed.granted.clone().into());
        decision.set(Some(agreed));
    };
    let prepare = move |request: GrantRequest| {
        if untrack(|| is_current(&request)).is_ok() {
            grant.prepare.run(request.into());
        }
    };
    UseReviewedGrantReturn {
        review: Callback::new(review),
        request: under_review,
        refused: refused.into(),
        sessions: use_session_list(),
        prepare: Callback::new(prepare),
        confirm: Callback::new(confirm),
        decision: decision.into(),
        grant,
        wait,
    }
}

/// An error when the variables have no place for one of the policies: it would be agreed to, and then be missing.
fn grantable<V: 'static>(request: &GrantRequest) -> Result<(), AppError> {
    let only_abi = TypeId::of::<V>() == TypeId::of::<CreateSessionVariables>();
    let erc20 = request.policies.iter().position(|policy| matches!(policy, SessionPolicy::Erc20(_)));
    match erc20.filter(|_| only_abi) {
        Some(place) => Err(AppError::invalid(
            format!("policies[{place}]"),
            "a policy on a call (`use_create_batch_session` grants those of the ERC-20 module)",
            "a policy of the ERC-20 module",
        )),
        None => Ok(()),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::{
        hooks::{
            CreateBatchSessionVariables, MutationOptions, SmartAccountConfig, provide_smart_account,
            provider::use_context_or_detached, use_mutation,
        },
        protocol::policy::{Erc20Policy, Policy},
    };

    const A: Address = Address::repeat_byte(1);
    const B: Address = Address::repeat_byte(2);

    /// A grant that never ends, and the account of the page.
    fn page<V>(
        request: impl Fn(Address) -> Result<GrantRequest, AppError> + Send + Sync + 'static,
    ) -> (RwSignal<Option<Address>>, UseReviewedGrantReturn<V>)
    where
        V: From<GrantRequest> + Clone + Send + Sync + 'static,
    {
        any_spawner::Executor::init_tokio().ok();
        provide_smart_account(SmartAccountConfig::default());
        let account = use_context_or_detached().account;
        account.set(Some(A));
        let grant = use_mutation(MutationOptions::default(), |_: V, _| std::future::pending());
        (account, use_reviewed_grant(grant, request))
    }

    fn agreed(form: &UseReviewedGrantReturn<impl Clone + Send + Sync + 'static>) -> GrantDecision {
        let requested = form.request.get_untracked().unwrap();
        GrantDecision { granted: requested.clone(), requested, left_out: Vec::new() }
    }

    #[tokio::test]
    async fn what_was_reviewed_is_granted_once_and_for_its_own_account() {
        let task = async {
            let owner = Owner::new();
            owner.with(|| {
                let mint = |_| Ok(GrantRequest::new("x", [Policy::new(B, "mint()")]));
                let (account, form) = page::<CreateSessionVariables>(mint);
                form.review.run(());
                let decision = agreed(&form);
                assert_eq!(decision.granted.account, A);
                // The wallet shares another account, or none, while the dialog is open.
                for other in [Some(B), None] {
                    account.set(other);
                    form.confirm.run(decision.clone());
                    let refused = form.refused.get_untracked();
                    assert!(
                        matches!(&refused, Some(AppError::InvalidInput { field, .. }) if field == "account"),
                        "{refused:?}"
                    );
                    assert!(form.grant.is_idle.get_untracked() && form.decision.get_untracked().is_none());
                }
                account.set(Some(A));
                form.confirm.run(decision.clone());
                assert!(form.grant.is_pending.get_untracked() && form.refused.get_untracked().is_none());
                let again = GrantRequest { label: "again".into(), ..decision.granted.clone() };
                form.confirm.run(GrantDecision { granted: again, ..decision });
                let label = form.grant.variables.get_untracked().unwrap().label;
                assert_eq!(label.as_deref(), Some("x"), "the first click counts");
            });
        };
        tokio::task::LocalSet::new().run_until(task).await;
    }

    #[tokio::test]
    async fn a_policy_that_the_hook_cannot_grant_is_not_reviewed() {
        let task = async {
            let owner = Owner::new();
            owner.with(|| {
                let both = |_| {
                    let policies: [SessionPolicy; 2] =
                        [Policy::new(B, "mint()").into(), Erc20Policy::new(B, A, U256::from(5)).into()];
                    Ok(GrantRequest::new("x", policies))
                };
                let (_, single) = page::<CreateSessionVariables>(both);
                single.review.run(());
                assert_eq!(single.request.get_untracked(), None);
                let refused = single.refused.get_untracked();
                assert!(
                    matches!(&refused, Some(AppError::InvalidInput { field, .. }) if field == "policies[1]"),
                    "{refused:?}"
                );
                let (_, batch) = page::<CreateBatchSessionVariables>(both);
                batch.review.run(());
                batch.confirm.run(agreed(&batch));
                assert_eq!(batch.grant.variables.get_untracked().unwrap().policy.len(), 2);
            });
        };
        tokio::task::LocalSet::new().run_until(task).await;
    }
}
