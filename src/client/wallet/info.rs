//! [`WalletInfo`]: a wallet that the page can offer.

use serde::{Deserialize, Serialize};

use crate::protocol::foreign_text;

/// `rdns` of the lab wallet.
pub const LAB_WALLET: &str = "lab";
/// `rdns` given to a `window.ethereum` that does not announce itself.
pub const INJECTED_WALLET: &str = "injected";

/// A wallet that can be connected, as it announced itself (EIP-6963).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletInfo {
    /// Reverse domain name: the wallet's lasting name (`io.metamask`); `lab` and `injected` are ours.
    pub rdns: String,
    /// Name for people.
    pub name: String,
    /// Icon as `data:` URI; empty when there is none.
    pub icon: String,
    /// Its announcement's UUID, which tells two wallets with the same rdns apart as long as the page lives; empty when
    /// it announced none.
    #[serde(default)]
    pub uuid: String,
}

impl WalletInfo {
    /// Takes over an announcement. Any page script can announce a wallet, so names are bounded and icons must be
    /// `data:` images: nothing is fetched. `None` when it has no usable name.
    pub fn announced(rdns: &str, name: &str, icon: &str, uuid: &str) -> Option<Self> {
        let rdns_ok = (1..=100).contains(&rdns.len())
            && rdns.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            && rdns != LAB_WALLET
            && rdns != INJECTED_WALLET;
        let name = foreign_text::name(name).filter(|_| rdns_ok)?;
        let icon = if icon.starts_with("data:image/") && icon.len() <= 200_000 { icon } else { "" };
        // Neither an rdns nor one of our own names has this form.
        let uuid_ok = (8..=64).contains(&uuid.len()) && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let uuid = if uuid_ok { uuid.to_owned() } else { String::new() };
        Some(Self { rdns: rdns.to_owned(), name, icon: icon.to_owned(), uuid })
    }

    /// What this very wallet is called while the page lives.
    pub fn id(&self) -> &str {
        if self.uuid.is_empty() { &self.rdns } else { &self.uuid }
    }

    /// Is this the wallet called `id`: its [`id`](Self::id), or an rdns?
    pub fn is_called(&self, id: &str) -> bool {
        self.id() == id || self.rdns == id
    }

    /// Is it an announcement of the same wallet?
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.rdns == other.rdns && self.uuid == other.uuid
    }

    /// What it is called between visits: the rdns, and the name where several share that (UUIDs do not last).
    pub fn lasting_name(&self, all: &[Self]) -> String {
        match all.iter().filter(|other| other.rdns == self.rdns).count() {
            0 | 1 => self.rdns.clone(),
            _ => format!("{}#{}", self.rdns, self.name),
        }
    }

    /// The wallet with this lasting name; while it is not there, none, not another one of the same rdns.
    pub fn find_lasting<'a>(all: &'a [Self], lasting: &str) -> Option<&'a Self> {
        match lasting.split_once('#') {
            Some((rdns, name)) => all.iter().find(|wallet| wallet.rdns == rdns && wallet.name == name),
            None => all.iter().find(|wallet| wallet.rdns == lasting),
        }
    }

    /// The lab wallet: account 0 of the public test mnemonic. Offered on the lab's chain only.
    pub fn lab() -> Self {
        Self { rdns: LAB_WALLET.to_owned(), name: "Lab wallet".to_owned(), ..Self::default() }
    }

    /// A `window.ethereum` that does not announce itself.
    pub fn injected() -> Self {
        Self { rdns: INJECTED_WALLET.to_owned(), name: "Browser wallet".to_owned(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn announcements_are_bounded() {
        let wallet =
            WalletInfo::announced("io.metamask", " MetaMask\u{7} ", "https://tracker.example/icon.png", "lab").unwrap();
        let expected = WalletInfo { rdns: "io.metamask".into(), name: "MetaMask".into(), ..Default::default() };
        assert_eq!(wallet, expected, "no icon from elsewhere, no uuid that is none");
        let long = WalletInfo::announced("io.x", &"x".repeat(1_000), "data:image/svg+xml,x", "").unwrap();
        assert_eq!(long.name.len(), 60);
        let hidden = WalletInfo::announced("io.x", "Meta\u{202e}\u{200b}Mask\u{fe0f}", "", "").unwrap();
        assert_eq!(hidden.name, "MetaMask");
        assert_eq!(WalletInfo::announced("io.x", "\u{3164}\u{2800}", "", ""), None, "nothing to see");
        for (rdns, name) in [("", "x"), ("lab", "x"), ("io x", "x"), ("\"><script>", "x"), ("io.x", "  ")] {
            assert_eq!(WalletInfo::announced(rdns, name, "", ""), None, "{rdns:?} {name:?}");
        }
    }

    #[test]
    fn two_wallets_of_one_rdns_are_told_apart_in_this_visit_and_in_the_next() {
        let wallet = |name, uuid| WalletInfo::announced("io.twin", name, "", uuid).unwrap();
        let twins =
            [wallet("One", "00000000-0000-4000-8000-000000000001"), wallet("Two", "00000000-0000-4000-8000-02")];
        assert_ne!(twins[0].id(), twins[1].id());
        assert!(twins[1].is_called(twins[1].id()) && !twins[1].is_called(twins[0].id()));
        let later = [wallet("Two", "00000000-0000-4000-8000-03"), wallet("One", "00000000-0000-4000-8000-04")];
        let found = WalletInfo::find_lasting(&later, &twins[1].lasting_name(&twins));
        assert_eq!(found.map(|wallet| wallet.name.as_str()), Some("Two"));
        assert_eq!(WalletInfo::find_lasting(&later[1..], &twins[1].lasting_name(&twins)), None);
        // One of its kind is known by its rdns alone.
        assert_eq!(twins[0].lasting_name(&twins[..1]), "io.twin");
        assert!(WalletInfo::find_lasting(&later, "io.twin").is_some());
    }
}
