//! The session key manager of Smart Account V2 as a [`SessionScheme`]: all sessions of an account under one root.
//!
//! These are the bare steps. Apps want the verbs of `use-aa-actions` beside them, which also bring devices together,
//! settle what was interrupted and use several sessions in one operation.

use alloy::primitives::{Address, B256, Bytes, U256};

use super::SessionLeaf;
use crate::{
    ProtocolError,
    abi::ISessionKeyManager,
    accounts::biconomy_v2::{enable_module, set_merkle_root},
    addresses::SESSION_KEY_MANAGER,
    call::Call,
    describe::{Names, PolicyDescription},
    lint::{LintContext, lint},
    merkle::{GrowingTree, MerkleTree},
    session_scheme::{
        ActionLimits, OnChain, SchemeFinding, SessionCalls, SessionLimits, SessionScheme, SessionTerms, Stored,
    },
    signature::{session_key_manager, wrap},
    simulate::{Violation, simulate_single},
};

/// Sessions of Smart Account V2.
#[derive(Clone, Copy, Debug)]
pub struct KeyManagerSessions;

fn tree<'a>(leaves: impl IntoIterator<Item = &'a SessionLeaf>) -> MerkleTree {
    MerkleTree::new(leaves.into_iter().map(SessionLeaf::hash).collect())
}

impl SessionScheme for KeyManagerSessions {
    type Session = SessionLeaf;

    const NAME: &'static str = "session-key-manager";

    fn session(terms: &SessionTerms<'_>) -> Result<SessionLeaf, ProtocolError> {
        let [(policy, limits)] = terms.policies else {
            return Err(ProtocolError::invalid("policies", "one function for each session", terms.policies.len()));
        };
        if *limits != ActionLimits::default() || terms.limits.operations.is_some() {
            return Err(ProtocolError::refused("limits", "sessions of this account count nothing over several calls"));
        }
        if terms.limits != (SessionLimits { sponsored: terms.limits.sponsored, ..SessionLimits::default() }) {
            return Err(ProtocolError::refused("interval", "the time of a session is its policy's"));
        }
        policy.check(terms.account, terms.now)?;
        policy.leaf(terms.session_key, terms.salt.to_string())
    }

    fn id(leaf: &SessionLeaf) -> B256 {
        leaf.hash()
    }

    fn session_key(leaf: &SessionLeaf) -> Address {
        leaf.session_key_address
    }

    fn listing_call(account: Address) -> Call {
        let call = ISessionKeyManager::getSessionKeysCall { smartAccount: account };
        Call::to(SESSION_KEY_MANAGER, &call)
    }

    /// The chain tells a root only. Under it must be all stored sessions, but for those that are ending, and for the last
    /// ones, which may be on their way. A grant that came to nothing is to be forgotten before the next one.
    fn listed(stored: &[Stored<SessionLeaf>], answer: &[u8]) -> Result<Vec<SessionLeaf>, ProtocolError> {
        let root = B256::try_from(answer)
            .map_err(|_| ProtocolError::invalid("getSessionKeys", "one word", format!("{} bytes", answer.len())))?;
        if root.is_zero() {
            return Ok(Vec::new());
        }
        // Each of these trees grows out of the one before, so that a root of nobody's costs no more hashes than it must.
        let (mut all, mut lasting) = (GrowingTree::default(), GrowingTree::default());
        let mut lasting_counts = Vec::with_capacity(stored.len());
        let mut lasting_count = 0;
        for Stored { session, ending, .. } in stored {
            let leaf = session.hash();
            all.push(leaf);
            if !ending {
                lasting.push(leaf);
                lasting_count += 1;
            }
            lasting_counts.push(lasting_count);
        }
        for (index, lasting_count) in lasting_counts.into_iter().enumerate().rev() {
            all.truncate(index + 1);
            lasting.truncate(lasting_count);
            for (tree, with_ending) in [(&all, true), (&lasting, false)] {
                if tree.frontier().root() == Some(root) {
                    let found = stored.iter().take(index + 1).filter(|stored| with_ending || !stored.ending);
                    return Ok(found.map(|stored| stored.session.clone()).collect());
                }
            }
        }
        Err(ProtocolError::invalid("getSessionKeys", "the root of the sessions stored here", root))
    }

    fn grant_calls(on_chain: &OnChain<'_, SessionLeaf>, new: &[SessionLeaf]) -> Result<Vec<Call>, ProtocolError> {
        if new.is_empty() {
            return Err(ProtocolError::invalid("sessions", "at least one", "none"));
        }
        if let Some(again) = new.iter().find(|leaf| on_chain.sessions.iter().any(|other| other.hash() == leaf.hash())) {
            return Err(ProtocolError::invalid("sessions", "sessions that are not granted yet", again.hash()));
        }
        let is_enabled = on_chain.modules.contains(&SESSION_KEY_MANAGER);
        let enable = (!is_enabled).then(|| enable_module(on_chain.account, SESSION_KEY_MANAGER));
        let root = tree(on_chain.sessions.iter().chain(new)).root().unwrap_or_default();
        Ok(enable.into_iter().chain([set_merkle_root(root)]).collect())
    }

    fn revocation_calls(on_chain: &OnChain<'_, SessionLeaf>, ended: &[B256]) -> Result<Vec<Call>, ProtocolError> {
        let is_there = |id: &&B256| on_chain.sessions.iter().any(|leaf| leaf.hash() == **id);
        if let Some(absent) = ended.iter().find(|id| !is_there(id)) {
            return Err(ProtocolError::SessionNotFound { wanted: absent.to_string() });
        }
        let kept = on_chain.sessions.iter().filter(|leaf| !ended.contains(&leaf.hash()));
        Ok(vec![set_merkle_root(tree(kept).root().unwrap_or_default())])
    }

    fn nonce_key(lane: U256) -> Result<U256, ProtocolError> {
        Ok(lane)
    }

    fn use_signature(
        on_chain: &OnChain<'_, SessionLeaf>,
        leaf: &SessionLeaf,
        session_signature: &[u8],
    ) -> Result<Bytes, ProtocolError> {
        let tree = tree(on_chain.sessions);
        let proof = tree.position(leaf.hash()).and_then(|index| tree.proof(index));
        let proof = proof.ok_or_else(|| ProtocolError::SessionNotFound { wanted: leaf.session_id.clone() })?;
        Ok(wrap(SESSION_KEY_MANAGER, &session_key_manager(leaf, &proof, session_signature)))
    }

    fn judge(leaf: &SessionLeaf, used: &SessionCalls<'_>) -> Result<(), Violation> {
        let window = simulate_single(leaf, used.call_data)?;
        if used.now < window.valid_after || (window.valid_until != 0 && used.now > window.valid_until) {
            let reason = format!("it works from {} to {} (unix seconds)", window.valid_after, window.valid_until);
            return Err(Violation { rule: "window".into(), reason, revert_text: "AA22 expired or not due".into() });
        }
        Ok(())
    }

    fn lint(leaf: &SessionLeaf, on_chain: &OnChain<'_, SessionLeaf>, now: u64) -> Vec<SchemeFinding> {
        let granted = on_chain.sessions.iter().map(SessionLeaf::hash).collect::<Vec<_>>();
        let context = LintContext { account: on_chain.account, now, granted: &granted, modules: on_chain.modules };
        let found = lint(std::slice::from_ref(leaf), context);
        found.into_iter().map(|found| SchemeFinding { severity: found.severity, text: found.text }).collect()
    }

    fn describe(leaf: &SessionLeaf, names: &Names<'_>) -> Vec<String> {
        vec![PolicyDescription::of_leaf(leaf).whole_line(names)]
    }

    fn leaves(leaf: &SessionLeaf) -> Vec<SessionLeaf> {
        vec![leaf.clone()]
    }

    fn refusal(_: &str, _: Option<&[u8]>) -> Option<Violation> {
        // The text is the contract's own: `revert::explain` knows it.
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::merkle::parents_of;

    fn stored(count: u16, is_ending: impl Fn(u16) -> bool) -> Vec<Stored<SessionLeaf>> {
        let one = |number: u16| Stored {
            session: SessionLeaf { session_key_data: number.to_be_bytes().to_vec().into(), ..SessionLeaf::default() },
            ending: is_ending(number),
            about: Default::default(),
        };
        (0..count).map(one).collect()
    }

    fn root_over(stored: &[Stored<SessionLeaf>]) -> B256 {
        tree(stored.iter().map(|stored| &stored.session)).root().unwrap()
    }

    #[test]
    fn the_root_tells_how_many_are_there_with_those_that_end_or_without() {
        let all = stored(13, |number| number % 3 == 1);
        for count in 1..=all.len() {
            let first = &all[..count];
            let lasting = first.iter().filter(|stored| !stored.ending).cloned().collect::<Vec<_>>();
            for there in [first, &lasting] {
                let listed = KeyManagerSessions::listed(&all, root_over(there).as_slice()).unwrap();
                assert_eq!(listed, there.iter().map(|stored| stored.session.clone()).collect::<Vec<_>>(), "{count}");
            }
        }
        assert_eq!(KeyManagerSessions::listed(&all, B256::ZERO.as_slice()), Ok(Vec::new()));
        assert!(KeyManagerSessions::listed(&all, root_over(&all[1..]).as_slice()).is_err());
        assert!(KeyManagerSessions::listed(&[], B256::repeat_byte(1).as_slice()).is_err());
        let ending = stored(2, |_| true);
        assert!(KeyManagerSessions::listed(&ending, B256::repeat_byte(1).as_slice()).is_err());
    }

    /// A node that lies, or another device's root, must not keep a page busy: tree by tree it would be a million hashes.
    #[test]
    fn a_root_of_nobodys_costs_a_few_hashes_for_each_session() {
        let all = stored(1_024, |number| number % 2 == 0);
        let hashed = parents_of(|| assert!(KeyManagerSessions::listed(&all, &[1; 32]).is_err()));
        assert!(hashed < 16 * all.len(), "{hashed}");
        let hashed = parents_of(|| drop(KeyManagerSessions::listed(&all, root_over(&all).as_slice()).unwrap()));
        assert!(hashed < 4 * all.len(), "{hashed}");
    }
}
