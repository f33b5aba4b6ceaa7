//! The form around a grant: its fields, the button that opens the review, and how the grant goes.

use leptos::{ev::SubmitEvent, prelude::*};

use super::{
    error_notice::ErrorNotice,
    gas_payer::NotSponsoredNotice,
    grant_review::{GrantChangesNotice, GrantReview, granted_view},
    live_text::live,
    operation_status::OperationStatus,
    owner_reason::OwnerReason,
};
use crate::hooks::{UseReviewedGrantReturn, effect, use_smart_account};

/// A form with the fields in it, for what [`use_reviewed_grant`](crate::hooks::use_reviewed_grant) returned.
#[component]
pub fn GrantForm<V>(
    /// What it grants.
    form: UseReviewedGrantReturn<V>,
    /// `data-testid` of the button.
    testid: &'static str,
    /// `data-testid` of the transaction hash.
    hash_testid: &'static str,
    /// Said beside the button.
    #[prop(optional)]
    hint: &'static str,
    /// Its button was pressed before it was here: the review opens as soon as there is an owner.
    #[prop(optional)]
    pressed: Option<RwSignal<bool>>,
    /// What is above the button: the fields.
    children: Children,
) -> impl IntoView
where
    V: Clone + Send + Sync + 'static,
{
    let UseReviewedGrantReturn { review, request, refused, sessions, prepare, confirm, decision, grant, wait } = form;
    let result = view! {
        <GrantChangesNotice decision />
        <ErrorNotice error=refused />
        <OperationStatus mutation=grant wait hash_testid />
        {granted_view(grant.data)}
    };
    let dialog = view! { <GrantReview request sessions on_confirm=confirm on_ready=prepare /> };
    if let Some(pressed) = pressed {
        open_when_known(review, pressed);
    }
    form_view(review, grant.is_pending, testid, hint, children(), result.into_any(), dialog.into_any())
}

fn open_when_known(review: Callback<()>, pressed: RwSignal<bool>) {
    let account = use_smart_account();
    effect(move || {
        if pressed.get() && account.owner_address.with(Option::is_some) {
            pressed.set(false);
            // Once it is in the document: a dialog outside of it cannot be shown.
            set_timeout(move || review.run(()), std::time::Duration::ZERO);
        }
    });
}

/// The same for every type of variables, so compiled once.
fn form_view(
    review: Callback<()>,
    is_pending: Signal<bool>,
    testid: &'static str,
    hint: &'static str,
    fields: AnyView,
    result: AnyView,
    dialog: AnyView,
) -> AnyView {
    let account = use_smart_account();
    let open_review = move |event: SubmitEvent| {
        event.prevent_default();
        review.run(());
    };
    let blocked = move || account.owner_address.with(Option::is_none);
    // Not `disabled`: the button keeps the focus of whoever works with the keyboard.
    let busy = move || is_pending.get().then_some("true");
    view! {
        <form class="panel" on:submit=open_review>
            <NotSponsoredNotice />
            {fields}
            <div class="actions">
                <button class="button" data-testid=testid disabled=blocked aria-disabled=busy>
                    {move || live(if is_pending.get() { "Granting" } else { "Review and grant" })}
                </button>
                <OwnerReason to="to grant" />
                {(!hint.is_empty()).then(|| view! { <span class="hint">{live(hint)}</span> })}
            </div>
            {result}
        </form>
        {dialog}
    }
    .into_any()
}
