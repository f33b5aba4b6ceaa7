//! [`is_returning_visitor`], and whether sessions are stored.

/// Does this browser remember a wallet or an account from an earlier visit? Looks for two names in its storage and
/// reads nothing, so a page may decide by it what to load at once.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::is_returning_visitor;
///
/// #[component]
/// fn Greeting() -> impl IntoView {
///     let returning = RwSignal::new(false);
///     Effect::new(move |_| returning.set(is_returning_visitor()));
///     view! { <p>{move || if returning.get() { "Welcome back" } else { "Welcome" }}</p> }
/// }
/// ```
///
/// # Server-Side Rendering
/// `false`: only the browser knows. Ask in an effect, so that hydration finds what the server rendered.
///
/// In React: nothing; ours.
pub fn is_returning_visitor() -> bool {
    #[cfg(feature = "hydrate")]
    return crate::client::remembered::anything();
    #[cfg(not(feature = "hydrate"))]
    false
}

/// Does this browser hold sessions, of whichever account? Looks at names alone, as the above.
pub(crate) fn has_stored_sessions() -> bool {
    #[cfg(feature = "hydrate")]
    return crate::client::remembered::sessions();
    #[cfg(not(feature = "hydrate"))]
    false
}
