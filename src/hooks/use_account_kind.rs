//! [`use_account_kind`].

use leptos::prelude::*;

use super::provider::use_context_or_detached;
use crate::protocol::kind::AccountKind;

/// What [`use_account_kind`] returns.
#[derive(Clone, Copy)]
pub struct UseAccountKindReturn {
    /// The kind of the account that is shown, or being found.
    pub kind: Signal<AccountKind>,
    /// The kinds to choose from; empty where the person has no choice
    /// ([`SmartAccountConfig::offers_kinds`](super::SmartAccountConfig::offers_kinds)) and until the server has answered.
    pub offered: Signal<Vec<AccountKind>>,
    /// Shows the account of another kind: its sessions and balances with it. The choice outlives a reload; nothing of the
    /// other kind is lost.
    pub choose: Callback<AccountKind>,
}

/// Which kind of account the hooks work with, and the choice of another.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::use_account_kind;
///
/// #[component]
/// fn Kinds() -> impl IntoView {
///     let account = use_account_kind();
///     view! {
///         <For each=move || account.offered.get() key=|kind| *kind let:kind>
///             <button on:click=move |_| account.choose.run(kind)>{kind.title()}</button>
///         </For>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// The configured kind; no choice.
///
/// In React: nothing; ours.
pub fn use_account_kind() -> UseAccountKindReturn {
    let context = use_context_or_detached();
    let offers = context.config.try_with_value(|config| config.offers_kinds).unwrap_or(false);
    let offered = Memo::new(move |_| {
        let offered = context.chain_info.with(|chain| chain.as_ref().map(|chain| chain.account_kinds.clone()));
        offered.filter(|kinds| offers && kinds.len() > 1).unwrap_or_default()
    });
    UseAccountKindReturn {
        kind: context.account_kind.into(),
        offered: offered.into(),
        choose: Callback::new(move |kind: AccountKind| {
            #[cfg(feature = "hydrate")]
            super::account::choose_kind(context, kind);
            #[cfg(not(feature = "hydrate"))]
            let _ = (context, kind);
        }),
    }
}
