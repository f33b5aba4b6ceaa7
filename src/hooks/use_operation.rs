//! The mutations behind the hooks: each sends one kind of operation.

use alloy::primitives::Address;
use leptos::{prelude::*, task::spawn_local};

use super::{
    MutationOptions, OperationKind, Progress, UseMutationReturn, UserOpResponse,
    context::SmartAccountContext,
    gateway, nexus_gateway,
    operations::{GrantVariables, OwnerOperation, UseVariables},
    provider::use_context_or_detached,
    rest, use_mutation,
};
use crate::{error::AppError, protocol::kind::AccountKind};

/// The mutation of a hook that grants sessions. Its `prepare` builds the operation while the person reads the review.
pub(super) fn use_grant<V>(
    options: MutationOptions<V, UserOpResponse>,
    kind: OperationKind,
    grant: fn(V) -> GrantVariables,
) -> UseMutationReturn<V, UserOpResponse>
where
    V: Clone + Send + Sync + 'static,
{
    let context = use_context_or_detached().with_sessions();
    let mutation = use_mutation(options, move |variables, progress: Progress| async move {
        let owner = context.connected_owner()?;
        let outcome = match context.is_of(AccountKind::Nexus) {
            true => nexus_gateway::grant(owner, grant(variables), progress).await,
            false => gateway::grant(owner, grant(variables), progress).await,
        };
        compare_after(context, &outcome);
        outcome
    });
    let prepare = Callback::new(move |variables| {
        if let Ok(owner) = context.connected_owner() {
            // What fails here fails again, and is shown, when it is confirmed.
            match context.is_of(AccountKind::Nexus) {
                true => spawn_local(async move { drop(nexus_gateway::prepare_grant(owner, grant(variables)).await) }),
                false => spawn_local(async move { drop(gateway::prepare_grant(owner, grant(variables)).await) }),
            }
        }
    });
    UseMutationReturn { prepare, grants: Some(kind), ..mutation }
}

/// The mutation of a hook that uses sessions. Its `prepare` builds the operation ahead of the click. `account_of`:
/// whose sessions the variables name.
pub(super) fn use_session_use<V>(
    options: MutationOptions<V, UserOpResponse>,
    account_of: fn(&V) -> Option<Address>,
    session_use: fn(V) -> UseVariables,
) -> UseMutationReturn<V, UserOpResponse>
where
    V: Clone + Send + Sync + 'static,
{
    let context = use_context_or_detached().with_sessions();
    let mutation = use_mutation(options, move |variables: V, progress: Progress| async move {
        let account = context.account_or(account_of(&variables))?;
        match context.kind_of(account) {
            AccountKind::Nexus => nexus_gateway::use_sessions_with(account, session_use(variables), progress).await,
            AccountKind::BiconomyV2 => gateway::use_sessions_with(account, session_use(variables), progress).await,
        }
    });
    let prepare = Callback::new(move |variables: V| {
        let account = context.account_or(account_of(&variables));
        let Ok(account) = account else { return };
        match context.kind_of(account) {
            AccountKind::Nexus => {
                spawn_local(async move { drop(nexus_gateway::prepare_use(account, session_use(variables)).await) });
            }
            AccountKind::BiconomyV2 => {
                spawn_local(async move { drop(gateway::prepare_use(account, session_use(variables)).await) });
            }
        }
    });
    UseMutationReturn { prepare, ..mutation }
}

/// The mutation of a hook that sends anything else the owner signs.
pub(super) fn use_owner_operation<V>(
    options: MutationOptions<V, UserOpResponse>,
    operation: fn(V) -> OwnerOperation,
) -> UseMutationReturn<V, UserOpResponse>
where
    V: Clone + Send + Sync + 'static,
{
    let context = use_context_or_detached();
    use_mutation(options, move |variables, progress: Progress| async move {
        let owner = context.connected_owner()?;
        let outcome = match context.is_of(AccountKind::Nexus) {
            true => nexus_gateway::send_owner_operation(owner, operation(variables), progress).await,
            false => rest::send_owner_operation(owner, operation(variables), progress).await,
        };
        compare_after(context, &outcome);
        outcome
    })
}

/// Others changed the sessions: what they did is taken over now, so that the next review shows it. An owner that turned
/// out to sign as a contract owns nothing any more.
fn compare_after(context: SmartAccountContext, outcome: &Result<UserOpResponse, AppError>) {
    #[cfg(feature = "hydrate")]
    if let Err(error @ AppError::OwnerIsContract { owner, .. }) = outcome {
        super::account::refused(context, *owner, error);
    }
    if matches!(outcome, Err(AppError::SessionsOutOfSync { .. } | AppError::SessionsNotReviewed { .. })) {
        context.compare_again();
    }
}
