//! The operation goes on, live.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use super::AS_SERVED;
use crate::{
    components::{
        code_split::{load_when, split_function, want},
        deferred_view::DeferredView,
        error_notice::ErrorNotice,
        native_currency::use_native_currency,
        not_loaded_notice::NotLoadedNotice,
        operation_facts::operation_facts,
    },
    hooks::{UserOpResponse, effect, use_smart_account, use_user_op_wait},
};

split_function! {
    /// Follows the page's operation, below the owner, so that it finds the provider.
    in operation: fn load(owner: Owner) -> AnyView {
        owner.with(followed)
    }
}

/// Asks for more as soon as the page works. The hash is read from the page's address: properties of islands would bring
/// a JSON parser into the first load.
///
/// # Server-Side Rendering
/// Renders nothing; the server has written beside it how the operation stands.
#[island]
pub(super) fn FollowedOperation() -> impl IntoView {
    let wanted = RwSignal::new(false);
    effect(move || want(wanted));
    let late = DeferredView::default();
    let failed = load_when(wanted, load, {
        let late = late.clone();
        move |view| late.put(view)
    });
    view! {
        <NotLoadedNotice failed wanted />
        {move || -> Option<AnyView> { late.take() }}
    }
}

fn followed() -> AnyView {
    let account = use_smart_account();
    let native = use_native_currency();
    let response = hash_of_this_page().map(|user_op_hash| UserOpResponse { user_op_hash, session: None });
    let wait = use_user_op_wait(Signal::stored(response));
    let explorer_url = Memo::new(move |_| account.chain_info.get().and_then(|chain| chain.explorer_url));
    // What is final is told by the facts.
    let is_told =
        Memo::new(move |_| wait.update.with(|update| update.as_ref().is_some_and(|update| update.is_final())));
    let error = Signal::derive(move || wait.error.get().filter(|_| !is_told.get()));
    effect(move || {
        let is_news = wait.update.with(Option::is_some) || error.with(Option::is_some);
        if let (true, Some(old)) = (is_news, document().get_element_by_id(AS_SERVED)) {
            old.remove();
        }
    });
    view! {
        <div aria-live="polite" data-testid="operation-live">
            {move || wait.update.get().map(|update| operation_facts(&update, explorer_url.get().as_deref(), &native.get()))}
        </div>
        <ErrorNotice error />
    }
    .into_any()
}

/// The last part of the page's path.
fn hash_of_this_page() -> Option<alloy::primitives::B256> {
    let path = window().location().pathname().unwrap_or_default();
    path.trim_end_matches('/').rsplit('/').next()?.parse().ok()
}
