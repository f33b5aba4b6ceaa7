//! Verbs whose code is loaded at the first call.

use crate::error::AppError;

/// Writes one function per verb; all of them go through `run`, the one entry of what they share. (One entry, because the
/// splitter leaves in the first load whatever hangs on an entry that the page happens not to use.)
macro_rules! verbs {
    (in $chunk:ident: $($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:expr;)*) => {
        /// A verb and its arguments.
        #[allow(non_camel_case_types)]
        enum Job { $($name { $($argument: $type),* },)* }

        /// What a verb answers.
        #[allow(non_camel_case_types)]
        enum Answer { $($name($output),)* }

        #[cfg(feature = "hydrate")]
        fn work(job: Job) -> futures::future::LocalBoxFuture<'static, Result<Answer, $crate::error::AppError>> {
            match job {
                $(Job::$name { $($argument),* } => {
                    $crate::hooks::verbs::held(move || async move { $body.await.map(Answer::$name) })
                })*
            }
        }

        #[cfg(all(feature = "hydrate", not(feature = "lazy")))]
        async fn run(job: Job) -> Result<Answer, $crate::error::AppError> {
            work(job).await
        }

        #[cfg(all(feature = "hydrate", feature = "lazy"))]
        async fn run(job: Job) -> Result<Answer, $crate::error::AppError> {
            in_chunk(job).await.map_err(|$crate::hooks::verbs::Failed(error)| error)
        }

        #[cfg(all(feature = "hydrate", feature = "lazy"))]
        #[leptos::wasm_split::wasm_split(
            $chunk,
            wasm_split_path = ::leptos::wasm_split,
            fallible,
            return_wrapper(let future = _; { future.await } -> Result<Answer, $crate::hooks::verbs::Failed>)
        )]
        fn in_chunk(
            job: Job,
        ) -> futures::future::LocalBoxFuture<'static, Result<Answer, $crate::hooks::verbs::Failed>> {
            Box::pin(async { work(job).await.map_err($crate::hooks::verbs::Failed) })
        }

        #[cfg(not(feature = "hydrate"))]
        async fn run(_: Job) -> Result<Answer, $crate::error::AppError> {
            Err($crate::error::AppError::Internal { reason: "smart accounts work in the browser only".into() })
        }

        $(
            $(#[$doc])*
            pub(in $crate::hooks) async fn $name($($argument: $type),*) -> Result<$output, $crate::error::AppError> {
                match run(Job::$name { $($argument),* }).await? {
                    Answer::$name(output) => Ok(output),
                    #[allow(unreachable_patterns)]
                    _ => Err($crate::error::AppError::Internal { reason: "the answer to another question".into() }),
                }
            }
        )*
    };
}
pub(super) use verbs;

/// A verb's work, made and kept outside of the stack: of that a page has one megabyte, and without optimization a function
/// that waits for any of the verbs has room for all of them.
#[cfg(feature = "hydrate")]
pub(super) fn held<T, F: Future<Output = Result<T, AppError>> + 'static>(
    make: impl FnOnce() -> F,
) -> futures::future::LocalBoxFuture<'static, Result<T, AppError>> {
    Box::pin(make())
}

/// Why a verb failed: its code was not loaded, or what it did.
#[cfg_attr(not(all(feature = "hydrate", feature = "lazy")), allow(dead_code))]
pub(super) struct Failed(pub AppError);

#[cfg(all(feature = "hydrate", feature = "lazy"))]
impl From<leptos::wasm_split::SplitLoaderError> for Failed {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self(AppError::Network {
            reason: "a part of this page could not be loaded; try again, or load the page again".into(),
        })
    }
}
