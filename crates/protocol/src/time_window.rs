//! When an operation is valid.

/// Time window as the modules pack it, unix seconds. The entry point compares it with the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Last second; 0 = no end (the router writes 2^48 − 1 instead).
    pub valid_until: u64,
    /// First second.
    pub valid_after: u64,
}

impl Window {
    /// Does the entry point let the operation through at `now`?
    pub fn contains(&self, now: u64) -> bool {
        self.valid_after <= now && (self.valid_until == 0 || now <= self.valid_until)
    }
}
