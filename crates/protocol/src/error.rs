//! [`ProtocolError`]: what can be wrong with protocol data.

/// Why something cannot be encoded, decoded, granted or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A value from outside is malformed or out of range.
    #[error("{field}: expected {expected}, got {got}")]
    Invalid {
        /// Name of the field, as the wire names it.
        field: String,
        /// What would have been accepted.
        expected: String,
        /// What was given, shortened to 80 characters.
        got: String,
    },
    /// A policy that is well-formed but must not be granted.
    #[error("this policy cannot be granted: {field}: {reason}")]
    PolicyRefused {
        /// Field of the policy that is at fault.
        field: String,
        /// Why.
        reason: String,
    },
    /// No stored session matches.
    #[error("session not found: {wanted}")]
    SessionNotFound {
        /// What was looked for.
        wanted: String,
    },
}

impl ProtocolError {
    /// A malformed value: field, what was expected, what came (shortened).
    pub fn invalid(field: impl Into<String>, expected: impl Into<String>, got: impl std::fmt::Display) -> Self {
        let got = got.to_string();
        let got = match got.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", got.get(..end).unwrap_or_default()),
            None => got,
        };
        Self::Invalid { field: field.into(), expected: expected.into(), got }
    }

    /// A policy that must not be granted.
    pub fn refused(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::PolicyRefused { field: field.into(), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shortened_at_a_character_boundary() {
        let error = ProtocolError::invalid("f", "short", "ü".repeat(500));
        assert!(error.to_string().len() < 250, "{error}");
        assert!(error.to_string().ends_with('…'));
    }
}
