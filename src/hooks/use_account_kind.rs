//! [`use_account_kind`].

use leptos::prelude::*;

use super::provider::use_context_or_detached;
use crate::protocol::kind::AccountKind;

/// What [`use_account_kind`] returns.
#[derive(Clone, Copy)]
pub struct UseAccountKindReturn {
    /// The kind of the account that is shown, or being found.
    pub kind: Signal<AccountKind>,
    /// The person may choose among all kinds ([`AccountKind::ALL`]). False until the server has answered that it offers
    /// them, and where the app decides
    /// ([`SmartAccountConfig::offers_kinds`](super::SmartAccountConfig::offers_kinds)).
    pub has_choice: Signal<bool>,
    /// Shows the account of another kind: its sessions and balances with it. The choice outlives a reload; nothing of the
    /// other kind is lost.
    pub choose: Callback<AccountKind>,
}

/// Which kind of account the hooks work with, and the choice of another.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{AccountKind, use_account_kind};
///
/// #[component]
/// fn Kinds() -> impl IntoView {
///     let account = use_account_kind();
///     view! {
///         <Show when=move || account.has_choice.get()>
///             {AccountKind::ALL
///                 .map(|kind| view! { <button on:click=move |_| account.choose.run(kind)>{kind.title()}</button> })
///                 .collect_view()}
///         </Show>
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
    let has_choice = Memo::new(move |_| {
        offers && context.chain_info.with(|chain| chain.as_ref().is_some_and(|chain| chain.account_kinds.len() > 1))
    });
    UseAccountKindReturn {
        kind: context.account_kind.into(),
        has_choice: has_choice.into(),
        choose: Callback::new(move |kind: AccountKind| {
            #[cfg(feature = "hydrate")]
            super::account::choose_kind(context, kind);
            #[cfg(not(feature = "hydrate"))]
            let _ = (context, kind);
        }),
    }
}
