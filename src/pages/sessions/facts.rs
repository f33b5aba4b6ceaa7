//! What chain and ledger know of an account's sessions, put in order.

use alloy::primitives::{Address, B256, U256};

use crate::{
    api::{account_state, published_sessions},
    error::AppError,
    protocol::{
        clocks::Clocks,
        rpc::AccountState,
        session::{ListedStatus, PublishedLeaves, SessionKeyManager, SessionLeaf},
        time_window::Window,
    },
};

/// Sessions on one page.
pub(super) const PER_PAGE: usize = 50;

/// What the chain says of an account, and what the ledger has for that.
pub(super) struct AccountFacts {
    pub(super) state: AccountState,
    sets: Vec<Set>,
}

/// The sessions that one manager holds for the account.
struct Set {
    manager: SessionKeyManager,
    root: B256,
    /// The contract that holds them is a module of the account now.
    is_enabled: bool,
    /// Nothing where nobody has published them.
    leaves: Option<PublishedLeaves>,
}

/// A session in the list.
pub(super) struct Listed {
    pub(super) leaf: SessionLeaf,
    pub(super) status: ListedStatus,
    pub(super) manager: SessionKeyManager,
    pub(super) is_enabled: bool,
}

impl AccountFacts {
    /// Asks chain and ledger.
    pub(super) async fn of(account: Address) -> Result<Self, AppError> {
        let state = account_state(account, U256::ZERO, None).await?;
        if let Some(second) = state.roots_disputed {
            return Err(AppError::NodesDisagree { first: state.merkle_root, second });
        }
        let held = [
            (SessionKeyManager::Current, state.merkle_root, state.session_key_manager_enabled),
            (SessionKeyManager::Older, state.older_merkle_root, state.older_session_key_manager_enabled),
        ];
        let mut sets = Vec::new();
        for (manager, root, is_enabled) in held {
            // An older manager that is not a module any more is of no interest to anybody.
            if state.deployed && !root.is_zero() && (is_enabled || manager == SessionKeyManager::Current) {
                let leaves = published_sessions(account, root).await?;
                sets.push(Set { manager, root, is_enabled, leaves });
            }
        }
        Ok(Self { state, sets })
    }

    /// No session of the account is valid.
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Roots of sessions of which nothing else is known.
    pub(super) fn unknown_roots(&self) -> impl Iterator<Item = B256> {
        self.sets.iter().filter(|set| set.leaves.is_none()).map(|set| set.root)
    }

    /// How many sessions are known.
    pub(super) fn count(&self) -> usize {
        self.sets.iter().filter_map(|set| set.leaves.as_ref()).map(PublishedLeaves::len).sum()
    }

    /// The sessions of a page, from 0: those that work first, then those that have not begun, then those that are over;
    /// the newest of each first.
    pub(super) fn page(&self, page: usize) -> Vec<Listed> {
        let mut places = Vec::with_capacity(self.count());
        for set in &self.sets {
            let Some(leaves) = &set.leaves else { continue };
            for place in (0..leaves.len()).rev() {
                let window = leaves.window(place).unwrap_or_default();
                places.push((set, leaves, place, status_in(window, self.state.clocks)));
            }
        }
        let rank = |status: ListedStatus| match status {
            ListedStatus::Active => 0,
            ListedStatus::Pending => 1,
            _ => 2,
        };
        places.sort_by_key(|(.., status)| rank(*status));
        let shown = places.into_iter().skip(page.saturating_mul(PER_PAGE)).take(PER_PAGE);
        let listed = shown.filter_map(|(set, leaves, place, status)| {
            let leaf = leaves.session(place)?;
            Some(Listed { leaf, status, manager: set.manager, is_enabled: set.is_enabled })
        });
        listed.collect()
    }
}

/// Where a session that is in the tree stands.
fn status_in(window: Window, clocks: Clocks) -> ListedStatus {
    match (clocks.is_over(window.valid_until), clocks.has_begun(window.valid_after)) {
        (true, _) => ListedStatus::Expired,
        (false, true) => ListedStatus::Active,
        (false, false) => ListedStatus::Pending,
    }
}

/// An address as people write it: `0x` and 40 digits; capitals among them must be those of its checksum.
pub(super) fn read_account(typed: &str) -> Result<Address, AppError> {
    let typed = typed.trim();
    let digits = typed.strip_prefix("0x").filter(|digits| digits.len() == 40);
    let account = digits.and_then(|digits| digits.parse::<Address>().ok());
    let account = account
        .ok_or_else(|| AppError::invalid("account", "0x and the 40 hex digits of a smart account's address", typed))?;
    let has = |is: fn(&u8) -> bool| digits.is_some_and(|digits| digits.as_bytes().iter().any(is));
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    if is_mixed && account.to_string() != typed {
        let expected = "an address whose capital letters are its checksum: a character of this one is wrong";
        return Err(AppError::invalid("account", expected, typed));
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_read_in_every_honest_spelling_and_a_mistyped_one_is_not() {
        let account = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
        let upper = account.to_uppercase().replacen('X', "x", 1);
        for honest in [account, &account.to_lowercase(), &upper, &[" ", account, "\n"].concat()] {
            assert_eq!(read_account(honest).unwrap().to_string(), account);
        }
        let mistyped = account.replace("DEF", "DeF");
        for wrong in ["", "0x12", "nobody", &account[2..], &[account, "0"].concat(), &mistyped, "0x\u{202e}"] {
            assert!(matches!(read_account(wrong), Err(AppError::InvalidInput { .. })), "{wrong}");
        }
    }

    #[test]
    fn the_clocks_decide() {
        let clocks = Clocks { block: 100, pending: 100, wall: 100 };
        let at = |valid_after, valid_until| status_in(Window { valid_until, valid_after }, clocks);
        assert_eq!(
            [at(0, 0), at(0, 100), at(101, 200), at(0, 99)].map(ListedStatus::wire_name),
            ["ACTIVE", "ACTIVE", "PENDING", "EXPIRED"]
        );
    }
}
