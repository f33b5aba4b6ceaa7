//! Who pays for an operation: the sponsor decides, and whichever paymaster is configured signs.

use alloy::primitives::Bytes;

use super::{
    fees, metrics,
    paymaster::{
        DEFAULT_EXPIRY, Paymaster, Remote, check_request, none_for,
        token::{TokenPaymaster, fee_token},
    },
    sponsor::{Request, Requester},
    state::ServerState,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::EntryPoint,
    paymaster::{FeeQuotes, FeeQuotesRequest},
    rpc::{PaymasterMode, SponsorContext, Sponsorship},
    user_operation::UserOperation,
};

/// Most tokens in one request.
const MAX_TOKENS: usize = 50;

/// The paymaster's signature in either mode, when the sponsorship policy agrees.
///
/// # Errors
/// `SponsorshipRefused` and `GasTokenRefused` with the reason; those of the upstreams and of the database.
pub async fn sponsor(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
    requester: Requester<'_>,
) -> Result<Sponsorship, AppError> {
    check_request(user_operation, context.expiry_duration)?;
    let shortened = shortened(state, context, requester);
    let request = Request { user_operation, context: &shortened, requester };
    // Boxed: what waits for upstreams, database and webhooks is large, and each layer above would hold it once more.
    let signing = Box::pin(sign(state, user_operation, &shortened));
    let result = Box::pin(state.sponsor().guard(request, signing)).await;
    metrics::sponsorship(user_operation.entry_point, result.as_ref().map(|_| ()));
    result
}

/// Whoever signs, the operator pays or advances it: nothing leaves before its fees are checked, and nothing is tried out
/// for a fee that is not paid.
async fn sign(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
) -> Result<Sponsorship, AppError> {
    let check = fees::check(state.node(), state.bundler(), state.sponsor().fee_factor(), user_operation);
    let upstreams = state.upstreams();
    match context.mode {
        PaymasterMode::Sponsored => {
            let paymaster = state.paymaster().ok_or_else(none_configured)?;
            let sponsorship = paymaster.sponsor(upstreams, user_operation, context).await?;
            check.await?;
            Ok(sponsorship)
        }
        PaymasterMode::Erc20 => {
            let token = fee_token(context)?;
            match taker(state)? {
                Taker::BuiltIn(paymaster) => {
                    check.await?;
                    paymaster.sponsor(upstreams, user_operation, context, token).await
                }
                Taker::Remote(_) if user_operation.entry_point != EntryPoint::V06 => {
                    Err(none_for(user_operation.entry_point))
                }
                Taker::Remote(service) => {
                    let sponsorship = service.sponsor_biconomy(user_operation, context).await?;
                    check.await?;
                    Ok(sponsorship)
                }
            }
        }
    }
}

/// Data of the right length and form for an estimate of gas (ERC-7677). What the policy would refuse is refused
/// now; webhooks and budgets are asked when it is signed.
///
/// # Errors
/// As [`sponsor`].
pub async fn stub(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
) -> Result<Bytes, AppError> {
    check_request(user_operation, context.expiry_duration)?;
    state.sponsor().would_allow(user_operation, context)?;
    match context.mode {
        PaymasterMode::Sponsored => state.paymaster().ok_or_else(none_configured)?.stub(user_operation, context).await,
        PaymasterMode::Erc20 => {
            let paymaster = state.token_paymaster().ok_or_else(|| no_quotes(state.paymaster()))?;
            paymaster.stub(user_operation, fee_token(context)?)
        }
    }
}

/// Quotes for one operation, from whoever is configured to take tokens.
///
/// # Errors
/// `GasTokenRefused` when nobody is; those of the upstreams.
pub async fn fee_quotes(
    state: &ServerState,
    user_operation: &UserOperation,
    request: &FeeQuotesRequest,
) -> Result<FeeQuotes, AppError> {
    check_request(user_operation, request.expiry_duration)?;
    if request.token_list.len() > MAX_TOKENS {
        return Err(AppError::TooLarge { what: "request.tokenList".into(), limit: format!("{MAX_TOKENS} tokens") });
    }
    match taker(state)? {
        Taker::BuiltIn(paymaster) => paymaster.fee_quotes(state.upstreams(), user_operation, request).await,
        Taker::Remote(_) if user_operation.entry_point != EntryPoint::V06 => Err(none_for(user_operation.entry_point)),
        Taker::Remote(service) => service.fee_quotes_biconomy(user_operation, request).await,
    }
}

/// Who takes tokens for gas.
enum Taker<'a> {
    BuiltIn(&'a TokenPaymaster),
    Remote(&'a Remote),
}

fn taker(state: &ServerState) -> Result<Taker<'_>, AppError> {
    if let Some(paymaster) = state.token_paymaster() {
        return Ok(Taker::BuiltIn(paymaster));
    }
    let service = state.paymaster().and_then(Paymaster::in_tokens);
    service.map(Taker::Remote).ok_or_else(|| no_quotes(state.paymaster()))
}

/// With a life that the policy allows: a longer one is shortened, which its data tell.
fn shortened(state: &ServerState, context: &SponsorContext, requester: Requester<'_>) -> SponsorContext {
    let longest = state.sponsor().longest_life(requester);
    let asked = context.expiry_duration.unwrap_or(DEFAULT_EXPIRY);
    let expiry_duration = longest.filter(|longest| *longest < asked).or(context.expiry_duration);
    SponsorContext { expiry_duration, ..context.clone() }
}

fn none_configured() -> AppError {
    AppError::SponsorshipRefused { reason: "no paymaster is configured on this server".into() }
}

fn no_quotes(paymaster: Option<&Paymaster>) -> AppError {
    let reason = match paymaster {
        Some(Paymaster::Erc7677(_)) => "the paymaster service (ERC-7677) has no quotes",
        _ => "no token paymaster is configured on this server",
    };
    AppError::GasTokenRefused { reason: reason.into() }
}
