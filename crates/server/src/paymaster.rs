//! The paymaster: who pays for an operation. Either built in (this server signs for a verifying
//! paymaster) or remote, in the dialect `biconomy` or `erc7677`.

mod built_in;
mod remote;
pub mod token;
mod upstreams;

use std::time::Duration;

use alloy::primitives::Bytes;

use super::config::{PaymasterConfig, PaymasterContext, PaymasterDialect};
use built_in::BuiltIn;
pub(crate) use built_in::DEFAULT_EXPIRY;
pub(crate) use remote::Remote;
pub use upstreams::Upstreams;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
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
    // Gas values that cannot be written down would be signed as others.
    if user_operation.entry_point == EntryPoint::V07 {
        v07::pack(user_operation)
            .map_err(|error| AppError::invalid("user_operation", "what contracts can see", error))?;
    }
    Ok(())
}

/// Nobody pays for operations of this entry point here.
pub(crate) fn none_for(entry_point: EntryPoint) -> AppError {
    AppError::SponsorshipRefused {
        reason: format!("no paymaster for entry point {entry_point} is configured on this server"),
    }
}

impl Paymaster {
    pub fn new(
        config: &PaymasterConfig,
        context: Option<&PaymasterContext>,
        chain_id: u64,
        timeout: Duration,
    ) -> Result<Self, AppError> {
        Ok(match config {
            PaymasterConfig::BuiltIn { signer_key, address, paymaster_id, address_v07 } => {
                let contracts = (*address, *address_v07);
                Self::BuiltIn(Box::new(BuiltIn::new(signer_key.clone(), contracts, *paymaster_id, chain_id)))
            }
            PaymasterConfig::Remote { urls, dialect: PaymasterDialect::Biconomy, api_key } => {
                Self::Biconomy(Remote::biconomy(urls, api_key.as_ref(), chain_id, timeout)?)
            }
            PaymasterConfig::Remote { urls, dialect: PaymasterDialect::Erc7677, api_key } => {
                Self::Erc7677(Remote::erc7677(urls, api_key.as_ref(), context, chain_id, timeout)?)
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

    /// Data of the right length and form for an estimate of gas (ERC-7677).
    pub async fn stub(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<Bytes, AppError> {
        match self {
            Self::BuiltIn(paymaster) => paymaster.stub(user_operation),
            Self::Erc7677(remote) => remote.stub_erc7677(user_operation, context).await,
            Self::Biconomy(_) => Err(AppError::SponsorshipRefused {
                reason: "the paymaster behind this server has no stub data; ask pm_sponsorUserOperation".into(),
            }),
        }
    }

    /// Pays, or says why not.
    pub async fn sponsor(
        &self,
        upstreams: Upstreams<'_>,
        user_operation: &UserOperation,
        context: &SponsorContext,
    ) -> Result<Sponsorship, AppError> {
        if context.mode != PaymasterMode::Sponsored {
            return Err(AppError::invalid("context.mode", "SPONSORED", "ERC20"));
        }
        check_request(user_operation, context.expiry_duration)?;
        match self {
            Self::BuiltIn(paymaster) => paymaster.sponsor(upstreams, user_operation, context).await,
            // Its service knows no other entry point.
            Self::Biconomy(_) if user_operation.entry_point != EntryPoint::V06 => {
                Err(none_for(user_operation.entry_point))
            }
            Self::Biconomy(paymaster) => paymaster.sponsor_biconomy(user_operation, context).await,
            Self::Erc7677(paymaster) => paymaster.sponsor_erc7677(upstreams, user_operation, context).await,
        }
    }

    /// The service, when it quotes gas in tokens and signs for it.
    pub fn in_tokens(&self) -> Option<&Remote> {
        match self {
            Self::Biconomy(remote) => Some(remote),
            Self::BuiltIn(_) | Self::Erc7677(_) => None,
        }
    }
}
