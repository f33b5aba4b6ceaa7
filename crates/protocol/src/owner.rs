//! [`OwnerKind`]: can an owner sign for an account at all?

use serde::{Deserialize, Serialize};

/// EIP-7702: the code of an address with a key that lets a contract act for it is this and the contract's address.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// What stands behind an owner's address. The account's ECDSA module takes signatures of a key only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// A key: the address has no code.
    Key,
    /// A key, though the address has code (EIP-7702): it signs as any other.
    Delegated,
    /// A contract: it has no key, and signs for no account of ours.
    Contract,
}

impl OwnerKind {
    /// By the code at the owner's address.
    pub fn of_code(code: &[u8]) -> Self {
        match code {
            [] => Self::Key,
            code if code.len() == 23 && code.starts_with(&DELEGATION) => Self::Delegated,
            _ => Self::Contract,
        }
    }

    /// Does it sign by a key?
    pub fn has_key(self) -> bool {
        self != Self::Contract
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_delegation_of_eip_7702_is_a_key_with_code() {
        let delegated = [DELEGATION.as_slice(), &[0x11; 20]].concat();
        assert_eq!(OwnerKind::of_code(&[]), OwnerKind::Key);
        assert_eq!(OwnerKind::of_code(&delegated), OwnerKind::Delegated);
        let longer = [delegated.as_slice(), &[0]].concat();
        let version_2 = [&[0xef, 0x01, 0x01], &delegated[3..]].concat();
        for code in [&delegated[..22], &longer, &version_2, &DELEGATION, &[0x60, 0x80, 0x60, 0x40], &[0]] {
            assert_eq!(OwnerKind::of_code(code), OwnerKind::Contract, "{code:?}");
        }
        assert!(OwnerKind::Key.has_key() && OwnerKind::Delegated.has_key() && !OwnerKind::Contract.has_key());
    }
}
