//! The nodes that share distributed keys: how many answer, and whether a key is ready.

use leptos::prelude::*;

use super::{error_notice::ErrorNotice, live_text::live};
use crate::{
    hooks::{KeyNetwork, use_key_network},
    protocol::distributed_key::KeyProgress,
};

/// How often is asked, milliseconds.
#[cfg(feature = "hydrate")]
const PACE: u64 = 1_500;

/// What a key takes where nobody knows better, milliseconds.
const USUAL: u64 = 5_000;

/// One line, kept up to date while it is on the page.
#[component]
pub fn KeyNetworkStatus() -> impl IntoView {
    // Asked once the page is alive: the server's markup says nothing that may be old.
    let watched = RwSignal::new(false);
    let network = use_key_network(watched.into());
    #[cfg(feature = "hydrate")]
    crate::hooks::effect(move || {
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
        // Outside what is read out: it changes with every look.
        {move || {
            let (most, done) = network.data.get().as_ref().and_then(bar)?;
            Some(
                view! { <progress data-testid="key-progress" aria-label="A key is being made" max=most value=done></progress> },
            )
        }}
        <ErrorNotice error=network.error />
    }
    .into_any()
}

/// How long a key takes and how long it has taken, milliseconds, while somebody would have to wait for it. One that takes
/// longer than the last one is nearly there.
fn bar(network: &KeyNetwork) -> Option<(u64, u64)> {
    let progress = network.progress.filter(|_| network.pooled == 0)?;
    let most = progress.usual_ms.unwrap_or(USUAL).max(1);
    Some((most, progress.elapsed_ms.min(most - most / 20)))
}

fn sentence(network: &KeyNetwork) -> String {
    let KeyNetwork { nodes, live, threshold, pooled, making, progress } = *network;
    let nodes_text = format!("{live} of {nodes} nodes answer; {threshold} must sign.");
    let keys = match (live < nodes, pooled, making) {
        (true, ..) => "A new key needs all of them.".into(),
        (false, 0, true) => making_text(progress.unwrap_or_default()),
        (false, 0, false) => "No key is ready yet.".into(),
        (false, ..) => "A key is ready.".into(),
    };
    format!("{nodes_text} {keys}")
}

/// Says nothing that is another at every look: it is read out.
fn making_text(KeyProgress { usual_ms, waiting, .. }: KeyProgress) -> String {
    let takes = match usual_ms.map(|usual| usual.div_ceil(1_000)) {
        None => "some seconds".to_owned(),
        Some(0 | 1) => "about a second".to_owned(),
        Some(seconds) => format!("about {seconds} seconds"),
    };
    let others = match waiting {
        0 | 1 => String::new(),
        waiting => format!(" {waiting} people wait for one; each gets their own."),
    };
    format!("They are making a key, which takes {takes}.{others}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_hears_whether_there_is_a_key() {
        let network = KeyNetwork { nodes: 5, live: 5, threshold: 3, pooled: 1, making: true, progress: None };
        assert_eq!(sentence(&network), "5 of 5 nodes answer; 3 must sign. A key is ready.");
        assert!(sentence(&KeyNetwork { pooled: 0, ..network }).contains("making a key"));
        assert!(sentence(&KeyNetwork { pooled: 0, making: false, ..network }).ends_with("No key is ready yet."));
        let progress = KeyProgress { elapsed_ms: 1_000, usual_ms: Some(3_300), waiting: 3 };
        let empty = KeyNetwork { pooled: 0, progress: Some(progress), ..network };
        assert!(sentence(&empty).contains("takes about 4 seconds. 3 people wait"), "{}", sentence(&empty));
        assert_eq!(bar(&empty), Some((3_300, 1_000)));
        let late = KeyProgress { elapsed_ms: 60_000, ..progress };
        assert_eq!(
            bar(&KeyNetwork { progress: Some(late), ..empty }),
            Some((3_300, 3_135)),
            "never full before it is there"
        );
        assert_eq!(bar(&KeyNetwork { pooled: 1, ..empty }), None, "nobody waits");
        assert!(sentence(&KeyNetwork { live: 4, ..network }).ends_with("A new key needs all of them."));
    }
}
