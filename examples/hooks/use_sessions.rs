use leptos::prelude::*;
use use_aa::prelude::*;

/// Names and states of the sessions, with a search.
#[component]
pub fn Sessions() -> impl IntoView {
    let sessions = use_sessions();
    let rows = move || {
        let leaves = sessions.list.sessions.get();
        sessions.rows.get().iter().filter_map(|place| leaves.get(*place).cloned()).collect::<Vec<_>>()
    };
    view! {
        <input type="search" aria-label="Search" bind:value=sessions.search />
        <ul>
            <For each=rows key=|leaf| (leaf.session_id.clone(), leaf.status) let:leaf>
                <li>{leaf.label.clone()} " " {move || leaf.status_at(sessions.list.now.get()).wire_name()}</li>
            </For>
        </ul>
        <p role="alert">{move || sessions.list.error.get().map(|error| error.to_string())}</p>
    }
}
