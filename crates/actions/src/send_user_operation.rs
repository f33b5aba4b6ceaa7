//! Signs a prepared operation as the owner and hands operations to the bundler.

use alloy::primitives::eip191_hash_message;

use super::{
    account::SmartAccountClient, owner_signature::owner_signature, ports::Relay,
    prepare_user_operation::PreparedUserOperation, raise_fees::raised,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{user_op_response::UserOpResponse, user_operation::UserOperation};

/// Asks the owner's wallet for the signature and puts it into the operation.
///
/// # Errors
/// `WrongChain` when the wallet is on another chain, `WalletRejected` when the person refuses,
/// `NotTheOwnersSignature` or `OwnerIsContract` when what comes back is no signature of the owner over this operation.
pub async fn sign_user_operation(
    client: &SmartAccountClient,
    prepared: &PreparedUserOperation,
) -> Result<UserOperation, AppError> {
    check_wallet_chain(client, prepared.chain.chain_id).await?;
    let given = client.wallet.sign_message(prepared.user_op_hash.as_slice()).await?;
    let signature = owner_signature(client.owner, eip191_hash_message(prepared.user_op_hash), &given)?;
    let mut user_operation = prepared.user_operation.clone();
    user_operation.signature = client.kind().owner_signature(signature);
    Ok(user_operation)
}

/// `WrongChain` when the wallet is on another chain than this.
pub(super) async fn check_wallet_chain(client: &SmartAccountClient, expected: u64) -> Result<(), AppError> {
    let actual = client.wallet.chain_id().await?;
    if actual == expected { Ok(()) } else { Err(AppError::WrongChain { expected, actual }) }
}

/// Signs as the owner and sends. When the bundler wants higher fees the owner is asked once more (`raise_fees.rs`).
///
/// # Errors
/// Those of [`sign_user_operation`] and [`send_user_operation`].
pub async fn sign_and_send_user_operation(
    client: &SmartAccountClient,
    prepared: &PreparedUserOperation,
) -> Result<UserOpResponse, AppError> {
    let relay = client.relay.as_ref();
    let signed = sign_user_operation(client, prepared).await?;
    let refusal = match send_user_operation(relay, &signed, prepared).await {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let Some(higher) = raised(relay, prepared, &refusal).await? else { return Err(refusal) };
    client.wallet.signs_again();
    let signed = sign_user_operation(client, &higher).await?;
    send_user_operation(relay, &signed, &higher).await
}

/// Hands a prepared operation, signed, to the bundler. Its hash is what we reckon ourselves; a bundler
/// that names another one is not believed.
///
/// # Errors
/// See [`may_have_arrived`]: after some of them the operation may be on its way all the same.
pub async fn send_user_operation(
    relay: &dyn Relay,
    signed: &UserOperation,
    prepared: &PreparedUserOperation,
) -> Result<UserOpResponse, AppError> {
    let user_op_hash = prepared.user_op_hash;
    let reported = relay.send(signed, prepared.simulation_type).await?;
    if reported != user_op_hash {
        return Err(AppError::UpstreamMalformed {
            upstream: Upstream::Bundler,
            reason: format!("it calls operation {user_op_hash} by another hash, {reported}"),
        });
    }
    Ok(UserOpResponse { user_op_hash, session: None })
}

/// True when a failed send does not prove that the bundler has not got the operation: the answer was
/// lost, not the request.
pub fn may_have_arrived(error: &AppError) -> bool {
    matches!(
        error,
        AppError::Network { .. }
            | AppError::UpstreamUnavailable { .. }
            | AppError::UpstreamMalformed { .. }
            | AppError::Internal { .. }
    )
}
