//! One operation from the click to the receipt: stepper, error with retry, transaction hash.

use alloy::primitives::B256;
use leptos::prelude::*;

use super::{
    error_notice::ErrorNotice, hash_line::HashLine, operation_line::OperationLine, speed_up::SpeedUp, stepper::Stepper,
};
use crate::{
    error::AppError,
    hooks::{UseMutationReturn, UseUserOpWaitReturn, UserOpResponse, UserOpStatus, use_smart_account},
};

/// Follows a mutation that sends a user operation, and the wait for its receipt.
#[component]
pub fn OperationStatus<V>(
    /// The mutation that sends.
    mutation: UseMutationReturn<V, UserOpResponse>,
    /// The wait for its receipt.
    wait: UseUserOpWaitReturn,
    /// `data-testid` of the transaction hash.
    hash_testid: &'static str,
    /// The session key signs, not the wallet.
    #[prop(optional)]
    by_session: bool,
) -> impl IntoView
where
    V: Clone + Send + Sync + 'static,
{
    // Only sending is tried again. An operation that was sent may still be included: sending it twice would do it twice.
    let retry = Callback::new(move |()| {
        if let Some(variables) = mutation.variables.get_untracked() {
            mutation.mutate.run(variables);
        }
    });
    let status = Signal::derive(move || {
        if mutation.is_pending.get() {
            return Some(mutation.progress.get().unwrap_or_default());
        }
        if let Some(error) = mutation.error.get() {
            // Refused before anything was built: the error says it all, steps would only alarm.
            return (!is_early(&error)).then_some(UserOpStatus::Failed);
        }
        let followed = mutation.data.with(|sent| sent.as_ref().is_some_and(UserOpResponse::has_operation))
            || wait.is_loading.get()
            || wait.is_success.get()
            || wait.is_error.get();
        followed.then(|| wait.status.get())
    });
    let sent = Signal::derive(move || {
        // What overtook the first one is what is waited for.
        let own = wait.response.with(|response| response.as_ref().map(|response| response.user_op_hash));
        own.or_else(|| wait.data.with(|receipt| receipt.as_ref().map(|receipt| receipt.user_op_hash)))
    });
    status_view(status, mutation.error, wait, retry, hash_testid, by_session, sent)
}

/// The same for every type of variables, so compiled once.
fn status_view(
    status: Signal<Option<UserOpStatus>>,
    sending_error: Signal<Option<AppError>>,
    wait: UseUserOpWaitReturn,
    retry: Callback<()>,
    hash_testid: &'static str,
    by_session: bool,
    sent: Signal<Option<B256>>,
) -> AnyView {
    let account = use_smart_account();
    // What a run that has just begun will replace is no longer true.
    let settled = move || status.get().is_some_and(UserOpStatus::is_final);
    let wait_error =
        Signal::derive(move || wait.error.get().filter(|_| settled() && sending_error.with(Option::is_none)));
    let hash = Signal::derive(move || {
        let receipt = wait.data.get().filter(|receipt| receipt.success && settled())?;
        Some(receipt.transaction_hash.to_string())
    });
    let explorer_url = Signal::derive(move || account.chain_info.get().and_then(|chain| chain.explorer_url));
    view! {
        <div class="operation">
            <Stepper status by_session />
            <ErrorNotice error=sending_error retry />
            <ErrorNotice error=wait_error />
            <SpeedUp wait by_session />
            <HashLine hash testid=hash_testid explorer_url />
            <OperationLine user_op_hash=sent />
        </div>
    }
    .into_any()
}

/// Failures of the request itself, before an operation was built; and one that tells of several operations.
fn is_early(error: &AppError) -> bool {
    matches!(
        error,
        AppError::InvalidInput { .. }
            | AppError::AccountKindCannot { .. }
            | AppError::NoSmartAccount
            | AppError::NoWallet { .. }
            | AppError::WrongChain { .. }
            | AppError::SessionNotFound { .. }
            | AppError::SessionPending { .. }
            | AppError::SessionExpired { .. }
            | AppError::SessionNotYetValid { .. }
            | AppError::SessionRevoked { .. }
            | AppError::SessionsOutOfSync { .. }
            | AppError::RevokedInPart { .. }
            | AppError::PolicyViolation { .. }
            | AppError::PolicyRefused { .. }
            | AppError::AccountNotDeployed { .. }
            | AppError::AccountAlreadyDeployed { .. }
            | AppError::AccountHasNoFunds { .. }
            | AppError::ModuleNotEnabled { .. }
            | AppError::SessionKeysDiffer { .. }
    )
}
