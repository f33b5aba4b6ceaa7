//! [`WalletInfo`]: a wallet that the page can offer.

use serde::{Deserialize, Serialize};

/// `rdns` of the lab wallet.
pub const LAB_WALLET: &str = "lab";
/// `rdns` given to a `window.ethereum` that does not announce itself.
pub const INJECTED_WALLET: &str = "injected";

/// A wallet that can be connected, as it announced itself (EIP-6963).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletInfo {
    /// Reverse domain name: the wallet's lasting name (`io.metamask`); `lab` and `injected` are ours.
    pub rdns: String,
    /// Name for people.
    pub name: String,
    /// Icon as `data:` URI; empty when there is none.
    pub icon: String,
}

impl WalletInfo {
    /// Takes over an announcement. Any page script can announce a wallet, so names are bounded and icons must be
    /// `data:` images: nothing is fetched. `None` when it has no usable name.
    pub fn announced(rdns: &str, name: &str, icon: &str) -> Option<Self> {
        let rdns_ok = (1..=100).contains(&rdns.len())
            && rdns.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && rdns != LAB_WALLET
            && rdns != INJECTED_WALLET;
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(60).collect();
        if !rdns_ok || name.is_empty() {
            return None;
        }
        let icon = if icon.starts_with("data:image/") && icon.len() <= 200_000 { icon } else { "" };
        Some(Self { rdns: rdns.to_owned(), name, icon: icon.to_owned() })
    }

    /// The lab wallet: account 0 of the public test mnemonic. Offered on the lab's chain only.
    pub fn lab() -> Self {
        Self { rdns: LAB_WALLET.to_owned(), name: "Lab wallet".to_owned(), icon: String::new() }
    }

    /// A `window.ethereum` that does not announce itself.
    pub fn injected() -> Self {
        Self { rdns: INJECTED_WALLET.to_owned(), name: "Browser wallet".to_owned(), icon: String::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn announcements_are_bounded() {
        let wallet =
            WalletInfo::announced("io.metamask", " MetaMask\u{7} ", "https://tracker.example/icon.png").unwrap();
        assert_eq!(wallet, WalletInfo { rdns: "io.metamask".into(), name: "MetaMask".into(), icon: String::new() });
        assert_eq!(WalletInfo::announced("io.x", &"x".repeat(1_000), "data:image/svg+xml,x").unwrap().name.len(), 60);
        for (rdns, name) in [("", "x"), ("lab", "x"), ("io x", "x"), ("\"><script>", "x"), ("io.x", "  ")] {
            assert_eq!(WalletInfo::announced(rdns, name, ""), None, "{rdns:?} {name:?}");
        }
    }
}
