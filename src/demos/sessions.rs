//! `use_sessions`: everything that was granted, with filter, search, uses, and taking back.

use leptos::prelude::*;

use crate::{
    components::{session_list::SessionList, session_row::name_of_contract},
    hooks::{UseSessionsOptions, use_sessions_with},
};

/// Lists the sessions of the account.
#[component]
pub fn Sessions() -> impl IntoView {
    // The search finds contracts by the names that the app gives them.
    let sessions = use_sessions_with(UseSessionsOptions { contract_name: Some(name_of_contract) });
    view! {
        <div class="panel session-board">
            <SessionList sessions whole=true />
        </div>
    }
    .into_any()
}
