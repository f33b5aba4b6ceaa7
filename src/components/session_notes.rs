//! What the list must say of a session beside what it may do: that it cannot be read here, or that the chain has it otherwise
//! than it was granted.

use leptos::prelude::*;

use super::live_text::live;
use crate::hooks::UseSessionListReturn;

/// Words in the place of what the session may do, when that cannot be read.
pub fn unreadable_words(list: UseSessionListReturn, session_id: &str) -> Option<String> {
    list.notes.with(|notes| {
        let mut notes = notes.iter().filter(|note| note.is_unreadable && note.session_id == session_id);
        notes.next().map(|note| note.text.clone())
    })
}

/// A line for each other note; of an unreadable session also what the chain knows it by.
#[component]
pub fn SessionNotes(
    /// Its id in the list.
    session_id: String,
    /// The list.
    list: UseSessionListReturn,
) -> impl IntoView {
    let own = Memo::new(move |_| {
        list.notes.with(|notes| {
            let own = || notes.iter().filter(|note| note.session_id == session_id);
            let id = own().any(|note| note.is_unreadable).then(|| {
                let id = session_id.split('-').next().unwrap_or_default();
                ["The chain knows it as ", id].concat()
            });
            let others = own().filter(|note| !note.is_unreadable).map(|note| note.text.clone());
            id.into_iter().chain(others).collect::<Vec<_>>()
        })
    });
    let line = |text: String| view! { <p class="news" data-testid="session-note">{live(text)}</p> };
    view! { {move || own.get().into_iter().map(line).collect::<Vec<_>>()} }.into_any()
}
