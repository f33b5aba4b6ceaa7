//! Whom a paymaster asks.

use super::super::{bundler::Bundler, node::Node};

/// The chain and the bundler.
#[derive(Clone, Copy)]
pub(crate) struct Upstreams<'a> {
    pub(crate) node: &'a Node,
    pub(crate) bundler: &'a Bundler,
}
