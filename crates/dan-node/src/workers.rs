//! Where the protocols compute: blocking threads, a bounded number at a time, never the async ones.

use std::num::NonZero;

use tokio::sync::Semaphore;

use super::run::RunError;

/// The bound.
pub struct Workers(Semaphore);

impl Default for Workers {
    /// As many at a time as the machine has processors.
    fn default() -> Self {
        Self(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get)))
    }
}

impl Workers {
    /// Runs it on a blocking thread once there is room.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
        let _room = self.0.acquire().await.map_err(|_| RunError::Internal("the workers ended".into()))?;
        // What it panicked with may name values: it is not passed on.
        tokio::task::spawn_blocking(work).await.map_err(|_| RunError::Internal("a computation failed".into()))
    }
}
