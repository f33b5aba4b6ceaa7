//! Which sessions nobody granted in this browser: what other devices published and the node's root confirms, what came
//! in with a file, and what was ended here and is under the root once more.
//!
//! The chain's root is known from a node, and a lying node can name one that slipped-in leaves make. Until the owner
//! signs a root that holds them they open nothing; so every signature says what it keeps of them
//! (`use_aa_actions::reviewed_sessions`).

use super::{SessionBook, SessionLeaf};

/// Own field of a leaf: it was granted in another browser or app.
const GRANTED_ELSEWHERE: &str = "grantedElsewhere";
/// Own field of a leaf: it was taken back here, and is under the root on chain again though nobody brought it back.
pub(super) const CAME_BACK: &str = "cameBack";

impl SessionLeaf {
    /// Did somebody grant it in this browser, and not end it since?
    pub fn is_granted_here(&self) -> bool {
        !(self.is_on_other_device() || self.has_come_back() || self.extra.contains_key(GRANTED_ELSEWHERE))
    }

    /// It was taken back here, and the root on chain holds it again though nobody brought it back.
    pub fn has_come_back(&self) -> bool {
        self.extra.contains_key(CAME_BACK)
    }

    /// Remembers that it was granted in another browser or app, also once its key has come here.
    pub fn granted_elsewhere(&mut self) {
        self.extra.insert(GRANTED_ELSEWHERE.into(), true.into());
    }
}

impl SessionBook {
    /// The leaves of the tree that were not granted in this browser, in tree order.
    pub fn not_granted_here(&self) -> impl Iterator<Item = &SessionLeaf> {
        self.leaf_nodes.iter().filter(|leaf| leaf.is_in_tree() && !leaf.is_granted_here())
    }
}
