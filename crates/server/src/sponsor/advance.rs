//! Gas that the token paymaster advances (mode ERC20): it is paid back in tokens after the operation ran, if at all.
//!
//! An operation is tried out before it is signed (`paymaster::token::outcome`), but what is true then need not be true
//! in its block: other operations of the account, or of others that it let at its tokens, may run before. So that such
//! an attack is worth little, one signature of an account and token is open at a time, what is advanced is limited in
//! money, and an account whose operation could not be charged gets nothing until it has paid.

mod ledger;
mod settle;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use alloy::primitives::{Address, U256};

use self::ledger::{Obstacle, Reserved};
use super::{Inner, ledger::Decision, policy::AdvanceLimits};
use use_aa_actions::error::AppError;
use use_aa_protocol::{entry_point::EntryPoint, paymaster::TokenPaymasterData, user_operation::UserOperation};

/// How long somebody who asks for a signature waits for a look at the blocks.
const LOOKING: Duration = Duration::from_secs(10);

/// The account wants to pay for one operation in a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdvanceRequest {
    pub(super) entry_point: EntryPoint,
    pub(super) account: Address,
    pub(super) token: Address,
    pub(super) nonce: U256,
}

impl Inner {
    /// Refuses before anything is signed or asked when the account owes something, or has another signature open.
    pub(super) async fn may_advance(&self, wanted: &AdvanceRequest) -> Result<Result<(), String>, AppError> {
        let asked = Instant::now();
        let Some(obstacle) = self.database.advance_obstacle(self.chain_id, wanted).await? else { return Ok(Ok(())) };
        // It may have been mined, or paid, since the last look.
        if let Err(error) = self.look_again(wanted, &obstacle, asked).await {
            tracing::warn!(%error, account = %wanted.account, "cannot see whether an operation still waits");
            return Ok(Err(obstacle.to_string()));
        }
        let obstacle = self.database.advance_obstacle(self.chain_id, wanted).await?;
        Ok(obstacle.map_or(Ok(()), |obstacle| Err(obstacle.to_string())))
    }

    async fn look_again(&self, wanted: &AdvanceRequest, obstacle: &Obstacle, asked: Instant) -> Result<(), AppError> {
        let used = match obstacle {
            Obstacle::Waits { nonce, .. }
                if self.node.nonce(wanted.entry_point, wanted.account, *nonce >> 64).await? > *nonce =>
            {
                Some(*nonce)
            }
            _ => None,
        };
        // Where logs are read in many small parts whoever asks does not wait for all of them.
        let late = |_| AppError::Internal { reason: "the blocks are still being looked through".into() };
        tokio::time::timeout(LOOKING, self.settle_since(asked)).await.map_err(late)??;
        if let Some(nonce) = used {
            // Mined before the blocks were read, and still open: another operation took its place.
            self.database.lapse_advance(self.chain_id, wanted.account, nonce).await?;
        }
        Ok(())
    }

    /// Reserves what the operation may cost, or says why not; the account's slot for the token is taken from then on.
    pub(super) async fn advance(
        &self,
        wanted: &AdvanceRequest,
        decision: &Decision,
        signed: &UserOperation,
    ) -> Result<Result<(), String>, AppError> {
        let data = TokenPaymasterData::decode(&signed.paymaster_and_data)?;
        let most = data.most_charged(signed).unwrap_or(U256::MAX);
        let AdvanceLimits { account, caller, total } = self.policy.advance;
        let limits = AdvanceLimits {
            account: self.at_least(account, 2, signed),
            caller: self.at_least(caller, 10, signed),
            total: self.at_least(total, 40, signed),
        };
        let limits = (&limits, self.policy.open.per_caller);
        let reserved = self.database.advance(wanted, decision, most, limits).await?;
        Ok(match reserved {
            Reserved::Yes => Ok(()),
            Reserved::Refused(obstacle) => Err(obstacle.to_string()),
            Reserved::Crowded { most } => Err(format!(
                "your address has {most} operations already that wait to be paid in tokens; use one, or wait until it has \
                 run out"
            )),
            Reserved::Exhausted { whose, limit } => Err(format!(
                "{whose} advance of {limit} wei is used up by operations that were not paid back yet; wait until they are"
            )),
        })
    }
}
