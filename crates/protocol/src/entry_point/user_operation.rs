//! [`UserOperation`]: one type for all versions, with the fields that contracts see in all of them.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};

use super::{EntryPoint, v07};
use crate::rpc::PaymasterGas;

/// A user operation. `init_code` and `paymaster_and_data` are what contracts see in every version; on the wire each
/// version has its own shape (v0.6: these fields as they are; v0.7: factory and paymaster apart), which serde writes by
/// the operation's [`EntryPoint`] and tells apart when it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserOperation {
    /// Who takes it.
    pub entry_point: EntryPoint,
    /// The smart account.
    pub sender: Address,
    /// `key << 64 | sequence`; see [`nonce_with_key`](crate::user_operation::nonce_with_key).
    pub nonce: U256,
    /// Factory and its call data while the account has no code; empty afterwards.
    pub init_code: Bytes,
    /// What the account is to do.
    pub call_data: Bytes,
    /// Gas limit of the call itself.
    pub call_gas_limit: U256,
    /// Gas limit of account creation and validation; in v0.6 of the paymaster's validation, too.
    pub verification_gas_limit: U256,
    /// Gas paid to the bundler beside execution (call data, overhead).
    pub pre_verification_gas: U256,
    /// Highest total fee, wei per gas.
    pub max_fee_per_gas: U256,
    /// Highest tip, wei per gas.
    pub max_priority_fee_per_gas: U256,
    /// Paymaster and its data; empty when the account pays. In v0.7 two gas limits stand between:
    /// [`v07::paymaster_and_data`](super::v07::paymaster_and_data).
    pub paymaster_and_data: Bytes,
    /// What the account's validator reads; not covered by the hash.
    pub signature: Bytes,
}

impl UserOperation {
    /// The words whose hash goes into [`Self::hash`]: dynamic fields by their keccak, no signature.
    pub fn packed(&self) -> Vec<u8> {
        self.entry_point.hashed_words(self)
    }

    /// `EntryPoint.getUserOpHash`: what validators sign. Gas values that v0.7 cannot express count as the highest that
    /// it can: it takes neither.
    pub fn hash(&self, chain_id: u64) -> B256 {
        self.entry_point.user_op_hash(keccak256(self.packed()), chain_id)
    }

    /// What the entry point wants to be prefunded, wei: gas limits times fee. Saturates instead of overflowing.
    pub fn required_prefund(&self) -> U256 {
        self.entry_point.gas_limit(self).saturating_mul(self.max_fee_per_gas)
    }

    /// Wei per gas at this base fee.
    pub fn gas_price(&self, base_fee: U256) -> U256 {
        self.max_fee_per_gas.min(self.max_priority_fee_per_gas.saturating_add(base_fee))
    }

    /// Who creates the account, when there is somebody.
    pub fn factory(&self) -> Option<Address> {
        self.init_code.get(..20).map(Address::from_slice)
    }

    /// Call data for the factory.
    pub fn factory_data(&self) -> &[u8] {
        self.init_code.get(20..).unwrap_or_default()
    }

    /// The paymaster's address, when there is one.
    pub fn paymaster(&self) -> Option<Address> {
        self.paymaster_and_data.get(..20).map(Address::from_slice)
    }

    /// The paymaster's own gas limits; `None` without a paymaster, and on v0.6, where there are none.
    pub fn paymaster_gas(&self) -> Option<PaymasterGas> {
        let has_limits = self.entry_point == EntryPoint::V07 && self.paymaster().is_some();
        let [verification, post_op] = v07::paymaster_gas_limits(&self.paymaster_and_data);
        has_limits.then_some(PaymasterGas { verification, post_op })
    }

    /// Gives the paymaster other limits, what it reads being the same; nothing happens where [`Self::paymaster_gas`] has
    /// none. A limit that the entry point cannot express counts as the largest that it can: it takes neither.
    pub fn set_paymaster_gas(&mut self, gas: PaymasterGas) {
        if let (Some(_), Some(paymaster)) = (self.paymaster_gas(), self.paymaster()) {
            let limits = [gas.verification, gas.post_op].map(|limit| limit.saturating_to::<u128>());
            self.paymaster_and_data = v07::paymaster_and_data(paymaster, limits, self.paymaster_data());
        }
    }

    /// Takes away what the paymaster signed, for another signature. Where it has gas limits of its own they stay: they
    /// are what is to be signed again.
    pub fn clear_paymaster_data(&mut self) {
        let head = self.paymaster_gas().map_or(0, |_| self.entry_point.paymaster_data_offset());
        self.paymaster_and_data.truncate(head);
    }

    /// What the paymaster reads, without what stands before it.
    pub fn paymaster_data(&self) -> &[u8] {
        self.paymaster_and_data.get(self.entry_point.paymaster_data_offset()..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::entry_point::v07;

    #[test]
    fn a_paymaster_triples_validation_gas_or_brings_its_own_and_nothing_overflows() {
        let gas = |number: u64| U256::from(number);
        for (entry_point, paymaster_and_data, with_paymaster) in [
            (EntryPoint::V06, vec![1; 20].into(), 262),
            (EntryPoint::V07, v07::paymaster_and_data(Address::repeat_byte(1), [1_000, 10_000], &[7]), 22_222),
        ] {
            let mut op = UserOperation {
                entry_point,
                call_gas_limit: gas(1),
                verification_gas_limit: gas(10),
                pre_verification_gas: gas(100),
                max_fee_per_gas: gas(2),
                ..UserOperation::default()
            };
            assert_eq!(op.required_prefund(), gas(222), "{entry_point}");
            op.paymaster_and_data = paymaster_and_data;
            assert_eq!(op.required_prefund(), gas(with_paymaster), "{entry_point}");
            assert_eq!(op.paymaster(), Some(Address::repeat_byte(1)));
            op.max_fee_per_gas = U256::MAX;
            assert_eq!(op.required_prefund(), U256::MAX, "{entry_point}");
            op.max_priority_fee_per_gas = gas(2);
            assert_eq!(op.gas_price(gas(3)), gas(5));
            assert_eq!(UserOperation { max_fee_per_gas: gas(4), ..op }.gas_price(gas(3)), gas(4));
        }
    }

    #[test]
    fn a_paymasters_limits_change_and_nothing_else() {
        let data = [7; 40];
        let with = |limits| UserOperation {
            entry_point: EntryPoint::V07,
            paymaster_and_data: v07::paymaster_and_data(Address::repeat_byte(1), limits, &data),
            ..UserOperation::default()
        };
        let mut op = with([1, 2]);
        let gas = PaymasterGas { verification: U256::from(3), post_op: U256::from(4) };
        op.set_paymaster_gas(gas);
        assert_eq!((&op, op.paymaster_gas()), (&with([3, 4]), Some(gas)));
        let mut cleared = op.clone();
        cleared.clear_paymaster_data();
        assert_eq!((cleared.paymaster(), cleared.paymaster_gas()), (op.paymaster(), Some(gas)));
        assert!(cleared.paymaster_data().is_empty());
        op.set_paymaster_gas(PaymasterGas { verification: U256::MAX, ..gas });
        assert_eq!(op, with([u128::MAX, 4]));
        for without in [
            UserOperation { entry_point: EntryPoint::V06, ..op.clone() },
            UserOperation { paymaster_and_data: Default::default(), ..op },
        ] {
            let mut same = without.clone();
            same.set_paymaster_gas(gas);
            assert_eq!((&same, same.paymaster_gas()), (&without, None));
            same.clear_paymaster_data();
            assert!(same.paymaster_and_data.is_empty(), "no limits are left to keep");
        }
    }

    #[test]
    fn factory_and_paymaster_are_told_apart_from_their_data() {
        let op = UserOperation {
            init_code: [&[2; 20][..], &[5, 6]].concat().into(),
            paymaster_and_data: [&[1; 20][..], &[3; 40]].concat().into(),
            ..UserOperation::default()
        };
        assert_eq!((op.factory(), op.factory_data()), (Some(Address::repeat_byte(2)), &[5, 6][..]));
        assert_eq!(op.paymaster_data(), [3; 40]);
        assert_eq!(UserOperation { entry_point: EntryPoint::V07, ..op }.paymaster_data(), [3; 8]);
        let nobody = UserOperation { init_code: vec![2; 19].into(), ..UserOperation::default() };
        assert_eq!((nobody.factory(), nobody.factory_data()), (None, &[][..]));
    }
}
