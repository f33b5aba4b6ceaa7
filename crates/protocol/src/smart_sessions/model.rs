//! What module and policies answer, computed before anything is signed or sent: every check in its order, revert data
//! included, and what is counted from one operation to the next (vectors 18).
//!
//! [`ModuleState`] holds what the chain knows of one account. Made of a session ([`ModuleState::with_session`]) its
//! counters are at the start; [`ModuleState::policies_mut`] puts what was read from the chain there.

use alloy::primitives::{Address, B256, Bytes};

mod calls;
mod enable;
mod operation;
mod policy;
mod revert;
mod state;
#[cfg(test)]
mod tests;

pub use enable::owner_validator;
pub use policy::PolicyState;
pub use state::{EnabledSession, ModuleState};

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The chain reverts with these bytes.
    #[error("{}", super::revert_words(.0))]
    Reverted(Bytes),
    /// A policy contract, a session validator or a function that is not known here would decide.
    #[error("what {0} answers is not known here")]
    Unknown(Address),
}

/// How the account answers whether a message is signed: `Err` = it reverts with these bytes.
pub type IsValidSignature<'a> = &'a dyn Fn(B256, &[u8]) -> Result<bool, Bytes>;

/// What the module finds around it.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The account whose sessions these are.
    pub account: Address,
    /// The chain.
    pub chain_id: u64,
    /// Session validators that judge one key's plain signature, as the lab's does.
    pub simple_signers: &'a [Address],
    /// The account's ERC-1271 ([`owner_validator`] for the lab's).
    pub is_valid_signature: IsValidSignature<'a>,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("account", &self.account).finish_non_exhaustive()
    }
}
