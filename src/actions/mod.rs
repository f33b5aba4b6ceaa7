//! One verb per file, free of Leptos, over the traits of [`ports`].
pub mod ports;
