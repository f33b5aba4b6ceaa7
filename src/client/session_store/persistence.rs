//! Asks the browser to keep what is stored here: session keys that it deletes are gone.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::client::browser_storage;

/// Name in `localStorage`: it was asked for.
const ASKED: &str = "use_aa_persistence_asked";

/// Asks `navigator.storage.persist()`, the first time only: some browsers ask the person. The answer changes nothing
/// here, and browsers without it go on as ever.
pub fn ask_once() {
    if browser_storage::has(ASKED) {
        return;
    }
    let asked = ask();
    if asked.is_some() {
        // What cannot be noted is asked again next time.
        browser_storage::set(ASKED, &true).ok();
    }
}

fn ask() -> Option<()> {
    let navigator: JsValue = web_sys::window()?.navigator().into();
    let storage = Reflect::get(&navigator, &"storage".into()).ok()?;
    let persist = Reflect::get(&storage, &"persist".into()).ok()?.dyn_into::<Function>().ok()?;
    let answer = persist.call0(&storage).ok()?.dyn_into::<Promise>().ok()?;
    // A refusal is an answer, too, not an error of the page.
    let heard = wasm_bindgen_futures::JsFuture::from(answer);
    wasm_bindgen_futures::spawn_local(async move { drop(heard.await) });
    Some(())
}
