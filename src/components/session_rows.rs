//! The rows of the list: those near the screen, and the one that has the focus, are in the document.

use std::{collections::HashMap, sync::Arc};

use leptos::{
    ev, html,
    prelude::*,
    task::{spawn_local, tick},
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement},
};

use super::{
    row_steps,
    row_window::{RowWindow, Shown},
    session_changes::SessionChanges,
    session_row::SessionRow,
};
use crate::{
    hooks::{UseSessionsReturn, effect},
    protocol::session::SessionLeaf,
};

/// The rows near the screen; the room of the others is kept.
#[component]
pub fn SessionRows(
    /// Places of the listed sessions.
    rows: Memo<Arc<Vec<usize>>>,
    /// The list.
    sessions: UseSessionsReturn,
    /// Its changes.
    changes: SessionChanges,
    /// With boxes to select them.
    selectable: bool,
    /// They are being read.
    loading: Memo<bool>,
) -> impl IntoView {
    let element = NodeRef::<html::Ul>::new();
    let window = StoredValue::new(RowWindow::default());
    let shown = RwSignal::new(Shown::default());
    // The session whose row holds the focus, and that row: it stays, wherever the screen is.
    let focused = StoredValue::new(None::<(String, usize)>);
    let look_once = move || {
        let Some(list) = element.try_get_untracked().flatten() else { return false };
        let page = leptos::prelude::window();
        let scrolled = page.scroll_y().unwrap_or_default();
        let height = page.inner_height().ok().and_then(|height| height.as_f64()).unwrap_or(900.0);
        let kept = focused.try_with_value(|focused| focused.as_ref().map(|(_, row)| *row)).flatten();
        let top = scrolled - top_of(&list);
        let now = shown.try_with_untracked(|shown| {
            let now = window.try_with_value(|window| window.shown_after(shown, top, height, kept))?;
            (now != *shown).then_some(now)
        });
        if let Some(now) = now.flatten() {
            shown.try_set(now);
            return true;
        }
        false
    };
    // After a leap once more, in a task of its own: then with the rows beyond the screen's edges.
    let look = move || {
        if look_once() {
            let again = move || {
                look_once();
            };
            set_timeout(again, std::time::Duration::ZERO);
        }
    };
    // Heights are read when the rows are laid out, before the next frame is painted.
    let measure = move || {
        let Some(list) = element.try_get_untracked().flatten() else { return };
        let elements = std::iter::successors(list.first_element_child(), |row| row.next_element_sibling());
        let heights = elements.map(|row| f64::from(row.client_height())).collect::<Vec<_>>();
        let indices = shown.try_with_untracked(|shown| shown.rows().collect::<Vec<_>>()).unwrap_or_default();
        if indices.len() != heights.len() {
            return;
        }
        let heights = indices.into_iter().zip(heights).collect::<Vec<_>>();
        if window.try_update_value(|window| window.measured(&heights)) == Some(true) {
            look();
        }
    };
    effect(move || {
        let count = rows.with(|rows| rows.len());
        window.update_value(|window| window.reset(count));
        focused.update_value(|focused| {
            *focused = focused.take().and_then(|(id, _)| Some((id.clone(), row_of(&id, rows, sessions)?)));
        });
        // Also once the list is in the page.
        if element.get().is_some() {
            look();
            request_animation_frame(measure);
        }
    });
    effect(move || {
        shown.track();
        request_animation_frame(measure);
    });
    effect(move || {
        let scrolled = window_event_listener(ev::scroll, move |_| look());
        let resized = window_event_listener(ev::resize, move |_| {
            window.update_value(|window| window.reset(window.len()));
            look();
            request_animation_frame(measure);
        });
        on_cleanup(move || {
            scrolled.remove();
            resized.remove();
        });
    });
    let focus_came = move |event: ev::FocusEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let row = target.and_then(|target| target.closest("[data-session-id]").ok().flatten());
        let id = row.and_then(|row| row.get_attribute("data-session-id"));
        focused.set_value(id.and_then(|id| Some((id.clone(), row_of(&id, rows, sessions)?))));
        look();
    };
    let focus_went = move |event: ev::FocusEvent| {
        // When the whole window loses the focus, the row has it again later.
        let comes_back = document().active_element().is_some_and(|active| event.target() == Some(active.into()));
        if !comes_back {
            focused.set_value(None);
        }
    };
    // The shown sessions and their places; rows look themselves up here, so that each is found once per change.
    let near = Memo::new(move |_| {
        let rows = rows.get();
        let indices = shown.with(|shown| shown.rows().collect::<Vec<_>>());
        sessions.list.sessions.with(|all| {
            let leaf = |index: usize| all.get(*rows.get(index)?).map(|leaf| ((index + 1, rows.len()), leaf.clone()));
            indices.into_iter().filter_map(leaf).collect::<Vec<((usize, usize), SessionLeaf)>>()
        })
    });
    let by_id = Memo::new(move |_| {
        near.with(|near| {
            near.iter()
                .map(|(place, leaf)| (leaf.session_id.clone(), (*place, leaf.clone())))
                .collect::<HashMap<_, _>>()
        })
    });
    let wanted = move || {
        let ids =
            |near: &Vec<((usize, usize), SessionLeaf)>| near.iter().map(|(_, leaf)| leaf.session_id.clone()).collect();
        near.try_with_untracked(ids)
    };
    // Those in the document; they follow the wanted ones step by step, all before the next frame.
    let ids = RwSignal::new(Vec::<String>::new());
    let is_following = StoredValue::new(false);
    effect(move || {
        near.track();
        if is_following.get_value() {
            return;
        }
        is_following.set_value(true);
        spawn_local(async move {
            while let Some(step) = next_step(ids, wanted) {
                ids.try_set(step);
                tick().await;
            }
            is_following.try_set_value(false);
        });
    });
    let row = move |id: String| {
        let (of_leaf, of_place) = (id.clone(), id);
        let leaf = Memo::new(move |before: Option<&SessionLeaf>| {
            // One that is just leaving the window stays what it was.
            let now = by_id.with(|near| near.get(&of_leaf).map(|(_, leaf)| leaf.clone()));
            now.or_else(|| before.cloned()).unwrap_or_default()
        });
        let place = Memo::new(move |before: Option<&(usize, usize)>| {
            let now = by_id.with(|near| near.get(&of_place).map(|(place, _)| *place));
            now.or_else(|| before.copied()).unwrap_or_default()
        });
        let gap = Memo::new(move |_| {
            let index = place.get().0.saturating_sub(1);
            shown.with(|shown| if shown.is_behind_gap(index) { room(shown.between) } else { String::new() })
        });
        view! { <SessionRow leaf place gap sessions changes selectable /> }
    };
    view! {
        <ul
            class="sessions"
            role="list"
            aria-label="Sessions"
            aria-busy=move || loading.get().to_string()
            node_ref=element
            style:padding-block-start=move || shown.with(|shown| room(shown.above))
            style:padding-block-end=move || shown.with(|shown| room(shown.below))
            on:focusin=focus_came
            on:focusout=focus_went
        >
            <For each=move || ids.get() key=|id| id.clone() children=row />
        </ul>
    }
    .into_any()
}

/// What the rows in the document become next; `None` when they are what they should be, or the list is gone.
fn next_step(ids: RwSignal<Vec<String>>, wanted: impl Fn() -> Option<Vec<String>>) -> Option<Vec<String>> {
    let (now, wanted) = (ids.try_get_untracked()?, wanted()?);
    (now != wanted).then(|| row_steps::next(&now, &wanted))
}

fn room(height: f64) -> String {
    [&height.to_string(), "px"].concat()
}

/// Which row the session has.
fn row_of(id: &str, rows: Memo<Arc<Vec<usize>>>, sessions: UseSessionsReturn) -> Option<usize> {
    let rows = rows.try_get_untracked()?;
    let is_it = |all: &Vec<SessionLeaf>, place: usize| all.get(place).is_some_and(|leaf| leaf.session_id == id);
    sessions.list.sessions.try_with_untracked(|all| rows.iter().position(|place| is_it(all, *place))).flatten()
}

/// Where the list begins, px below the document's top.
fn top_of(list: &HtmlElement) -> f64 {
    let next = |element: &HtmlElement| element.offset_parent()?.dyn_into::<HtmlElement>().ok();
    std::iter::successors(Some(list.clone()), next).map(|element| f64::from(element.offset_top())).sum()
}
