//! The entry point's events. Those of v0.6 are in v0.7, too, with the same topics; what v0.7 adds, v0.6 never emits.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolEvent,
};

use crate::{abi::decode, entry_point::v07::abi::IEntryPointV07};

/// One event of the entry point about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPointEvent {
    /// The operation was included.
    UserOperation {
        /// Hash of the operation.
        user_op_hash: B256,
        /// The account.
        sender: Address,
        /// The paymaster; zero when the account paid.
        paymaster: Address,
        /// The whole nonce.
        nonce: U256,
        /// The account's call did not revert.
        success: bool,
        /// What was charged, wei.
        actual_gas_cost: U256,
        /// Gas that was charged for.
        actual_gas_used: U256,
    },
    /// The operation created its account.
    AccountDeployed {
        /// Hash of the operation.
        user_op_hash: B256,
        /// The account.
        sender: Address,
        /// Who created it.
        factory: Address,
        /// Who paid; zero for nobody else.
        paymaster: Address,
    },
    /// The account's call reverted, and said why. Without a reason there is no such event.
    RevertReason {
        /// Hash of the operation.
        user_op_hash: B256,
        /// The account.
        sender: Address,
        /// What it reverted with.
        reason: Bytes,
    },
    /// The paymaster's work after the call reverted, and the call with it.
    PostOpRevertReason {
        /// Hash of the operation.
        user_op_hash: B256,
        /// The account.
        sender: Address,
        /// What it reverted with.
        reason: Bytes,
    },
    /// The gas cost more than was prefunded, so the call was undone.
    PrefundTooLow {
        /// Hash of the operation.
        user_op_hash: B256,
        /// The account.
        sender: Address,
    },
}

impl EntryPointEvent {
    /// Topic of an operation's inclusion, in all versions.
    pub const USER_OPERATION: B256 = IEntryPointV07::UserOperationEvent::SIGNATURE_HASH;
    /// Topic of a call's reason to revert, in all versions.
    pub const REVERT_REASON: B256 = IEntryPointV07::UserOperationRevertReason::SIGNATURE_HASH;
    /// Topics of all events that tell why a call was undone; the last two are v0.7's own.
    pub const REASONS: [B256; 3] = [
        Self::REVERT_REASON,
        IEntryPointV07::PostOpRevertReason::SIGNATURE_HASH,
        IEntryPointV07::UserOperationPrefundTooLow::SIGNATURE_HASH,
    ];

    /// Reads an event; `None` for any other, and for one that does not decode.
    pub fn read(topics: &[B256], data: &[u8]) -> Option<Self> {
        entry_point_event(topics, data)
    }
}

fn entry_point_event(topics: &[B256], data: &[u8]) -> Option<EntryPointEvent> {
    let event = match *topics.first()? {
        IEntryPointV07::UserOperationEvent::SIGNATURE_HASH => {
            let event = decode::loose_event::<IEntryPointV07::UserOperationEvent>(topics, data).ok()?;
            EntryPointEvent::UserOperation {
                user_op_hash: event.userOpHash,
                sender: event.sender,
                paymaster: event.paymaster,
                nonce: event.nonce,
                success: event.success,
                actual_gas_cost: event.actualGasCost,
                actual_gas_used: event.actualGasUsed,
            }
        }
        IEntryPointV07::AccountDeployed::SIGNATURE_HASH => {
            let event = decode::loose_event::<IEntryPointV07::AccountDeployed>(topics, data).ok()?;
            EntryPointEvent::AccountDeployed {
                user_op_hash: event.userOpHash,
                sender: event.sender,
                factory: event.factory,
                paymaster: event.paymaster,
            }
        }
        IEntryPointV07::UserOperationRevertReason::SIGNATURE_HASH => {
            let event = decode::loose_event::<IEntryPointV07::UserOperationRevertReason>(topics, data).ok()?;
            let (user_op_hash, sender, reason) = (event.userOpHash, event.sender, event.revertReason);
            EntryPointEvent::RevertReason { user_op_hash, sender, reason }
        }
        IEntryPointV07::PostOpRevertReason::SIGNATURE_HASH => {
            let event = decode::loose_event::<IEntryPointV07::PostOpRevertReason>(topics, data).ok()?;
            let (user_op_hash, sender, reason) = (event.userOpHash, event.sender, event.revertReason);
            EntryPointEvent::PostOpRevertReason { user_op_hash, sender, reason }
        }
        IEntryPointV07::UserOperationPrefundTooLow::SIGNATURE_HASH => {
            let event = decode::loose_event::<IEntryPointV07::UserOperationPrefundTooLow>(topics, data).ok()?;
            EntryPointEvent::PrefundTooLow { user_op_hash: event.userOpHash, sender: event.sender }
        }
        _ => return None,
    };
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::IEntryPoint;

    #[test]
    fn events_are_told_apart_by_their_topic() {
        let (user_op_hash, sender) = (B256::repeat_byte(1), Address::repeat_byte(2));
        let reason = Bytes::from_static(&[1, 2, 3]);
        let event = IEntryPointV07::PostOpRevertReason {
            userOpHash: user_op_hash,
            sender,
            nonce: U256::ZERO,
            revertReason: reason.clone(),
        };
        let log = event.encode_log_data();
        let told = entry_point_event(log.topics(), &log.data);
        assert_eq!(told, Some(EntryPointEvent::PostOpRevertReason { user_op_hash, sender, reason }));
        assert_eq!(entry_point_event(log.topics(), &log.data[..31]), None);
        assert_eq!(entry_point_event(&log.topics()[..1], &log.data), None);
        assert_eq!(entry_point_event(&[], &log.data), None);
        assert_eq!(IEntryPoint::UserOperationEvent::SIGNATURE_HASH, EntryPointEvent::USER_OPERATION);
        assert_eq!(IEntryPoint::UserOperationRevertReason::SIGNATURE_HASH, EntryPointEvent::REVERT_REASON);
    }
}
