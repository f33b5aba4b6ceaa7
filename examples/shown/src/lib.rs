//! `examples/hooks` in an app like `examples/starter`, which is copied and therefore holds nothing of this repository only.

#[path = "../../hooks/mod.rs"]
pub mod hooks;
