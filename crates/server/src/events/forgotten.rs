//! Operations that a bundler took and does not know any more: sent again once, then lost.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Inner,
    ends::{find_in, give_up, replacement},
    operation::Operation,
    past,
    standing::{Asked, Course},
};
use use_aa_actions::error::AppError;
use use_aa_protocol::user_operation::UserOperation;

/// How often bundlers that have an operation are asked for it.
const ASKS_FOR_BYTES: u8 = 5;

/// No bundler of those asked knows it.
pub(super) async fn unknown(inner: &Arc<Inner>, operation: &Operation, asked: Asked) {
    let Some(signed) = operation.signed() else {
        // Nothing can be sent again, nor is its nonce known.
        let vouched = operation.facts().vouched;
        if asked == Asked::All && vouched.is_some_and(|last| last.elapsed() > inner.pace.unknown) {
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
    let course = operation.facts().standing.unknown(Instant::now(), inner.pace.forgotten, asked);
    if course == Course::Wait {
        return;
    }
    if replacement(inner, operation).is_some() {
        // It was not forgotten: it made room.
        match asked {
            Asked::All => give_up(inner, operation, "another operation took its place".into()).await,
            Asked::Some => operation.facts().standing.not_sent_again(),
        }
        return;
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
        Course::SendAgain => send_again(inner, operation, &signed, asked).await,
        Course::Lost => {
            let refused = operation.facts().refused_again.clone();
            let reason = refused.unwrap_or_else(|| {
                "the bundler forgot the operation, took it once more, and forgot it again; it was never on chain".into()
            });
            lose(inner, operation, &signed, reason).await;
        }
    }
}

/// The same bytes once more: by hash and nonce it can happen once only.
async fn send_again(inner: &Arc<Inner>, operation: &Operation, signed: &UserOperation, asked: Asked) {
    let user_op_hash = operation.user_op_hash;
    operation.facts().refused_again = None;
    match inner.bundler.send(signed, None).await {
        Ok(_) => tracing::warn!(%user_op_hash, ?asked, "bundlers do not know an operation; it was sent again"),
        Err(AppError::UpstreamRejected { message, .. }) => {
            let reason = format!(
                "the bundler forgot the operation and does not take it again: {message}; it was never on chain"
            );
            operation.facts().refused_again = Some(reason.clone());
            // Whoever could not be asked may have it, and that may be why this one refuses.
            if asked == Asked::All {
                lose(inner, operation, signed, reason).await;
            }
        }
        Err(error) => {
            tracing::debug!(%user_op_hash, %error, "sending again what a bundler forgot");
            operation.facts().standing.not_sent_again();
        }
    }
}

/// Says that it is gone. Where its nonce was used the chain has it, or what took its place, and is asked for that first.
async fn lose(inner: &Arc<Inner>, operation: &Operation, signed: &UserOperation, reason: String) {
    match inner.node.nonce(signed.entry_point, signed.sender, signed.nonce >> 64).await {
        Ok(next) if next <= signed.nonce => give_up(inner, operation, reason).await,
        Ok(_) if operation.is_placed() => {}
        Ok(_) => match past::look_for(inner, operation).await {
            Ok(()) if operation.is_placed() => {}
            Ok(()) => {
                let reason = format!(
                    "another operation of the account used its nonce; the latest {} blocks do not tell which",
                    past::LOOK_BACK
                );
                give_up(inner, operation, reason).await;
            }
            // Nobody can say which of the two it is.
            Err(error) => {
                tracing::debug!(user_op_hash = %operation.user_op_hash, %error, "looking for who used a nonce")
            }
        },
        Err(error) => {
            tracing::debug!(user_op_hash = %operation.user_op_hash, %error, "asking whether a nonce was used");
        }
    }
}

/// Gets the bytes of an operation that was not sent from here, while a bundler has them; from then on it is as one that was.
pub(super) async fn get_to_know(inner: &Arc<Inner>, operation: &Operation) {
    {
        let mut facts = operation.facts();
        if facts.signed.is_some() || facts.asked_for_bytes >= ASKS_FOR_BYTES {
            return;
        }
        facts.asked_for_bytes += 1;
    }
    match inner.bundler.signed_operation(operation.user_op_hash).await {
        Ok(Some(signed)) => inner.keep(operation, signed),
        // It may want fewer questions just now, or have the operation in a moment.
        Ok(None) | Err(AppError::UpstreamRejected { .. }) => {}
        Err(_) => {
            let mut facts = operation.facts();
            facts.asked_for_bytes = facts.asked_for_bytes.saturating_sub(1);
        }
    }
}
