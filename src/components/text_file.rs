//! A text as a file: to download, and chosen by the person.

use leptos::web_sys::HtmlInputElement;

/// An address under which the browser offers the text for download; valid until the current owner is gone. `None` on
/// the server.
pub fn download_address(text: &str) -> Option<String> {
    #[cfg(feature = "hydrate")]
    {
        let blob = web_sys::Blob::new_with_str_sequence(&js_sys::Array::of1(&text.into())).ok()?;
        let address = web_sys::Url::create_object_url_with_blob(&blob).ok()?;
        let made = address.clone();
        leptos::prelude::on_cleanup(move || drop(web_sys::Url::revoke_object_url(&made)));
        Some(address)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = text;
        None
    }
}

/// Reads the file that was chosen in an `<input type="file">` and hands its text on; nothing when there is none or it
/// cannot be read.
pub fn read_chosen(input: &HtmlInputElement, then: impl Fn(String) + 'static) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let first = js_sys::Reflect::get(input, &"files".into()).and_then(|files| js_sys::Reflect::get_u32(&files, 0));
        let Some(file) = first.ok().and_then(|file| file.dyn_into::<web_sys::Blob>().ok()) else { return };
        leptos::task::spawn_local(async move {
            if let Ok(text) = wasm_bindgen_futures::JsFuture::from(file.text()).await {
                then(text.as_string().unwrap_or_default());
            }
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (input, then);
}
