//! Scripts that the page's content policy stopped: some wallets still add theirs to the page, where only the page's own
//! scripts may run. The browser reports it, and the person can be told why the wallet is not found.

use std::cell::RefCell;

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::protocol::foreign_text;

/// Where the page's first script keeps the reports of before this code was loaded (`src/app/document.rs`).
const EARLIER: &str = "__stoppedScripts";
/// How extensions' addresses begin.
const EXTENSIONS: [&str; 3] = ["chrome-extension", "moz-extension", "safari-web-extension"];

thread_local! {
    static STOPPED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The script that was stopped, as the browser names it; of an extension's rather than of others.
pub fn stopped() -> Option<String> {
    STOPPED.with_borrow(Clone::clone)
}

/// Listens for the life of the page, and looks at what was reported before.
pub fn watch(on_change: impl Fn() + Clone + 'static) {
    let Some(window) = web_sys::window() else { return };
    let earlier = Reflect::get(&window, &EARLIER.into()).unwrap_or(JsValue::UNDEFINED);
    if let Some(reports) = earlier.dyn_ref::<Array>() {
        reports.iter().for_each(|report| note(&report));
    }
    let hear = on_change.clone();
    let listener = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
        note(&event);
        hear();
    });
    window.add_event_listener_with_callback("securitypolicyviolation", listener.as_ref().unchecked_ref()).ok();
    listener.forget();
    observe(on_change).ok();
}

/// Browsers with reporting observers keep reports of before anybody listened.
fn observe(on_change: impl Fn() + 'static) -> Result<(), JsValue> {
    let constructor: Function = Reflect::get(&js_sys::global(), &"ReportingObserver".into())?.dyn_into()?;
    let listener = Closure::<dyn Fn(JsValue)>::new(move |reports: JsValue| {
        for report in reports.dyn_ref::<Array>().into_iter().flat_map(Array::iter) {
            note(&Reflect::get(&report, &"body".into()).unwrap_or(JsValue::UNDEFINED));
        }
        on_change();
    });
    let options = Object::new();
    Reflect::set(&options, &"types".into(), &Array::of1(&"csp-violation".into()))?;
    Reflect::set(&options, &"buffered".into(), &true.into())?;
    let observer = Reflect::construct(&constructor, &Array::of2(listener.as_ref(), &options))?;
    listener.forget();
    Reflect::get(&observer, &"observe".into())?.dyn_into::<Function>()?.call0(&observer)?;
    Ok(())
}

/// An event, or the body of a report: the same fields but for one.
fn note(report: &JsValue) {
    let text =
        |name: &str| Reflect::get(report, &name.into()).ok().and_then(|value| value.as_string()).unwrap_or_default();
    let blocked = [text("blockedURI"), text("blockedURL")].concat();
    let found = script(&text("effectiveDirective"), &blocked, &text("sourceFile"), &text("disposition"));
    if let Some(found) = found {
        STOPPED.with_borrow_mut(|stopped| {
            if stopped.as_ref().is_none_or(|known| !is_extension(known)) {
                *stopped = Some(found);
            }
        });
    }
}

fn is_extension(address: &str) -> bool {
    EXTENSIONS.iter().any(|scheme| address.starts_with(scheme))
}

/// What was stopped, if a wallet may have added it: a script that is inline, or an extension's. Inline ones are added by
/// proxies and CDNs as well; those of other servers are never a wallet's.
fn script(directive: &str, blocked: &str, source: &str, disposition: &str) -> Option<String> {
    let counts = directive.starts_with("script-src") && disposition != "report";
    let named = [blocked, source].into_iter().find(|address| is_extension(address));
    let inline = (blocked == "inline").then_some("inline");
    foreign_text::name(named.or(inline).filter(|_| counts)?)
}
