//! The list at work.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use leptos::prelude::*;

use crate::{
    components::{
        code_split::split_function, custody::Custody, move_to_nexus::MoveToNexus, session_list::SessionList,
        session_row::name_of_contract,
    },
    hooks::{UseSessionsOptions, use_sessions_with},
};

split_function! {
    /// Makes the view of the list below `owner`, so that it finds the provider.
    in sessions: pub(super) fn load(owner: Owner) -> AnyView {
        owner.with(|| {
            let sessions = use_sessions_with(UseSessionsOptions { contract_name: Some(name_of_contract) });
            view! {
                <section class="panel session-board" aria-label="Sessions">
                    <SessionList sessions whole=true />
                </section>
                <Custody />
                <MoveToNexus />
            }
            .into_any()
        })
    }
}
