//! [`use_forget_device`].

use leptos::prelude::*;

use super::{
    MutationOptions, Progress, UseMutationReturn, connection, provider::use_context_or_detached, rest, use_mutation,
};
use crate::{client::time::now_seconds, protocol::session::SessionStatus};

/// What [`use_forget_device`] returns.
#[derive(Clone, Copy)]
pub struct UseForgetDeviceReturn {
    /// Forgets the account of [`use_smart_account`](super::use_smart_account) in this browser.
    pub forget: UseMutationReturn<(), ()>,
    /// So many sessions stay valid on chain all the same, until they end or are revoked
    /// ([`use_revoke_sessions`](super::use_revoke_sessions)). Counted whenever the list changes.
    pub still_valid: Signal<usize>,
}

/// Removes the account's sessions, keys and operations from this browser, lets the wallet go, forgets account and
/// wallet, and deletes the key that encrypts session keys when no other account needs it.
///
/// Nothing is revoked by it: the chain does not hear of it, and whoever has a copy of a key can go on. Offer to revoke
/// first; afterwards this device cannot say what there was.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::use_forget_device;
///
/// #[component]
/// fn Leave() -> impl IntoView {
///     let device = use_forget_device();
///     view! {
///         <p>{move || device.still_valid.get()} " sessions stay valid on chain."</p>
///         <button on:click=move |_| device.forget.mutate.run(()) disabled=device.forget.is_pending>"Forget"</button>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_forget_device() -> UseForgetDeviceReturn {
    use_forget_device_with(MutationOptions::default())
}

/// As [`use_forget_device`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_forget_device_with(options: MutationOptions<(), ()>) -> UseForgetDeviceReturn {
    let context = use_context_or_detached().with_sessions();
    let still_valid = Memo::new(move |_| {
        let now = now_seconds();
        let ends_by_itself_later =
            |status| matches!(status, SessionStatus::Active | SessionStatus::Inactive | SessionStatus::Pending);
        context.sessions.with(|leaves| leaves.iter().filter(|leaf| ends_by_itself_later(leaf.status_at(now))).count())
    });
    UseForgetDeviceReturn {
        forget: use_mutation(options, move |(), _: Progress| async move {
            rest::forget_device(context.account_or(None)?).await?;
            connection::disconnect(context);
            #[cfg(feature = "hydrate")]
            super::account::forgotten(context);
            Ok(())
        }),
        still_valid: still_valid.into(),
    }
}
