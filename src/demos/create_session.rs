//! `use_create_session`: allow one call, for a limited time, after a review in plain words.

use leptos::{ev::SubmitEvent, html, prelude::*};

use crate::{
    components::{
        connect_state::use_connect_state,
        end_time::EndTime,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, use_is_sponsored},
        grant_review::{GrantChangesNotice, GrantDecision, GrantRequest, GrantReview, KeyHolder},
        live_text::live,
        operation_status::OperationStatus,
        owner_reason::OwnerReason,
        time::{local_time, now_seconds},
    },
    error::AppError,
    hooks::{
        CreateSessionVariables, MutationOptions, OperationKind, use_create_session_with, use_resumed_operation,
        use_session_list, use_smart_account, use_user_op_wait,
    },
    protocol::{
        addresses::DEMO_NFT,
        policy::{Condition, Policy},
    },
};

/// Grants a session that may mint a demo NFT, and only to the account itself.
#[component]
pub fn CreateSession() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let create_session = use_create_session_with(MutationOptions {
        // Compare with the chain again, so that the next review tells what it ends.
        on_error: Some(Callback::new(move |(error, _)| {
            if matches!(error, AppError::SessionsOutOfSync { .. }) {
                sessions.refetch.run(());
            }
        })),
        ..MutationOptions::default()
    });
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::CreateSession, create_session.data);
    let receipt = use_user_op_wait(operation);

    let label = RwSignal::new("Demo NFT mint".to_owned());
    let is_sponsored = use_is_sponsored();
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    let review = RwSignal::new(None::<GrantRequest>);
    let refused = RwSignal::new(None::<AppError>);

    let variables = move |request: &GrantRequest| CreateSessionVariables {
        policy: request.abi_policies(),
        label: Some(request.label.clone()),
        reviewed: request.reviewed.clone(),
        // The review says so when that ends sessions granted elsewhere.
        replace_unknown: sessions.is_in_sync.get_untracked() == Some(false),
        // The person may have asked for it in the review.
        withdraw_native: request.withdraw_native,
        ..CreateSessionVariables::default()
    };
    let request = move || {
        let account_address = account.smart_account_address.get_untracked().ok_or(AppError::NoSmartAccount)?;
        let policy = Policy::new(DEMO_NFT, "safeMint(address)")
            .with_rule(0, Condition::Equal, account_address)
            .with_valid_until(ends.get_untracked().unwrap_or(0));
        if let Some(end) = ends.get_untracked().filter(|end| *end <= now_seconds()) {
            return Err(AppError::invalid("end", "a time in the future", local_time(end)));
        }
        policy.check(account_address, now_seconds())?;
        Ok::<_, AppError>(GrantRequest {
            label: label.get_untracked().trim().to_owned(),
            account: account_address,
            policies: vec![policy.into()],
            key_holder: KeyHolder::ThisBrowser,
            sponsored: is_sponsored.get_untracked(),
            ..GrantRequest::default()
        })
    };
    let open_review = move |event: SubmitEvent| {
        event.prevent_default();
        if create_session.is_pending.get_untracked() {
            return;
        }
        refused.set(None);
        match request() {
            Ok(request) => review.set(Some(request)),
            Err(error) => refused.set(Some(error)),
        }
    };
    // While the person reads, the operation is built.
    let get_ready = Callback::new(move |request: GrantRequest| create_session.prepare.run(variables(&request)));
    // What is granted may be less than what was asked for: the person has a say in the review.
    let told = RwSignal::new(None::<GrantDecision>);
    let grant = Callback::new(move |decision: GrantDecision| {
        create_session.mutate.run(variables(&decision.granted));
        told.set(Some(decision));
    });
    let blocked = move || account.owner_address.get().is_none();
    // Pressed before it was here (`pages/home/outline.rs`).
    let pressed = use_connect_state().grant_pressed;
    let button = NodeRef::<html::Button>::new();
    Effect::new(move |_| {
        if let (Some(button), true, false) = (button.get(), pressed.get(), blocked()) {
            pressed.set(false);
            // Once it is in the document: a form outside of it is not sent.
            set_timeout(move || button.click(), std::time::Duration::ZERO);
        }
    });
    // Not `disabled`: the button keeps the focus of whoever works with the keyboard.
    let busy = move || create_session.is_pending.get().then_some("true");

    view! {
        <form class="panel" on:submit=open_review>
            <NotSponsoredNotice />
            <div class="fields">
                <div class="field">
                    <label for="session-label">"Name"</label>
                    <input
                        id="session-label"
                        data-testid="session-label"
                        dir="auto"
                        maxlength="60"
                        required
                        autocomplete="off"
                        bind:value=label
                    />
                    <span class="hint">"So that you recognise it in the list."</span>
                </div>
                <EndTime ends />
            </div>
            <div class="actions">
                <button class="button" node_ref=button data-testid="create-session" disabled=blocked aria-disabled=busy>
                    {move || live(if create_session.is_pending.get() { "Granting" } else { "Review and grant" })}
                </button>
                <OwnerReason to="to grant" />
            </div>
            <GrantChangesNotice decision=told />
            <ErrorNotice error=refused />
            <OperationStatus mutation=create_session wait=receipt hash_testid="create-session-hash" />
        </form>
        <GrantReview request=review sessions on_confirm=grant on_ready=get_ready />
    }
    .into_any()
}
