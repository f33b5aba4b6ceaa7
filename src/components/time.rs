//! Times as people read and type them: the browser's own language, calendar and time zone.

use leptos::prelude::*;

pub use crate::hooks::now_seconds;

/// A clock that ticks once per second in the browser, unix seconds. On the server it stands still.
pub fn use_now() -> Signal<u64> {
    let now = RwSignal::new(now_seconds());
    #[cfg(feature = "hydrate")]
    {
        let tick = move || {
            now.try_set(now_seconds());
        };
        if let Ok(handle) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
            on_cleanup(move || handle.clear());
        }
    }
    now.into()
}

/// A time in the reader's language and zone, such as `21 Nov 2026, 22:10`.
pub fn local_time(unix_seconds: u64) -> String {
    #[cfg(feature = "hydrate")]
    {
        thread_local! {
            // Making one takes longer than formatting a list of sessions with it.
            static FORMAT: js_sys::Function = formatter();
        }
        let text = FORMAT.with(|format| format.call1(&wasm_bindgen::JsValue::UNDEFINED, &date(unix_seconds)));
        text.ok().and_then(|text| text.as_string()).unwrap_or_default()
    }
    #[cfg(not(feature = "hydrate"))]
    [&unix_seconds.to_string(), " (unix seconds)"].concat()
}

#[cfg(feature = "hydrate")]
fn formatter() -> js_sys::Function {
    let options = js_sys::Object::new();
    for (name, style) in [("dateStyle", "medium"), ("timeStyle", "short")] {
        // Setting a field of a plain object cannot fail.
        drop(js_sys::Reflect::set(&options, &name.into(), &style.into()));
    }
    js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &options).format()
}

/// The value of an `<input type="datetime-local">`, in the reader's zone, to the minute.
pub fn to_input(unix_seconds: u64) -> String {
    #[cfg(feature = "hydrate")]
    {
        let offset = date(unix_seconds).get_timezone_offset() * 60.0;
        let shifted = js_sys::Date::new(&((unix_seconds as f64 - offset) * 1000.0).into());
        let text = String::from(shifted.to_iso_string());
        text.get(..16).unwrap_or_default().to_owned()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = unix_seconds;
        String::new()
    }
}

/// Reads what such an input gives; `None` when it is no time of the years 1970 to 9999.
pub fn from_input(text: &str) -> Option<u64> {
    #[cfg(feature = "hydrate")]
    {
        let seconds = js_sys::Date::parse(text) / 1000.0;
        (0.0..=253_402_300_799.0).contains(&seconds).then_some(seconds as u64)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = text;
        None
    }
}

#[cfg(feature = "hydrate")]
fn date(unix_seconds: u64) -> js_sys::Date {
    js_sys::Date::new(&(unix_seconds as f64 * 1000.0).into())
}

/// A span of time in its two largest units: `59 min 58 s`, `6 d 23 h`.
pub fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::with_capacity(2);
    for (size, name) in units.iter().skip(first).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || parts.is_empty() {
            parts.push([&count.to_string(), " ", *name].concat());
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_read_in_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (3_598, "59 min 58 s"),
            (3_600, "1 h"),
            (7_325, "2 h 2 min"),
            (7 * 86_400 - 1, "6 d 23 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
