//! Lines of a text stream that arrives in arbitrary pieces (NDJSON).

use crate::error::AppError;

/// A status line is some hundred bytes, with a revert reason some thousand.
const LONGEST: usize = 256 * 1024;

/// Puts pieces together to lines.
#[derive(Default)]
pub struct Lines {
    rest: String,
}

impl Lines {
    /// Takes a piece; gives the lines that it completes, without empty ones (keep-alives).
    pub fn push(&mut self, piece: &str) -> Result<Vec<String>, AppError> {
        self.rest.push_str(piece);
        let mut complete: Vec<String> = self.rest.split('\n').map(|line| line.trim().to_owned()).collect();
        // `split` gives at least one element: what follows the last newline.
        let consumed = self.rest.rfind('\n').map_or(0, |end| end + 1);
        complete.pop();
        self.rest.drain(..consumed);
        if self.rest.len() > LONGEST {
            self.rest.clear();
            return Err(AppError::TooLarge { what: "a line of the status stream".into(), limit: "256 KiB".into() });
        }
        complete.retain(|line| !line.is_empty());
        Ok(complete)
    }

    /// What came after the last newline when the stream ended.
    pub fn finish(self) -> Option<String> {
        Some(self.rest.trim().to_owned()).filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let text = "{\"a\":1}\n\n{\"b\":\"é\"}\r\n{\"c\":3}";
        let cuts: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for first in &cuts {
            for second in cuts.iter().filter(|second| *second >= first) {
                let mut lines = Lines::default();
                let mut seen = Vec::new();
                for piece in [&text[..*first], &text[*first..*second], &text[*second..]] {
                    seen.extend(lines.push(piece).unwrap());
                }
                seen.extend(lines.finish());
                assert_eq!(seen, ["{\"a\":1}", "{\"b\":\"é\"}", "{\"c\":3}"]);
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        assert!(matches!(lines.push(&"x".repeat(LONGEST + 1)), Err(AppError::TooLarge { .. })));
        assert_eq!(lines.push("ok\n").unwrap(), ["ok"]);
    }
}
