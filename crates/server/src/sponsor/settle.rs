//! What became of the signatures: reservations are corrected to what the operations did cost, or given back.
//!
//! Every server looks, in turns of its own; the database lets each reservation be settled once. The entry point's events
//! name the paymaster, so one query finds all operations, whoever sent them.
//!
//! A node may refuse its logs: for the range asked (`logs.rs` asks for less), for one block, or altogether. What ran out is released all
//! the same, when the entry point says that its nonce was never used: it cannot be any more. What has a used nonce was
//! mined, or another operation was; it holds its reservation, without being open, until logs tell which.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use serde_json::{Value, json};

use super::{
    super::{
        logs::Reading,
        quantity::quantity,
        receipt::{self, Sighting},
    },
    Inner, Sponsor,
    ledger::{Expired, UsedNonce},
    unix_seconds,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{entry_point::EntryPoint, user_operation::split_nonce};

/// Blocks that are read again each time, for reorganisations.
const OVERLAP: u64 = 20;
/// How far back the first look goes, blocks: signatures live for an hour at most.
const LOOK_BACK: u64 = 20_000;
/// Blocks that are looked through at once; many nodes take no more in one request.
const RANGE: u64 = 2_000;
/// Most requests for them, where a node takes fewer.
const PARTS: u64 = 50;
/// Nonces that are asked for in one request.
const NONCES: u32 = 50;
/// After its end, chain seconds, a signature counts as unused: a reorganisation may still bring it.
const GRACE: u64 = 60;
/// For so long what was given back is looked for, chain seconds.
const DAY: u64 = 86_400;
/// Old decisions are deleted this often.
const BETWEEN_TIDYING: Duration = Duration::from_secs(3_600);
/// Longest pause after failures.
const SLOWEST: Duration = Duration::from_secs(60);

impl Sponsor {
    /// Looks from now on, until the server is gone. May be called again and again.
    pub fn start_settling(&self) {
        if !self.inner.settles.swap(true, Ordering::AcqRel) {
            tokio::spawn(run(Arc::downgrade(&self.inner), self.inner.pause));
        }
    }
}

async fn run(sponsor: Weak<Inner>, pause: Duration) {
    let mut wait = pause;
    let mut tidied: Option<Instant> = None;
    loop {
        let Some(this) = sponsor.upgrade() else { return };
        if tidied.is_none_or(|at| at.elapsed() > BETWEEN_TIDYING) {
            tidied = Some(Instant::now());
            if let Err(error) = this.tidy().await {
                tracing::warn!(%error, "deleting old sponsorship decisions");
            }
        }
        drop(this);
        tokio::time::sleep(wait).await;
        let Some(sponsor) = sponsor.upgrade() else { return };
        wait = match sponsor.settle().await {
            Ok(()) => pause,
            Err(error) => {
                tracing::warn!(%error, "settling sponsorships");
                wait.saturating_mul(2).min(SLOWEST)
            }
        };
    }
}

impl Inner {
    /// Looks through the blocks since the last time, then releases what ran out.
    pub(super) async fn settle(&self) -> Result<(), AppError> {
        let mut open = self.database.open_paymasters(self.chain_id).await?;
        let advancing = self.database.advancing(self.chain_id).await?;
        open.extend(advancing.into_iter().map(|paymaster| (paymaster, "ERC20".to_owned())));
        if open.is_empty() {
            return Ok(());
        }
        // In this order: no later block is as old as that. The next block's time, because on a chain without blocks
        // nothing would ever run out, and who holds too many offers could not send to make a block.
        let ended = self.node.clocks().await?.pending.saturating_sub(GRACE);
        open.extend(self.database.released_paymasters(self.chain_id, ended.saturating_sub(DAY)).await?);
        open.sort_unstable();
        open.dedup();
        let read = self.read_logs(&open).await;
        self.database.lapse_advances(self.chain_id, ended, read.is_ok()).await?;
        let released = match &read {
            Ok(()) => self.database.release_expired(self.chain_id, ended).await?,
            Err(error) => {
                tracing::warn!(%error, "no logs: what ran out is released by its nonce");
                self.release_unused(ended).await?
            }
        };
        if released > 0 {
            tracing::info!(released, "sponsorships ran out unused");
        }
        read
    }

    /// Looks through the blocks up to the latest one.
    async fn read_logs(&self, open: &[(Address, String)]) -> Result<(), AppError> {
        let head = self.node.block_number().await?;
        let oldest = head.saturating_sub(LOOK_BACK);
        let settled = self.database.settled_block(self.chain_id).await?;
        // A cursor beyond the head is another chain's (a new lab over an old ledger).
        let mut from = settled.filter(|block| *block <= head).map_or(oldest, |block| block.saturating_sub(OVERLAP));
        from = from.max(oldest);
        // Where a node takes few blocks at once, what was read is written down more often.
        let longest = RANGE.min(self.node.longest_logs().saturating_mul(PARTS));
        let mut range = longest;
        while from <= head {
            let to = head.min(from.saturating_add(range - 1));
            match self.settle_range(open, from, to).await {
                Ok(()) => range = longest.min(range.saturating_mul(2)),
                // One of these blocks is told by no node, in however small parts: quickly to that one.
                Err(AppError::UpstreamRejected { .. } | AppError::UpstreamMalformed { .. }) if to > from => {
                    range = (to - from).div_ceil(8);
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.database.set_settled_block(self.chain_id, to).await?;
            from = to.saturating_add(1);
        }
        Ok(())
    }

    /// Without logs: releases those that ran out before `ended` and whose nonce was never used.
    async fn release_unused(&self, ended: u64) -> Result<usize, AppError> {
        let mut released = 0;
        loop {
            let expired = self.database.expired(self.chain_id, ended, NONCES).await?;
            if expired.is_empty() {
                return Ok(released);
            }
            let mut asked = Vec::new();
            for Expired { id, nonce } in expired {
                match nonce {
                    Some(nonce) => asked.push((id, nonce)),
                    // Nobody can be asked about it; left open, it would be in the others' way for ever.
                    None => self.database.presume_mined(id).await?,
                }
            }
            let calls: Vec<_> = asked.iter().map(|(_, nonce)| ("eth_call", next_nonce_call(nonce))).collect();
            let answers = if calls.is_empty() { Vec::new() } else { self.node.batch(&calls).await? };
            for ((id, nonce), answer) in asked.into_iter().zip(answers) {
                let (_, sequence) = split_nonce(nonce.nonce);
                // A word; "0x" is no answer of the entry point.
                let next = Some(answer?).filter(|answer| answer.as_str().is_some_and(|word| word.len() == 66));
                let next = next.and_then(|word| quantity(&word)).map(|nonce| split_nonce(nonce).1);
                match next.is_some_and(|next| next <= sequence) {
                    true => released += self.database.release_one(self.chain_id, id).await?,
                    false => self.database.presume_mined(id).await?,
                }
            }
        }
    }

    /// Deletes what is older than the configuration wants it kept.
    async fn tidy(&self) -> Result<(), AppError> {
        let before = unix_seconds().saturating_sub(self.kept);
        let forgotten = self.database.forget_before(self.chain_id, before).await?;
        if forgotten > 0 {
            tracing::info!(forgotten, "old sponsorship decisions are deleted");
        }
        self.tidy_advances(before).await
    }

    async fn settle_range(&self, open: &[(Address, String)], from: u64, to: u64) -> Result<(), AppError> {
        // First, because the rows are not looked for any more once they are settled.
        let takers: Vec<Address> =
            open.iter().filter(|(_, mode)| mode == "ERC20").map(|(paymaster, _)| *paymaster).collect();
        let charges = self.charges(&takers, from, to).await?;
        let paymasters: Vec<_> = open.iter().map(|(paymaster, _)| paymaster.into_word()).collect();
        let topics = json!([receipt::MINED, Value::Null, Value::Null, paymasters]);
        let logs = self.logs(receipt::entry_points(), topics, from, to).await?;
        for sighting in receipt::sightings(&logs) {
            self.settle_advance(&charges, &sighting).await?;
            let Sighting { entry_point, nonce, receipt, .. } = sighting;
            let (account, user_op_hash) = (receipt.sender, receipt.user_op_hash);
            let used = (entry_point, account, nonce);
            self.database.release_replaced(self.chain_id, used, user_op_hash).await?;
            let (user_op_hash, cost, transaction) =
                (receipt.user_op_hash, receipt.actual_gas_cost, receipt.transaction_hash);
            if self.database.settle(self.chain_id, user_op_hash, cost, transaction, unix_seconds()).await? {
                tracing::info!(%user_op_hash, actual_cost = %cost, "sponsorship settled");
            }
        }
        self.collect_debts(from, to).await
    }

    pub(super) async fn logs(&self, address: Value, topics: Value, from: u64, to: u64) -> Result<Vec<Value>, AppError> {
        let filter = json!({"address": address, "topics": topics});
        self.node.logs(&filter, from, to, Reading::InTurn).await
    }
}

/// `getNonce` of the operation's entry point in the lane of its nonce.
fn next_nonce_call(used: &UsedNonce) -> Value {
    let (lane, _) = split_nonce(used.nonce);
    json!([{"to": used.entry_point.address(), "data": EntryPoint::get_nonce(used.account, lane)}, "latest"])
}
