//! [`SmartAccountProvider`]: the state that the hooks below it share.

use leptos::prelude::*;

use super::context::{SmartAccountConfig, SmartAccountContext};

/// Makes the smart account's state available to the hooks of the current owner and its descendants.
///
/// In the browser it looks for wallets, asks the server for its chain, connects the wallet of the last visit again,
/// and settles the sessions whose grant was under way when the page was left.
///
/// # Server-Side Rendering
/// Provides empty state; nothing of the browser is touched. The work begins after hydration.
pub fn provide_smart_account(config: SmartAccountConfig) {
    let context = SmartAccountContext::new(config);
    provide_context(context);
    #[cfg(feature = "hydrate")]
    Effect::new(move |started: Option<()>| {
        if started.is_none() {
            super::connection::start(context);
            super::account::follow(context);
        }
    });
}

/// Provides [`provide_smart_account`] to its children. Wrap it in an island of your app when you use islands: context
/// passes from there to the islands inside.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{SmartAccountConfig, SmartAccountProvider, use_wallets};
///
/// #[component]
/// fn App() -> impl IntoView {
///     view! {
///         <SmartAccountProvider config=SmartAccountConfig::default()>
///             <Wallets />
///         </SmartAccountProvider>
///     }
/// }
///
/// #[component]
/// fn Wallets() -> impl IntoView {
///     let wallets = use_wallets();
///     view! { <p>{move || wallets.wallets.get().len()} " wallets found"</p> }
/// }
/// ```
///
/// # Server-Side Rendering
/// Renders its children with empty state.
///
/// In React: `BiconomyProvider` (see [`BiconomyProvider`]).
#[component]
pub fn SmartAccountProvider(
    /// Which account, and how.
    #[prop(optional)]
    config: SmartAccountConfig,
    /// What may use the hooks.
    children: Children,
) -> impl IntoView {
    provide_smart_account(config);
    children()
}

/// [`SmartAccountProvider`] under the name it has in React.
#[component]
pub fn BiconomyProvider(
    /// Which account, and how.
    #[prop(optional)]
    config: SmartAccountConfig,
    /// What may use the hooks.
    children: Children,
) -> impl IntoView {
    provide_smart_account(config);
    children()
}
