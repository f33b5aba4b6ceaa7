//! How deep JSON may be nested and how many values it may hold: looked at before it is parsed, in one pass over the
//! bytes. `{"":1}` are seven bytes of a text and six hundred of memory once they are read.

/// Deepest nesting of arrays and objects. A batch of operations with state overrides needs seven.
const MAX_DEPTH: u32 = 32;
/// Most values in a request. A batch of fifty operations with their contexts has a thousand.
pub const REQUEST: usize = 4 * 1024;
/// Most values in a set of sessions: 10,000 leaves.
pub const SESSION_SET: usize = 12 * 1024;
/// Most values in the answer of an upstream, which is read up to 4 MiB: logs take more than fifty bytes for each.
pub const ANSWER: usize = 96 * 1024;

/// True when `json` is nested no deeper than is allowed and holds at most `most` values. Says nothing about whether it is
/// JSON. A list or an object counts beside what it holds, a name with its value.
pub fn is_modest(json: &[u8], most: usize) -> bool {
    let (mut depth, mut values, mut in_text, mut escaped) = (0_u32, 1_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                (depth, values) = (depth + 1, values + 1);
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
    }
    values <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nesting_outside_of_texts_counts() {
        let nested = |depth: usize| format!("{}1{}", "[{\"a\":".repeat(depth), "}]".repeat(depth));
        assert!(is_modest(nested(16).as_bytes(), REQUEST));
        assert!(!is_modest(nested(17).as_bytes(), REQUEST));
        assert!(is_modest(format!("[\"{}\"]", "[".repeat(1000)).as_bytes(), REQUEST));
        assert!(is_modest(format!("[\"\\\"{}\"]", "[".repeat(1000)).as_bytes(), REQUEST));
        assert!(!is_modest(format!("[\"\\\\\",{}]", "[".repeat(1000)).as_bytes(), REQUEST));
        assert!(is_modest("[1],".repeat(1000).as_bytes(), REQUEST));
    }

    #[test]
    fn many_small_values_are_refused_and_long_texts_are_not() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        for item in ["1", "[]", "[1]", "{\"\":1}", "\"0x\""] {
            assert!(!is_modest(list(item, REQUEST).as_bytes(), REQUEST), "{item}");
        }
        let leaf = format!("\"0x{}\"", "ab".repeat(100));
        assert!(is_modest(
            format!("{{\"account\":\"0x\",\"leaves\":{{\"leaves\":{}}}}}", list(&leaf, 10_000)).as_bytes(),
            SESSION_SET
        ));
        assert!(is_modest(format!("[\"{}\"]", ",".repeat(500_000)).as_bytes(), REQUEST));
        // Logs as nodes write them, as many as one answer may hold.
        let log = format!(
            "{{\"address\":\"0x{a}\",\"topics\":[\"0x{w}\",\"0x{w}\",\"0x{w}\",\"0x{w}\"],\"data\":\"0x{w}{w}{w}{w}\",\
             \"blockHash\":\"0x{w}\",\"blockNumber\":\"0x1\",\"blockTimestamp\":\"0x1\",\"transactionHash\":\"0x{w}\",\
             \"transactionIndex\":\"0x0\",\"logIndex\":\"0x0\",\"removed\":false}}",
            a = "1".repeat(40),
            w = "2".repeat(64),
        );
        let count = 4 * 1024 * 1024 / (log.len() + 1);
        assert!(is_modest(list(&log, count).as_bytes(), ANSWER), "{count} logs");
    }
}
