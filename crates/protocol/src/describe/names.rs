//! What the bytes of a leaf do not tell: whose address is whose, and what a token is called.

use alloy::primitives::Address;

use super::{Detail, TokenFacts};

/// What is known about the addresses and units of one leaf. Nothing of it is in [`Detail::Signed`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The account that grants.
    pub account: Option<Address>,
    /// Names of addresses.
    pub addresses: &'a [(Address, &'a str)],
    /// The contract that may be called, as a token.
    pub token: Option<&'a TokenFacts>,
    /// The chain's currency.
    pub native: Option<&'a TokenFacts>,
}

impl Names<'_> {
    /// An address: the own account by its role, others by name and digits, which are shortened in a list only.
    pub fn address(&self, address: Address, detail: Detail) -> String {
        match detail {
            Detail::Line | Detail::Review if Some(address) == self.account => "your own account".to_owned(),
            _ => self.contract(address, detail),
        }
    }

    /// A contract: its name when known, and its address.
    pub fn contract(&self, contract: Address, detail: Detail) -> String {
        let whole = contract.to_string();
        if detail == Detail::Signed {
            return whole;
        }
        let digits = if detail == Detail::Line { shortened(&whole) } else { whole };
        match self.addresses.iter().find(|(address, _)| *address == contract) {
            Some((_, name)) => [name, " (", &digits, ")"].concat(),
            None => digits,
        }
    }
}

/// First and last characters of a long hexadecimal value: `0x1758…665e`. For places where nobody decides: whoever wants
/// to be taken for another grinds these in minutes.
pub fn shortened(value: &str) -> String {
    match (value.get(..6), value.get(value.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if value.len() > 14 => [head, "…", tail].concat(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_values_keep_both_ends_and_short_ones_stay() {
        assert_eq!(shortened("0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e"), "0x1758…665e");
        assert_eq!(shortened("0x1234"), "0x1234");
        assert_eq!(shortened("aéééééééééé"), "aéééééééééé", "a cut inside a character is no cut");
    }
}
