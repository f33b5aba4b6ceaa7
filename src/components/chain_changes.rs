//! What happened on the chain in this page, so that shown balances are read again.

use leptos::prelude::*;

#[derive(Clone, Copy)]
struct ChainChanges(RwSignal<u64>);

/// A count, shared by all components below: it grows with each operation that was confirmed.
pub fn provide_chain_changes() {
    provide_context(ChainChanges(RwSignal::new(0)));
}

/// The count; one of its own where none was provided.
pub fn use_chain_changes() -> RwSignal<u64> {
    use_context::<ChainChanges>().map_or_else(|| RwSignal::new(0), |changes| changes.0)
}
