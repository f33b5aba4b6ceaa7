//! Operations that a bundler took and does not know any more: sent again once, then lost.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Inner,
    ends::{find_in, give_up, replacement},
    operation::Operation,
    standing::Course,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::user_operation::UserOperation;

/// No bundler knows it.
pub(super) async fn unknown(inner: &Arc<Inner>, operation: &Operation) {
    let Some(signed) = operation.signed() else {
        // Nothing can be sent again, nor is its nonce known.
        let vouched = operation.facts().vouched;
        if vouched.is_some_and(|last| last.elapsed() > inner.pace.unknown) {
            give_up(inner, operation, "the bundler does not know the operation any more".into()).await;
        }
        return;
    };
    let transaction = operation.facts().transaction;
    if let Some(transaction_hash) = transaction
        && find_in(inner, operation, transaction_hash).await
    {
        return;
    }
    let course = operation.facts().standing.unknown(Instant::now(), inner.pace.forgotten);
    if course == Course::Wait {
        return;
    }
    if replacement(inner, operation).is_some() {
        // It was not forgotten: it made room.
        return give_up(inner, operation, "another operation took its place".into()).await;
    }
    if inner.bundler.somebody_has(operation.user_op_hash).await {
        // One method does not know what another one does.
        let mut facts = operation.facts();
        facts.standing.kept();
        if course == Course::SendAgain {
            facts.standing.not_sent_again();
        }
        return;
    }
    match course {
        Course::Wait => {}
        Course::SendAgain => send_again(inner, operation, &signed).await,
        Course::Lost => {
            let reason =
                "the bundler forgot the operation, took it once more, and forgot it again; it was never on chain";
            lose(inner, operation, &signed, reason.into()).await;
        }
    }
}

/// The same bytes once more: by hash and nonce it can happen once only.
async fn send_again(inner: &Arc<Inner>, operation: &Operation, signed: &UserOperation) {
    let user_op_hash = operation.user_op_hash;
    match inner.bundler.send(signed, None).await {
        Ok(_) => tracing::warn!(%user_op_hash, "a bundler forgot an operation; it was sent again"),
        Err(AppError::UpstreamRejected { message, .. }) => {
            let reason = format!(
                "the bundler forgot the operation and does not take it again: {message}; it was never on chain"
            );
            lose(inner, operation, signed, reason).await;
        }
        Err(error) => {
            tracing::debug!(%user_op_hash, %error, "sending again what a bundler forgot");
            operation.facts().standing.not_sent_again();
        }
    }
}

/// Says that it is gone, unless its nonce was used: then the chain has it, or what took its place, and will tell.
async fn lose(inner: &Arc<Inner>, operation: &Operation, signed: &UserOperation, reason: String) {
    match inner.node.nonce(signed.sender, signed.nonce >> 64).await {
        Ok(next) if next <= signed.nonce => give_up(inner, operation, reason).await,
        Ok(_) => inner.look_now.notify_one(),
        Err(error) => {
            tracing::debug!(user_op_hash = %operation.user_op_hash, %error, "asking whether a nonce was used");
        }
    }
}

/// Gets the bytes of an operation that was not sent from here, while a bundler has them.
pub(super) async fn get_to_know(inner: &Arc<Inner>, operation: &Operation) {
    if operation.signed().is_some() || std::mem::replace(&mut operation.facts().asked_for_bytes, true) {
        return;
    }
    match inner.bundler.signed_operation(operation.user_op_hash).await {
        Ok(Some(signed)) => inner.keep(operation, signed),
        Ok(None) => {}
        Err(AppError::UpstreamRejected { .. }) => {}
        Err(_) => operation.facts().asked_for_bytes = false,
    }
}
