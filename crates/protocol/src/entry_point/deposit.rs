//! What accounts ask the entry point itself: their next nonce, and the deposit that operations are paid from. The same in
//! all versions but for the address.

use alloy::{
    primitives::{Address, B256, Bytes, U256, aliases::U192, keccak256},
    sol_types::{SolCall, SolValue},
};

use super::{EntryPoint, v06::IEntryPoint};
use crate::{abi::decode, call::Call};

impl EntryPoint {
    /// Call data of `getNonce` in a lane (192 bits; higher bits are cut off): the whole next nonce.
    pub fn get_nonce(sender: Address, lane: U256) -> Bytes {
        IEntryPoint::getNonceCall { sender, key: U192::wrapping_from(lane) }.abi_encode().into()
    }

    /// The account takes so many wei out of its deposit.
    pub fn withdraw_to(self, recipient: Address, amount: U256) -> Call {
        let call = IEntryPoint::withdrawToCall { withdrawAddress: recipient, withdrawAmount: amount };
        Call { to: self.address(), value: U256::ZERO, data: call.abi_encode().into() }
    }

    /// Wei that a call takes out of the deposit of whoever makes it; `None` for any other call.
    pub fn withdrawn_by(self, call: &Call) -> Option<U256> {
        let is_here = call.to == self.address();
        let read = || decode::call::<IEntryPoint::withdrawToCall>(&call.data).ok();
        is_here.then(read).flatten().map(|call| call.withdrawAmount)
    }

    /// Storage slot of an account's deposit, which is in the lowest bits: the first variable of every version.
    pub fn deposit_slot(account: Address) -> B256 {
        keccak256((account, U256::ZERO).abi_encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_withdrawal_at_its_own_address_is_one() {
        let recipient = Address::repeat_byte(1);
        for entry_point in EntryPoint::ALL {
            let call = entry_point.withdraw_to(recipient, U256::from(5));
            assert_eq!(entry_point.withdrawn_by(&call), Some(U256::from(5)));
            assert_eq!(entry_point.withdrawn_by(&Call { to: recipient, ..call.clone() }), None);
            let cut = Bytes::copy_from_slice(&call.data[..67]);
            assert_eq!(entry_point.withdrawn_by(&Call { data: cut, ..call }), None);
        }
    }
}
