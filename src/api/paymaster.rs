//! The paymaster: who pays for an operation. Either built in (this server signs for a verifying
//! paymaster) or remote, in the dialect `biconomy` or `erc7677`.

use leptos::server;

use super::call::FunctionCall;
use crate::{
    error::AppError,
    protocol::{
        paymaster::{FeeQuotes, FeeQuotesRequest},
        rpc::{SponsorContext, Sponsorship},
        user_operation::UserOperation,
    },
};

#[cfg(feature = "ssr")]
use use_aa_server::caller::Caller;

/// Asks the paymaster to pay (`pm_sponsorUserOperation`). All fields of the result replace the
/// operation's: they are what the paymaster signed. Refused in every mode where `USE_AA_PAGE_SPONSORSHIP` is off.
#[server(protocol = FunctionCall, prefix = "/api/fn", endpoint = "sponsor_user_operation")]
pub async fn sponsor_user_operation(
    user_operation: UserOperation,
    context: SponsorContext,
) -> Result<Sponsorship, AppError> {
    let caller = leptos::prelude::use_context::<http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<Caller>().map(Caller::counted_as));
    use_aa_server::page_sponsorship::sponsor(&super::server_state()?, &user_operation, &context, caller).await
}

/// What gas would cost in tokens (`pm_getFeeQuoteOrData`, mode ERC20). The operation carries its gas limits.
#[server(name = GetFeeQuotes, protocol = FunctionCall, prefix = "/api/fn", endpoint = "fee_quotes")]
pub async fn fee_quotes(user_operation: UserOperation, request: FeeQuotesRequest) -> Result<FeeQuotes, AppError> {
    use_aa_server::sponsorship::fee_quotes(&super::server_state()?, &user_operation, &request).await
}
