//! [`Call`]: what an account of any kind is made to do.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use serde::{Deserialize, Serialize};

use super::{abi::decode, quantity};

/// One call that the account makes (`@biconomy/use-aa`'s `Tx`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Destination.
    pub to: Address,
    /// Native value, wei. Hex, decimal text or number when read; 0 when absent.
    #[serde(default, with = "quantity")]
    pub value: U256,
    /// Call data; empty when absent.
    #[serde(default)]
    pub data: Bytes,
}

/// Longest call data of an account that is read, bytes.
pub const MAX_CALL_DATA: usize = decode::MAX_BYTES;
/// Most calls in a batch that is read. A block has room for fewer that do anything.
pub const MAX_CALLS: usize = 1_000;

/// Stands, in policies, for calls with fewer than four bytes of data: plain transfers of native currency.
pub const VALUE_SELECTOR: [u8; 4] = [0xff; 4];

impl Call {
    /// A call of a function declared with `sol!`, without native value: `Call::to(nft, &safeMintCall { to })`.
    pub fn to(contract: Address, function: &impl SolCall) -> Self {
        Self { to: contract, value: U256::ZERO, data: function.abi_encode().into() }
    }

    /// Sends native currency along, wei.
    #[must_use]
    pub fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// A call of the account's own function.
    pub(crate) fn to_self(account: Address, data: Vec<u8>) -> Self {
        Self { to: account, value: U256::ZERO, data: data.into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn calls_are_read_with_value_and_data_left_out() {
        let call: Call = serde_json::from_str(r#"{"to":"0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e"}"#).unwrap();
        assert_eq!((call.value, call.data.len()), (U256::ZERO, 0));
        for value in ["\"0x10\"", "\"16\"", "16"] {
            let text = format!(r#"{{"to":"0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e","value":{value}}}"#);
            assert_eq!(serde_json::from_str::<Call>(&text).unwrap().value, U256::from(16));
        }
    }
}
