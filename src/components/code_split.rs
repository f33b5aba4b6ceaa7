//! [`split_function`](crate::components::code_split): functions whose code is loaded when they are called.

use leptos::{prelude::*, task::spawn_local};

use crate::hooks::effect;

/// The code could not be fetched. Asking again fetches again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLoaded;

#[cfg(all(feature = "hydrate", feature = "lazy"))]
impl From<leptos::wasm_split::SplitLoaderError> for NotLoaded {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

/// Makes a function async: with the feature `lazy` its body, and all that only it reaches, is in a chunk that the first
/// call loads. Functions that name the same chunk share it.
///
/// Not for functions of which no caller is left: the splitter would put their code into the first load. So in apps other
/// than ours, which may use a component or not, the body stays with its caller.
macro_rules! split_function {
    ($(#[$doc:meta])* in $chunk:ident: $visibility:vis fn $name:ident($argument:ident: $type:ty) -> $output:ty $body:block) => {
        $(#[$doc])*
        #[cfg(not(all(feature = "hydrate", feature = "lazy", feature = "app")))]
        $visibility async fn $name($argument: $type) -> Result<$output, $crate::components::code_split::NotLoaded> {
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(all(feature = "hydrate", feature = "lazy", feature = "app"))]
        #[leptos::wasm_split::wasm_split($chunk, wasm_split_path = ::leptos::wasm_split, fallible)]
        $visibility fn $name($argument: $type) -> Result<$output, $crate::components::code_split::NotLoaded> {
            Ok($body)
        }
    };
}
pub(crate) use split_function;

/// Calls such a function as soon as it is wanted, below the owner of now, and hands on what it made. When its code
/// cannot be fetched it is no longer wanted, and the returned signal is true until it is there after all.
///
/// # Server-Side Rendering
/// Nothing is loaded.
pub fn load_when<T, F>(
    wanted: RwSignal<bool>,
    load: impl Fn(Owner) -> F + 'static,
    arrived: impl Fn(T) + Clone + 'static,
) -> Signal<bool>
where
    T: 'static,
    F: Future<Output = Result<T, NotLoaded>> + 'static,
{
    let failed = RwSignal::new(false);
    let owner = Owner::current();
    effect(move || {
        let (true, Some(owner)) = (wanted.get(), owner.clone()) else { return };
        let (loading, arrived) = (load(owner), arrived.clone());
        spawn_local(async move {
            match loading.await {
                Ok(made) => {
                    failed.try_set(false);
                    arrived(made);
                }
                Err(NotLoaded) => {
                    failed.try_set(true);
                    wanted.try_set(false);
                }
            }
        });
    });
    failed.into()
}

/// Wants it, unless it is wanted already.
pub fn want(wanted: RwSignal<bool>) {
    if !wanted.get_untracked() {
        wanted.set(true);
    }
}
