//! The paymaster: who pays for an operation. Either built in (this server signs for a verifying
//! paymaster) or remote, in the dialect `biconomy` or `erc7677`.

use leptos::server;

use super::call::Call;
use crate::{
    error::AppError,
    protocol::{
        paymaster::{FeeQuotes, FeeQuotesRequest},
        rpc::{SponsorContext, Sponsorship},
        user_operation::UserOperation,
    },
};

#[cfg(feature = "ssr")]
mod built_in;
#[cfg(feature = "ssr")]
mod remote;
#[cfg(feature = "ssr")]
pub(super) mod token;

/// Asks the paymaster to pay (`pm_sponsorUserOperation`). All fields of the result replace the
/// operation's: they are what the paymaster signed.
#[server(protocol = Call, prefix = "/api/fn", endpoint = "sponsor_user_operation")]
pub async fn sponsor_user_operation(
    user_operation: UserOperation,
    context: SponsorContext,
) -> Result<Sponsorship, AppError> {
    ssr::sponsor(&super::state::server_state()?, &user_operation, &context, None).await
}

/// What gas would cost in tokens (`pm_getFeeQuoteOrData`, mode ERC20). The operation carries its gas limits.
#[server(name = GetFeeQuotes, protocol = Call, prefix = "/api/fn", endpoint = "fee_quotes")]
pub async fn fee_quotes(user_operation: UserOperation, request: FeeQuotesRequest) -> Result<FeeQuotes, AppError> {
    token::fee_quotes(&super::state::server_state()?, &user_operation, &request).await
}

#[cfg(feature = "ssr")]
pub(super) mod ssr {
    use std::time::Duration;

    use super::{
        super::{
            api_keys::ApiKey,
            config::{PaymasterConfig, PaymasterDialect},
            metrics,
            sponsor::Request,
            state::ServerState,
        },
        built_in::BuiltIn,
        remote::Remote,
        token,
    };
    use crate::{
        error::AppError,
        protocol::{
            rpc::{PaymasterMode, SponsorContext, Sponsorship},
            user_operation::UserOperation,
        },
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
    pub(in super::super) fn check_request(
        user_operation: &UserOperation,
        expiry_duration: Option<u64>,
    ) -> Result<(), AppError> {
        if let Some(expiry) = expiry_duration.filter(|expiry| !EXPIRY.contains(expiry)) {
            return Err(AppError::invalid("context.expiryDuration", "30 to 3600 seconds", expiry));
        }
        if user_operation.sender.is_zero() {
            return Err(AppError::invalid("user_operation.sender", "a smart account", user_operation.sender));
        }
        Ok(())
    }

    /// The paymaster's signature in either mode, when the sponsorship policy agrees; `api_key` is the key of the
    /// JSON-RPC path, when the request came that way.
    pub(in super::super) async fn sponsor(
        state: &ServerState,
        user_operation: &UserOperation,
        context: &SponsorContext,
        api_key: Option<&ApiKey>,
    ) -> Result<Sponsorship, AppError> {
        check_request(user_operation, context.expiry_duration)?;
        let sign = async {
            match (context.mode, state.paymaster()) {
                (PaymasterMode::Erc20, _) => token::sponsor(state, user_operation, context).await,
                (PaymasterMode::Sponsored, Some(paymaster)) => paymaster.sponsor(state, user_operation, context).await,
                (PaymasterMode::Sponsored, None) => {
                    Err(AppError::SponsorshipRefused { reason: "no paymaster is configured on this server".into() })
                }
            }
        };
        let result = match state.sponsor() {
            Some(sponsor) => sponsor.guard(Request { user_operation, context, api_key }, sign).await,
            None => sign.await,
        };
        metrics::sponsorship(result.as_ref().map(|_| ()));
        result
    }

    impl Paymaster {
        pub(crate) fn new(config: &PaymasterConfig, chain_id: u64, timeout: Duration) -> Result<Self, AppError> {
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
        pub(crate) fn remote(&self) -> Option<&Remote> {
            match self {
                Self::BuiltIn(_) => None,
                Self::Biconomy(remote) | Self::Erc7677(remote) => Some(remote),
            }
        }

        /// Pays, or says why not.
        pub(crate) async fn sponsor(
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
}
