//! What a caller may add to a mutation.

use leptos::prelude::*;

use crate::error::AppError;

/// What a caller may add to any mutation hook. Callbacks run for every run of the mutation, also for one that a
/// later run overtook or that was reset; before the state shows the end of the run, as in TanStack. A callback whose
/// owner is gone is skipped.
pub struct MutationOptions<V: 'static, T: 'static> {
    /// Before a run: its variables.
    pub on_mutate: Option<Callback<V>>,
    /// After a success: result and variables.
    pub on_success: Option<Callback<(T, V)>>,
    /// After a failure: error and variables.
    pub on_error: Option<Callback<(AppError, V)>>,
    /// After either: result, and variables.
    pub on_settled: Option<Callback<(Result<T, AppError>, V)>>,
    /// How often to try again (default 0) after a failure that trying again can mend: our server or an upstream
    /// does not answer. Waits 1, 2, 4 … seconds, at most 30. Mind: when only the answer to a sent operation was lost,
    /// the next run sends another one. Leave it 0 where doing something twice is worse than not doing it.
    pub retry: u32,
}

impl<V, T> Clone for MutationOptions<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, T> Copy for MutationOptions<V, T> {}

impl<V, T> Default for MutationOptions<V, T> {
    fn default() -> Self {
        Self { on_mutate: None, on_success: None, on_error: None, on_settled: None, retry: 0 }
    }
}

impl<V, T> MutationOptions<V, T> {
    pub(super) fn callbacks(&self) -> MutateOptions<V, T> {
        MutateOptions { on_success: self.on_success, on_error: self.on_error, on_settled: self.on_settled }
    }
}

/// Callbacks of a single run (TanStack's second argument of `mutate`). They run after those of [`MutationOptions`] and
/// after the state has changed, and only if no later run and no reset came in between and the owner is still there.
pub struct MutateOptions<V: 'static, T: 'static> {
    /// After a success: result and variables.
    pub on_success: Option<Callback<(T, V)>>,
    /// After a failure: error and variables.
    pub on_error: Option<Callback<(AppError, V)>>,
    /// After either: result, and variables.
    pub on_settled: Option<Callback<(Result<T, AppError>, V)>>,
}

impl<V, T> Clone for MutateOptions<V, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V, T> Copy for MutateOptions<V, T> {}

impl<V, T> Default for MutateOptions<V, T> {
    fn default() -> Self {
        Self { on_success: None, on_error: None, on_settled: None }
    }
}

impl<V: Clone, T: Clone> MutateOptions<V, T> {
    pub(super) fn call(&self, result: &Result<T, AppError>, variables: &V) {
        match (result, self.on_success, self.on_error) {
            (Ok(data), Some(on_success), _) => drop(on_success.try_run((data.clone(), variables.clone()))),
            (Err(error), _, Some(on_error)) => drop(on_error.try_run((error.clone(), variables.clone()))),
            _ => {}
        }
        if let Some(on_settled) = self.on_settled {
            on_settled.try_run((result.clone(), variables.clone()));
        }
    }
}
