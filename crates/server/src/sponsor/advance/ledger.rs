//! Advances in the database: who may have one, in one transaction per signature.

use std::{fmt, str::FromStr};

use alloy::primitives::{Address, B256, U256};

use super::{
    super::{
        super::database::{Database, DatabaseError, in_transaction, on_pool},
        ledger::{Decision, hex, signed},
        limits::{gwei_limit, gwei_up},
        policy::AdvanceLimits,
    },
    AdvanceRequest,
};

/// How long what is owed, or may be, counts against the limits, seconds.
const OWED_COUNTS: u64 = 86_400;

/// What an account owes for operations that could not be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Debt {
    /// In which token.
    pub(super) token: Address,
    /// How much, in its smallest units.
    pub(super) owed: U256,
    /// Whom to send it to.
    pub(super) paymaster: Address,
}

/// Why an account gets no advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It has not paid.
    Owes(Debt),
    /// Another signature for the token may still be used.
    Waits {
        /// The nonce of its operation.
        nonce: U256,
        /// Its end, unix seconds of the chain.
        until: u64,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owes(Debt { token, owed, paymaster }) => write!(
                f,
                "the account owes {owed} of the smallest units of {token} for an operation that could not be charged; \
                 transfer them from the account to {paymaster} first"
            ),
            Self::Waits { nonce, until } => write!(
                f,
                "the account's operation with the nonce {nonce} waits to be paid in this token; use it, or wait until it \
                 has run out at {until} (unix seconds)"
            ),
        }
    }
}

/// How asking for an advance went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// It is written down.
    Yes,
    /// The account is in its own way.
    Refused(Obstacle),
    /// The caller has too many open signatures, of whichever accounts.
    Crowded {
        /// How many may be.
        most: u32,
    },
    /// A limit does not reach.
    Exhausted {
        /// Whose.
        whose: &'static str,
        /// Wei.
        limit: U256,
    },
}

/// What became of a mined operation's charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// The tokens were taken.
    Taken,
    /// They were not; how much is due, when the paymaster says so.
    Due(Option<U256>),
}

/// A mined operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mined {
    pub(super) account: Address,
    pub(super) nonce: U256,
    pub(super) user_op_hash: B256,
    /// Wei.
    pub(super) cost: U256,
    pub(super) block: u64,
    pub(super) charge: Charge,
}

const TURN: &str = "INSERT INTO token_advance_turns (chain_id, turn) VALUES ($1, 1) \
    ON CONFLICT (chain_id) DO UPDATE SET turn = token_advance_turns.turn + 1";
const OWED: &str = "SELECT token, amount, paymaster FROM token_advances WHERE chain_id = $1 AND account = $2 \
    AND state = 'owed' ORDER BY id LIMIT 1000";
const OPEN: &str = "SELECT nonce, valid_until FROM token_advances WHERE chain_id = $1 AND account = $2 AND token = $3 \
    AND state = 'open' AND nonce <> $4 ORDER BY id LIMIT 1";
/// Earlier signatures of the same operation, in whichever token: one of them at most is mined.
const HELD: &str = "SELECT COALESCE(MAX(reserved), 0), COALESCE(MAX(valid_until), 0) FROM token_advances \
    WHERE chain_id = $1 AND account = $2 AND nonce = $3 AND state = 'open'";
const HAND_OVER: &str =
    "UPDATE token_advances SET reserved = 0 WHERE chain_id = $1 AND account = $2 AND nonce = $3 AND state = 'open'";
const OF_ACCOUNT: &str = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM token_advances WHERE chain_id = $1 \
    AND (state = 'open' OR decided_at > $2) AND account = $3";
const OF_CALLER: &str = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM token_advances WHERE chain_id = $1 \
    AND (state = 'open' OR decided_at > $2) AND caller = $3";
const OF_ALL: &str = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM token_advances WHERE chain_id = $1 \
    AND (state = 'open' OR decided_at > $2)";
/// Those that were handed over hold nothing and are not counted.
const OPEN_OF_CALLER: &str = "SELECT COUNT(*) FROM token_advances WHERE chain_id = $1 AND caller = $2 \
    AND state = 'open' AND reserved > 0";
const INSERT: &str = "INSERT INTO token_advances (chain_id, user_op_hash, account, token, nonce, paymaster, caller, \
    decided_at, valid_until, state, reserved, amount) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11) \
    ON CONFLICT (chain_id, user_op_hash) DO UPDATE SET state = 'open', reserved = excluded.reserved, \
    valid_until = excluded.valid_until";

/// A row that holds what was never written there.
fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::Query { reason: format!("token_advances: unreadable {what}") }
}

fn read<T: FromStr>(what: &str, text: &str) -> Result<T, DatabaseError> {
    text.parse().map_err(|_| unreadable(what))
}

/// All that is owed in the token of the oldest debt.
fn debt(rows: &[(String, String, String)]) -> Result<Option<Debt>, DatabaseError> {
    let Some((token, _, paymaster)) = rows.first() else { return Ok(None) };
    let same = rows.iter().filter(|(other, _, to)| other == token && to == paymaster);
    let mut owed = U256::ZERO;
    for (_, amount, _) in same {
        owed = owed.saturating_add(read("amount", amount)?);
    }
    Ok(Some(Debt { token: read("token", token)?, owed, paymaster: read("paymaster", paymaster)? }))
}

/// What stands in an account's way; `$executor` is a pool or a transaction.
macro_rules! obstacle {
    ($chain_id:expr, $wanted:expr, $executor:expr) => {{
        let owed: Vec<(String, String, String)> =
            sqlx::query_as(OWED).bind(signed($chain_id)).bind(hex($wanted.account)).fetch_all($executor).await?;
        let open: Option<(String, i64)> = sqlx::query_as(OPEN)
            .bind(signed($chain_id))
            .bind(hex($wanted.account))
            .bind(hex($wanted.token))
            .bind($wanted.nonce.to_string())
            .fetch_optional($executor)
            .await?;
        match (debt(&owed)?, open) {
            (Some(debt), _) => Some(Obstacle::Owes(debt)),
            (None, Some((nonce, until))) => {
                Some(Obstacle::Waits { nonce: read("nonce", &nonce)?, until: until.unsigned_abs() })
            }
            (None, None) => None,
        }
    }};
}

impl Database {
    /// What stands in the account's way now; nothing is written.
    pub(super) async fn advance_obstacle(
        &self,
        chain_id: u64,
        wanted: &AdvanceRequest,
    ) -> Result<Option<Obstacle>, DatabaseError> {
        on_pool!(self, pool => { Ok(obstacle!(chain_id, wanted, pool)) })
    }

    /// Writes an advance down, or nothing because something stands in its way.
    pub(super) async fn advance(
        &self,
        wanted: &AdvanceRequest,
        decision: &Decision,
        most: U256,
        (limits, per_caller): (&AdvanceLimits, Option<u32>),
    ) -> Result<Reserved, DatabaseError> {
        let chain_id = signed(decision.chain_id);
        let counts_since = signed(decision.decided_at.saturating_sub(OWED_COUNTS));
        let (account, nonce) = (hex(wanted.account), wanted.nonce.to_string());
        let caller = decision.caller.map(|caller| caller.to_string());
        in_transaction!(self, transaction => {
            sqlx::query(TURN).bind(chain_id).execute(&mut *transaction).await?;
            if let Some(obstacle) = obstacle!(decision.chain_id, wanted, &mut *transaction) {
                transaction.rollback().await?;
                return Ok(Reserved::Refused(obstacle));
            }
            // The money is held until the last of these signatures has run out.
            let (held, held_until): (i64, i64) = sqlx::query_as(HELD)
                .bind(chain_id).bind(&account).bind(&nonce).fetch_one(&mut *transaction).await?;
            sqlx::query(HAND_OVER).bind(chain_id).bind(&account).bind(&nonce).execute(&mut *transaction).await?;
            let amount = gwei_up(decision.max_cost).max(held);
            sqlx::query(INSERT)
                .bind(chain_id)
                .bind(format!("{:#x}", decision.user_op_hash))
                .bind(&account)
                .bind(hex(wanted.token))
                .bind(&nonce)
                .bind(decision.paymaster.map(hex).unwrap_or_default())
                .bind(&caller)
                .bind(signed(decision.decided_at))
                .bind(signed(decision.valid_until).max(held_until))
                .bind(amount)
                .bind(most.to_string())
                .execute(&mut *transaction)
                .await?;
            let mut sums = [0_i64; 3];
            for (sum, (query, of)) in sums.iter_mut().zip([
                (OF_ACCOUNT, Some(account.as_str())),
                // Nobody's address is no address.
                (OF_CALLER, Some(caller.as_deref().unwrap_or_default())),
                (OF_ALL, None),
            ]) {
                let query = sqlx::query_scalar(query).bind(chain_id).bind(counts_since);
                let query = match of {
                    Some(of) => query.bind(of),
                    None => query,
                };
                *sum = query.fetch_one(&mut *transaction).await?;
            }
            let [of_account, of_caller, of_all] = sums;
            for (whose, sum, limit) in [
                ("the account's", of_account, limits.account),
                ("your address'", of_caller, limits.caller),
                ("the", of_all, limits.total),
            ] {
                if let Some(limit) = limit.filter(|limit| sum > gwei_limit(Some(*limit))) {
                    transaction.rollback().await?;
                    return Ok(Reserved::Exhausted { whose, limit });
                }
            }
            if let (Some(caller), Some(most)) = (&caller, per_caller) {
                let open: i64 = sqlx::query_scalar(OPEN_OF_CALLER)
                    .bind(chain_id).bind(caller).fetch_one(&mut *transaction).await?;
                if open > i64::from(most) {
                    transaction.rollback().await?;
                    return Ok(Reserved::Crowded { most });
                }
            }
            transaction.commit().await?;
            Ok(Reserved::Yes)
        })
    }

    /// The paymasters that advanced something which was not settled yet, and whether somebody owes something.
    pub(in super::super) async fn advancing(&self, chain_id: u64) -> Result<Vec<Address>, DatabaseError> {
        let query = "SELECT DISTINCT paymaster FROM token_advances WHERE chain_id = $1";
        let found: Vec<String> =
            on_pool!(self, pool => sqlx::query_scalar(query).bind(signed(chain_id)).fetch_all(pool).await?);
        found.iter().map(|paymaster| read("paymaster", paymaster)).collect()
    }

    /// The operation was mined: the account's other signatures with its nonce are void, and it has paid or owes. May be
    /// told again, also with another charge after a reorganisation. Returns whether something is owed that was not before.
    pub(super) async fn advance_mined(&self, chain_id: u64, mined: &Mined) -> Result<bool, DatabaseError> {
        let owe = "UPDATE token_advances SET state = 'owed', reserved = $1, amount = COALESCE($2, amount), block = $3 \
            WHERE chain_id = $4 AND user_op_hash = $5 AND state <> 'owed'";
        let void = "DELETE FROM token_advances WHERE chain_id = $1 AND account = $2 AND nonce = $3 \
            AND (user_op_hash <> $4 OR $5)";
        in_transaction!(self, transaction => {
            let mut owes = false;
            if let Charge::Due(due) = mined.charge {
                let written = sqlx::query(owe)
                    .bind(gwei_up(mined.cost))
                    .bind(due.map(|due| due.to_string()))
                    .bind(signed(mined.block))
                    .bind(signed(chain_id))
                    .bind(format!("{:#x}", mined.user_op_hash))
                    .execute(&mut *transaction)
                    .await?;
                owes = written.rows_affected() > 0;
            }
            sqlx::query(void)
                .bind(signed(chain_id))
                .bind(hex(mined.account))
                .bind(mined.nonce.to_string())
                .bind(format!("{:#x}", mined.user_op_hash))
                .bind(mined.charge == Charge::Taken)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(owes)
        })
    }

    /// Those who owe something: account, token, whom to pay. The latest ones, when there are very many.
    pub(super) async fn debtors(&self, chain_id: u64) -> Result<Vec<(Address, Address, Address)>, DatabaseError> {
        let query = "SELECT account, token, paymaster FROM token_advances WHERE chain_id = $1 AND state = 'owed' \
            ORDER BY id DESC LIMIT 100";
        let found: Vec<(String, String, String)> =
            on_pool!(self, pool => sqlx::query_as(query).bind(signed(chain_id)).fetch_all(pool).await?);
        let read = |(account, token, paymaster): &(String, String, String)| {
            Ok((read("account", account)?, read("token", token)?, read("paymaster", paymaster)?))
        };
        found.iter().map(read).collect()
    }

    /// The account sent so much of a token to the paymaster in a block: all that it owed of it before is paid when that
    /// reaches.
    pub(super) async fn debt_paid(
        &self,
        chain_id: u64,
        account: Address,
        token: Address,
        amount: U256,
        block: u64,
    ) -> Result<bool, DatabaseError> {
        let find = "SELECT id, amount FROM token_advances WHERE chain_id = $1 AND account = $2 AND token = $3 \
            AND state = 'owed' AND block < $4";
        let delete = "DELETE FROM token_advances WHERE id = $1";
        in_transaction!(self, transaction => {
            let rows: Vec<(i64, String)> = sqlx::query_as(find)
                .bind(signed(chain_id))
                .bind(hex(account))
                .bind(hex(token))
                .bind(signed(block))
                .fetch_all(&mut *transaction)
                .await?;
            let mut owed = U256::ZERO;
            for (_, amount) in &rows {
                owed = owed.saturating_add(read("amount", amount)?);
            }
            if rows.is_empty() || amount < owed {
                return Ok(false);
            }
            for (id, _) in &rows {
                sqlx::query(delete).bind(id).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
    }

    /// Signatures that ran out before `chain_time` are no longer in the account's way. What they hold of the limits is
    /// given back only when the blocks were read: until then, they may have been used and not charged.
    pub(in super::super) async fn lapse_advances(
        &self,
        chain_id: u64,
        chain_time: u64,
        blocks_were_read: bool,
    ) -> Result<(), DatabaseError> {
        let lapse =
            "UPDATE token_advances SET state = 'lapsed' WHERE chain_id = $1 AND state = 'open' AND valid_until < $2";
        let delete = "DELETE FROM token_advances WHERE chain_id = $1 AND state <> 'owed' AND valid_until < $2";
        let query = if blocks_were_read { delete } else { lapse };
        on_pool!(self, pool => {
            sqlx::query(query).bind(signed(chain_id)).bind(signed(chain_time)).execute(pool).await?;
        });
        Ok(())
    }

    /// The account's signatures with this nonce are no longer in its way: something else was mined with it.
    pub(super) async fn lapse_advance(
        &self,
        chain_id: u64,
        account: Address,
        nonce: U256,
    ) -> Result<(), DatabaseError> {
        let lapse = "UPDATE token_advances SET state = 'lapsed' WHERE chain_id = $1 AND account = $2 AND nonce = $3 \
            AND state = 'open'";
        on_pool!(self, pool => {
            sqlx::query(lapse).bind(signed(chain_id)).bind(hex(account)).bind(nonce.to_string()).execute(pool).await?;
        });
        Ok(())
    }

    /// What is from before `before`, unix seconds, is given up; callers are kept for as long as they count.
    pub(super) async fn forget_debts(&self, chain_id: u64, before: u64, now: u64) -> Result<(), DatabaseError> {
        let debts = "DELETE FROM token_advances WHERE chain_id = $1 AND state = 'owed' AND decided_at < $2";
        let callers =
            "UPDATE token_advances SET caller = NULL WHERE chain_id = $1 AND state = 'owed' AND decided_at < $2";
        on_pool!(self, pool => {
            sqlx::query(debts).bind(signed(chain_id)).bind(signed(before)).execute(pool).await?;
            let counted = signed(now.saturating_sub(OWED_COUNTS));
            sqlx::query(callers).bind(signed(chain_id)).bind(counted).execute(pool).await?;
        });
        Ok(())
    }
}
