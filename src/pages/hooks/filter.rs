//! The filter of the list of hooks.

use leptos::{ev, prelude::*, wasm_bindgen::JsCast, web_sys};

use crate::{components::live_text::live, hooks::effect};

/// Id of the list.
pub(super) const LIST: &str = "hook-list";

/// Id of the search field.
const FIELD: &str = "hook-filter";

/// Does `text`, in lower case, hold every word of `wanted`?
pub(super) fn matches(text: &str, wanted: &str) -> bool {
    wanted.to_ascii_lowercase().split_ascii_whitespace().all(|word| text.contains(word))
}

/// A search field. Without JavaScript the form asks the server for the filtered list.
#[component]
pub(super) fn HookFilter(
    /// What the server filtered by.
    wanted: String,
) -> impl IntoView {
    view! {
        <form class="hook-filter" role="search" action="/hooks" method="get">
            <label for=FIELD>"Filter by task, hook or React name"</label>
            <div class="actions">
                <input id=FIELD type="search" name="q" value=wanted autocomplete="off" spellcheck="false" />
                <noscript>
                    <button class="button quiet">"Filter"</button>
                </noscript>
            </div>
            <FilterAtOnce />
        </form>
    }
    .into_any()
}

/// Hides what does not match while one types, and says how much is left. An island without properties: they would
/// bring a JSON parser into the first load.
///
/// # Server-Side Rendering
/// An empty line.
#[island]
fn FilterAtOnce() -> impl IntoView {
    let news = RwSignal::new(String::new());
    effect(move || {
        let listener = window_event_listener(ev::input, move |event| {
            let field = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
            let Some(field) = field.filter(|field| field.id() == FIELD) else { return };
            let wanted = field.value();
            news.set(match show_matching(&wanted) {
                0 => ["No hook matches “", wanted.trim(), "”."].concat(),
                1 => "1 hook".to_owned(),
                shown => [&shown.to_string(), " hooks"].concat(),
            });
        });
        on_cleanup(move || listener.remove());
    });
    view! { <p role="status">{move || live(news.get())}</p> }
}

/// Shows what matches, hides the rest and tasks of which nothing is left; how many are shown.
fn show_matching(wanted: &str) -> usize {
    let mut shown = 0;
    let list = document().get_element_by_id(LIST);
    for section in children(list) {
        let before = shown;
        for row in children(section.last_element_child()) {
            let matching = matches(&row.get_attribute("data-search").unwrap_or_default(), wanted);
            shown += usize::from(matching);
            hide(&row, !matching);
        }
        hide(&section, shown == before);
    }
    shown
}

fn children(of: Option<web_sys::Element>) -> impl Iterator<Item = web_sys::Element> {
    std::iter::successors(of.and_then(|of| of.first_element_child()), |child| child.next_element_sibling())
}

/// Attributes of elements that are in a page can be set; there is nothing to do if not.
fn hide(element: &web_sys::Element, hidden: bool) {
    drop(if hidden { element.set_attribute("hidden", "") } else { element.remove_attribute("hidden") });
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn every_word_must_be_there_in_any_order() {
        assert!(matches("use_create_session usecreatesession allow one call", "Session create"));
        assert!(matches("anything", "  "));
        assert!(!matches("use_create_session", "session batch"));
    }
}
