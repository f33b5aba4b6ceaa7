//! A button that asks again.

use leptos::prelude::*;

use super::action_button::ActionButton;
use crate::hooks::{UseQueryReturn, use_smart_account};

/// Asks once more what a query answered for the owner's next operation.
#[component]
pub fn AskAgainButton<T>(
    /// What is asked.
    query: UseQueryReturn<T>,
    /// Its `data-testid`.
    testid: &'static str,
    /// What it says.
    text: &'static str,
    /// What it says while it is asking.
    busy_text: &'static str,
) -> impl IntoView
where
    T: Send + Sync + 'static,
{
    let account = use_smart_account();
    let blocked = Signal::derive(move || account.owner_address.with(Option::is_none));
    view! {
        <ActionButton testid text busy_text is_busy=query.is_fetching blocked on_press=query.refetch quiet=true />
    }
}
