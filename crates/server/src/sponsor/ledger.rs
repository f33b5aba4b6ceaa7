//! The ledger and the budgets in the database.
//!
//! A grant is one transaction: its row in the ledger, then one conditional upsert per budget, which does nothing when
//! the sum would exceed the limit; then the whole transaction is undone. So budgets hold however many servers ask at
//! once. An operation that is offered again with the same nonce (somebody asked twice) reserves only what it may cost
//! more: one of the two at most is ever mined. Budgets are taken in one order (account, key, everybody), so that two
//! grants never wait for each other in a circle, and the one that all share is locked last and shortest.
//!
//! What is only asked for counts against who asked: [`super::requester`].
//!
//! In mode ERC20 nothing is reserved; the row is open (`reserved`, with 0) until its operation is mined.

use std::net::IpAddr;

use alloy::primitives::{Address, B256, U256};
use use_aa_protocol::entry_point::EntryPoint;

use super::{
    super::database::{Database, DatabaseError, in_transaction, on_pool},
    limits::{BudgetOutcome, Limits, gwei_limit, gwei_up},
    requester::{self, RequesterOpen},
};

/// What the policy decided about one operation.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) chain_id: u64,
    /// Of the operation.
    pub(super) entry_point: EntryPoint,
    /// Unix seconds.
    pub(super) decided_at: u64,
    pub(super) mode: &'static str,
    pub(super) account: Address,
    pub(super) nonce: U256,
    pub(super) user_op_hash: B256,
    /// Most that the operation can cost, wei.
    pub(super) max_cost: U256,
    pub(super) policy_version: String,
    pub(super) api_key: Option<String>,
    /// JSON.
    pub(super) webhooks: Option<String>,
    /// Unix seconds of the chain.
    pub(super) valid_until: u64,
    pub(super) paymaster: Option<Address>,
    /// Who asked, when it is known.
    pub(super) caller: Option<IpAddr>,
}

/// A grant whose cost is still reserved.
struct Reservation {
    id: i64,
    day: i64,
    scopes: Vec<String>,
    reserved: i64,
}

/// A signature that ran out.
pub(super) struct Expired {
    /// Of its row.
    pub(super) id: i64,
    /// `None` when the row does not tell: an older version, or a newer one, wrote it.
    pub(super) nonce: Option<UsedNonce>,
}

/// Where an operation is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedNonce {
    pub(super) entry_point: EntryPoint,
    pub(super) account: Address,
    pub(super) nonce: U256,
}

/// Id, day, account, key, and what is reserved of it.
type OpenRow = (i64, i64, String, Option<String>, i64);

/// One row of the ledger, for people and tests. Times are unix seconds, costs wei.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// When it was decided.
    pub decided_at: i64,
    /// Of the operation, `0.6`.
    pub entry_point: String,
    /// `SPONSORED` or `ERC20`.
    pub mode: String,
    /// Who asked.
    pub account: String,
    /// Of the operation as it was signed; for a refusal, of the operation as it came.
    pub user_op_hash: String,
    /// `granted` or `refused`.
    pub outcome: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Most that it can cost.
    pub max_cost: String,
    /// Which policy decided.
    pub policy_version: String,
    /// Id of the key that was used.
    pub api_key: Option<String>,
    /// What the webhooks answered, JSON.
    pub webhooks: Option<String>,
    /// `none`, `reserved`, `settled`, `released`.
    pub state: String,
    /// What it did cost.
    pub actual_cost: Option<String>,
    /// In mode ERC20: the token that was taken.
    pub token: Option<String>,
    /// How much of it, in its smallest units; `None` while it is open, or when nothing could be taken.
    pub charged: Option<String>,
}

/// Not settled for good: open, or presumed to be mined because its nonce is used and the logs could not be read.
macro_rules! where_unsettled {
    ($before:literal, $after:literal) => {
        concat!($before, " (state = 'reserved' OR (state = 'settled' AND actual_cost IS NULL)) ", $after)
    };
}

/// The UTC day of a time, days since 1970.
pub(super) fn day_of(unix_seconds: u64) -> i64 {
    signed(unix_seconds / 86_400)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn scopes(account: &str, api_key: Option<&str>) -> Vec<String> {
    let account = format!("account:{account}");
    let key = api_key.map(|key| format!("key:{key}"));
    [Some(account), key, Some("global".to_owned())].into_iter().flatten().collect()
}

const INSERT: &str = "INSERT INTO sponsorships (chain_id, decided_at, day, mode, account, user_op_hash, outcome, reason, \
    max_cost, policy_version, api_key, webhooks, state, reserved, valid_until, paymaster, nonce, caller, entry_point) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING";
/// Nothing happens when the sum would exceed `$5`.
const TAKE: &str = "INSERT INTO sponsor_budgets (chain_id, day, scope, used) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (chain_id, day, scope) DO UPDATE SET used = sponsor_budgets.used + excluded.used \
    WHERE sponsor_budgets.used + excluded.used <= $5";
/// Earlier offers of the same operation to the same requester that hold something in the same budgets.
const EARLIER: &str = "SELECT id, reserved, valid_until FROM sponsorships WHERE chain_id = $1 AND account = $2 AND nonce = $3 \
    AND day = $4 AND COALESCE(api_key, '') = $5 AND COALESCE(caller, '') = $6 AND entry_point = $7 AND state = 'reserved' \
    AND reserved > 0 ORDER BY id";
const HAND_OVER: &str = "UPDATE sponsorships SET reserved = 0 WHERE id = $1 AND reserved = $2 AND state = 'reserved'";
const GIVE_BACK: &str = "UPDATE sponsor_budgets SET used = used + $1 WHERE chain_id = $2 AND day = $3 AND scope = $4";

/// The row of a decision, bound to [`INSERT`].
macro_rules! insert {
    ($decision:expr, $outcome:expr, $reason:expr, $state:expr, $reserved:expr) => {
        sqlx::query(INSERT)
            .bind(signed($decision.chain_id))
            .bind(signed($decision.decided_at))
            .bind(day_of($decision.decided_at))
            .bind($decision.mode)
            .bind(hex($decision.account))
            .bind(format!("{:#x}", $decision.user_op_hash))
            .bind($outcome)
            .bind($reason)
            .bind($decision.max_cost.to_string())
            .bind($decision.policy_version.as_str())
            .bind($decision.api_key.as_deref())
            .bind($decision.webhooks.as_deref())
            .bind($state)
            .bind($reserved)
            .bind(signed($decision.valid_until))
            .bind($decision.paymaster.map(hex))
            .bind($decision.nonce.to_string())
            .bind($decision.caller.filter(|_| $state == "reserved").map(|caller| caller.to_string()))
            .bind($decision.entry_point.version())
    };
}

/// Lower case: the ledger is searched by it.
pub(super) fn hex(address: Address) -> String {
    format!("{address:#x}")
}

impl Database {
    /// Writes a grant and reserves its cost, or does nothing because a budget does not reach. The same operation again
    /// (same hash) is granted already and takes nothing more.
    pub(super) async fn grant(
        &self,
        decision: &Decision,
        limits: Option<&Limits>,
    ) -> Result<BudgetOutcome, DatabaseError> {
        let Some(limits) = limits else {
            on_pool!(self, pool => {
                insert!(decision, "granted", None::<&str>, "reserved", 0_i64).execute(pool).await?;
            });
            return Ok(BudgetOutcome::Written);
        };
        let amount = gwei_up(decision.max_cost);
        let (key, caller) = (decision.api_key.as_deref(), decision.caller.map(|caller| caller.to_string()));
        let requester = [key.unwrap_or_default(), caller.as_deref().unwrap_or_default()];
        // The account's is only counted here: it is held against its limit below.
        let takes = [
            Some(("the account's", format!("account:{}", hex(decision.account)), None)),
            key.map(|key| ("the API key's", format!("key:{key}"), limits.key)),
            Some(("the", "global".to_owned(), limits.global)),
        ];
        let takes: Vec<_> = takes.into_iter().flatten().collect();
        // The first row of a day is written without a comparison.
        let alone = [("the account's", limits.account)].into_iter();
        let mut alone = alone.chain(takes.iter().map(|(budget, _, limit)| (*budget, *limit)));
        if let Some((budget, limit)) = alone.find(|(_, limit)| amount > gwei_limit(*limit)) {
            return Ok(BudgetOutcome::Exhausted { budget, limit: limit.unwrap_or(U256::MAX) });
        }
        let (chain_id, day) = (signed(decision.chain_id), day_of(decision.decided_at));
        in_transaction!(self, transaction => {
            let earlier: Vec<(i64, i64, i64)> = sqlx::query_as(EARLIER)
                .bind(chain_id)
                .bind(hex(decision.account))
                .bind(decision.nonce.to_string())
                .bind(day)
                .bind(requester[0])
                .bind(requester[1])
                .bind(decision.entry_point.version())
                .fetch_all(&mut *transaction)
                .await?;
            // Any of the offers may be the one that is mined: the money is held until the last of them has run out.
            let (mut held, mut held_until) = (0_i64, signed(decision.valid_until));
            for (id, reserved, valid_until) in earlier {
                let handed_over = sqlx::query(HAND_OVER).bind(id).bind(reserved).execute(&mut *transaction).await?;
                if handed_over.rows_affected() > 0 {
                    held = held.saturating_add(reserved);
                    held_until = held_until.max(valid_until);
                }
            }
            let decision = &Decision { valid_until: held_until.unsigned_abs(), ..decision.clone() };
            let written = insert!(decision, "granted", None::<&str>, "reserved", amount.max(held))
                .execute(&mut *transaction).await?.rows_affected();
            if written == 0 {
                // Granted already; what was handed over stays where it was.
                transaction.rollback().await?;
                return Ok(BudgetOutcome::Written);
            }
            let more = (amount - held).max(0);
            for (budget, scope, limit) in &takes {
                let taken = sqlx::query(TAKE)
                    .bind(chain_id)
                    .bind(day)
                    .bind(scope)
                    .bind(more)
                    .bind(gwei_limit(*limit))
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                if taken == 0 {
                    transaction.rollback().await?;
                    return Ok(BudgetOutcome::Exhausted { budget, limit: limit.unwrap_or(U256::MAX) });
                }
            }
            let of_account: i64 = sqlx::query_scalar(requester::USED_OF_ACCOUNT)
                .bind(chain_id)
                .bind(hex(decision.account))
                .bind(day)
                .bind(requester[0])
                .bind(requester[1])
                .fetch_one(&mut *transaction)
                .await?;
            let (open, of_the_account, reserved): (i64, i64, i64) = sqlx::query_as(requester::OPEN_OF_REQUESTER)
                .bind(chain_id)
                .bind(requester[0])
                .bind(requester[1])
                .bind(hex(decision.account))
                .fetch_one(&mut *transaction)
                .await?;
            let unproven: i64 = match key {
                Some(_) => 0,
                None => {
                    let query = sqlx::query_scalar(requester::OPEN_OF_THE_UNPROVEN).bind(chain_id);
                    query.fetch_one(&mut *transaction).await?
                }
            };
            let open = RequesterOpen { of_account, open, of_the_account, reserved, unproven, proven: key.is_some() };
            if let Some(refused) = open.refuse(limits) {
                transaction.rollback().await?;
                return Ok(refused);
            }
            transaction.commit().await?;
            Ok(BudgetOutcome::Written)
        })
    }

    /// Writes a refusal.
    pub(super) async fn refuse(&self, decision: &Decision, reason: &str) -> Result<(), DatabaseError> {
        on_pool!(self, pool => { insert!(decision, "refused", Some(reason), "none", 0_i64).execute(pool).await?; });
        Ok(())
    }

    /// The contracts whose signatures are open on this chain, with the mode.
    pub(super) async fn open_paymasters(&self, chain_id: u64) -> Result<Vec<(Address, String)>, DatabaseError> {
        let query = where_unsettled!("SELECT DISTINCT paymaster, mode FROM sponsorships WHERE chain_id = $1 AND", "");
        let found: Vec<(Option<String>, String)> =
            on_pool!(self, pool => sqlx::query_as(query).bind(signed(chain_id)).fetch_all(pool).await?);
        Ok(found.into_iter().filter_map(|(address, mode)| Some((address?.parse().ok()?, mode))).collect())
    }

    /// Those whose signatures ended after `chain_time` and were given back. One may have been used all the same: a server
    /// of an earlier version reads nothing of entry point v0.7.
    pub(super) async fn released_paymasters(
        &self,
        chain_id: u64,
        chain_time: u64,
    ) -> Result<Vec<(Address, String)>, DatabaseError> {
        let query = "SELECT DISTINCT paymaster, mode FROM sponsorships WHERE chain_id = $1 AND state = 'released' \
            AND valid_until > $2";
        let found: Vec<(Option<String>, String)> = on_pool!(self, pool => {
            sqlx::query_as(query).bind(signed(chain_id)).bind(signed(chain_time)).fetch_all(pool).await?
        });
        Ok(found.into_iter().filter_map(|(address, mode)| Some((address?.parse().ok()?, mode))).collect())
    }

    /// What was taken in a token for an operation. May be told again, with another amount, after a reorganisation.
    pub(super) async fn charge(
        &self,
        chain_id: u64,
        user_op_hash: B256,
        token: Address,
        charged: U256,
    ) -> Result<bool, DatabaseError> {
        let write = "UPDATE sponsorships SET token = $1, charged = $2 WHERE chain_id = $3 AND user_op_hash = $4 \
            AND outcome = 'granted' AND mode = 'ERC20' AND (charged IS NULL OR charged <> $2)";
        let written = on_pool!(self, pool => {
            sqlx::query(write)
                .bind(hex(token))
                .bind(charged.to_string())
                .bind(signed(chain_id))
                .bind(format!("{user_op_hash:#x}"))
                .execute(pool)
                .await?
                .rows_affected()
        });
        Ok(written > 0)
    }

    /// The operation was mined: its budgets hold what it did cost from now on. Does nothing for operations that are not
    /// in the ledger. May be told again, with another cost, after a reorganisation.
    pub(super) async fn settle(
        &self,
        chain_id: u64,
        user_op_hash: B256,
        actual_cost: U256,
        transaction_hash: B256,
        now: u64,
    ) -> Result<bool, DatabaseError> {
        let find = "SELECT id, day, account, api_key, reserved, mode FROM sponsorships WHERE chain_id = $1 \
            AND user_op_hash = $2 AND outcome = 'granted' AND state <> 'none' \
            AND (actual_cost IS NULL OR actual_cost <> $3)";
        let write = "UPDATE sponsorships SET state = 'settled', reserved = $1, actual_cost = $2, transaction_hash = $3, \
            settled_at = $4, caller = NULL WHERE id = $5 AND reserved = $6 AND (actual_cost IS NULL OR actual_cost <> $2)";
        let cost = actual_cost.to_string();
        in_transaction!(self, transaction => {
            let found: Option<(i64, i64, String, Option<String>, i64, String)> = sqlx::query_as(find)
                .bind(signed(chain_id))
                .bind(format!("{user_op_hash:#x}"))
                .bind(&cost)
                .fetch_optional(&mut *transaction)
                .await?;
            let Some((id, day, account, api_key, reserved, mode)) = found else { return Ok(false) };
            // The account paid in a token: no budget did.
            let amount = if mode == "ERC20" { 0 } else { gwei_up(actual_cost) };
            let written = sqlx::query(write)
                .bind(amount)
                .bind(&cost)
                .bind(format!("{transaction_hash:#x}"))
                .bind(signed(now))
                .bind(id)
                .bind(reserved)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            if written == 0 {
                // Another server was quicker.
                return Ok(false);
            }
            for scope in scopes(&account, api_key.as_deref()) {
                sqlx::query(GIVE_BACK)
                    .bind(amount - reserved)
                    .bind(signed(chain_id))
                    .bind(day)
                    .bind(scope)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
    }

    /// Gives back what was reserved for signatures that ran out before `chain_time` and were not used. Returns how many.
    pub(super) async fn release_expired(&self, chain_id: u64, chain_time: u64) -> Result<usize, DatabaseError> {
        let find = "SELECT id, day, account, api_key, reserved FROM sponsorships WHERE chain_id = $1 AND state = 'reserved' \
            AND valid_until < $2 ORDER BY id LIMIT 1000";
        let found: Vec<OpenRow> = on_pool!(self, pool => {
            sqlx::query_as(find).bind(signed(chain_id)).bind(signed(chain_time)).fetch_all(pool).await?
        });
        self.release_all(chain_id, found).await
    }

    /// Another operation of the account with this nonce was mined: the signatures for the others can never be used.
    /// Returns how many.
    pub(super) async fn release_replaced(
        &self,
        chain_id: u64,
        (entry_point, account, nonce): (EntryPoint, Address, U256),
        mined: B256,
    ) -> Result<usize, DatabaseError> {
        let find = where_unsettled!(
            "SELECT id, day, account, api_key, reserved FROM sponsorships WHERE chain_id = $1 AND",
            "AND account = $2 AND nonce = $3 AND user_op_hash <> $4 AND entry_point = $5 ORDER BY id LIMIT 1000"
        );
        let found: Vec<OpenRow> = on_pool!(self, pool => {
            sqlx::query_as(find)
                .bind(signed(chain_id))
                .bind(hex(account))
                .bind(nonce.to_string())
                .bind(format!("{mined:#x}"))
                .bind(entry_point.version())
                .fetch_all(pool)
                .await?
        });
        self.release_all(chain_id, found).await
    }

    /// Signatures that ran out before `chain_time`: entry point, account, nonce and how the row is called.
    pub(super) async fn expired(
        &self,
        chain_id: u64,
        chain_time: u64,
        most: u32,
    ) -> Result<Vec<Expired>, DatabaseError> {
        let find = "SELECT id, account, nonce, entry_point FROM sponsorships WHERE chain_id = $1 AND state = 'reserved' \
            AND valid_until < $2 ORDER BY id LIMIT $3";
        let found: Vec<(i64, String, Option<String>, String)> = on_pool!(self, pool => {
            sqlx::query_as(find)
                .bind(signed(chain_id))
                .bind(signed(chain_time))
                .bind(i64::from(most))
                .fetch_all(pool)
                .await?
        });
        let read = |(id, account, nonce, version): (i64, String, Option<String>, String)| {
            let nonce = EntryPoint::ALL.into_iter().find(|known| known.version() == version).and_then(|entry_point| {
                Some(UsedNonce { entry_point, account: account.parse().ok()?, nonce: nonce?.parse().ok()? })
            });
            Expired { id, nonce }
        };
        Ok(found.into_iter().map(read).collect())
    }

    /// Gives back what was reserved for one of them: its nonce was never used.
    pub(super) async fn release_one(&self, chain_id: u64, id: i64) -> Result<usize, DatabaseError> {
        let find = "SELECT id, day, account, api_key, reserved FROM sponsorships WHERE id = $1 AND state = 'reserved'";
        let found: Vec<OpenRow> = on_pool!(self, pool => sqlx::query_as(find).bind(id).fetch_all(pool).await?);
        self.release_all(chain_id, found).await
    }

    /// One of them may have been mined: it holds what it may have cost until the logs tell, and is not open any more.
    pub(super) async fn presume_mined(&self, id: i64) -> Result<(), DatabaseError> {
        let write = "UPDATE sponsorships SET state = 'settled', caller = NULL WHERE id = $1 AND state = 'reserved'";
        on_pool!(self, pool => { sqlx::query(write).bind(id).execute(pool).await?; });
        Ok(())
    }

    async fn release_all(&self, chain_id: u64, found: Vec<OpenRow>) -> Result<usize, DatabaseError> {
        let mut released = 0;
        for (id, day, account, api_key, reserved) in found {
            let reservation = Reservation { id, day, scopes: scopes(&account, api_key.as_deref()), reserved };
            released += usize::from(self.release(chain_id, &reservation).await?);
        }
        Ok(released)
    }

    async fn release(&self, chain_id: u64, reservation: &Reservation) -> Result<bool, DatabaseError> {
        let write = where_unsettled!(
            "UPDATE sponsorships SET state = 'released', reserved = 0, caller = NULL WHERE id = $1 AND",
            "AND reserved = $2"
        );
        in_transaction!(self, transaction => {
            let written = sqlx::query(write).bind(reservation.id).bind(reservation.reserved).execute(&mut *transaction).await?.rows_affected();
            if written == 0 {
                return Ok(false);
            }
            for scope in &reservation.scopes {
                sqlx::query(GIVE_BACK)
                    .bind(-reservation.reserved)
                    .bind(signed(chain_id))
                    .bind(reservation.day)
                    .bind(scope)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
    }

    /// Deletes decisions and budgets from before `before`, unix seconds; what is still open stays. A part of them when
    /// there are very many: the database is others' as well. Returns how many decisions.
    pub(super) async fn forget_before(&self, chain_id: u64, before: u64) -> Result<u64, DatabaseError> {
        const AT_ONCE: i64 = 1_000;
        const MOST_ROUNDS: u32 = 100;
        let decisions = "DELETE FROM sponsorships WHERE id IN (SELECT id FROM sponsorships WHERE chain_id = $1 \
            AND decided_at < $2 AND state <> 'reserved' ORDER BY decided_at LIMIT $3)";
        let budgets = "DELETE FROM sponsor_budgets WHERE chain_id = $1 AND day < $2";
        let mut forgotten = 0;
        for _ in 0..MOST_ROUNDS {
            let deleted = in_transaction!(self, transaction => {
                let deleted = sqlx::query(decisions)
                    .bind(signed(chain_id))
                    .bind(signed(before))
                    .bind(AT_ONCE)
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                sqlx::query(budgets).bind(signed(chain_id)).bind(day_of(before)).execute(&mut *transaction).await?;
                transaction.commit().await?;
                deleted
            });
            forgotten += deleted;
            if deleted < AT_ONCE.unsigned_abs() {
                break;
            }
        }
        Ok(forgotten)
    }

    /// The last block whose receipts were looked through, for all entry points. Older servers, which know one of them only,
    /// have a cursor of their own (`sponsor_cursors`): behind it an operation of the other would never be found.
    pub(super) async fn settled_block(&self, chain_id: u64) -> Result<Option<u64>, DatabaseError> {
        let query = "SELECT block FROM sponsor_cursors_of_both WHERE chain_id = $1";
        let block: Option<i64> =
            on_pool!(self, pool => sqlx::query_scalar(query).bind(signed(chain_id)).fetch_optional(pool).await?);
        Ok(block.map(i64::unsigned_abs))
    }

    /// Remembers it.
    pub(super) async fn set_settled_block(&self, chain_id: u64, block: u64) -> Result<(), DatabaseError> {
        let query = "INSERT INTO sponsor_cursors_of_both (chain_id, block) VALUES ($1, $2) \
            ON CONFLICT (chain_id) DO UPDATE SET block = excluded.block";
        on_pool!(self, pool => { sqlx::query(query).bind(signed(chain_id)).bind(signed(block)).execute(pool).await?; });
        Ok(())
    }

    /// The latest decisions on a chain, the newest first.
    pub async fn sponsorships(&self, chain_id: u64, most: u32) -> Result<Vec<LedgerEntry>, DatabaseError> {
        let query = "SELECT decided_at, entry_point, mode, account, user_op_hash, outcome, reason, max_cost, policy_version, api_key, \
            webhooks, state, actual_cost, token, charged FROM sponsorships WHERE chain_id = $1 ORDER BY id DESC LIMIT $2";
        Ok(on_pool!(self, pool => {
            sqlx::query_as(query).bind(signed(chain_id)).bind(i64::from(most)).fetch_all(pool).await?
        }))
    }

    /// What is reserved and spent on the day of `now` (unix seconds), gwei; `None` = of all accounts together.
    pub async fn sponsored_on(&self, chain_id: u64, now: u64, account: Option<Address>) -> Result<u64, DatabaseError> {
        let scope = account.map_or_else(|| "global".to_owned(), |account| format!("account:{}", hex(account)));
        let query = "SELECT used FROM sponsor_budgets WHERE chain_id = $1 AND day = $2 AND scope = $3";
        let used: Option<i64> = on_pool!(self, pool => {
            sqlx::query_scalar(query).bind(signed(chain_id)).bind(day_of(now)).bind(scope).fetch_optional(pool).await?
        });
        Ok(used.map_or(0, |used| u64::try_from(used).unwrap_or(0)))
    }
}
