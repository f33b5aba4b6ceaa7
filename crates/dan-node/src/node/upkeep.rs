//! Keys whose grant is over: after a while all that there is of them is removed.

use std::sync::Arc;

use super::{Node, now};

/// How long a key is kept behind the end of its grant, seconds: far more than the nodes' clocks differ. A key that was
/// revoked is kept as long, so that nobody takes it for one that was not.
const KEPT: u64 = 24 * 60 * 60;

impl Node {
    /// The grant ended so long ago that the other nodes have noticed, too.
    pub(super) fn long_over(at: u64) -> u64 {
        at.saturating_sub(KEPT)
    }

    /// Removes what is long over.
    pub(super) async fn forget_ended(self: &Arc<Self>) {
        for key in self.keys.ended(Self::long_over(now())) {
            let renewal = key.renewal.lock().await;
            if renewal.running {
                continue;
            }
            let kept = key.clone();
            if self.blocking(move |node| node.keys.remove(&kept)).await.is_ok() {
                key.doubt.send_replace(false);
                tracing::info!(node = self.config.id, key = %key.id, "a key whose grant is over was removed");
            }
        }
        self.keys.forget_unknown();
    }
}
