//! [`use_smart_account`].

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{QueryStatus, provider::use_context_or_detached};
use crate::{error::AppError, protocol::rpc::ChainInfo};

/// What [`use_smart_account`] returns.
#[derive(Clone, Copy)]
pub struct UseSmartAccountReturn {
    /// The smart account: that of the connected owner, else the one last used in this browser (its sessions work
    /// without the owner). `None` until known.
    pub smart_account_address: Signal<Option<Address>>,
    /// The connected owner; `None` while no wallet is connected, or what it shares is not known to sign by a key.
    pub owner_address: Signal<Option<Address>>,
    /// Why what the connected wallet shares can own no account (`OwnerIsContract`): the account takes the signatures of a
    /// key only. None is shown for it, so that nobody sends money there.
    pub owner_refused: Signal<Option<AppError>>,
    /// The server's chain.
    pub chain_info: Signal<Option<ChainInfo>>,
    /// Has the account code on chain?
    pub is_deployed: Signal<Option<bool>>,
    /// Where finding the account stands.
    pub status: Signal<QueryStatus>,
    /// Why the account or its state could not be read.
    pub error: Signal<Option<AppError>>,
    /// Reads the account's state from the chain again.
    pub refetch: Callback<()>,
}

/// The smart account of the nearest [`SmartAccountProvider`](super::SmartAccountProvider).
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_smart_account.rs"), "```")]
///
/// # Server-Side Rendering
/// All signals are empty and `status` is pending: accounts are known to the browser only.
///
/// In React: `useSmartAccount`.
pub fn use_smart_account() -> UseSmartAccountReturn {
    let context = use_context_or_detached();
    UseSmartAccountReturn {
        smart_account_address: context.account.into(),
        owner_address: context.owner.into(),
        owner_refused: context.owner_refused.into(),
        chain_info: context.chain_info.into(),
        is_deployed: context.is_deployed.into(),
        status: context.account_status.into(),
        error: context.account_error.into(),
        refetch: Callback::new(move |()| {
            context.refetch.try_update(|version| *version += 1);
        }),
    }
}
