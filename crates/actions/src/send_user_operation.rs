//! Signs a prepared operation as the owner and hands operations to the bundler.

use alloy::primitives::{Address, Bytes, Signature};

use super::{
    account::SmartAccountClient, ports::Relay, prepare_user_operation::PreparedUserOperation, raise_fees::raised,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    addresses::ECDSA_MODULE,
    signature::{DUMMY_ECDSA, wrap},
    user_op_response::UserOpResponse,
    user_operation::UserOperation,
};

/// The signature to estimate an owner's operation with.
pub fn owner_dummy_signature() -> Bytes {
    wrap(ECDSA_MODULE, &DUMMY_ECDSA)
}

/// Asks the owner's wallet for the signature and puts it into the operation.
///
/// # Errors
/// `WrongChain` when the wallet is on another chain, `WalletRejected` when the person refuses,
/// `InvalidInput` when what comes back is no signature of the owner over this operation.
pub async fn sign_user_operation(
    client: &SmartAccountClient,
    prepared: &PreparedUserOperation,
) -> Result<UserOperation, AppError> {
    check_wallet_chain(client, prepared.chain.chain_id).await?;
    let given = client.wallet.sign_message(prepared.user_op_hash.as_slice()).await?;
    let signature = owner_signature(client.owner, prepared.user_op_hash.as_slice(), &given)?;
    let mut user_operation = prepared.user_operation.clone();
    user_operation.signature = wrap(ECDSA_MODULE, &signature);
    Ok(user_operation)
}

/// `WrongChain` when the wallet is on another chain than this.
pub(super) async fn check_wallet_chain(client: &SmartAccountClient, expected: u64) -> Result<(), AppError> {
    let actual = client.wallet.chain_id().await?;
    if actual == expected { Ok(()) } else { Err(AppError::WrongChain { expected, actual }) }
}

/// Checks that `given` is the owner's `personal_sign` of the message, and brings `v` to 27 or 28.
pub(super) fn owner_signature(owner: Address, message: &[u8], given: &[u8]) -> Result<[u8; 65], AppError> {
    let expected = || format!("65 bytes r‖s‖v signed by {owner}");
    let signature = Signature::from_raw(given)
        .map_err(|error| AppError::invalid("signature", expected(), format!("{} bytes: {error}", given.len())))?;
    // The ECDSA module takes the lower half of s only.
    let signature = signature.normalized_s();
    match signature.recover_address_from_msg(message) {
        Ok(signer) if signer == owner => Ok(signature.as_bytes()),
        Ok(signer) => Err(AppError::invalid("signature", expected(), format!("a signature by {signer}"))),
        Err(error) => Err(AppError::invalid("signature", expected(), error)),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::B256,
        signers::{SignerSync, local::PrivateKeySigner},
    };

    use super::*;

    #[test]
    fn v_of_0_or_1_is_brought_to_27_or_28() {
        let owner = PrivateKeySigner::random();
        let hash = B256::repeat_byte(7);
        let good = owner.sign_message_sync(hash.as_slice()).unwrap().as_bytes();
        let mut low = good;
        low[64] -= 27;
        assert_eq!(owner_signature(owner.address(), hash.as_slice(), &good).unwrap(), good);
        assert_eq!(owner_signature(owner.address(), hash.as_slice(), &low).unwrap(), good);
    }

    #[test]
    fn anything_but_the_owners_signature_is_refused() {
        let owner = PrivateKeySigner::random();
        let hash = B256::repeat_byte(7);
        let other = PrivateKeySigner::random().sign_message_sync(hash.as_slice()).unwrap().as_bytes();
        let wrong_hash = owner.sign_message_sync(b"something else").unwrap().as_bytes();
        let given: [&[u8]; 6] = [&other, &wrong_hash, &[], &[0; 64], &[0xff; 65], &[0; 65]];
        for bytes in given {
            let error = owner_signature(owner.address(), hash.as_slice(), bytes).unwrap_err();
            assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "signature"), "{error}");
        }
    }
}
