//! `use_create_batch_session`: allow several calls at once, judged by different modules, with one signature.

use alloy::primitives::Address;
use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    components::{
        address_check::typed_address,
        end_time::EndTime,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, use_is_sponsored},
        grant_review::{GrantChangesNotice, GrantDecision, GrantRequest, GrantReview, KeyHolder, known_token},
        live_text::live,
        operation_status::OperationStatus,
        owner_reason::OwnerReason,
        time::now_seconds,
    },
    error::AppError,
    hooks::{
        CreateBatchSessionVariables, OperationKind, use_create_batch_session, use_resumed_operation, use_session_list,
        use_smart_account, use_user_op_wait,
    },
    protocol::{
        ProtocolError,
        addresses::{DEMO_NFT, DEMO_TOKEN},
        describe::read_amount,
        policy::{Condition, Erc20Policy, Policy},
    },
};

/// Grants three sessions with one key: mint a demo NFT, mint demo tokens, and send some of them to one recipient.
#[component]
pub fn CreateBatchSession() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let create = use_create_batch_session();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::CreateBatchSession, create.data);
    let receipt = use_user_op_wait(operation);

    let recipient = RwSignal::new(None::<String>);
    let most = RwSignal::new("10".to_owned());
    let is_sponsored = use_is_sponsored();
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    let review = RwSignal::new(None::<GrantRequest>);
    let refused = RwSignal::new(None::<AppError>);
    // The owner of the account, unless the person says otherwise.
    let owner = move || account.owner_address.get().map(|address| address.to_string()).unwrap_or_default();

    let request = move || {
        let own_account = account.smart_account_address.get_untracked().ok_or(AppError::NoSmartAccount)?;
        let until = ends.get_untracked().unwrap_or(0);
        let to = recipient.get_untracked().unwrap_or_else(|| untrack(owner));
        let to: Address = to.trim().parse().map_err(|_| AppError::invalid("recipient", "an address", &to))?;
        let dollars = known_token(DEMO_TOKEN).unwrap_or_default();
        let amount = read_amount(&most.get_untracked(), &dollars).map_err(ProtocolError::from)?;
        let own = |contract, function: &str| {
            Policy::new(contract, function).with_rule(0, Condition::Equal, own_account).with_valid_until(until)
        };
        // What cannot be granted is said, and kept from being confirmed, by the review.
        let policies = vec![
            own(DEMO_NFT, "safeMint(address)").into(),
            own(DEMO_TOKEN, "mint(address,uint256)").with_rule(1, Condition::LessThanOrEqual, amount).into(),
            Erc20Policy::new(DEMO_TOKEN, to, amount).with_valid_until(until).into(),
        ];
        let sponsored = is_sponsored.get_untracked();
        let label = "Mint and send".to_owned();
        let key_holder = KeyHolder::ThisBrowser;
        Ok::<_, AppError>(GrantRequest {
            label,
            account: own_account,
            policies,
            sponsored,
            key_holder,
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
    let variables = move |request: GrantRequest| CreateBatchSessionVariables {
        policy: request.policies,
        label: Some(request.label),
        reviewed: request.reviewed,
        // The review says so when that ends sessions granted elsewhere.
        replace_unknown: sessions.is_in_sync.get_untracked() == Some(false),
        // The person may have asked for it in the review.
        withdraw_native: request.withdraw_native,
        ..Default::default()
    };
    // While the person reads, the operation is built.
    let get_ready = Callback::new(move |request: GrantRequest| create.prepare.run(variables(request)));
    // What is granted may be less than what was asked for; an app that needs more says so here.
    let told = RwSignal::new(None::<GrantDecision>);
    let grant = Callback::new(move |decision: GrantDecision| {
        told.set(Some(decision.clone()));
        create.mutate.run(variables(decision.granted));
    });
    let blocked = move || account.owner_address.get().is_none() || create.is_pending.get();

    view! {
        <form class="panel" on:submit=open_review>
            <NotSponsoredNotice />
            <div class="fields">
                <div class="field wide">
                    <label for="batch-recipient">"Send tokens to"</label>
                    <input
                        id="batch-recipient"
                        class="mono"
                        data-testid="batch-recipient"
                        spellcheck="false"
                        autocomplete="off"
                        prop:value=move || recipient.get().unwrap_or_else(owner)
                        on:input:target=move |event| recipient.set(Some(event.target().value()))
                    />
                    {move || recipient.get().as_deref().and_then(typed_address)}
                    <span class="hint">"The owner of the account, unless you say otherwise."</span>
                </div>
                <div class="field">
                    <label for="batch-most">"Most per call, DUSD"</label>
                    <input id="batch-most" data-testid="batch-most" inputmode="decimal" required bind:value=most />
                </div>
                <EndTime ends />
            </div>
            <div class="actions">
                <button class="button" data-testid="create-batch-session" disabled=blocked>
                    {move || live(if create.is_pending.get() { "Granting" } else { "Review and grant" })}
                </button>
                <OwnerReason to="to grant" />
            </div>
            <GrantChangesNotice decision=told />
            <ErrorNotice error=refused />
            <OperationStatus mutation=create wait=receipt hash_testid="create-batch-session-hash" />
        </form>
        <GrantReview request=review sessions on_confirm=grant on_ready=get_ready />
    }
    .into_any()
}
