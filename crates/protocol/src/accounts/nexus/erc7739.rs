//! Signatures that are nested in the account's own EIP-712 domain (ERC-7739, `TypedDataSign`): so the owner of two
//! accounts signs for one of them only. A K1 validator demands it of everybody but its safe senders.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};

use super::release::NexusRelease;
use crate::ProtocolError;

/// The account's EIP-712 domain: `Nexus`, the release's version, chain and account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountDomain {
    /// The account's release.
    pub release: NexusRelease,
    /// The chain.
    pub chain_id: u64,
    /// The account.
    pub account: Address,
}

/// Typed data of an app, to be signed in the account's domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedTypedData<'a> {
    /// Domain separator of the app.
    pub app_domain_separator: B256,
    /// hashStruct of what is signed.
    pub contents_hash: B256,
    /// encodeType of what is signed, whose own type comes first: `Mail(string text)…`.
    pub contents_type: &'a str,
}

const FIELDS: &str = " contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)";

impl NestedTypedData<'_> {
    /// `TypedDataSign(…)` and the contents' type string unchanged: an ordinary EIP-712 library would sort all of it
    /// again, and have another hash.
    ///
    /// # Errors
    /// `Invalid` for a type string without a name, or longer than two bytes can say.
    pub fn type_string(&self) -> Result<String, ProtocolError> {
        let invalid = || ProtocolError::invalid("contentsType", "Name(…), below 64 KiB", self.contents_type);
        let (name, _) = self.contents_type.split_once('(').ok_or_else(invalid)?;
        if name.is_empty() || self.contents_type.len() > usize::from(u16::MAX) {
            return Err(invalid());
        }
        Ok(["TypedDataSign(", name, FIELDS, self.contents_type].concat())
    }

    /// What the owner signs, bare, without `personal_sign`'s prefix.
    ///
    /// # Errors
    /// As [`Self::type_string`].
    pub fn digest(&self, domain: AccountDomain) -> Result<B256, ProtocolError> {
        let words = [
            keccak256(self.type_string()?),
            self.contents_hash,
            keccak256("Nexus"),
            keccak256(domain.release.parts().domain_version),
            B256::from(U256::from(domain.chain_id)),
            domain.account.into_word(),
            B256::ZERO,
        ];
        let nested = keccak256(words.concat());
        Ok(keccak256([&[0x19, 0x01][..], self.app_domain_separator.as_slice(), nested.as_slice()].concat()))
    }

    /// What the validator is given: the signature, and what it needs to make the digest again.
    ///
    /// # Errors
    /// As [`Self::type_string`].
    pub fn signature(&self, signature: &[u8; 65]) -> Result<Bytes, ProtocolError> {
        self.type_string()?;
        let length = u16::try_from(self.contents_type.len()).unwrap_or(u16::MAX).to_be_bytes();
        let parts = [
            signature.as_slice(),
            self.app_domain_separator.as_slice(),
            self.contents_hash.as_slice(),
            self.contents_type.as_bytes(),
            &length,
        ];
        Ok(parts.concat().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_contents_type_is_kept_and_a_nameless_one_is_refused() {
        let of = |contents_type| NestedTypedData {
            app_domain_separator: B256::ZERO,
            contents_hash: B256::ZERO,
            contents_type,
        };
        let mail = of("Mail(Zoo a,Ape b)Ape(bytes x)Zoo(bytes y)");
        assert!(mail.type_string().unwrap().starts_with("TypedDataSign(Mail contents,string name,"));
        assert!(mail.type_string().unwrap().ends_with("bytes32 salt)Mail(Zoo a,Ape b)Ape(bytes x)Zoo(bytes y)"));
        let signature = mail.signature(&[7; 65]).unwrap();
        assert_eq!(signature.len(), 65 + 64 + 41 + 2);
        assert_eq!(signature[170..], [0, 41]);
        let domain = |account| AccountDomain { release: NexusRelease::V1_0_2, chain_id: 1, account };
        let [one, other] = [1, 2].map(|byte| mail.digest(domain(Address::repeat_byte(byte))).unwrap());
        assert_ne!(one, other, "signed for one account only");
        for bad in ["", "(uint a)", "Mail"] {
            assert!(of(bad).signature(&[0; 65]).unwrap_err().to_string().starts_with("contentsType"));
        }
    }
}
