//! `USE_AA_PAGE_SPONSORSHIP`: whether those who call without a key, as pages do, have gas paid or advanced.
//!
//! A page proves nothing: it is a program on somebody else's machine, and any other program can send what it sends. So
//! this is a choice of the operator, who bounds it by policy and budgets, and not a check of who calls.

use std::net::IpAddr;

use super::{config::Config, metrics, sponsor::Requester, sponsorship, state::ServerState};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    rpc::{SponsorContext, Sponsorship},
    user_operation::UserOperation,
};

/// As [`sponsorship::sponsor`], for a caller without a key.
///
/// # Errors
/// `SponsorshipRefused` where that is off, in every mode: the operator advances the gas of mode ERC20, too.
pub async fn sponsor(
    state: &ServerState,
    user_operation: &UserOperation,
    context: &SponsorContext,
    caller: Option<IpAddr>,
) -> Result<Sponsorship, AppError> {
    let config = state.config();
    // Without a paymaster the better answer is that there is none.
    if config.has_paymaster() && !config.sponsors_pages() {
        let refusal = refusal();
        metrics::sponsorship(user_operation.entry_point, Err(&refusal));
        return Err(refusal);
    }
    sponsorship::sponsor(state, user_operation, context, Requester { api_key: None, caller }).await
}

fn refusal() -> AppError {
    AppError::SponsorshipRefused {
        reason:
            "USE_AA_PAGE_SPONSORSHIP is off on this server: it pays or advances gas only for callers with a key, at \
                 its JSON-RPC paths; its operator can set it to on"
                .into(),
    }
}

/// What holds on a server with this configuration, for its log; `None` where nobody is paid for anyway.
pub fn description(config: &Config) -> Option<&'static str> {
    config.has_paymaster().then(|| match config.sponsors_pages() {
        true => "page sponsorship is on (USE_AA_PAGE_SPONSORSHIP): whoever reaches this server may have gas paid, within policy and budgets",
        false => "page sponsorship is off (USE_AA_PAGE_SPONSORSHIP): pages pay their own gas, callers with a key are sponsored",
    })
}
