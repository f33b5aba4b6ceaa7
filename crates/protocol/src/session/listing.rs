//! How a session is listed for people: one word for where it stands, and what a search looks through.

use alloy::primitives::{Address, hex};

use super::{SessionLeaf, SessionStatus};
use crate::{
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    known_functions::{known_function, published_function},
    session_data::{AbiSessionData, Erc20SessionData},
};

/// Where a listed session stands, by the chain and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListedStatus {
    /// Not known to be on chain yet, or its window has not begun.
    Pending,
    /// Works now, with the key of this browser or of the nodes.
    Active,
    /// Its window is over.
    Expired,
    /// No longer under the root on chain.
    Revoked,
    /// Works, but its key is in another browser or app.
    OtherDevice,
}

impl ListedStatus {
    /// In the order of a filter.
    pub const ALL: [Self; 5] = [Self::Active, Self::OtherDevice, Self::Pending, Self::Expired, Self::Revoked];

    /// The name in attributes.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::OtherDevice => "OTHER_DEVICE",
        }
    }
}

impl SessionLeaf {
    /// Where it stands at `now`, unix seconds. What is over is over, wherever its key is.
    pub fn listed_at(&self, now: u64) -> ListedStatus {
        match self.status_at(now) {
            SessionStatus::Revoked => ListedStatus::Revoked,
            SessionStatus::Expired => ListedStatus::Expired,
            SessionStatus::Active | SessionStatus::Inactive if self.is_on_other_device() => ListedStatus::OtherDevice,
            SessionStatus::Active => ListedStatus::Active,
            SessionStatus::Pending | SessionStatus::Inactive => ListedStatus::Pending,
        }
    }

    /// The contract that it may call, when its data can be read.
    pub fn contract(&self) -> Option<Address> {
        match self.session_validation_module {
            ERC20_SESSION_VALIDATION_MODULE => {
                Erc20SessionData::decode(&self.session_key_data).ok().map(|data| data.token)
            }
            ABI_SESSION_VALIDATION_MODULE => {
                AbiSessionData::decode(&self.session_key_data).ok().map(|data| data.contract_address)
            }
            // Another module may read the same bytes as something else.
            _ => None,
        }
    }

    /// What a search looks through, in lower case: a line with name and function, and one with contract, key and id.
    pub fn search_text(&self) -> String {
        let mut names = vec![self.label.as_deref().unwrap_or_default().to_lowercase()];
        let mut codes = vec![format!("{:#x}", self.session_key_address), self.session_id.to_lowercase()];
        if self.session_validation_module == ERC20_SESSION_VALIDATION_MODULE {
            names.push("transfer".to_owned());
            if let Ok(data) = Erc20SessionData::decode(&self.session_key_data) {
                codes.extend([format!("{:#x}", data.token), format!("{:#x}", data.recipient)]);
            }
        } else if let Ok(data) = AbiSessionData::decode(&self.session_key_data) {
            codes.extend([format!("{:#x}", data.contract_address), hex::encode_prefixed(data.selector)]);
            names.extend(known_function(data.selector).map(|function| function.signature.to_lowercase()));
            names.extend(published_function(data.selector).map(|function| function.name().to_lowercase()));
        }
        [names.join(" "), codes.join(" ")].join("\n")
    }
}

/// Words shorter than this are not looked for in addresses, which hold every short one.
const LEAST_CODE: usize = 4;

/// Does a text of [`SessionLeaf::search_text`] hold every word of `wanted`?
pub fn matches_search(text: &str, wanted: &str) -> bool {
    let (names, codes) = text.split_once('\n').unwrap_or((text, ""));
    let found = |word: &str| names.contains(word) || (word.len() >= LEAST_CODE && codes.contains(word));
    wanted.to_lowercase().split_whitespace().all(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        addresses::DEMO_NFT,
        policy::Policy,
        session::{PublishedLeaves, SessionBook},
    };

    fn leaf() -> SessionLeaf {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(100);
        let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(0xab), "Id1Long").unwrap();
        SessionLeaf { status: SessionStatus::Active, label: Some("Demo Mint".into()), ..leaf }
    }

    #[test]
    fn the_chain_the_clock_and_the_place_of_the_key_decide() {
        let here = leaf();
        assert_eq!(here.listed_at(50), ListedStatus::Active);
        assert_eq!(here.listed_at(101), ListedStatus::Expired);
        let later = SessionLeaf { valid_after: 60, ..here.clone() };
        assert_eq!([later.listed_at(59), later.listed_at(60)], [ListedStatus::Pending, ListedStatus::Active]);
        let set: PublishedLeaves = SessionBook { leaf_nodes: vec![here], ..Default::default() }.published().unwrap();
        let mut elsewhere = SessionBook::default();
        elsewhere.adopt(&set).unwrap();
        let adopted = &elsewhere.leaf_nodes[0];
        assert_eq!(adopted.listed_at(50), ListedStatus::OtherDevice);
        assert_eq!(adopted.listed_at(101), ListedStatus::Expired, "nothing to worry about any more");
        let revoked = SessionLeaf { status: SessionStatus::Revoked, ..adopted.clone() };
        assert_eq!(revoked.listed_at(50), ListedStatus::Revoked);
    }

    #[test]
    fn a_search_finds_name_contract_function_and_key_in_any_order() {
        let text = leaf().search_text();
        for wanted in ["demo", "MINT demo", "0x1758f42a", "SafeMint", "0x40d097c3", "0xabab", "id1long", " "] {
            assert!(matches_search(&text, wanted), "{wanted} in {text}");
        }
        assert!(!matches_search(&text, "demo transfer"));
        assert!(!matches_search(&text, "demo 17"), "addresses hold every short number");
        let odd = SessionLeaf { session_key_data: vec![1, 2].into(), ..leaf() };
        assert!(matches_search(&odd.search_text(), "demo"), "data that cannot be read hides nothing");
        assert_eq!(odd.contract(), None);
        assert_eq!(leaf().contract(), Some(DEMO_NFT));
    }
}
