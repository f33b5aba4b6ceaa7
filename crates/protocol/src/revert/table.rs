//! The tables behind [`super::explain`]: `@biconomy/use-aa`'s list (docs/protocol.md 4.7), and what is missing there.

use super::Explanation;

mod bundler;
mod entry_point;
mod paymaster;
mod session;
mod wallet;

/// All known texts; the first match counts. Texts of modules and paymasters say more than the codes around them, so
/// they come first.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> {
    [session::SESSION, paymaster::PAYMASTER, entry_point::ENTRY_POINT, bundler::BUNDLER].into_iter().flatten()
}

/// The meaning of a wallet's code.
pub(super) fn of_wallet(code: i64) -> Option<&'static Explanation> {
    wallet::WALLET.iter().find(|(known, _)| *known == code).map(|(_, explanation)| explanation)
}
