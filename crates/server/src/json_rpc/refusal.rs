//! What a JSON-RPC error means: nobody agrees on codes, so the words are read, too.

use std::time::Duration;

use use_aa_actions::error::{AppError, Upstream};

/// How long is waited when an upstream asks for fewer requests and does not say for how long.
pub(super) const DEFAULT_REST: Duration = Duration::from_secs(1);

/// Words that speak of the rate of requests.
const RATE: [&str; 8] = [
    "rate limit",
    "rate-limit",
    "request rate",
    "too many requests",
    "request limit",
    "requests per second",
    "compute units per second",
    "credits limited",
];
/// Words that speak of the rate together with "exceeded".
const BUDGET: [&str; 3] = ["compute units", "credits", "request count"];
/// A block or its state that this node does not have (yet, or any more).
const BLOCK: [&str; 14] = [
    "header not found",
    "header for hash not found",
    "unknown block",
    "missing trie node",
    "state not available",
    "state is not available",
    "historical state",
    "pruned",
    "archive",
    "ancient",
    "beyond current head",
    "after last accepted",
    "unfinalized",
    "not yet available",
];
/// The same, in a sentence about a block or its header.
const ABSENT: [&str; 9] = [
    "not found",
    "cannot be found",
    "could not be found",
    "does not exist",
    "beyond",
    "ahead of",
    "greater than latest",
    "greater than head",
    "in the future",
];
/// Words of a limit. A range that is called invalid without one ends above the node's head, or before it begins.
const LIMIT: [&str; 9] = ["max", "limit", "exceed", "up to", "more than", "wide", "large", "long", "greater"];
/// Codes of a node that cannot answer this call now: internal error, resource unavailable or not found, limit exceeded.
const TROUBLE: [i64; 4] = [-32603, -32002, -32001, -32005];
/// Method not found, or not supported (EIP-1474).
const NO_METHOD: [i64; 2] = [-32601, -32004];

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Fewer requests are wanted.
    Rate(Duration),
    /// This node does not answer this call; another one may.
    Elsewhere,
    /// An answer that is the same everywhere.
    Final,
}

/// What an error to a call of `method` means; a batch has no method.
pub(super) fn of(upstream: Upstream, method: &str, error: &AppError) -> Refusal {
    let AppError::UpstreamRejected { code, message, .. } = error else { return Refusal::Final };
    if is_of_execution(error) {
        return Refusal::Final;
    }
    let words = message.to_ascii_lowercase();
    let node = upstream == Upstream::Node;
    if node && method.is_empty() && words.contains("batch") {
        return Refusal::Elsewhere;
    }
    // No method or parameter that is named in a refusal is a limit.
    if !matches!(code, -32_602 | -32_601) && is_rate(*code, &words) {
        return Refusal::Rate(DEFAULT_REST);
    }
    match node && (method == "eth_getLogs" || is_about_block(error) || is_trouble(*code, &words)) {
        true => Refusal::Elsewhere,
        false => Refusal::Final,
    }
}

/// What an execution said is the same everywhere, whatever its words are: a contract chooses them. So is an operation that
/// was refused.
pub(in super::super) fn is_of_execution(error: &AppError) -> bool {
    let AppError::UpstreamRejected { code, message, data, .. } = error else { return false };
    matches!(code, 3 | -32_015)
        || (-32_599..=-32_500).contains(code)
        || message.to_ascii_lowercase().contains("revert")
        || data.as_deref().is_some_and(|data| data.trim_matches('"').starts_with("0x"))
}

/// Only words that speak of the rate say so: -32005 is also the code for too many logs, and a block that is not there yet
/// is no limit. Else whoever asks such a question would have the upstream left alone for everybody.
fn is_rate(code: i64, words: &str) -> bool {
    let says = |some: &[&str]| some.iter().any(|some| words.contains(some));
    code == 429 || says(&RATE) || (says(&BUDGET) && words.contains("exceeded"))
}

fn is_trouble(code: i64, words: &str) -> bool {
    TROUBLE.contains(&code)
        || NO_METHOD.contains(&code)
        || ["method not", "unsupported method", "unknown method", "temporarily unavailable"]
            .iter()
            .any(|some| words.contains(some))
}

/// The node does not have the block that was asked about.
pub(in super::super) fn is_about_block(error: &AppError) -> bool {
    let AppError::UpstreamRejected { message, .. } = error else { return false };
    let words = message.to_ascii_lowercase();
    let says = |some: &[&str]| some.iter().any(|some| words.contains(some));
    let of_block = (words.contains("block") || words.contains("header")) && !words.contains("method");
    if is_of_execution(error) {
        return false;
    }
    says(&BLOCK) || (of_block && says(&ABSENT)) || (words.contains("invalid block range") && !says(&LIMIT))
}

/// The words of a refusal, without the HTTP status before them.
pub(super) fn words_of(error: &AppError) -> &str {
    let words = match error {
        AppError::UpstreamRejected { message: words, .. }
        | AppError::UpstreamUnavailable { reason: words, .. }
        | AppError::UpstreamMalformed { reason: words, .. } => words,
        _ => return "",
    };
    match words.strip_prefix("HTTP ") {
        Some(status) => status.split_once(": ").map_or("", |(_, words)| words),
        None => words,
    }
}

/// What a refused range is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cap {
    /// The node takes no longer ones, and says how long they may be.
    Range,
    /// It names no number: it may be something else that it does not like.
    Unsaid,
    /// The answer to this question would have been too long.
    Answer,
}

/// How many blocks a node takes at once, as its refusal of `from..=to` says or suggests, and why. Without a number half of
/// them: `None` when nothing is left to halve.
pub(super) fn fewer_blocks(error: &AppError, from: u64, to: u64) -> Option<(u64, Cap)> {
    let asked = to.saturating_sub(from).saturating_add(1);
    if asked <= 1 {
        return None;
    }
    let words = words_of(error).to_ascii_lowercase();
    let plain = words.replace("getlogs", "");
    let says = |some: &[&str]| some.iter().any(|some| plain.contains(some));
    let ranged = says(&["block", "range", "span"]);
    let cap = match says(&["result", "response", " logs", "timeout", "timed out", "deadline", "bytes"]) {
        true => Cap::Answer,
        false if !ranged && plain.contains("too large") => Cap::Answer,
        false => Cap::Range,
    };
    let told = numbers(&plain).filter(|number| (1..asked).contains(number) && *number != from && *number != to).max();
    let told = told.filter(|_| ranged);
    let suggested = suggested(&plain).filter(|blocks| *blocks < asked);
    let blocks = if cap == Cap::Answer { suggested.or(told) } else { told.or(suggested) };
    Some(match blocks {
        Some(blocks) => (blocks, cap),
        None if cap == Cap::Range => (asked / 2, Cap::Unsaid),
        None => (asked / 2, cap),
    })
}

/// The length of a range that is suggested: `[0x1, 0xa]`.
fn suggested(words: &str) -> Option<u64> {
    let inside = words.split_once('[')?.1.split_once(']')?.0;
    let (from, to) = inside.split_once([',', '-'])?;
    let (from, to) = (number(from.trim())?, number(to.trim())?);
    to.checked_sub(from)?.checked_add(1)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// How many calls a batch may have, as a refusal of `asked` says; else half of them.
pub(super) fn fewer_calls(error: &AppError, asked: usize) -> usize {
    let words = words_of(error).to_ascii_lowercase();
    let told = numbers(&words).filter_map(|number| usize::try_from(number).ok());
    told.filter(|calls| (1..asked).contains(calls)).max().unwrap_or(asked / 2).max(1)
}

/// Numbers in a text: with separators of thousands, and `k` for a thousand. Not those in hex, nor those that count
/// something else than blocks or calls.
fn numbers(words: &str) -> impl Iterator<Item = u64> {
    let mut found = Vec::new();
    let mut rest = words;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_alphanumeric()) {
        rest = rest.get(start..).unwrap_or_default();
        let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ',' | '_' | '\'');
        let end = rest.find(|letter: char| !part(letter)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        rest = after;
        let digits: String =
            token.trim_end_matches([',', '\'', '_']).chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
        let (digits, factor) = match digits.strip_suffix('k') {
            Some(digits) => (digits, 1_000),
            None => (digits.as_str(), 1),
        };
        let unit = after.trim_start();
        let other = ["result", "log", "sec", "ms", "milli", "min", "mb", "kb", "event", "bytes", "%", "s "];
        if other.iter().any(|other| unit.starts_with(other)) {
            continue;
        }
        found.extend(digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)));
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn error(code: i64, message: &str) -> AppError {
        AppError::UpstreamRejected { upstream: Upstream::Node, code, message: message.into(), data: None }
    }

    #[test]
    fn a_cap_is_read_in_many_words() {
        let cap = |message: &str| fewer_blocks(&error(-32000, message), 1_000_000, 1_010_000).unwrap();
        for (words, expected) in [
            ("eth_getLogs is limited to a 10,000 range", 10_000),
            ("eth_getLogs and eth_newFilter are limited to a 10,000 blocks range", 10_000),
            ("exceed maximum block range: 5000", 5_000),
            ("block range is too wide, maximum 2000", 2_000),
            ("requested too many blocks from 1000000 to 1010000, maximum is set to 2048", 2_048),
            ("You can make eth_getLogs requests with up to a 500 block range.", 500),
            ("block range greater than 10 max", 10),
            ("ranges over 2K blocks are not supported on freetier", 2_000),
            ("query block range exceeds server limit of 5", 5),
            (
                "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your \
                 parameters, this block range should work: [0xf4240, 0xf4249]. Upgrade for expanded block range.",
                10,
            ),
        ] {
            assert_eq!(cap(words), (expected, Cap::Range), "{words}");
        }
        // Without a number it is a guess.
        assert_eq!(cap("block range is too large"), (5_000, Cap::Unsaid));
        assert_eq!(cap("block range limit exceeded"), (5_000, Cap::Unsaid));
        assert_eq!(cap("no"), (5_000, Cap::Unsaid));
        // What is said of the answer's length is true of this question only.
        assert_eq!(cap("query returned more than 10000 results"), (5_000, Cap::Answer));
        assert_eq!(
            cap("query returned more than 10000 results. Try with this block range [0xF4240, 0xF42A3]."),
            (100, Cap::Answer)
        );
        assert_eq!(cap("query timeout of 10 seconds exceeded"), (5_000, Cap::Answer));
        let http = AppError::UpstreamUnavailable {
            upstream: Upstream::Node,
            reason: "HTTP 400 Bad Request: maximum block range is 50".into(),
        };
        assert_eq!(fewer_blocks(&http, 0, 10_000), Some((50, Cap::Range)));
        assert_eq!(fewer_blocks(&error(-32005, "block range too wide"), 7, 7), None);
    }

    #[test]
    fn the_size_of_a_batch_is_read() {
        let size = |message: &str| fewer_calls(&error(-32600, message), 7);
        assert_eq!(size("Batch of more than 3 requests are not allowed on free tier"), 3);
        assert_eq!(size("batch too large"), 3);
        assert_eq!(size("batch requests are limited to 100"), 3);
        assert_eq!(size("maximum batch size is 5"), 5);
        assert_eq!(fewer_calls(&error(0, "batch"), 2), 1);
    }

    #[test]
    fn what_another_node_may_know_is_told_from_what_is_so() {
        let of = |method: &str, code: i64, message: &str| of(Upstream::Node, method, &error(code, message));
        for (code, message) in [
            (-32000, "header not found"),
            (-32000, "missing trie node 1234"),
            (-32005, "limit exceeded"),
            (-32603, "internal error"),
            (-32601, "the method eth_maxPriorityFeePerGas does not exist"),
            (-32000, "block range extends beyond current head block"),
            (-32000, "invalid block range"),
            (-32000, "invalid block range params"),
            (-32000, "block with number 1010000 cannot be found"),
            (-32001, "the block 0xf6950 could not be found"),
            (-32000, "block 1010000 not found"),
            (-32000, "toBlock is ahead of the latest block"),
        ] {
            assert!(is_about_block(&error(code, message)) || code < -32000 || message.contains("trie"), "{message}");
            assert_eq!(of("eth_call", code, message), Refusal::Elsewhere, "{message}");
        }
        for (code, message) in [
            (3, "execution reverted: header not found"),
            (-32603, "VM Exception while processing transaction: reverted"),
            (-32000, "no"),
            (-32000, "invalid block range: maximum is 2000"),
            (-32602, "invalid argument 0"),
        ] {
            assert_eq!(of("eth_call", code, message), Refusal::Final, "{message}");
        }
        assert_eq!(of("eth_getLogs", -32602, "invalid params"), Refusal::Elsewhere);
        assert_eq!(of("", -32005, "batch request limit exceeded"), Refusal::Elsewhere);
        assert_eq!(of("eth_getLogs", -32005, "request limit exceeded"), Refusal::Rate(DEFAULT_REST));
        let with_data = AppError::UpstreamRejected {
            upstream: Upstream::Node,
            code: -32603,
            message: "internal".into(),
            data: Some("\"0x8b7ac980\"".into()),
        };
        assert_eq!(super::of(Upstream::Node, "eth_call", &with_data), Refusal::Final, "a revert's data");
        assert_eq!(super::of(Upstream::Bundler, "eth_call", &error(-32000, "header not found")), Refusal::Final);
    }

    proptest! {
        #[test]
        fn any_words_leave_fewer(words in ".{0,80}", from in 0u64..1_000_000, more in 1u64..20_000, calls in 2usize..60) {
            let error = error(-32000, &words);
            let (blocks, _) = fewer_blocks(&error, from, from + more).unwrap();
            prop_assert!((1..=more).contains(&blocks));
            prop_assert!((1..calls).contains(&fewer_calls(&error, calls)));
        }
    }
}
