//! `use_create_session_with_distributed_key`: allow one call with a key that nobody holds.

use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    components::{
        end_time::EndTime,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, use_is_sponsored},
        grant_review::{GrantChangesNotice, GrantDecision, GrantRequest, GrantReview, KeyHolder},
        key_network_status::KeyNetworkStatus,
        live_text::live,
        operation_status::OperationStatus,
        owner_reason::OwnerReason,
        time::now_seconds,
    },
    error::AppError,
    hooks::{
        CreateSessionVariables, OperationKind, use_create_session_with_distributed_key, use_resumed_operation,
        use_session_list, use_smart_account, use_user_op_wait,
    },
    protocol::{
        addresses::DEMO_NFT,
        policy::{Condition, Policy},
    },
};

/// Grants a session that may mint a demo NFT to the account itself; nodes share its key.
#[component]
pub fn CreateSessionWithDistributedKey() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let create = use_create_session_with_distributed_key();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::CreateDistributedSession, create.data);
    let receipt = use_user_op_wait(operation);

    let is_sponsored = use_is_sponsored();
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    let review = RwSignal::new(None::<GrantRequest>);
    let refused = RwSignal::new(None::<AppError>);

    let request = move || {
        let own_account = account.smart_account_address.get_untracked().ok_or(AppError::NoSmartAccount)?;
        let policy = Policy::new(DEMO_NFT, "safeMint(address)")
            .with_rule(0, Condition::Equal, own_account)
            .with_valid_until(ends.get_untracked().unwrap_or(0));
        policy.check(own_account, now_seconds())?;
        Ok::<_, AppError>(GrantRequest {
            label: "Mint, key shared by nodes".to_owned(),
            account: own_account,
            policies: vec![policy.into()],
            key_holder: KeyHolder::Nodes,
            sponsored: is_sponsored.get_untracked(),
            ..GrantRequest::default()
        })
    };
    let open_review = move |event: SubmitEvent| {
        event.prevent_default();
        refused.set(None);
        match request() {
            Ok(request) => review.set(Some(request)),
            Err(error) => refused.set(Some(error)),
        }
    };
    let variables = move |request: GrantRequest| CreateSessionVariables {
        policy: request.abi_policies(),
        label: Some(request.label),
        reviewed: request.reviewed,
        // The review says so when that ends sessions granted elsewhere.
        replace_unknown: sessions.is_in_sync.get_untracked() == Some(false),
        // The person may have asked for it in the review.
        withdraw_native: request.withdraw_native,
        max_operation_cost: request.max_operation_cost,
        ..Default::default()
    };
    // While the person reads, a key is taken from the pool and the operation is built.
    let get_ready = Callback::new(move |request: GrantRequest| create.prepare.run(variables(request)));
    // What is granted may be less than what was asked for: the person has a say in the review.
    let told = RwSignal::new(None::<GrantDecision>);
    let grant = Callback::new(move |decision: GrantDecision| {
        told.set(Some(decision.clone()));
        create.mutate.run(variables(decision.granted));
    });
    let blocked = move || account.owner_address.get().is_none() || create.is_pending.get();

    view! {
        <form class="panel" on:submit=open_review>
            <NotSponsoredNotice />
            <p>
                "Nobody holds this session's key. The nodes make it together, each keeps a share, and enough of them must
                agree to sign. This browser keeps, encrypted, only a key with which it may ask them; each node checks every
                call by itself."
            </p>
            <KeyNetworkStatus />
            <div class="fields">
                <EndTime ends />
            </div>
            <div class="actions">
                <button class="button" data-testid="create-distributed-session" disabled=blocked>
                    {move || live(if create.is_pending.get() { "Granting" } else { "Review and grant" })}
                </button>
                <OwnerReason to="to grant" />
                <span class="hint">
                    "Your wallet asks twice: for the grant, which the nodes verify, and for the operation."
                </span>
            </div>
            <GrantChangesNotice decision=told />
            <ErrorNotice error=refused />
            <OperationStatus mutation=create wait=receipt hash_testid="create-distributed-session-hash" />
        </form>
        <GrantReview request=review sessions on_confirm=grant on_ready=get_ready />
    }
    .into_any()
}
