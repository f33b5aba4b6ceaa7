//! Whom a paymaster asks.

use super::super::{bundler::Bundler, node::ChainNode};

/// The chain and the bundler.
#[derive(Clone, Copy)]
pub(crate) struct Upstreams<'a> {
    pub(crate) node: &'a ChainNode,
    pub(crate) bundler: &'a Bundler,
}
