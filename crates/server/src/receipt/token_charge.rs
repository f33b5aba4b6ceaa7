//! What a token paymaster took for an operation or could not take, and what was sent to it, read from events.

use alloy::{
    primitives::{Address, B256, U256},
    sol,
    sol_types::SolEvent,
};
use serde_json::Value;
use use_aa_protocol::{abi::decode, entry_point::v07::abi::ITokenPaymaster};

use super::Log;

sol! {
    event TokenPaymasterOperation(address indexed sender, address indexed token, uint256 indexed totalCharge,
        address oracleAggregator, uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate, uint8 priceSource);

    event TokenPaymentDue(address indexed token, address indexed account, uint256 indexed charge);

    interface IErc20Events {
        event Transfer(address indexed from, address indexed to, uint256 value);
    }
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct TokenCharge {
    /// Which paymaster says so.
    pub(in super::super) paymaster: Address,
    /// For which operation.
    pub(in super::super) user_op_hash: B256,
    /// In which token.
    pub(in super::super) token: Address,
    /// How much, in its smallest units.
    pub(in super::super) charged: U256,
}

/// What could not be taken. The event names no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct PaymentDue {
    /// Which paymaster says so.
    pub(in super::super) paymaster: Address,
    /// In which token.
    pub(in super::super) token: Address,
    /// From whom.
    pub(in super::super) account: Address,
    /// How much, in its smallest units.
    pub(in super::super) amount: U256,
    /// In which transaction the operation was.
    pub(in super::super) transaction_hash: B256,
}

/// Tokens that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct TokenTransfer {
    /// Which.
    pub(in super::super) token: Address,
    /// Who.
    pub(in super::super) from: Address,
    /// To whom.
    pub(in super::super) to: Address,
    /// How much, in its smallest units.
    pub(in super::super) amount: U256,
    /// When.
    pub(in super::super) block_number: u64,
}

/// The first topics of the events that tell of a charge, on either entry point.
pub(in super::super) fn token_charge_topics() -> [B256; 2] {
    [TokenPaymasterOperation::SIGNATURE_HASH, ITokenPaymaster::TokenPaymasterOperation::SIGNATURE_HASH]
}

/// All charges among `logs`; removed and unreadable logs and those of other events are passed over. Any contract can
/// write such an event: the caller looks at the paymaster.
pub(in super::super) fn token_charges(logs: &[Value]) -> Vec<TokenCharge> {
    let charge = |log: Log| {
        let log = Some(log).filter(|log| !log.removed)?;
        let old = decode::loose_event::<TokenPaymasterOperation>(&log.topics, &log.data);
        let new = || decode::loose_event::<ITokenPaymaster::TokenPaymasterOperation>(&log.topics, &log.data);
        let (user_op_hash, token, charged) = match old {
            Ok(event) => (event.userOpHash, event.token, event.totalCharge),
            Err(_) => new().map(|event| (event.userOpHash, event.token, event.totalCharge)).ok()?,
        };
        Some(TokenCharge { paymaster: log.address, user_op_hash, token, charged })
    };
    logs.iter().filter_map(Log::read).filter_map(charge).collect()
}

/// The first topic of the event that tells of a charge that could not be taken.
pub(in super::super) fn payment_due_topic() -> B256 {
    TokenPaymentDue::SIGNATURE_HASH
}

/// All charges among `logs` that could not be taken.
pub(in super::super) fn payments_due(logs: &[Value]) -> Vec<PaymentDue> {
    let due = |log: Log| {
        let event = decode::loose_event::<TokenPaymentDue>(&log.topics, &log.data).ok().filter(|_| !log.removed)?;
        let TokenPaymentDue { token, account, charge: amount } = event;
        Some(PaymentDue { paymaster: log.address, token, account, amount, transaction_hash: log.transaction_hash })
    };
    logs.iter().filter_map(Log::read).filter_map(due).collect()
}

/// The first topic of the event that tells of a transfer.
pub(in super::super) fn transfer_topic() -> B256 {
    IErc20Events::Transfer::SIGNATURE_HASH
}

/// All transfers of tokens among `logs`.
pub(in super::super) fn transfers(logs: &[Value]) -> Vec<TokenTransfer> {
    let transfer = |log: Log| {
        let event =
            decode::loose_event::<IErc20Events::Transfer>(&log.topics, &log.data).ok().filter(|_| !log.removed)?;
        let (from, to, amount) = (event.from, event.to, event.value);
        Some(TokenTransfer { token: log.address, from, to, amount, block_number: log.block_number })
    };
    logs.iter().filter_map(Log::read).filter_map(transfer).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const HASH: B256 = B256::repeat_byte(7);

    fn log() -> Value {
        let event = TokenPaymasterOperation {
            sender: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            totalCharge: U256::from(1_258_551),
            oracleAggregator: Address::ZERO,
            priceMarkup: 1_050_000,
            userOpHash: HASH,
            exchangeRate: U256::from(2_500_000_000_u64),
            priceSource: 0,
        };
        let written = event.encode_log_data();
        json!({"address": Address::repeat_byte(1), "topics": written.topics(), "data": written.data,
            "transactionHash": B256::repeat_byte(9), "blockNumber": "0x10"})
    }

    #[test]
    fn a_charge_is_read_from_its_event() {
        let charge = TokenCharge {
            paymaster: Address::repeat_byte(1),
            user_op_hash: HASH,
            token: Address::repeat_byte(3),
            charged: U256::from(1_258_551),
        };
        assert_eq!(token_charges(&[log()]), [charge]);
    }

    #[test]
    fn a_charge_on_v07_is_read_too() {
        let event = ITokenPaymaster::TokenPaymasterOperation {
            sender: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            totalCharge: U256::from(7),
            priceMarkup: 1_050_000,
            userOpHash: HASH,
            exchangeRate: U256::from(2_500_000_000_u64),
        };
        let written = event.encode_log_data();
        let mut log = log();
        (log["topics"], log["data"]) = (json!(written.topics()), json!(written.data));
        let [charge] = token_charges(&[log]).try_into().unwrap();
        assert_eq!((charge.user_op_hash, charge.charged), (HASH, U256::from(7)));
    }

    #[test]
    fn other_logs_are_passed_over() {
        let changed = |name: &str, value: Value| {
            let mut log = log();
            log[name] = value;
            log
        };
        let other = changed("topics", json!([HASH, HASH, HASH, HASH]));
        let short = changed("data", json!("0x1234"));
        let removed = changed("removed", json!(true));
        assert_eq!(token_charges(&[other, short, removed, json!(null)]), []);
    }

    #[test]
    fn what_is_due_and_what_is_sent_are_read_from_their_events() {
        let [paymaster, token, account] = [1, 2, 3].map(Address::repeat_byte);
        let amount = U256::from(7);
        let wrapped = |address: Address, written: alloy::primitives::LogData| {
            json!({"address": address, "topics": written.topics(), "data": written.data, "transactionHash": HASH,
                "blockNumber": "0x10"})
        };
        let due = wrapped(paymaster, TokenPaymentDue { token, account, charge: amount }.encode_log_data());
        let sent = IErc20Events::Transfer { from: account, to: paymaster, value: amount };
        let logs = [due, wrapped(token, sent.encode_log_data()), log()];
        assert_eq!(payments_due(&logs), [PaymentDue { paymaster, token, account, amount, transaction_hash: HASH }]);
        let sent = TokenTransfer { token, from: account, to: paymaster, amount, block_number: 16 };
        assert_eq!(transfers(&logs), [sent]);
    }
}
