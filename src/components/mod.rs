//! Building blocks of the pages, one component per file. They call hooks and nothing below.
pub mod address;
pub mod copy_button;
pub mod countdown;
pub mod error_notice;
pub mod hash_line;
pub mod icon;
pub mod time;
