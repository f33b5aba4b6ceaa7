//! [`AccountKind`]: the kinds of smart account by name, as apps, servers and stores tell them apart.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::ProtocolError;

/// A kind of smart account. Serialised by its name ([`Self::as_str`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountKind {
    /// Biconomy Smart Account V2, whose sessions are leaves of one tree.
    #[default]
    #[serde(rename = "biconomy-v2")]
    BiconomyV2,
    /// Biconomy Nexus, whose sessions are Smart Sessions, each for itself.
    #[serde(rename = "nexus")]
    Nexus,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::BiconomyV2, Self::Nexus];

    /// Its name in configuration, stores and attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BiconomyV2 => "biconomy-v2",
            Self::Nexus => "nexus",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::BiconomyV2 => "Biconomy V2",
            Self::Nexus => "Nexus",
        }
    }
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AccountKind {
    type Err = ProtocolError;

    fn from_str(name: &str) -> Result<Self, ProtocolError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| ProtocolError::invalid("account", "biconomy-v2 or nexus", name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_name_and_no_other() {
        for kind in AccountKind::ALL {
            assert_eq!(kind.to_string().parse::<AccountKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for wrong in ["", "Nexus", "v2", "biconomy.nexus.1.0.0"] {
            assert!(wrong.parse::<AccountKind>().unwrap_err().to_string().contains("biconomy-v2 or nexus"));
        }
    }
}
