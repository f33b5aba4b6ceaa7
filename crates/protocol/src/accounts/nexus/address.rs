//! An account's address before it is created (vectors 16).

use alloy::{
    primitives::{Address, B256, Bytes, keccak256},
    sol_types::{SolCall, SolValue},
};

use super::{release::NexusRelease, scheme::AddressScheme};
use crate::{
    ProtocolError,
    abi::{
        decode,
        nexus::{INexus, INexusFactory},
    },
};

/// What a factory's code may be long, bytes: twice what chains take.
const MAX_FACTORY_CODE: usize = 2 * 24_576;
/// The instruction that creation code begins with.
const PUSH1: u8 = 0x60;

impl NexusRelease {
    /// Hash of the creation code of the proxy with this init data. `proxy_creation_code` is not in this repository: it
    /// comes out of the published package at install time, and is checked. Without it, and on public chains, the
    /// factory is asked ([`compute_address_call`]).
    ///
    /// # Errors
    /// `Invalid` for another creation code than the release's, and for none where one is needed.
    pub fn init_code_hash(self, proxy_creation_code: Option<&[u8]>, init_data: &[u8]) -> Result<B256, ProtocolError> {
        let parts = self.parts();
        let expected = match parts.address_scheme {
            AddressScheme::InitDataInSalt { init_code_hash } => return Ok(init_code_hash),
            AddressScheme::InitDataInCode { proxy_creation_code_hash, .. } => proxy_creation_code_hash,
        };
        match proxy_creation_code.map(|code| (code, keccak256(code))) {
            Some((code, hash)) if hash == expected => Ok(hash_with_arguments(code, parts.implementation, init_data)),
            found => {
                let got = found.map_or_else(|| "none".to_owned(), |(_, hash)| hash.to_string());
                Err(ProtocolError::invalid("proxyCreationCode", format!("code with hash {expected}"), got))
            }
        }
    }

    /// The creation code of the proxy, as the release's factory has it inside its own code on the chain; believed by its
    /// hash alone. `None` where it is not in there, and for releases whose addresses follow without it.
    pub fn proxy_creation_code_in(self, factory_code: &[u8]) -> Option<Bytes> {
        let AddressScheme::InitDataInCode { proxy_creation_code_hash, proxy_creation_code_bytes } =
            self.parts().address_scheme
        else {
            return None;
        };
        let code = factory_code.get(..factory_code.len().min(MAX_FACTORY_CODE))?;
        let mut places = code.windows(proxy_creation_code_bytes).filter(|place| place.first() == Some(&PUSH1));
        places.find(|place| keccak256(place) == proxy_creation_code_hash).map(Bytes::copy_from_slice)
    }

    /// The address of the account with this init data and salt, when the hash of its proxy's creation code is known.
    pub fn address(self, init_data: &[u8], salt: B256, init_code_hash: B256) -> Address {
        let parts = self.parts();
        parts.factory.create2(parts.address_scheme.create2_salt(init_data, salt), init_code_hash)
    }
}

/// Hash of `proxyCreationCode ‖ abi(implementation, initializeAccount(initData))`.
fn hash_with_arguments(proxy_creation_code: &[u8], implementation: Address, init_data: &[u8]) -> B256 {
    let call = INexus::initializeAccountCall { initData: Bytes::copy_from_slice(init_data) }.abi_encode();
    let arguments = (implementation, Bytes::from(call)).abi_encode_params();
    keccak256([proxy_creation_code, &arguments].concat())
}

/// Call data that asks the factory for an account's address.
pub fn compute_address_call(init_data: Bytes, salt: B256) -> Bytes {
    INexusFactory::computeAccountAddressCall { initData: init_data, salt }.abi_encode().into()
}

/// What the factory answers to [`compute_address_call`]. It is asked once, checked and stored; whoever is about to send
/// funds there asks again and compares.
///
/// # Errors
/// `Invalid` for anything but one address that is not zero: a chain without this factory answers with nothing.
pub fn computed_address(answer: &[u8]) -> Result<Address, ProtocolError> {
    let invalid = || {
        let head = answer.get(..32).unwrap_or(answer);
        ProtocolError::invalid("computeAccountAddress", "an address", format!("0x{}", hex::encode(head)))
    };
    let (address,) = decode::params::<(Address,)>(answer).map_err(|_| invalid())?;
    if address.is_zero() { Err(invalid()) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_the_releases_own_proxy_is_found_in_a_factorys_code() {
        for release in NexusRelease::ALL {
            for code in [&[][..], &[PUSH1; 995], &[PUSH1; 3_000], &vec![PUSH1; MAX_FACTORY_CODE + 2_000]] {
                assert_eq!(release.proxy_creation_code_in(code), None);
            }
        }
    }

    #[test]
    fn a_foreign_creation_code_is_refused() {
        for release in [NexusRelease::Modulekit0_5_9, NexusRelease::V1_2_0] {
            for code in [None, Some(&[1, 2, 3][..])] {
                let error = release.init_code_hash(code, &[]).unwrap_err().to_string();
                assert!(error.starts_with("proxyCreationCode"), "{error}");
            }
        }
        assert!(NexusRelease::V1_0_2.init_code_hash(None, &[1]).is_ok());
    }

    /// The tail is two words, the length of the call, and the call itself, padded.
    #[test]
    fn init_data_goes_behind_the_creation_code() {
        let init_data = [7; 40];
        let call = INexus::initializeAccountCall { initData: init_data.to_vec().into() }.abi_encode();
        assert_eq!((call.len(), &call[..4]), (4 + 32 + 32 + 64, &[0x4b, 0x6a, 0x14, 0x19][..]));
        let implementation = Address::repeat_byte(9);
        let mut code = [0xfe, 0xed].to_vec();
        code.extend(implementation.into_word());
        for number in [0x40, call.len()] {
            code.extend(B256::left_padding_from(&number.to_be_bytes()));
        }
        code.extend(&call);
        code.extend([0; 28]);
        assert_eq!(hash_with_arguments(&[0xfe, 0xed], implementation, &init_data), keccak256(code));
    }

    #[test]
    fn an_answer_is_one_address() {
        let address = Address::repeat_byte(3);
        assert_eq!(computed_address(address.into_word().as_slice()).unwrap(), address);
        let dirty = [0xff; 32];
        for bad in [&[][..], &[0; 32], &[0; 31], &dirty, &[address.into_word().0, [0; 32]].concat()] {
            assert!(computed_address(bad).is_err(), "{bad:?}");
        }
    }
}
