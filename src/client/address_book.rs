//! Addresses that this browser granted or sent to, with the owner's own names for them.
//!
//! Kept with the account's other data under `<account>_addresses`, so forgetting the device deletes it.

use alloy::primitives::{Address, hex};
use serde::{Deserialize, Deserializer, Serialize};

use crate::protocol::foreign_text;

/// The form that is written; others are left alone.
const VERSION: u32 = 1;
/// More are forgotten: those without a name, then the longest unused.
const MOST: usize = 500;
/// One operation adds no more, so that it cannot make the book forget the others.
const MOST_AT_ONCE: usize = 20;
/// An address that begins and ends as another one does with so many digits could be taken for it. Whoever wants that
/// grinds eight digits in minutes; by chance six are the same once in 16 million.
const ALIKE: usize = 3;

/// One address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownAddress {
    /// The address.
    pub address: Address,
    /// The owner's name for it.
    #[serde(default, deserialize_with = "name", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Operations that granted or sent something to it.
    #[serde(default)]
    pub uses: u32,
    /// The last of them, unix seconds.
    #[serde(default)]
    pub last_used: u64,
}

/// All of an account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBook {
    version: u32,
    addresses: Vec<KnownAddress>,
}

impl Default for AddressBook {
    fn default() -> Self {
        Self { version: VERSION, addresses: Vec::new() }
    }
}

/// What is known of an address before somebody decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressStanding {
    /// It was granted or sent something from this browser, or has a name.
    Known(KnownAddress),
    /// Nothing is known.
    New,
    /// Nothing is known of it, and it looks like this one, which is known.
    LooksLike(Address, Option<String>),
}

impl AddressBook {
    /// What is known of `address`. `familiar` are addresses with names that the page knows by itself.
    pub fn standing(&self, address: Address, familiar: &[(Address, String)]) -> AddressStanding {
        if let Some(known) = self.get(address) {
            return AddressStanding::Known(known.clone());
        }
        let mine = self.addresses.iter().map(|known| (known.address, known.name.clone()));
        let familiar = familiar.iter().map(|(address, name)| (*address, Some(name.clone())));
        match mine.chain(familiar).find(|(known, _)| is_alike(*known, address)) {
            Some((known, name)) => AddressStanding::LooksLike(known, name),
            None => AddressStanding::New,
        }
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        self.addresses.iter().map(|known| known.address)
    }

    /// What is kept of it.
    pub fn get(&self, address: Address) -> Option<&KnownAddress> {
        self.addresses.iter().find(|known| known.address == address)
    }

    /// Notes that an operation granted or sent something to these, the first of them where there are many.
    pub fn note_used(&mut self, addresses: &[Address], now: u64) {
        for address in addresses.iter().take(MOST_AT_ONCE) {
            let known = self.entry(*address);
            known.uses = known.uses.saturating_add(1);
            known.last_used = known.last_used.max(now);
        }
        self.forget_most();
    }

    /// Gives it a name; a text that shows nothing takes it away.
    pub fn set_name(&mut self, address: Address, name: &str) {
        self.entry(address).name = foreign_text::name(name);
        self.addresses.retain(|known| known.name.is_some() || known.uses > 0);
        self.forget_most();
    }

    fn entry(&mut self, address: Address) -> &mut KnownAddress {
        let place = self.addresses.iter().position(|known| known.address == address).unwrap_or_else(|| {
            self.addresses.push(KnownAddress { address, ..KnownAddress::default() });
            self.addresses.len() - 1
        });
        &mut self.addresses[place]
    }

    fn forget_most(&mut self) {
        while self.addresses.len() > MOST {
            let oldest =
                self.addresses.iter().enumerate().min_by_key(|(_, known)| (known.name.is_some(), known.last_used));
            let Some((oldest, _)) = oldest else { return };
            self.addresses.remove(oldest);
        }
    }

    /// Of a stored text; `None` when it is of another version or no book.
    #[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
    fn read(text: &str) -> Option<Self> {
        let mut book = serde_json::from_str::<Self>(text).ok().filter(|book| book.version == VERSION)?;
        book.forget_most();
        Some(book)
    }
}

/// Equal at both ends, and not in between.
fn is_alike(known: Address, address: Address) -> bool {
    let [known, other] = [known, address].map(hex::encode);
    known != other && known[..ALIKE] == other[..ALIKE] && known[40 - ALIKE..] == other[40 - ALIKE..]
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|name| foreign_text::name(&name)))
}

#[cfg(feature = "hydrate")]
mod browser {
    use alloy::primitives::Address;

    use super::AddressBook;
    use crate::{
        client::{
            browser_storage,
            session_store::{changes, forgetting::is_forgotten},
            web_locks::with_lock,
        },
        error::AppError,
    };

    fn key(account: Address) -> String {
        format!("{account:#x}_addresses")
    }

    fn stored(account: Address) -> Result<Option<String>, AppError> {
        browser_storage::raw()?.get_item(&key(account)).map_err(|error| browser_storage::refused(&error))
    }

    /// The account's book; an empty one where it cannot be read.
    pub fn load(account: Address) -> AddressBook {
        let text = stored(account).ok().flatten();
        text.and_then(|text| AddressBook::read(&text)).unwrap_or_default()
    }

    /// Changes the account's book.
    ///
    /// # Errors
    /// `Storage` when it cannot be kept, or another version of this page wrote it.
    pub async fn change(account: Address, change: impl FnOnce(&mut AddressBook)) -> Result<(), AppError> {
        let key = key(account);
        with_lock(&key, async {
            if is_forgotten(account) {
                return Ok(());
            }
            let mut book = match stored(account)? {
                None => AddressBook::default(),
                Some(text) => AddressBook::read(&text).ok_or_else(|| AppError::Storage {
                    reason: "the names of addresses were stored by another version of this page".into(),
                })?,
            };
            change(&mut book);
            browser_storage::set(&key, &book)
        })
        .await??;
        changes::notify(account);
        Ok(())
    }
}
#[cfg(feature = "hydrate")]
pub use browser::{change, load};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const FRIEND: Address = Address::repeat_byte(0xaa);

    #[test]
    fn an_address_is_new_until_it_was_used() {
        let mut book = AddressBook::default();
        assert_eq!(book.standing(FRIEND, &[]), AddressStanding::New);
        book.note_used(&[FRIEND], 7);
        book.set_name(FRIEND, " Ali\u{202e}ce\u{200b} ");
        let known = KnownAddress { address: FRIEND, name: Some("Alice".into()), uses: 1, last_used: 7 };
        assert_eq!(book.standing(FRIEND, &[]), AddressStanding::Known(known.clone()));
        let text = serde_json::to_string(&book).unwrap();
        assert_eq!(AddressBook::read(&text), Some(book.clone()));
        book.set_name(FRIEND, "\u{3164}");
        assert_eq!(book.standing(FRIEND, &[]), AddressStanding::Known(KnownAddress { name: None, ..known }));
        let mut named_only = AddressBook::default();
        named_only.set_name(FRIEND, "Bob");
        named_only.set_name(FRIEND, "");
        assert_eq!(named_only, AddressBook::default());
    }

    #[test]
    fn an_address_that_looks_like_a_known_one_is_told_and_the_known_one_is_not() {
        let mut ground = [0x11; 20];
        ground[..2].copy_from_slice(&[0xaa; 2]);
        ground[18..].copy_from_slice(&[0xaa; 2]);
        let ground = Address::from(ground);
        let mut book = AddressBook::default();
        book.note_used(&[FRIEND], 1);
        assert_eq!(book.standing(ground, &[]), AddressStanding::LooksLike(FRIEND, None));
        book.set_name(FRIEND, "Alice");
        assert_eq!(book.standing(ground, &[]), AddressStanding::LooksLike(FRIEND, Some("Alice".into())));
        assert!(matches!(book.standing(FRIEND, &[]), AddressStanding::Known(_)));
        let own = [(FRIEND, "your own account".to_owned())];
        let alike = AddressBook::default().standing(ground, &own);
        assert_eq!(alike, AddressStanding::LooksLike(FRIEND, Some("your own account".into())));
        // One end alone is chance.
        let mut half = [0x11; 20];
        half[..4].copy_from_slice(&[0xaa; 4]);
        assert_eq!(book.standing(half.into(), &own), AddressStanding::New);
    }

    #[test]
    fn a_book_is_bounded_and_other_texts_are_no_book() {
        let mut book = AddressBook::default();
        book.set_name(FRIEND, "Alice");
        let many = (1..=600_u64).map(|number| Address::left_padding_from(&number.to_be_bytes())).collect::<Vec<_>>();
        for (time, address) in many.iter().enumerate() {
            book.note_used(&[*address], time as u64);
        }
        assert_eq!(book.addresses.len(), MOST);
        assert!(book.get(FRIEND).is_some() && book.get(many[0]).is_none() && book.get(many[599]).is_some());
        // One operation does not push out the others.
        book.note_used(&many[..400], 1_000);
        assert!(many[121..].iter().all(|address| book.get(*address).is_some()), "the youngest stay");
        let entry = r#"{"address":"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","name":"A\u202eB"}"#;
        let read = AddressBook::read(&format!(r#"{{"version":1,"addresses":[{entry}]}}"#)).unwrap();
        assert_eq!(read.addresses[0].name.as_deref(), Some("AB"));
        for other in
            ["", "null", "[]", r#"{"version":2,"addresses":[]}"#, r#"{"version":1,"addresses":[{"address":"0x1"}]}"#]
        {
            assert_eq!(AddressBook::read(other), None, "{other}");
        }
    }
}
