//! The releases of Nexus that are known here, and where their parts stand.

use std::str::FromStr;

use alloy::primitives::{Address, address, b256};
use serde::{Deserialize, Serialize};

use super::scheme::AddressScheme;
use crate::ProtocolError;

/// A release of Nexus. Serialised by its name ([`Self::as_str`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NexusRelease {
    /// The build that the npm package `@rhinestone/modulekit` 0.5.9 carries: the lab's.
    #[serde(rename = "modulekit-0.5.9")]
    Modulekit0_5_9,
    /// Release 1.0.2.
    #[serde(rename = "1.0.2")]
    V1_0_2,
    /// Release 1.2.0, the first set of addresses: public chains.
    #[serde(rename = "1.2.0")]
    V1_2_0,
}

/// Where a release's parts stand, and what it calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseParts {
    /// What the account answers to `accountId()`.
    pub account_id: &'static str,
    /// Version in the account's EIP-712 domain; the name is `Nexus`.
    pub domain_version: &'static str,
    /// Behind the account's proxy.
    pub implementation: Address,
    /// Creates the proxies.
    pub factory: Address,
    /// Sets an account up.
    pub bootstrap: Address,
    /// The owner's validator that accounts are made with. From 1.2 on it is the default one, which no list shows.
    pub owner_validator: Address,
    /// How an account's address follows.
    pub address_scheme: AddressScheme,
}

impl NexusRelease {
    /// Every release, the oldest first.
    pub const ALL: [Self; 3] = [Self::Modulekit0_5_9, Self::V1_0_2, Self::V1_2_0];

    /// Its name in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Modulekit0_5_9 => "modulekit-0.5.9",
            Self::V1_0_2 => "1.0.2",
            Self::V1_2_0 => "1.2.0",
        }
    }

    /// Where its parts stand.
    pub fn parts(self) -> &'static ReleaseParts {
        match self {
            Self::Modulekit0_5_9 => &MODULEKIT_0_5_9,
            Self::V1_0_2 => &V1_0_2,
            Self::V1_2_0 => &V1_2_0,
        }
    }

    /// Has it a validator that needs no installing, and that the zero address stands for?
    pub fn has_default_validator(self) -> bool {
        matches!(self, Self::V1_2_0)
    }
}

impl FromStr for NexusRelease {
    type Err = ProtocolError;

    fn from_str(name: &str) -> Result<Self, ProtocolError> {
        Self::ALL
            .into_iter()
            .find(|release| release.as_str() == name)
            .ok_or_else(|| ProtocolError::invalid("release", "modulekit-0.5.9, 1.0.2 or 1.2.0", name))
    }
}

const MODULEKIT_0_5_9: ReleaseParts = ReleaseParts {
    account_id: "biconomy.nexus.1.0.0",
    domain_version: "1.0.1",
    implementation: address!("2f4d9ab75E21D3104b7D5e92C04A0C6D0665756D"),
    factory: address!("defa16E126e6BE98CA8Fb70941A72b594DaDd62A"),
    bootstrap: address!("d81DBa1CB0aaedE3B613F4352BAdF31C9cF26C1C"),
    // The lab's own.
    owner_validator: address!("4741D465b86c6Fdf67B3604698dFF78EF6658974"),
    address_scheme: AddressScheme::InitDataInCode {
        proxy_creation_code_hash: b256!("d8028c0fd3ea88bd5b8a93f4d6f25186b61283339649e59e6595a38a277a42df"),
        proxy_creation_code_bytes: 996,
    },
};

const V1_0_2: ReleaseParts = ReleaseParts {
    account_id: "biconomy.nexus.1.0.2",
    domain_version: "1.0.2",
    implementation: address!("000000aC74357BFEa72BBD0781833631F732cf19"),
    factory: address!("000000c3A93d2c5E02Cb053AC675665b1c4217F9"),
    bootstrap: address!("879fa30248eeb693dcCE3eA94a743622170a3658"),
    owner_validator: address!("0000002D6DB27c52E3C11c1Cf24072004AC75cBa"),
    address_scheme: AddressScheme::InitDataInSalt {
        init_code_hash: b256!("bf5658acdb0d71e91f2e2ac658b87c63b81f244ccb8c0aef176c5e397e08c2ba"),
    },
};

const V1_2_0: ReleaseParts = ReleaseParts {
    account_id: "biconomy.nexus.1.2.0",
    domain_version: "1.2.0",
    implementation: address!("000000004F43C49e93C970E84001853a70923B03"),
    factory: address!("000000001D1D5004a02bAfAb9de2D6CE5b7B13de"),
    bootstrap: address!("00000000D3254452a909E4eeD47455Af7E27C289"),
    owner_validator: address!("00000000d12897DDAdC2044614A9677B191A2d95"),
    address_scheme: AddressScheme::InitDataInCode {
        proxy_creation_code_hash: b256!("85c3c4a368d568e5645ba85549538f21968bbf73e0cf6a73d2464433ba02d9f4"),
        proxy_creation_code_bytes: 682,
    },
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_name_is_the_stored_one_and_no_other_is_taken() {
        for release in NexusRelease::ALL {
            assert_eq!(release.as_str().parse::<NexusRelease>().unwrap(), release);
            let json = serde_json::to_string(&release).unwrap();
            assert_eq!(json, format!("{:?}", release.as_str()));
            assert_eq!(serde_json::from_str::<NexusRelease>(&json).unwrap(), release);
        }
        for bad in ["", "1.2", "1.3.1", "latest"] {
            assert!(bad.parse::<NexusRelease>().unwrap_err().to_string().starts_with("release"));
        }
    }
}
