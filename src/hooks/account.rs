//! The account's side of the provider.
use super::context::SmartAccountContext;

pub(super) fn follow(_context: SmartAccountContext) {}
