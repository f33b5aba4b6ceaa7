//! [`SmartAccountProvider`]: the state that the hooks below it share.

use std::sync::{Arc, OnceLock};

use leptos::{prelude::*, reactive::owner::WeakOwner};

use super::context::{SmartAccountConfig, SmartAccountContext};

/// Makes the smart account's state available to the hooks of the current owner and its descendants.
///
/// In the browser it looks for wallets, asks the server for its chain, connects the wallet of the last visit again,
/// and settles the sessions whose grant was under way when the page was left.
///
/// # Server-Side Rendering
/// Provides empty state; nothing of the browser is touched. The work begins after hydration.
pub fn provide_smart_account(config: SmartAccountConfig) {
    provide_smart_account_on_demand(config);
    use_context_or_detached();
}

/// [`provide_smart_account`] that begins its work with the first hook below that a component calls. A page whose
/// components with hooks are loaded on demand (Leptos' `#[lazy]`) thus loads nothing of it with its first view; see
/// [`is_returning_visitor`](super::is_returning_visitor) for when to load them at once.
pub fn provide_smart_account_on_demand(config: SmartAccountConfig) {
    if let Some(provided) = Provided::new(config) {
        provide_context(provided);
    }
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

/// A provider nobody has asked yet: an empty place, because this much is part of a page's first load.
#[derive(Clone)]
struct Provided {
    config: SmartAccountConfig,
    /// Weak, because the place is kept by this very owner.
    owner: WeakOwner,
    context: Arc<OnceLock<SmartAccountContext>>,
}

impl Provided {
    /// A place of the current owner.
    fn new(config: SmartAccountConfig) -> Option<Self> {
        let owner = leptos::prelude::Owner::current()?.downgrade();
        Some(Self { config, owner, context: Arc::default() })
    }

    /// The state; whoever asks first sets it to work. `None` when the provider is gone.
    fn context(&self) -> Option<SmartAccountContext> {
        let owner = self.owner.upgrade()?;
        let begin = || {
            let context = SmartAccountContext::new(self.config.clone());
            begin(context);
            context
        };
        Some(*self.context.get_or_init(|| owner.with(begin)))
    }
}

/// Finds wallets and account, once the page has come alive.
fn begin(context: SmartAccountContext) {
    #[cfg(feature = "hydrate")]
    Effect::new(move |begun: Option<()>| {
        if begun.is_none() {
            super::connection::start(context);
            super::account::follow(context);
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = context;
}

/// The context of the nearest provider, if there is one.
pub(crate) fn use_provided_context() -> Option<SmartAccountContext> {
    use_context::<Provided>().and_then(|provided| provided.context())
}

/// The context of the nearest provider. Without one the hooks work on a state of their own that no wallet ever joins,
/// so they answer "no smart account" instead of panicking.
pub(crate) fn use_context_or_detached() -> SmartAccountContext {
    use_provided_context().unwrap_or_else(|| SmartAccountContext::new(SmartAccountConfig::default()))
}
