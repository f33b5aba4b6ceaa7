//! What a session, and a number of them, is called.

use crate::protocol::session::SessionLeaf;

/// Its name, or a word for none.
pub fn title_of(leaf: &SessionLeaf) -> String {
    match leaf.label.as_deref().filter(|label| !label.is_empty()) {
        Some(label) => label.to_owned(),
        None if leaf.is_on_other_device() => "Session of another device".to_owned(),
        None => "Session without a name".to_owned(),
    }
}

/// `1 session`, `3 sessions`.
pub fn sessions_text(count: usize) -> String {
    match count {
        1 => "1 session".to_owned(),
        many => [&many.to_string(), " sessions"].concat(),
    }
}
