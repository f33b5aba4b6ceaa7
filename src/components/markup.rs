//! Text inside of markup.

/// The text as the content of an element or of an attribute in double quotes: nothing in it is markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
