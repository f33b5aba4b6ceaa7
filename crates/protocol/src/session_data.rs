//! `sessionKeyData` of the two session validation modules (docs/protocol.md 3.3, 3.4).

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolValue,
};

use super::{
    ProtocolError,
    abi::{Erc20SessionParams, decode},
};

/// Length of the fixed part: key 20, destination 20, selector 4, value limit 16, rule count 2.
pub const ABI_HEADER: usize = 62;
/// Length of one rule: offset 2, condition 1, reference word 32.
pub const ABI_RULE: usize = 35;

/// Data of the ABI session validation module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbiSessionData {
    /// Address of the session key.
    pub session_key_address: Address,
    /// The only destination that may be called.
    pub contract_address: Address,
    /// The only function that may be called.
    pub selector: [u8; 4],
    /// Native value allowed per call, wei.
    pub value_limit: u128,
    /// Offset after the selector in bytes, condition (0–5; others are never true), reference word.
    pub rules: Vec<(u16, u8, B256)>,
}

impl AbiSessionData {
    /// Tightly packed, 62 + 35·n bytes; more than 65,535 rules are an error.
    pub fn encode(&self) -> Result<Bytes, ProtocolError> {
        let count = u16::try_from(self.rules.len())
            .map_err(|_| ProtocolError::invalid("rules", "at most 65535 rules", self.rules.len()))?;
        let mut data = Vec::with_capacity(ABI_HEADER + ABI_RULE * self.rules.len());
        data.extend_from_slice(self.session_key_address.as_slice());
        data.extend_from_slice(self.contract_address.as_slice());
        data.extend_from_slice(&self.selector);
        data.extend_from_slice(&self.value_limit.to_be_bytes());
        data.extend_from_slice(&count.to_be_bytes());
        for (offset, condition, reference) in &self.rules {
            data.extend_from_slice(&offset.to_be_bytes());
            data.push(*condition);
            data.extend_from_slice(reference.as_slice());
        }
        Ok(data.into())
    }

    /// Reads what the module would read: bytes after the last counted rule are ignored; fewer rule
    /// bytes than counted are an error (the module reverts).
    pub fn decode(data: &[u8]) -> Result<Self, ProtocolError> {
        let too_short = || {
            ProtocolError::invalid(
                "sessionKeyData",
                "62 bytes and 35 for each counted rule",
                format!("{} bytes", data.len()),
            )
        };
        let mut rest = data;
        let head = Self {
            session_key_address: take::<20>(&mut rest).map(Address::from).ok_or_else(too_short)?,
            contract_address: take::<20>(&mut rest).map(Address::from).ok_or_else(too_short)?,
            selector: take(&mut rest).ok_or_else(too_short)?,
            value_limit: take(&mut rest).map(u128::from_be_bytes).ok_or_else(too_short)?,
            rules: Vec::new(),
        };
        let count = take(&mut rest).map(u16::from_be_bytes).ok_or_else(too_short)?;
        let rules = (0..count).map(|_| take_rule(&mut rest)).collect::<Option<_>>().ok_or_else(too_short)?;
        Ok(Self { rules, ..head })
    }
}

/// Cuts `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// Cuts one rule off the front.
pub(super) fn take_rule(rest: &mut &[u8]) -> Option<(u16, u8, B256)> {
    let offset = u16::from_be_bytes(take(rest)?);
    let [condition] = take(rest)?;
    Some((offset, condition, B256::from(take::<32>(rest)?)))
}

/// Data of the ERC-20 session validation module. Mind: that module does not check which function
/// of the token is called (docs/protocol.md 3.4), so an `approve` to the recipient passes, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erc20SessionData {
    /// Address of the session key.
    pub session_key_address: Address,
    /// The token.
    pub token: Address,
    /// The only recipient.
    pub recipient: Address,
    /// Most per call, in the token's smallest unit.
    pub max_amount: U256,
}

impl Erc20SessionData {
    /// Refuses what cannot be meant: zero addresses and a zero amount.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let zero_address = "0x0000000000000000000000000000000000000000";
        for (field, address) in
            [("sessionKey", self.session_key_address), ("token", self.token), ("recipient", self.recipient)]
        {
            if address.is_zero() {
                return Err(ProtocolError::invalid(field, "an address", zero_address));
            }
        }
        if self.max_amount.is_zero() {
            return Err(ProtocolError::invalid("maxAmount", "an amount above 0", 0));
        }
        Ok(())
    }

    /// Four words, 128 bytes.
    pub fn encode(&self) -> Bytes {
        Erc20SessionParams {
            sessionKey: self.session_key_address,
            token: self.token,
            recipient: self.recipient,
            maxAmount: self.max_amount,
        }
        .abi_encode_params()
        .into()
    }

    /// Reads the four words; bytes after them are ignored, as the module does.
    pub fn decode(data: &[u8]) -> Result<Self, ProtocolError> {
        decode::leading_params::<Erc20SessionParams>(data)
            .map(|params| Self {
                session_key_address: params.sessionKey,
                token: params.token,
                recipient: params.recipient,
                max_amount: params.maxAmount,
            })
            .map_err(|error| ProtocolError::invalid("sessionKeyData", "four words (ERC-20 session)", error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// docs/protocol.md 3.3: bytes after the last counted rule are ignored; fewer than counted revert.
    #[test]
    fn the_count_decides_how_much_is_read() {
        let data = AbiSessionData {
            session_key_address: Address::repeat_byte(1),
            contract_address: Address::repeat_byte(2),
            selector: [3; 4],
            value_limit: 4,
            rules: vec![(32, 1, B256::repeat_byte(5))],
        };
        let encoded = data.encode().unwrap();
        assert_eq!(encoded.len(), ABI_HEADER + ABI_RULE);
        assert_eq!(AbiSessionData::decode(&[&encoded[..], &[9; 35]].concat()).unwrap(), data);
        assert!(AbiSessionData::decode(&encoded[..ABI_HEADER + 34]).is_err());
        assert!(AbiSessionData::decode(&encoded[..61]).is_err());
        let many = AbiSessionData { rules: vec![(0, 0, B256::ZERO); 65_536], ..data };
        assert!(many.encode().unwrap_err().to_string().starts_with("rules"));
    }
}
