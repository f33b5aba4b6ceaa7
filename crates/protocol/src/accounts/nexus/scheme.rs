//! The two ways in which factories make addresses (vectors 16).

use alloy::primitives::{B256, keccak256};

/// How a release's factory makes an address of init data and salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressScheme {
    /// `create2Salt = keccak(initData ‖ salt)`; all proxies have the same creation code.
    InitDataInSalt {
        /// Hash of that creation code.
        init_code_hash: B256,
    },
    /// `create2Salt = salt`; the init data is a part of the proxy's creation code.
    InitDataInCode {
        /// Hash of what comes before the init data.
        proxy_creation_code_hash: B256,
        /// How many bytes that are.
        proxy_creation_code_bytes: usize,
    },
}

impl AddressScheme {
    /// The salt that the factory gives to CREATE2.
    pub fn create2_salt(self, init_data: &[u8], salt: B256) -> B256 {
        match self {
            Self::InitDataInSalt { .. } => keccak256([init_data, salt.as_slice()].concat()),
            Self::InitDataInCode { .. } => salt,
        }
    }
}
