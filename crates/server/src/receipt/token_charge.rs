//! What a token paymaster took for an operation, read from its event.

use alloy::{
    primitives::{Address, B256, U256},
    sol,
    sol_types::SolEvent,
};
use serde_json::Value;
use use_aa_protocol::abi::decode;

use super::Log;

sol! {
    event TokenPaymasterOperation(address indexed sender, address indexed token, uint256 indexed totalCharge,
        address oracleAggregator, uint32 priceMarkup, bytes32 userOpHash, uint256 exchangeRate, uint8 priceSource);
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

/// The first topic of the event.
pub(in super::super) fn token_charge_topic() -> B256 {
    TokenPaymasterOperation::SIGNATURE_HASH
}

/// All charges among `logs`; removed and unreadable logs and those of other events are passed over. Any contract can
/// write such an event: the caller looks at the paymaster.
pub(in super::super) fn token_charges(logs: &[Value]) -> Vec<TokenCharge> {
    let charge = |log: Log| {
        let event =
            decode::loose_event::<TokenPaymasterOperation>(&log.topics, &log.data).ok().filter(|_| !log.removed)?;
        Some(TokenCharge {
            paymaster: log.address,
            user_op_hash: event.userOpHash,
            token: event.token,
            charged: event.totalCharge,
        })
    };
    logs.iter().filter_map(Log::read).filter_map(charge).collect()
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
}
