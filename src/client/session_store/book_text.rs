//! The stored text of a session book beside its parsed form.
//!
//! A book may hold ten thousand leaves in five megabytes. So parsing goes in steps that leave the page time to
//! breathe, and writing encodes only the leaves that changed.

use std::ops::Range;

use crate::protocol::session::{SessionBook, SessionLeaf};

/// How both `@biconomy/account` and we begin the text. Other texts with the same content are read as well, in one step.
const LEAVES: &str = "\"leafNodes\":[";

/// A book and the text it was read from or written as.
#[derive(Clone, Debug, Default)]
pub struct BookText {
    /// The book.
    pub book: SessionBook,
    /// Its JSON.
    pub text: String,
    /// Where each leaf's JSON is in `text`; empty when that is not known.
    leaves: Vec<Range<usize>>,
}

impl BookText {
    /// The text after `book` became `changed`. Leaves that are as before keep their JSON, byte for byte.
    pub fn with(&self, changed: SessionBook) -> Result<Self, serde_json::Error> {
        let shell = serde_json::to_string(&shell_of(&changed))?;
        let Some(start) = shell.find(LEAVES).map(|at| at + LEAVES.len()) else {
            let text = serde_json::to_string(&changed)?;
            return Ok(Self { book: changed, text, leaves: Vec::new() });
        };
        let mut text = String::with_capacity(self.text.len() + 1_024);
        text.push_str(&shell[..start]);
        let mut leaves = Vec::with_capacity(changed.leaf_nodes.len());
        // Leaves that were taken out shift those behind them.
        let mut before = self.book.leaf_nodes.iter().zip(&self.leaves).peekable();
        for leaf in &changed.leaf_nodes {
            if !leaves.is_empty() {
                text.push(',');
            }
            let from = text.len();
            while before.peek().is_some_and(|(old, _)| old.session_id != leaf.session_id)
                && before.len() > changed.leaf_nodes.len() - leaves.len()
            {
                before.next();
            }
            match before.next() {
                Some((old, range)) if old == leaf => text.push_str(&self.text[range.clone()]),
                _ => text.push_str(&serde_json::to_string(leaf)?),
            }
            leaves.push(from..text.len());
        }
        text.push_str(&shell[start..]);
        Ok(Self { book: changed, text, leaves })
    }
}

/// The book without its leaves.
fn shell_of(book: &SessionBook) -> SessionBook {
    SessionBook { merkle_root: book.merkle_root.clone(), leaf_nodes: Vec::new(), extra: book.extra.clone() }
}

/// Parses a text in steps.
pub struct BookParser {
    text: String,
    /// Where the next leaf begins; `None` when the text has another form and is parsed at once.
    next: Option<usize>,
    /// Where the first leaf begins.
    start: usize,
    parsed: Vec<SessionLeaf>,
    leaves: Vec<Range<usize>>,
}

impl BookParser {
    /// Begins with a stored text.
    pub fn new(text: String) -> Self {
        // Only a text that begins as expected can be walked leaf by leaf: nothing before the array may hold it.
        let expected = text.starts_with("{\"merkleRoot\":\"");
        let start = expected.then(|| text.find(LEAVES)).flatten().map(|at| at + LEAVES.len());
        let next = start.filter(|start| text[..*start].matches('"').count() == 6);
        Self { start: next.unwrap_or(0), next, text, parsed: Vec::new(), leaves: Vec::new() }
    }

    /// Parses up to `count` more leaves; `Ok(None)` when there is more to do.
    pub fn step(&mut self, count: usize) -> Result<Option<BookText>, serde_json::Error> {
        let Some(mut at) = self.next else {
            let text = std::mem::take(&mut self.text);
            return Ok(Some(BookText { book: serde_json::from_str(&text)?, text, leaves: Vec::new() }));
        };
        for _ in 0..count {
            if self.text[at..].starts_with(']') {
                return self.finish(at).map(Some);
            }
            if !self.leaves.is_empty() && self.text[at..].starts_with(',') {
                at += 1;
            }
            let mut values = serde_json::Deserializer::from_str(&self.text[at..]).into_iter::<SessionLeaf>();
            let Some(Ok(leaf)) = values.next() else {
                // Spaces, damage: the ordinary parser decides.
                self.next = None;
                return self.step(count);
            };
            let end = at + values.byte_offset();
            self.parsed.push(leaf);
            self.leaves.push(at..end);
            at = end;
        }
        self.next = Some(at);
        Ok(None)
    }

    fn finish(&mut self, end: usize) -> Result<BookText, serde_json::Error> {
        let shell = format!("{}{}", &self.text[..self.start], &self.text[end..]);
        let mut book: SessionBook = serde_json::from_str(&shell)?;
        book.leaf_nodes = std::mem::take(&mut self.parsed);
        Ok(BookText { book, text: std::mem::take(&mut self.text), leaves: std::mem::take(&mut self.leaves) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::Value;

    use super::*;
    use crate::protocol::session::SessionStatus;

    fn seed_text() -> String {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../tests/vectors/11_session_storage.json")).unwrap();
        let raw = &vectors["steps"][2]["raw"];
        raw["0x0788816536defa6a14779711c0b08b7f0edfe68b_sessions"].as_str().unwrap().to_owned()
    }

    fn parse(text: &str) -> Result<BookText, serde_json::Error> {
        let mut parser = BookParser::new(text.to_owned());
        loop {
            if let Some(parsed) = parser.step(1)? {
                return Ok(parsed);
            }
        }
    }

    #[test]
    fn steps_read_what_the_whole_reads() {
        let text = seed_text();
        let spaced = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap();
        let whole: SessionBook = serde_json::from_str(&text).unwrap();
        assert_eq!(whole.leaf_nodes.len(), 3);
        for (text, walked) in [(text, true), (spaced, false)] {
            let parsed = parse(&text).unwrap();
            assert_eq!(parsed.book, whole);
            assert_eq!(parsed.leaves.len(), if walked { 3 } else { 0 });
        }
        assert_eq!(parse(r#"{"merkleRoot":"","leafNodes":[]}"#).unwrap().book, SessionBook::default());
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let text = seed_text();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&text[..end]).is_err(), "cut at {end}");
        }
        for damaged in ["", "null", "[]", "{\"merkleRoot\":\"\",\"leafNodes\":[1]}", "{\"leafNodes\":{}}"] {
            assert!(parse(damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn writing_keeps_the_bytes_of_what_did_not_change() {
        let text = seed_text();
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.with(parsed.book.clone()).unwrap().text, text);

        let mut changed = parsed.book.clone();
        changed.leaf_nodes[0].status = SessionStatus::Active;
        let mut added = changed.leaf_nodes[0].clone();
        added.session_id = "new".into();
        changed.leaf_nodes.push(added);
        let written = parsed.with(changed.clone()).unwrap();
        assert_eq!(written.text, serde_json::to_string(&changed).unwrap());
        assert_eq!(parse(&written.text).unwrap().book, changed);

        for taken_out in 0..changed.leaf_nodes.len() {
            let mut fewer = changed.clone();
            fewer.leaf_nodes.remove(taken_out);
            let shorter = written.with(fewer.clone()).unwrap();
            assert_eq!(shorter.text, serde_json::to_string(&fewer).unwrap());
            assert_eq!(shorter.with(changed.clone()).unwrap().text, written.text);
        }
    }
}
