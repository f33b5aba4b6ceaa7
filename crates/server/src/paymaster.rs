//! The paymaster: who pays for an operation. Either built in (this server signs for a verifying
//! paymaster) or remote, in the dialect `biconomy` or `erc7677`.

mod built_in;
mod remote;
pub mod token;

use std::time::Duration;

use alloy::primitives::Bytes;

use super::{
    config::{PaymasterConfig, PaymasterDialect},
    fees, metrics,
    sponsor::{Asker, Request},
    state::ServerState,
};
use built_in::BuiltIn;
use remote::Remote;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    rpc::{PaymasterMode, SponsorContext, Sponsorship},
    user_operation::UserOperation,
};

/// Shortest and longest life of a signature, seconds.
const EXPIRY: std::ops::RangeInclusive<u64> = 30..=3_600;

/// The configured paymaster.
pub(crate) enum Paymaster {
    BuiltIn(Box<BuiltIn>),
    Biconomy(Remote),
    Erc7677(Remote),
}

/// What holds for every request to a paymaster.
pub fn check_request(user_operation: &UserOperation, expiry_duration: Option<u64>) -> Result<(), AppError> {
    if let Some(expiry) = expiry_duration.filter(|expiry| !EXPIRY.contains(expiry)) {
        return Err(AppError::invalid("context.expiryDuration", "30 to 3600 seconds", expiry));
    }
    if user_operation.sender.is_zero() {
        return Err(AppError::invalid("user_operation.sender", "a smart account", user_operation.sender));
    }
    Ok(())
}

/// The paymaster's signature in either mode, when the sponsorship policy agrees.
pub async fn sponsor(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
    asker: Asker<'_>,
) -> Result<Sponsorship, AppError> {
    check_request(user_operation, context.expiry_duration)?;
    let shortened = shortened(state, context, asker);
    let context = &shortened;
    let sign = async {
        let sponsorship = match (context.mode, state.paymaster()) {
            (PaymasterMode::Erc20, _) => token::sponsor(state, user_operation, context).await,
            (PaymasterMode::Sponsored, Some(paymaster)) => paymaster.sponsor(state, user_operation, context).await,
            (PaymasterMode::Sponsored, None) => Err(none_configured()),
        }?;
        // Whoever signed: the operator pays or advances it.
        fees::check(state, user_operation).await?;
        Ok(sponsorship)
    };
    let result = state.sponsor().guard(Request { user_operation, context, asker }, sign).await;
    metrics::sponsorship(result.as_ref().map(|_| ()));
    result
}

/// Data of the right length and form for an estimate of gas (ERC-7677). What the policy would refuse is refused
/// now; webhooks and budgets are asked when it is signed.
pub async fn stub(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
) -> Result<Bytes, AppError> {
    check_request(user_operation, context.expiry_duration)?;
    state.sponsor().would_allow(user_operation, context)?;
    match (context.mode, state.paymaster()) {
        (PaymasterMode::Erc20, _) => token::stub(state, context),
        (PaymasterMode::Sponsored, Some(Paymaster::BuiltIn(paymaster))) => Ok(paymaster.stub()),
        (PaymasterMode::Sponsored, Some(Paymaster::Erc7677(remote))) => {
            remote.stub_erc7677(user_operation, context).await
        }
        (PaymasterMode::Sponsored, Some(Paymaster::Biconomy(_))) => Err(AppError::SponsorshipRefused {
            reason: "the paymaster behind this server has no stub data; ask pm_sponsorUserOperation".into(),
        }),
        (PaymasterMode::Sponsored, None) => Err(none_configured()),
    }
}

/// With a life that the policy allows: a longer one is shortened, which its data tell.
fn shortened(state: &ServerState, context: &SponsorContext, asker: Asker<'_>) -> SponsorContext {
    let longest = state.sponsor().longest_life(asker);
    let asked = context.expiry_duration.unwrap_or(built_in::DEFAULT_EXPIRY);
    let expiry_duration = longest.filter(|longest| *longest < asked).or(context.expiry_duration);
    SponsorContext { expiry_duration, ..context.clone() }
}

fn none_configured() -> AppError {
    AppError::SponsorshipRefused { reason: "no paymaster is configured on this server".into() }
}

impl Paymaster {
    pub fn new(config: &PaymasterConfig, chain_id: u64, timeout: Duration) -> Result<Self, AppError> {
        Ok(match config {
            PaymasterConfig::BuiltIn { signer_key, address, paymaster_id } => {
                Self::BuiltIn(Box::new(BuiltIn::new(signer_key.clone(), *address, *paymaster_id, chain_id)))
            }
            PaymasterConfig::Remote { urls, dialect: PaymasterDialect::Biconomy, api_key } => {
                Self::Biconomy(Remote::biconomy(urls, api_key.as_ref(), chain_id, timeout)?)
            }
            PaymasterConfig::Remote { urls, dialect: PaymasterDialect::Erc7677, api_key } => {
                Self::Erc7677(Remote::erc7677(urls, api_key.as_ref(), chain_id, timeout)?)
            }
        })
    }

    /// The remote service, for the readiness check; the built-in paymaster is always ready.
    pub fn remote(&self) -> Option<&Remote> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Biconomy(remote) | Self::Erc7677(remote) => Some(remote),
        }
    }

    /// Pays, or says why not.
    pub async fn sponsor(
        &self,
        state: &ServerState,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Sponsorship, AppError> {
        if context.mode != PaymasterMode::Sponsored {
            return Err(AppError::invalid("context.mode", "SPONSORED", "ERC20"));
        }
        check_request(user_operation, context.expiry_duration)?;
        match self {
            Self::BuiltIn(paymaster) => paymaster.sponsor(state, user_operation, context).await,
            Self::Biconomy(paymaster) => paymaster.sponsor_biconomy(user_operation, context).await,
            Self::Erc7677(paymaster) => paymaster.sponsor_erc7677(state.bundler(), user_operation, context).await,
        }
    }
}
