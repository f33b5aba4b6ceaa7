//! Only in use-aa's own repository; leave it out when you copy this app: the components that the pages under `/hooks`
//! offer to copy compile in an app like this one.
#![allow(dead_code)]

#[path = "../../hooks/mod.rs"]
mod hooks;
