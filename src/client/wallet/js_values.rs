//! JavaScript values of wallets as JSON.

use js_sys::Reflect;
use serde_json::{Map, Value};
use wasm_bindgen::{JsCast, JsValue};

/// The fields of errors that say something; of an `Error` they are not enumerable.
const ERROR_FIELDS: [&str; 11] =
    ["code", "message", "name", "shortMessage", "details", "reason", "data", "cause", "error", "originalError", "info"];
/// Errors wrap errors, also in circles.
const DEEPEST: usize = 5;
/// Objects that are looked into.
const MOST_OBJECTS: usize = 48;

/// An answer as JSON; `null` where it cannot be.
pub(super) fn answer(value: &JsValue) -> Value {
    js_sys::JSON::stringify(value)
        .ok()
        .and_then(|text| text.as_string())
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or(Value::Null)
}

/// What was thrown, or told with an event, as JSON: of an object all that says something, `Error`s of other windows and
/// proxies among them.
pub(super) fn thrown(value: &JsValue) -> Value {
    thrown_at(value, 0, &mut { MOST_OBJECTS })
}

fn thrown_at(value: &JsValue, depth: usize, left: &mut usize) -> Value {
    if !value.is_object() || depth > DEEPEST || *left == 0 {
        return if value.is_object() { Value::Null } else { answer(value) };
    }
    *left -= 1;
    if let Some(list) = value.dyn_ref::<js_sys::Array>() {
        return list.iter().take(8).map(|inner| thrown_at(&inner, depth + 1, left)).collect();
    }
    let mut fields = Map::new();
    for name in ERROR_FIELDS {
        // A getter may throw.
        let field = Reflect::get(value, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if !field.is_undefined() && !field.is_null() && !field.is_function() {
            fields.insert(name.to_owned(), thrown_at(&field, depth + 1, left));
        }
    }
    Value::Object(fields)
}
