//! What a function's hash on chain may stand for: the functions that are known here, of the contracts that are.

use std::{cell::OnceCell, collections::HashMap};

use alloy::primitives::{Address, B256};

use super::super::{
    addresses::{FALLBACK_ADMINISTRATION, FALLBACK_GENERIC, FALLBACK_TARGET, SMART_SESSION, VALUE_SELECTOR},
    ids,
    session::Session,
};
use crate::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    known_functions::selectors,
    session_scheme::Candidates,
};

/// A contract and its function.
pub(super) type Plain = (Address, [u8; 4]);

/// Most contracts whose functions are tried.
pub(super) const MOST_CONTRACTS: usize = 64;
/// Most functions that are tried beside those.
const MOST_FUNCTIONS: usize = 4_096;

/// Contracts and functions, hashed when the first hash is looked up.
pub(super) struct KnownActions {
    contracts: Vec<Address>,
    /// Of stored sessions, and those that were asked for: whatever they are.
    granted: Vec<Plain>,
    hashed: OnceCell<HashMap<B256, Plain>>,
}

impl KnownActions {
    pub(super) fn new(account: Address, stored: &[&Session], candidates: &Candidates) -> Self {
        let actions = stored.iter().flat_map(|session| &session.actions);
        let granted = actions.map(|action| (action.action_target, action.action_target_selector.0)).collect::<Vec<_>>();
        let mut all = vec![account, SMART_SESSION, DEMO_NFT, DEMO_TOKEN];
        for contract in granted.iter().map(|(target, _)| target).chain(&candidates.contracts) {
            if all.len() < MOST_CONTRACTS && !all.contains(contract) {
                all.push(*contract);
            }
        }
        let asked = candidates.functions.iter().take(MOST_FUNCTIONS).copied();
        let granted = granted.into_iter().chain(asked).collect();
        Self { contracts: all, granted, hashed: OnceCell::new() }
    }

    /// The contract and function whose hash this is.
    pub(super) fn get(&self, id: B256) -> Option<Plain> {
        self.hashed.get_or_init(|| self.hash()).get(&id).copied()
    }

    fn hash(&self) -> HashMap<B256, Plain> {
        let fallbacks = [FALLBACK_GENERIC, FALLBACK_ADMINISTRATION].map(|selector| (FALLBACK_TARGET, selector));
        let functions = selectors().chain([VALUE_SELECTOR]).collect::<Vec<_>>();
        let of_contract = |contract: &Address| {
            let contract = *contract;
            functions.iter().map(move |selector| (contract, *selector))
        };
        let plain = self.contracts.iter().flat_map(of_contract);
        let plain = plain.chain(self.granted.iter().copied()).chain(fallbacks);
        plain.map(|(target, selector)| (ids::action_id(target, selector), (target, selector))).collect()
    }
}
