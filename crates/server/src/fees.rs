//! Fees that are offered, and those that are paid: the formula is in [`super::market`].

use super::{
    bundler::{Advice, Bundler},
    market::{Market, check_against, larger},
    node::ChainNode,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{rpc::GasFees, user_operation::UserOperation};

/// Fees to offer now: the bundler's advice as far as it is believed, else the node's.
///
/// # Errors
/// `UpstreamMalformed` for a bundler that asks too much; those of the two upstreams.
pub async fn advised(node: &ChainNode, bundler: &Bundler) -> Result<GasFees, AppError> {
    Ok(market_and_advice(node, bundler).await?.1)
}

async fn market_and_advice(node: &ChainNode, bundler: &Bundler) -> Result<(Market, GasFees), AppError> {
    let (advice, market) = tokio::join!(bundler.fees(), node.market());
    let (advice, market) = (advice?, market?);
    let factor = bundler.fee_factor();
    let advice = match advice {
        Some(Advice::Fees(fees)) => fees,
        Some(Advice::Tip(tip)) => Market { tip, ..market }.advice(),
        None => market.with_tip_of(node.tips_paid().await, factor).advice(),
    };
    market.check_advice(&advice, factor)?;
    // What a refusal named is believed as far as advice is.
    let advice = match bundler.least_tip(market.tip) {
        Some(least_tip) => market.with_tip_of(Some(least_tip), factor).larger_than(advice),
        None => advice,
    };
    Ok((market, advice))
}

/// Are the operation's fees what a sponsor pays now, `factor` times what is due at most? For every mode in which the
/// operator pays or advances.
///
/// # Errors
/// `SponsorshipRefused` when they are more; as [`advised`].
pub async fn check(
    node: &ChainNode,
    bundler: &Bundler,
    factor: u64,
    user_operation: &UserOperation,
) -> Result<(), AppError> {
    let (market, advice) = market_and_advice(node, bundler).await?;
    check_against(user_operation, &larger(&market.due(), &advice), factor)
}
