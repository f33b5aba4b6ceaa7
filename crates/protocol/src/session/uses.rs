//! How often sessions were used, as the chain tells it: every use carries its leaf in the operation's signature, so
//! the input of the bundler's transaction says which session acted.

use std::collections::HashMap;

use alloy::primitives::{Address, B256, Bytes, U256, aliases::U48};
use serde::{Deserialize, Serialize};

use super::SessionLeaf;
use crate::{
    ProtocolError,
    abi::{BatchedRouterSignature, SessionKeyManagerSignature, decode},
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0},
    entry_point::EntryPoint,
    signature::unwrap,
};

/// Uses of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionUse {
    /// Hash of the session's leaf.
    pub leaf: B256,
    /// Operations that succeeded.
    pub count: u64,
    /// Time of the block with the last one, unix seconds; 0 when the node did not tell.
    pub last_at: u64,
    /// Transaction with the last one.
    pub last_transaction: B256,
}

/// What the chain tells of an account's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionUses {
    /// First block that was looked at: what happened before is not counted.
    pub from_block: u64,
    /// Last block that was looked at.
    pub to_block: u64,
    /// Sessions that were used since.
    pub uses: Vec<SessionUse>,
    /// Operations since whose bundle or signature is not encoded as it should be: counted for no session.
    #[serde(default)]
    pub unreadable: u64,
}

impl SessionUses {
    /// Uses of the session with this leaf.
    pub fn of(&self, leaf: B256) -> Option<&SessionUse> {
        self.uses.iter().find(|used| used.leaf == leaf)
    }
}

/// An operation that succeeded, and the leaves in its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationUse {
    /// The leaves, each once.
    pub leaves: Vec<B256>,
    /// Time of its block, unix seconds; 0 when unknown.
    pub at: u64,
    /// Its transaction.
    pub transaction: B256,
}

/// What the signature of an operation shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signers {
    /// These leaves, each once: sessions signed. None: the owner did.
    Sessions(Vec<B256>),
    /// Nobody can tell: it is not encoded as it should be.
    Unreadable,
}

/// The operations of `account` in the input of a transaction to the entry point, by nonce. Empty for what is no
/// `handleOps`; an error for one that is not encoded as it should be.
///
/// # Errors
/// The input is unreadable: what its operations show stays unknown.
pub fn session_uses_in(input: &[u8], account: Address) -> Result<HashMap<U256, Signers>, ProtocolError> {
    let operations = EntryPoint::default().operations_in(input)?;
    let own = operations.into_iter().filter(|operation| operation.sender == account);
    Ok(own.map(|operation| (operation.nonce, signers(&operation.signature))).collect())
}

fn signers(signature: &[u8]) -> Signers {
    let shown = match unwrap(signature) {
        Ok((SESSION_KEY_MANAGER | SESSION_KEY_MANAGER_V1_0_0, inner)) => single(&inner),
        Ok((BATCHED_SESSION_ROUTER, inner)) => batched(&inner),
        Ok(_) => Some(Vec::new()),
        Err(_) => None,
    };
    let Some(mut leaves) = shown else { return Signers::Unreadable };
    let mut seen = std::collections::HashSet::new();
    leaves.retain(|leaf| seen.insert(*leaf));
    Signers::Sessions(leaves)
}

fn single(signature: &[u8]) -> Option<Vec<B256>> {
    let shown = decode::leading_params::<SessionKeyManagerSignature>(signature).ok()?;
    Some(vec![leaf_hash(shown.validUntil, shown.validAfter, shown.sessionValidationModule, shown.sessionKeyData)])
}

fn batched(signature: &[u8]) -> Option<Vec<B256>> {
    let shown = decode::leading_params::<BatchedRouterSignature>(signature).ok()?;
    let sessions = shown.sessionData.into_iter();
    let leaves =
        sessions.map(|one| leaf_hash(one.validUntil, one.validAfter, one.sessionValidationModule, one.sessionKeyData));
    Some(leaves.collect())
}

fn leaf_hash(valid_until: U48, valid_after: U48, module: Address, session_key_data: Bytes) -> B256 {
    SessionLeaf {
        valid_until: valid_until.to(),
        valid_after: valid_after.to(),
        session_validation_module: module,
        session_key_data,
        ..SessionLeaf::default()
    }
    .hash()
}

/// Counts uses, given oldest first.
pub fn count_uses(operations: impl IntoIterator<Item = OperationUse>) -> Vec<SessionUse> {
    let mut places = HashMap::<B256, usize>::new();
    let mut uses = Vec::<SessionUse>::new();
    for OperationUse { leaves, at, transaction } in operations {
        for leaf in leaves {
            let place = *places.entry(leaf).or_insert(uses.len());
            match uses.get_mut(place) {
                Some(known) => {
                    known.count += 1;
                    (known.last_at, known.last_transaction) = (at, transaction);
                }
                None => uses.push(SessionUse { leaf, count: 1, last_at: at, last_transaction: transaction }),
            }
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::sol_types::SolCall;

    use super::*;
    use crate::{
        abi::IEntryPoint,
        addresses::{DEMO_NFT, ECDSA_MODULE},
        policy::Policy,
        signature::{DUMMY_ECDSA, DUMMY_SESSION, batched_router, session_key_manager, wrap},
        user_operation::UserOperation,
    };
    use proptest::prelude::*;

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn leaf(until: u64) -> SessionLeaf {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(until);
        SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap()
    }

    fn operation(sender: Address, nonce: u64, signature: Bytes) -> IEntryPoint::Operation {
        UserOperation { sender, nonce: U256::from(nonce), signature, ..UserOperation::default() }.into()
    }

    fn handle_ops(operations: Vec<IEntryPoint::Operation>) -> Vec<u8> {
        IEntryPoint::handleOpsCall { operations, beneficiary: Address::ZERO }.abi_encode()
    }

    #[test]
    fn the_signature_tells_which_sessions_acted() {
        let (a, b) = (leaf(100), leaf(200));
        let alone = wrap(SESSION_KEY_MANAGER, &session_key_manager(&a, &[B256::ZERO; 3], &DUMMY_SESSION));
        let sessions = [(&a, vec![]), (&b, vec![B256::ZERO]), (&a, vec![])];
        let together = wrap(BATCHED_SESSION_ROUTER, &batched_router(SESSION_KEY_MANAGER, &sessions, &DUMMY_SESSION));
        let owner = wrap(ECDSA_MODULE, &DUMMY_ECDSA);
        let input = handle_ops(vec![
            operation(ACCOUNT, 1, alone.clone()),
            operation(ACCOUNT, 2, together),
            operation(ACCOUNT, 3, owner),
            operation(Address::ZERO, 4, alone),
        ]);
        let found = session_uses_in(&input, ACCOUNT).unwrap();
        let of = |nonce: u64| found.get(&U256::from(nonce));
        assert_eq!(of(1), Some(&Signers::Sessions(vec![a.hash()])));
        let both = vec![a.hash(), b.hash()];
        assert_eq!(of(2), Some(&Signers::Sessions(both)), "each once, though one judged two calls");
        assert_eq!(of(3), Some(&Signers::Sessions(vec![])), "the owner's");
        assert_eq!(of(4), None, "another account's");
        assert!(session_uses_in(&[], ACCOUNT).unwrap().is_empty());
        let marked = [&input[..], b"bundled by somebody"].concat();
        assert_eq!(session_uses_in(&marked, ACCOUNT).unwrap(), found);
    }

    /// The entry point and the account take any layout; what is not canonical is told as such, beside the rest.
    #[test]
    fn what_is_not_canonical_is_unreadable_and_takes_nothing_else_away() {
        let good = wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf(100), &[], &DUMMY_SESSION));
        let mut shifted = good.to_vec();
        shifted[31] = 0x60;
        shifted.splice(64..64, [0; 32]);
        let mut inner = session_key_manager(&leaf(100), &[], &DUMMY_SESSION).to_vec();
        inner[127] = inner[159]; // data and proof at one place
        let aliased = wrap(SESSION_KEY_MANAGER, &inner);
        let signatures = [shifted.into(), aliased, good, Bytes::new()];
        let operations = signatures.into_iter().zip(1..).map(|(signature, nonce)| operation(ACCOUNT, nonce, signature));
        let input = handle_ops(operations.collect());
        let found = session_uses_in(&input, ACCOUNT).unwrap();
        for nonce in [1, 2, 4] {
            assert_eq!(found[&U256::from(nonce)], Signers::Unreadable, "{nonce}");
        }
        assert_eq!(found[&U256::from(3)], Signers::Sessions(vec![leaf(100).hash()]));
        assert!(session_uses_in(&input[..input.len() / 2], ACCOUNT).is_err());
    }

    /// docs/protocol.md 2.1: selector of the entry point's `handleOps`.
    #[test]
    fn the_selector_is_the_entry_points() {
        assert_eq!(IEntryPoint::handleOpsCall::SELECTOR, alloy::primitives::hex!("1fad948c"));
    }

    #[test]
    fn uses_are_counted_and_the_last_one_is_told() {
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let used = |leaves: &[B256], at| OperationUse {
            leaves: leaves.to_vec(),
            at,
            transaction: B256::with_last_byte(at as u8),
        };
        let uses = count_uses([used(&[a], 10), used(&[a, b], 20), used(&[a], 30)]);
        let uses = SessionUses { from_block: 0, to_block: 9, uses, unreadable: 0 };
        assert_eq!(uses.of(a).map(|one| (one.count, one.last_at)), Some((3, 30)));
        assert_eq!(uses.of(a).unwrap().last_transaction, B256::with_last_byte(30));
        assert_eq!(uses.of(b).map(|one| (one.count, one.last_at)), Some((1, 20)));
        assert_eq!(uses.of(B256::ZERO), None);
    }

    proptest! {
        /// Anybody may put anything into a transaction.
        #[test]
        fn no_input_panics(input in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..2_000, flip in 0usize..2_000) {
            let _ = session_uses_in(&input, ACCOUNT);
            let _ = session_uses_in(&[&IEntryPoint::handleOpsCall::SELECTOR[..], &input].concat(), ACCOUNT);
            let signed = wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf(1), &[B256::ZERO; 3], &DUMMY_SESSION));
            let mut real = handle_ops(vec![operation(ACCOUNT, 1, signed)]);
            let place = flip % real.len();
            real[place] ^= 0xff;
            let _ = session_uses_in(&real, ACCOUNT);
            let _ = session_uses_in(&real[..cut.min(real.len())], ACCOUNT);
            signers(&input);
        }
    }
}
