//! When a bundler does not take an operation for its fees: the same once more, with fees that it takes.
//!
//! Fees are signed, so whoever signed the first one signs again: a session key without a question, an owner is asked again
//! and told why ([`Wallet::signs_again`](super::ports::Wallet::signs_again)). It is done once for an operation, to what the
//! refusal names or what is advised now, and never beyond twice what was signed first or what is advised now, whichever is
//! more ([`MOST_RAISED`](use_aa_protocol::fee_refusal::MOST_RAISED)).

use super::{
    ports::Relay,
    prepare_user_operation::{PreparedUserOperation, sponsor},
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    entry_point::TokenTerms,
    fee_refusal::FeeRefusal,
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
    // The limits stay, the paymaster's own too: the call is the same.
    operation.clear_paymaster_data();
    let context = context.unwrap_or_else(SponsorContext::sponsored);
    let context = SponsorContext { calculate_gas_limits: false, ..context };
    sponsor(relay, &mut operation, &context).await?;
    Ok(operation)
}

/// A quote in a token is for the fees that it was made for. Only our own paymasters' layouts are known.
pub(super) fn is_paid_in_a_token(operation: &UserOperation) -> bool {
    TokenTerms::read(operation).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{B256, Bytes, U256};

    use super::*;
    use crate::fake::{Fake, PAYMASTER, rejected};
    use use_aa_protocol::{
        clocks::Clocks,
        entry_point::{EntryPoint, sponsored_until, v07},
    };

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
                    ..SponsorContext::sponsored()
                }),
            };
            let higher = raised(&relay, &prepared, &refusal).await.unwrap();
            assert_eq!(higher.is_some(), is_raised, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn a_paymasters_own_limits_are_signed_again() {
        let relay = Fake::new();
        let sponsored = v07::VerifyingPaymasterData { signature: vec![1; 65].into(), ..Default::default() };
        let first = UserOperation {
            entry_point: EntryPoint::V07,
            paymaster_and_data: v07::paymaster_and_data(PAYMASTER, [50_000, 7], &sponsored.encode()),
            ..UserOperation::default()
        };
        let fees = GasFees { max_fee_per_gas: U256::from(9), max_priority_fee_per_gas: U256::ONE };
        let again = with_fees(&relay, &first, fees, None).await.unwrap();
        assert_eq!((again.paymaster_gas(), again.max_fee_per_gas), (first.paymaster_gas(), U256::from(9)));
        assert!(sponsored_until(&again).is_some(), "signed anew");
    }

    /// Nothing but the operation is known, as when somebody else's is sped up.
    #[tokio::test]
    async fn terms_in_a_token_are_recognized_on_every_entry_point() {
        let refusal = rejected("maxPriorityFeePerGas must be at least 18");
        let refusal = match refusal {
            AppError::UpstreamRejected { upstream, message, data, .. } => {
                AppError::UpstreamRejected { upstream, code: -32_602, message, data }
            }
            other => other,
        };
        let signature = Bytes::from(vec![1; 65]);
        let in_a_token = v07::TokenPaymasterData { signature: signature.clone(), ..Default::default() };
        let sponsored = v07::VerifyingPaymasterData { signature, ..Default::default() };
        for (data, is_raised) in [(in_a_token.encode().unwrap(), false), (sponsored.encode(), true)] {
            let operation = UserOperation {
                entry_point: EntryPoint::V07,
                max_fee_per_gas: U256::from(100),
                max_priority_fee_per_gas: U256::from(15),
                paymaster_and_data: v07::paymaster_and_data(PAYMASTER, [1, 1], &data),
                ..UserOperation::default()
            };
            assert_eq!(is_paid_in_a_token(&operation), !is_raised);
            assert_eq!(fees_that_are_taken(&Fake::new(), &operation, &refusal).await.is_some(), is_raised);
        }
    }
}
