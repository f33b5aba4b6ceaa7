//! The few line icons of the interface, drawn inline so that they take the colour of the text.

use leptos::prelude::*;

/// Which drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// A tick: done, allowed.
    Check,
    /// Two sheets: copy.
    Copy,
    /// A triangle with a bar: mind this.
    Warning,
    /// A clock face: time limit.
    Clock,
    /// A key: who holds it.
    Key,
    /// A cross: failed, close.
    Cross,
    /// A pair of links: the chain enforces it.
    Chain,
}

impl Glyph {
    fn path(self) -> &'static str {
        match self {
            Self::Check => "M3 8.5l3.2 3.2L13 4.8",
            Self::Copy => "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
            Self::Warning => "M8 2.2l6.3 11.3H1.7zM8 6.5v3.2M8 11.6v.1",
            Self::Clock => "M8 1.8a6.2 6.2 0 100 12.4A6.2 6.2 0 008 1.8zM8 4.6V8l2.4 1.6",
            Self::Key => "M10.2 9a3.4 3.4 0 10-3.2-3.2L2 10.8V14h3.2v-1.8H7v-1.8l1.1-1.1A3.4 3.4 0 0010.2 9z",
            Self::Cross => "M4 4l8 8M12 4l-8 8",
            Self::Chain => {
                "M6.7 9.3L9.3 6.7M7.3 4.7l1.3-1.3a2.8 2.8 0 014 4l-1.3 1.3M8.7 11.3l-1.3 1.3a2.8 2.8 0 01-4-4l1.3-1.3"
            }
        }
    }
}

/// An icon beside a text that says the same: hidden from assistive technology.
#[component]
pub fn Icon(
    /// Which drawing.
    glyph: Glyph,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d=glyph.path() />
        </svg>
    }
    .into_any()
}
