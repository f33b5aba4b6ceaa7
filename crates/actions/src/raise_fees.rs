//! When a bundler does not take an operation for its fees: the same once more, with fees that it takes.
//!
//! Fees are signed, so whoever signed the first one signs again: a session key without a question, an owner is asked again
//! and told why ([`Wallet::signs_again`](super::ports::Wallet::signs_again)). It is done once for an operation, to what the
//! refusal names or what is advised now, and never beyond twice what was signed first or what is advised now, whichever is
//! more ([`MOST_RAISED`](use_aa_protocol::fee_refusal::MOST_RAISED)).

use alloy::primitives::Bytes;

use super::{ports::Relay, prepare_user_operation::PreparedUserOperation};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    fee_refusal::FeeRefusal,
    paymaster::TokenPaymasterData,
    rpc::{GasFees, PaymasterMode, SponsorContext},
    user_operation::UserOperation,
};

/// The operation with fees that the bundler takes, to be signed anew. `None` when it was refused for something else, wants
/// more than the bound, or is paid in a token: what that may cost was agreed upon.
///
/// # Errors
/// Those of the sponsor, who signs the fees, too.
pub(super) async fn raised(
    relay: &dyn Relay,
    prepared: &PreparedUserOperation,
    refusal: &AppError,
) -> Result<Option<PreparedUserOperation>, AppError> {
    let first = &prepared.user_operation;
    // Whatever the paymaster's data look like.
    if prepared.sponsor_context.as_ref().is_some_and(|context| context.mode == PaymasterMode::Erc20) {
        return Ok(None);
    }
    let Some(fees) = fees_that_are_taken(relay, first, refusal).await else { return Ok(None) };
    let user_operation = with_fees(relay, first, fees, prepared.sponsor_context.clone()).await?;
    let user_op_hash = user_operation.hash(prepared.chain.chain_id);
    Ok(Some(PreparedUserOperation { user_operation, user_op_hash, ..prepared.clone() }))
}

/// Fees that the bundler takes, by its refusal of this operation.
pub(super) async fn fees_that_are_taken(
    relay: &dyn Relay,
    refused: &UserOperation,
    refusal: &AppError,
) -> Option<GasFees> {
    let AppError::UpstreamRejected { upstream: Upstream::Bundler, message, data, .. } = refusal else { return None };
    let told = FeeRefusal::read(message, data.as_deref())?;
    if is_paid_in_a_token(refused) {
        return None;
    }
    // Without advice the refusal alone counts.
    let now = relay.gas_fees().await.ok();
    told.raised(&fees_of(refused), now.as_ref())
}

/// The fees of an operation.
pub(super) fn fees_of(operation: &UserOperation) -> GasFees {
    GasFees { max_fee_per_gas: operation.max_fee_per_gas, max_priority_fee_per_gas: operation.max_priority_fee_per_gas }
}

/// The same operation with other fees, not signed yet. One that is sponsored is sponsored anew.
pub(super) async fn with_fees(
    relay: &dyn Relay,
    operation: &UserOperation,
    fees: GasFees,
    context: Option<SponsorContext>,
) -> Result<UserOperation, AppError> {
    let mut operation = UserOperation {
        max_fee_per_gas: fees.max_fee_per_gas,
        max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        ..operation.clone()
    };
    if operation.paymaster_and_data.is_empty() {
        return Ok(operation);
    }
    // The limits stay: the call is the same.
    operation.paymaster_and_data = Bytes::new();
    let context = context.unwrap_or(SponsorContext {
        mode: PaymasterMode::Sponsored,
        calculate_gas_limits: false,
        expiry_duration: None,
        webhook_data: None,
        token_info: None,
    });
    let context = SponsorContext { calculate_gas_limits: false, ..context };
    let sponsorship = relay.sponsor(&operation, &context).await?;
    operation.paymaster_and_data = sponsorship.paymaster_and_data;
    operation.call_gas_limit = sponsorship.gas.call_gas_limit;
    operation.verification_gas_limit = sponsorship.gas.verification_gas_limit;
    operation.pre_verification_gas = sponsorship.gas.pre_verification_gas;
    Ok(operation)
}

/// A quote in a token is for the fees that it was made for. Only our own paymaster's layout is known.
pub(super) fn is_paid_in_a_token(operation: &UserOperation) -> bool {
    TokenPaymasterData::decode(&operation.paymaster_and_data).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, U256};

    use super::*;
    use crate::fake::Fake;
    use use_aa_protocol::clocks::Clocks;

    /// In a layout that nobody here reads.
    #[tokio::test]
    async fn what_is_paid_in_a_token_is_not_raised_whatever_the_paymasters_layout() {
        let relay = Fake::new();
        let refusal = AppError::UpstreamRejected {
            upstream: Upstream::Bundler,
            code: -32_602,
            message: "maxPriorityFeePerGas must be at least 18".into(),
            data: None,
        };
        for (mode, is_raised) in [(PaymasterMode::Sponsored, true), (PaymasterMode::Erc20, false)] {
            let prepared = PreparedUserOperation {
                user_operation: UserOperation {
                    max_fee_per_gas: U256::from(100),
                    max_priority_fee_per_gas: U256::from(15),
                    paymaster_and_data: [&[8; 20][..], &[1; 100]].concat().into(),
                    ..Default::default()
                },
                user_op_hash: B256::ZERO,
                chain: relay.chain_info().await.unwrap(),
                prepared_at: 0,
                clocks: Clocks::default(),
                simulation_type: None,
                sponsor_context: Some(SponsorContext {
                    mode,
                    calculate_gas_limits: true,
                    expiry_duration: None,
                    webhook_data: None,
                    token_info: None,
                }),
            };
            let higher = raised(&relay, &prepared, &refusal).await.unwrap();
            assert_eq!(higher.is_some(), is_raised, "{mode:?}");
        }
    }
}
