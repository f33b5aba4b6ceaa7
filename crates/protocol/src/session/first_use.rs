//! Sessions that the chain has not yet, and that their first use enables: the owner has signed for them.

use super::SessionLeaf;

const WAITS: &str = "waitsForFirstUse";

impl SessionLeaf {
    /// The owner has signed for it, and no operation has enabled it: it can be used by whoever holds signature and key.
    pub fn waits_for_first_use(&self) -> bool {
        self.extra.contains_key(WAITS)
    }

    /// Says that of it.
    pub fn set_waits_for_first_use(&mut self) {
        self.extra.insert(WAITS.into(), true.into());
    }
}
