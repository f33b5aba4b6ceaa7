//! Building blocks of the pages, one component per file. They call hooks and nothing below.
pub mod icon;
