//! What is known of a mutation, and how its runs change it: TanStack v5's reducer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use leptos::prelude::*;

use crate::{client::time::now_millis, error::AppError, hooks::UserOpStatus};

/// Where a mutation stands (TanStack's `status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MutationStatus {
    /// Not run yet, or reset.
    #[default]
    Idle,
    /// Running.
    Pending,
    /// The last run succeeded; `data` is set.
    Success,
    /// The last run failed; `error` is set.
    Error,
}

/// How a running mutation tells its progress.
#[derive(Clone)]
pub struct Progress(pub(super) Arc<dyn Fn(UserOpStatus, IfNow) + Send + Sync>);

/// Whether a status is shown in place of the one that is shown now.
pub(super) type IfNow = fn(Option<UserOpStatus>) -> bool;

impl Progress {
    /// Shows `status`, unless a later run has overtaken this one or its owner is gone.
    pub fn set(&self, status: UserOpStatus) {
        (self.0)(status, |_| true);
    }

    /// Shows whether a distributed key is waited for, while the operation is being prepared: what asks the person for a
    /// signature meanwhile stays shown.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    pub(in crate::hooks) fn set_awaits_key(&self, awaits: bool) {
        let status = if awaits { UserOpStatus::AwaitingKey } else { UserOpStatus::Preparing };
        (self.0)(status, |now| matches!(now, None | Some(UserOpStatus::Preparing | UserOpStatus::AwaitingKey)));
    }
}

/// The signals behind one mutation. Writes never panic: the owner may be gone while a run is pending.
pub(super) struct State<V: 'static, T: 'static> {
    pub data: RwSignal<Option<T>>,
    pub error: RwSignal<Option<AppError>>,
    pub variables: RwSignal<Option<V>>,
    pub status: RwSignal<MutationStatus>,
    pub progress: RwSignal<Option<UserOpStatus>>,
    pub submitted_at: RwSignal<u64>,
    /// How many tries of the run failed, and why the last of them did.
    pub failures: RwSignal<(u32, Option<AppError>)>,
    /// Number of the run that the state follows.
    current: StoredValue<Arc<AtomicU64>>,
}

impl<V, T> Copy for State<V, T> {}

impl<V, T> Clone for State<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Send + Sync + 'static, T: Send + Sync + 'static> State<V, T> {
    pub fn new() -> Self {
        Self {
            data: RwSignal::new(None),
            error: RwSignal::new(None),
            variables: RwSignal::new(None),
            status: RwSignal::new(MutationStatus::Idle),
            progress: RwSignal::new(None),
            submitted_at: RwSignal::new(0),
            failures: RwSignal::new((0, None)),
            current: StoredValue::new(Arc::default()),
        }
    }

    /// Takes the next run's number; from now on the state follows that run. `None` when the owner is gone.
    fn next_run(self) -> Option<u64> {
        self.current.try_with_value(|current| current.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub fn is_current(self, run: u64) -> bool {
        self.current.try_with_value(|current| current.load(Ordering::Relaxed) == run).unwrap_or(false)
    }

    fn write(self, status: MutationStatus, data: Option<T>, error: Option<AppError>) {
        self.data.try_set(data);
        self.error.try_set(error);
        self.progress.try_set(None);
        self.status.try_set(status);
    }

    /// A run begins: what the one before left is cleared, the variables are shown.
    pub fn begin(self, variables: V) -> Option<u64> {
        let run = self.next_run()?;
        self.variables.try_set(Some(variables));
        self.submitted_at.try_set(now_millis());
        self.failures.try_set((0, None));
        self.write(MutationStatus::Pending, None, None);
        Some(run)
    }

    /// A try of the run failed.
    pub fn fail_once(self, run: u64, reason: &AppError) {
        if self.is_current(run) {
            self.failures.try_update(|(count, last)| {
                *count += 1;
                *last = Some(reason.clone());
            });
        }
    }

    /// The run ended; false when the state does not follow it any more.
    pub fn end(self, run: u64, result: Result<T, AppError>) -> bool {
        if !self.is_current(run) {
            return false;
        }
        match result {
            Ok(data) => {
                self.failures.try_set((0, None));
                self.write(MutationStatus::Success, Some(data), None);
            }
            Err(error) => {
                self.fail_once(run, &error);
                self.write(MutationStatus::Error, None, Some(error));
            }
        }
        true
    }

    /// Back to the beginning; a pending run is no longer followed.
    pub fn reset(self) {
        self.next_run();
        self.variables.try_set(None);
        self.submitted_at.try_set(0);
        self.failures.try_set((0, None));
        self.write(MutationStatus::Idle, None, None);
    }
}
