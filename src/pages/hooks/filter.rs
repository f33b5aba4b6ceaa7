//! The filter of the list of hooks.

use leptos::{html, prelude::*, web_sys};

/// Id of the list.
pub(super) const LIST: &str = "hook-list";

/// Does `text`, in lower case, hold every word of `wanted`?
pub(super) fn matches(text: &str, wanted: &str) -> bool {
    wanted.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// A search field that hides what does not match while one types.
///
/// # Server-Side Rendering
/// A form that asks the server for the filtered list; it works without JavaScript.
#[island]
pub(super) fn HookFilter(
    /// What the server filtered by.
    wanted: String,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let news = RwSignal::new(String::new());
    let filter = move |_| {
        let Some(input) = input.get_untracked() else { return };
        let wanted = input.value();
        news.set(match show_matching(&wanted) {
            0 => ["No hook matches “", wanted.trim(), "”."].concat(),
            1 => "1 hook".to_owned(),
            shown => [&shown.to_string(), " hooks"].concat(),
        });
    };
    view! {
        <form class="hook-filter" role="search" action="/hooks" method="get">
            <label for="hook-filter">"Filter by task, hook or React name"</label>
            <div class="actions">
                <input
                    id="hook-filter"
                    type="search"
                    name="q"
                    value=wanted
                    autocomplete="off"
                    spellcheck="false"
                    node_ref=input
                    on:input=filter
                />
                <noscript>
                    <button class="button quiet">"Filter"</button>
                </noscript>
            </div>
            <p role="status">{news}</p>
        </form>
    }
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
