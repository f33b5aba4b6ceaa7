//! Where the time of one signature goes at this node: logged for each (debug), added up by `benches/dan.rs`.

use std::time::{Duration, Instant};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// This node's own decision: nonces, grant, policy, the page's signature.
    Deciding,
    /// Getting the share.
    Share,
    /// The protocol's computations, with the wait for a thread that does them.
    Computing,
    /// Writing messages down, reading them, and handing them to the mesh.
    Coding,
    /// Waiting for what the others send.
    Others,
    /// Waiting until the count of signatures is on disk.
    Disk,
}

impl Part {
    const ALL: [Self; 6] = [Self::Deciding, Self::Share, Self::Computing, Self::Coding, Self::Others, Self::Disk];
}

/// The time since the beginning, by parts.
pub struct Laps {
    last: Instant,
    spent: [Duration; Part::ALL.len()],
}

impl Laps {
    /// From now on.
    pub fn begin() -> Self {
        Self { last: Instant::now(), spent: Default::default() }
    }

    /// What passed since the last call was for `part`.
    pub fn lap(&mut self, part: Part) {
        let now = Instant::now();
        let passed = now.duration_since(self.last);
        self.last = now;
        if let Some(spent) = Part::ALL.iter().position(|known| *known == part).and_then(|at| self.spent.get_mut(at)) {
            *spent += passed;
        }
    }

    /// Logs it: microseconds of each part.
    pub fn log(&self, node: u8) {
        let [deciding, share, computing, coding, others, disk] = self.spent.map(|spent| spent.as_micros());
        tracing::debug!(node, deciding, share, computing, coding, others, disk, "signed");
    }
}
