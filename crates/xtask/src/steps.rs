//! What took how long.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Steps that are done.
#[derive(Default)]
pub struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    /// Does one and says how long it took.
    pub fn run<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let done = step()?;
        let took = start.elapsed();
        println!("  {name:<10} {:6.1} s", took.as_secs_f32());
        self.0.push((name, took));
        Ok(done)
    }

    /// Together.
    pub fn total(&self) -> Duration {
        self.0.iter().map(|(_, took)| *took).sum()
    }
}
