//! How deep JSON may be nested and how many values it may hold: looked at before it is parsed, in one pass over the
//! bytes. `{"":1}` are seven bytes of a text and six hundred of memory once they are read.

/// Deepest nesting of arrays and objects. A batch of operations with state overrides needs seven.
const MAX_DEPTH: u32 = 32;
/// Most values in a request. A set of 10,000 leaves is the largest that has a meaning.
const MAX_VALUES: usize = 16 * 1024;
/// Most values in the answer of an upstream, which is read up to 4 MiB: logs take more than fifty bytes for each.
const MAX_VALUES_OF_ANSWER: usize = 96 * 1024;

/// True when a request is nested no deeper, and holds no more values, than is allowed. Says nothing about whether it is
/// JSON.
pub fn is_modest(json: &[u8]) -> bool {
    is_within(json, MAX_VALUES)
}

/// The same for the answer of an upstream.
pub fn is_modest_answer(json: &[u8]) -> bool {
    is_within(json, MAX_VALUES_OF_ANSWER)
}

/// Values are counted as the parser meets them: one that nothing follows, and one before each comma. A list or an
/// object counts beside what it holds; names count with their values.
fn is_within(json: &[u8], most: usize) -> bool {
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
        assert!(is_modest(nested(16).as_bytes()));
        assert!(!is_modest(nested(17).as_bytes()));
        assert!(is_modest(format!("[\"{}\"]", "[".repeat(1000)).as_bytes()));
        assert!(is_modest(format!("[\"\\\"{}\"]", "[".repeat(1000)).as_bytes()));
        assert!(!is_modest(format!("[\"\\\\\",{}]", "[".repeat(1000)).as_bytes()));
        assert!(is_modest("[1],".repeat(1000).as_bytes()));
    }

    #[test]
    fn many_small_values_are_refused_and_long_texts_are_not() {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        for item in ["1", "[]", "[1]", "{\"\":1}", "\"0x\""] {
            assert!(!is_modest(list(item, MAX_VALUES).as_bytes()), "{item}");
        }
        let leaf = format!("\"0x{}\"", "ab".repeat(100));
        assert!(is_modest(
            format!("{{\"account\":\"0x\",\"leaves\":{{\"leaves\":{}}}}}", list(&leaf, 10_000)).as_bytes()
        ));
        assert!(is_modest(format!("[\"{}\"]", ",".repeat(500_000)).as_bytes()));
        // Logs as nodes write them, as many as one answer may hold.
        let log = format!(
            "{{\"address\":\"0x{a}\",\"topics\":[\"0x{w}\",\"0x{w}\",\"0x{w}\",\"0x{w}\"],\"data\":\"0x{w}{w}{w}{w}\",\
             \"blockHash\":\"0x{w}\",\"blockNumber\":\"0x1\",\"blockTimestamp\":\"0x1\",\"transactionHash\":\"0x{w}\",\
             \"transactionIndex\":\"0x0\",\"logIndex\":\"0x0\",\"removed\":false}}",
            a = "1".repeat(40),
            w = "2".repeat(64),
        );
        let count = 4 * 1024 * 1024 / (log.len() + 1);
        assert!(is_modest_answer(list(&log, count).as_bytes()), "{count} logs");
    }
}
