//! What a session, and a number of them, is called.

use leptos::prelude::AnyView;

use super::live_text::{live, verbatim};
use crate::protocol::{foreign_text, session::SessionLeaf};

/// Its name, or a word for none. Beside other words in one text: [`isolated`](crate::protocol::foreign_text::isolated).
pub fn title_of(leaf: &SessionLeaf) -> String {
    match leaf.label.as_deref().and_then(foreign_text::name) {
        Some(label) => label,
        None if leaf.is_on_other_device() => "Session of another device".to_owned(),
        None => "Session without a name".to_owned(),
    }
}

/// The same as a view: its own name is not translated, a word for none is.
pub fn title_view(leaf: &SessionLeaf) -> AnyView {
    let title = title_of(leaf);
    let is_name = leaf.label.as_deref().and_then(foreign_text::name).is_some();
    if is_name { verbatim(title) } else { live(title) }
}

/// `1 session`, `3 sessions`.
pub fn sessions_text(count: usize) -> String {
    match count {
        1 => "1 session".to_owned(),
        many => [&many.to_string(), " sessions"].concat(),
    }
}
