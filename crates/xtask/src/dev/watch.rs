//! Which files change.

use std::{
    env,
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

use super::changes::{self, Change};

/// An editor that saves makes several events within this time.
const QUIET: Duration = Duration::from_millis(40);
/// After so long it is built even when files go on changing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has `on_change` called for whatever is to be built again, as long as the watcher lives.
pub fn start(on_change: impl Fn(Change) + Send + 'static) -> Result<RecommendedWatcher> {
    let root = env::current_dir().and_then(|root| root.canonicalize()).context("finding the workspace")?;
    let below = root.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        // Compilers read them all: only what was written counts.
        if matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) {
            return;
        }
        let paths = event.paths.iter().filter_map(|path| path.strip_prefix(&below).ok());
        paths.filter_map(changes::of).for_each(&on_change);
    })?;
    // The folder, not the files in it: whoever renames a new file to an old name takes the watched one away.
    watcher.watch(&root, RecursiveMode::NonRecursive).context("watching the workspace")?;
    for path in changes::WATCHED {
        watcher.watch(&root.join(path), RecursiveMode::Recursive).with_context(|| format!("watching {path}"))?;
    }
    Ok(watcher)
}

/// What else comes until nothing comes any more.
pub fn settle(changes: &Receiver<Change>) -> Vec<Change> {
    let (mut found, start) = (Vec::new(), Instant::now());
    while let Ok(change) = changes.recv_timeout(QUIET) {
        found.push(change);
        if start.elapsed() > PATIENCE {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_comes_together_is_built_together() {
        let (sender, receiver) = mpsc::channel();
        for change in [Change::Code, Change::Public, Change::Code] {
            sender.send(change).unwrap_or_default();
        }
        assert_eq!(settle(&receiver), [Change::Code, Change::Public, Change::Code]);
        assert_eq!(settle(&receiver), []);
    }
}
