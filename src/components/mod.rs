//! Building blocks of the pages, one component per file. They call hooks and nothing below.
pub mod account_bar;
pub mod address;
pub mod chain_notice;
pub mod copy_button;
pub mod countdown;
pub mod error_notice;
pub mod hash_line;
pub mod hydrated;
pub mod icon;
pub mod stepper;
pub mod time;
pub mod wallet_menu;
