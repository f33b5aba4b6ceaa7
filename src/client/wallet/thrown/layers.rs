//! The layers of what a wallet threw: the error, and what is wrapped inside.

use std::{borrow::Cow, collections::VecDeque};

use serde_json::Value;

/// A wallet is outside code: so many layers are looked at, so deep.
const MOST_LAYERS: usize = 32;
const DEEPEST: usize = 6;
/// Texts longer than this are not searched for JSON.
const LONGEST_JSON: usize = 20_000;

/// Where errors are wrapped in others.
const WRAPPERS: [&str; 6] = ["data", "cause", "error", "originalError", "info", "reason"];
/// Where an error has its words.
const WORDS: [&str; 6] = ["message", "reason", "shortMessage", "details", "name", "code"];

/// One layer.
#[derive(Debug, Default)]
pub(super) struct Layer<'a> {
    /// Its code, a number or a number in a text.
    pub code: Option<i64>,
    /// Its words: message, reason, name, a code that is a word.
    pub texts: Vec<Cow<'a, str>>,
    /// The text for people.
    pub message: Option<&'a str>,
}

/// All layers, the outermost first. Layers out of JSON in a text have codes and words, too, but no message of their own: the
/// text around them is shown.
pub(super) fn layers(thrown: &Value) -> Vec<Layer<'_>> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(thrown, 0)]);
    while let Some((value, depth)) = waiting.pop_front() {
        if found.len() >= MOST_LAYERS || depth > DEEPEST {
            break;
        }
        found.push(layer(value));
        found.extend(texts_of(value).filter_map(in_text));
        if let Value::Object(fields) = value {
            let inside = WRAPPERS.iter().filter_map(|name| fields.get(*name));
            // Lists of errors: of a batch, or of several attempts.
            let inside = inside.flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
            waiting
                .extend(inside.filter(|value| value.is_object() || value.is_string()).map(|value| (value, depth + 1)));
        }
    }
    found
}

fn layer(value: &Value) -> Layer<'_> {
    match value {
        Value::String(text) => Layer { code: None, texts: vec![Cow::Borrowed(text)], message: Some(text.as_str()) },
        Value::Number(number) => Layer { code: number.as_i64(), ..Layer::default() },
        Value::Object(fields) => {
            let code = fields.get("code").and_then(number);
            let texts = WORDS.iter().filter_map(|name| fields.get(*name)?.as_str()).map(Cow::Borrowed).collect();
            let message = ["message", "shortMessage", "reason"];
            Layer { code, texts, message: message.iter().find_map(|name| fields.get(*name)?.as_str()) }
        }
        _ => Layer::default(),
    }
}

fn texts_of(value: &Value) -> impl Iterator<Item = &str> {
    let own = value.as_str();
    let named = value
        .as_object()
        .into_iter()
        .flat_map(|fields| ["message", "details"].into_iter().filter_map(|name| fields.get(name)?.as_str()));
    own.into_iter().chain(named)
}

/// The error that stands as JSON in a text: `{"code":4001,…}`, with words around it or without.
fn in_text<'a>(text: &str) -> Option<Layer<'a>> {
    let json = text.get(text.find('{')?..=text.rfind('}')?).filter(|json| json.len() <= LONGEST_JSON)?;
    let parsed: Value = serde_json::from_str(json).ok()?;
    // Wrapped once more at most: `{"error":{"code":4001}}`.
    let error = parsed.get("error").filter(|inner| inner.is_object()).unwrap_or(&parsed);
    let Layer { code, texts, .. } = layer(error);
    Some(Layer { code, texts: texts.into_iter().map(|text| Cow::Owned(text.into_owned())).collect(), message: None })
}

/// A whole number, or one in a text.
fn number(value: &Value) -> Option<i64> {
    match value {
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
