//! What became of what was advanced: charged, owed, or paid later.

use std::{collections::BTreeMap, time::Instant};

use alloy::primitives::{Address, B256, U256};
use serde_json::json;

use super::{
    super::{
        super::{
            metrics,
            receipt::{self, PaymentDue, Sighting, TokenCharge},
        },
        Inner, unix_seconds,
    },
    ledger::{Charge, Mined},
};
use use_aa_actions::error::AppError;
use use_aa_protocol::entry_point::EntryPoint;

/// What token paymasters said in some blocks.
#[derive(Default)]
pub(in super::super) struct Charges {
    /// No token paymaster has anything open.
    nobody_takes: bool,
    taken: Vec<TokenCharge>,
    due: Vec<PaymentDue>,
}

impl Charges {
    /// For one mined operation. What is due names no operation: the largest amount of the account and the transaction.
    fn of(&self, user_op_hash: B256, account: Address, transaction: B256) -> Charge {
        if self.taken.iter().any(|charge| charge.user_op_hash == user_op_hash) {
            return Charge::Taken;
        }
        let due = self.due.iter().filter(|due| due.account == account && due.transaction_hash == transaction);
        Charge::Due(due.map(|due| due.amount).max())
    }
}

impl Inner {
    /// Looks through the blocks, unless somebody did since `asked`.
    pub(super) async fn settle_since(&self, asked: Instant) -> Result<(), AppError> {
        let mut settled_at = self.settled_at.lock().await;
        if settled_at.is_none_or(|at| at < asked) {
            let begun = Instant::now();
            self.settle().await?;
            *settled_at = Some(begun);
        }
        Ok(())
    }

    /// The charges in some blocks, written beside the decisions.
    pub(in super::super) async fn charges(&self, takers: &[Address], from: u64, to: u64) -> Result<Charges, AppError> {
        if takers.is_empty() {
            return Ok(Charges { nobody_takes: true, ..Charges::default() });
        }
        let [charge, charge_v07] = receipt::token_charge_topics();
        let topics = json!([[charge, charge_v07, receipt::payment_due_topic()]]);
        let logs = self.logs(json!(takers), topics, from, to).await?;
        let mut charges =
            Charges { nobody_takes: false, taken: receipt::token_charges(&logs), due: receipt::payments_due(&logs) };
        charges.taken.retain(|charge| takers.contains(&charge.paymaster));
        charges.due.retain(|due| takers.contains(&due.paymaster));
        for charge in &charges.taken {
            self.database.charge(self.chain_id, charge.user_op_hash, charge.token, charge.charged).await?;
        }
        Ok(charges)
    }

    /// A mined operation has paid for what was advanced, or owes it from now on.
    pub(in super::super) async fn settle_advance(
        &self,
        charges: &Charges,
        Sighting { entry_point, nonce, receipt, .. }: &Sighting,
    ) -> Result<(), AppError> {
        // Nothing is advanced elsewhere, and nonces there are others.
        if charges.nobody_takes || *entry_point != EntryPoint::V06 {
            return Ok(());
        }
        let mined = Mined {
            account: receipt.sender,
            nonce: *nonce,
            user_op_hash: receipt.user_op_hash,
            cost: receipt.actual_gas_cost,
            block: receipt.block_number,
            charge: charges.of(receipt.user_op_hash, receipt.sender, receipt.transaction_hash),
        };
        if self.database.advance_mined(self.chain_id, &mined).await? {
            tracing::warn!(account = %mined.account, user_op_hash = %mined.user_op_hash, cost = %mined.cost,
                "an operation could not be charged: the account owes it");
            metrics::token_debt();
        }
        Ok(())
    }

    /// Looks whether those who owe something have sent it.
    pub(in super::super) async fn collect_debts(&self, from: u64, to: u64) -> Result<(), AppError> {
        let debtors = self.database.debtors(self.chain_id).await?;
        if debtors.is_empty() {
            return Ok(());
        }
        let distinct = |each: fn(&(Address, Address, Address)) -> Address| {
            let mut found: Vec<Address> = debtors.iter().map(each).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        let words = |addresses: Vec<Address>| addresses.iter().map(Address::into_word).collect::<Vec<_>>();
        let (accounts, tokens, paymasters) = (distinct(|of| of.0), distinct(|of| of.1), distinct(|of| of.2));
        let topics = json!([receipt::transfer_topic(), words(accounts), words(paymasters)]);
        let logs = match self.logs(json!(tokens), topics, from, to).await {
            Ok(logs) => logs,
            // Anybody can write as many of these events as a block holds: who owes something waits then, and nobody else.
            // A longer range is read in shorter ones until this is known.
            Err(error @ (AppError::UpstreamRejected { .. } | AppError::UpstreamMalformed { .. })) if from == to => {
                tracing::warn!(%error, block = from, "cannot see who paid what it owes; this block is passed over");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // What came in one block counts together, in one transaction.
        let mut paid: BTreeMap<(Address, Address, u64), U256> = BTreeMap::new();
        for payment in receipt::transfers(&logs).into_iter().filter(|payment| !payment.amount.is_zero()) {
            if debtors.contains(&(payment.from, payment.token, payment.to)) {
                let sum = paid.entry((payment.from, payment.token, payment.block_number)).or_default();
                *sum = sum.saturating_add(payment.amount);
            }
        }
        for ((account, token, block), amount) in paid {
            if self.database.debt_paid(self.chain_id, account, token, amount, block).await? {
                tracing::info!(%account, %token, %amount, "a debt is paid");
            }
        }
        Ok(())
    }

    /// Advances that can no longer be used, and old debts.
    pub(in super::super) async fn tidy_advances(&self, before: u64) -> Result<(), AppError> {
        Ok(self.database.forget_debts(self.chain_id, before, unix_seconds()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_told_by_account_and_transaction() {
        let [one, two] = [1, 2].map(B256::repeat_byte);
        let [account, other, paymaster, token] = [1, 2, 3, 4].map(Address::repeat_byte);
        let due = |account, amount: u64, transaction_hash| PaymentDue {
            paymaster,
            token,
            account,
            amount: U256::from(amount),
            transaction_hash,
        };
        let taken = TokenCharge { paymaster, user_op_hash: one, token, charged: U256::ONE };
        let charges = Charges {
            nobody_takes: false,
            taken: vec![taken],
            due: vec![due(account, 5, one), due(account, 9, two), due(other, 7, one)],
        };
        assert_eq!(charges.of(one, account, one), Charge::Taken);
        assert_eq!(charges.of(two, account, one), Charge::Due(Some(U256::from(5))));
        assert_eq!(charges.of(two, other, two), Charge::Due(None));
    }
}
