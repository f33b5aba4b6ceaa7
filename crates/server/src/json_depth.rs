//! How deep JSON may be nested: looked at before it is parsed, in one pass over the bytes.

/// Deepest nesting of arrays and objects. A batch of operations with state overrides needs seven.
const MAX_DEPTH: u32 = 32;

/// True when no part of `json` is nested deeper than is allowed. Says nothing about whether it is JSON.
pub fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nesting_outside_of_texts_counts() {
        let nested = |depth: usize| format!("{}1{}", "[{\"a\":".repeat(depth), "}]".repeat(depth));
        assert!(is_shallow(nested(16).as_bytes()));
        assert!(!is_shallow(nested(17).as_bytes()));
        assert!(is_shallow(format!("[\"{}\"]", "[".repeat(1000)).as_bytes()));
        assert!(is_shallow(format!("[\"\\\"{}\"]", "[".repeat(1000)).as_bytes()));
        assert!(!is_shallow(format!("[\"\\\\\",{}]", "[".repeat(1000)).as_bytes()));
        assert!(is_shallow("[1],".repeat(1000).as_bytes()));
    }
}
