//! The nodes that share distributed keys: how many answer, and whether a key is ready.

use leptos::prelude::*;

use super::{error_notice::ErrorNotice, live_text::live};
use crate::hooks::{KeyNetwork, use_key_network};

/// How often is asked, milliseconds.
#[cfg(feature = "hydrate")]
const PACE: u64 = 1_500;

/// One line, kept up to date while it is on the page.
#[component]
pub fn KeyNetworkStatus() -> impl IntoView {
    // Asked once the page is alive: the server's markup says nothing that may be old.
    let watched = RwSignal::new(false);
    let network = use_key_network(watched.into());
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        watched.set(true);
        let pace = std::time::Duration::from_millis(PACE);
        if let Ok(interval) = set_interval_with_handle(move || network.refetch.run(()), pace) {
            on_cleanup(move || interval.clear());
        }
    });
    let line = move || network.data.get().map(|network| sentence(&network));
    view! {
        <p
            class="hint"
            role="status"
            data-testid="key-network"
            data-live=move || network.data.get().map(|network| network.live.to_string())
            data-pooled=move || network.data.get().map(|network| network.pooled.to_string())
        >
            {move || live(line().unwrap_or_else(|| "Looking for the nodes".to_owned()))}
        </p>
        <ErrorNotice error=network.error />
    }
    .into_any()
}

fn sentence(network: &KeyNetwork) -> String {
    let KeyNetwork { nodes, live, threshold, pooled, making } = *network;
    let nodes_text = format!("{live} of {nodes} nodes answer; {threshold} must sign.");
    let keys = match (live < nodes, pooled, making) {
        (true, ..) => "A new key needs all of them.",
        (false, 0, true) => "They are making a key, which takes some seconds.",
        (false, 0, false) => "No key is ready yet.",
        (false, ..) => "A key is ready.",
    };
    format!("{nodes_text} {keys}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_hears_whether_there_is_a_key() {
        let network = KeyNetwork { nodes: 5, live: 5, threshold: 3, pooled: 1, making: true };
        assert_eq!(sentence(&network), "5 of 5 nodes answer; 3 must sign. A key is ready.");
        assert!(sentence(&KeyNetwork { pooled: 0, ..network }).contains("making a key"));
        assert!(sentence(&KeyNetwork { pooled: 0, making: false, ..network }).ends_with("No key is ready yet."));
        assert!(sentence(&KeyNetwork { live: 4, ..network }).ends_with("A new key needs all of them."));
    }
}
