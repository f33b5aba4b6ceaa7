//! What the session modules would answer, computed before anything is signed or sent.
//!
//! [`simulate_single`] and [`simulate_batch`] judge calls against leaves, in the contracts' order and
//! with their texts (docs/protocol.md 3.3, 3.4, 3.6); [`user_operation`] judges a whole signed operation.
//! `tests/vectors/13_onchain_checks.json` holds the contracts' own answers.

use alloy::{primitives::Address, sol_types::SolCall};

use super::{
    abi::ISmartAccount,
    addresses::ERC20_SESSION_VALIDATION_MODULE,
    policy::UINT48_END,
    session::SessionLeaf,
    session_data::Erc20SessionData,
    smart_account::{Call, decode_calls},
};

mod call;
pub mod user_operation;

pub use call::{judge_batch_call, judge_call};

pub use super::time_window::Window;

/// The check that fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {reason}")]
pub struct Violation {
    /// Name of the check: `destination`, `selector`, `value limit`, `rule 0`, …
    pub rule: String,
    /// What was allowed and what was asked for.
    pub reason: String,
    /// The contract's revert text; empty where it reverts without one.
    pub revert_text: String,
}

impl Violation {
    fn new(rule: impl Into<String>, reason: impl Into<String>, revert_text: &str) -> Self {
        Self { rule: rule.into(), reason: reason.into(), revert_text: revert_text.into() }
    }
}

/// Judges one call, encoded as the account's call data, against one session.
pub fn simulate_single(leaf: &SessionLeaf, call_data: &[u8]) -> Result<Window, Violation> {
    let is_single = matches!(
        selector(call_data),
        Some(ISmartAccount::execute_ncCCall::SELECTOR | ISmartAccount::executeCall::SELECTOR)
    );
    if !is_single {
        let text = match leaf.session_validation_module {
            ERC20_SESSION_VALIDATION_MODULE => "ERC20SV Invalid Selector",
            _ => "ABISV Not Execute Selector",
        };
        return Err(Violation::new("single call", "one session judges one call, not a batch", text));
    }
    for call in decode(call_data)? {
        judge_call(leaf, &call)?;
    }
    Ok(Window { valid_until: leaf.valid_until, valid_after: leaf.valid_after })
}

/// Judges a batch: session `i` against call `i`. The window is the intersection; an empty one is not
/// refused here (nor on chain by the router).
pub fn simulate_batch(leaves: &[&SessionLeaf], call_data: &[u8]) -> Result<Window, Violation> {
    let is_batch = matches!(
        selector(call_data),
        Some(ISmartAccount::executeBatch_y6UCall::SELECTOR | ISmartAccount::executeBatchCall::SELECTOR)
    );
    if !is_batch {
        let reason = "the session router judges batches, also of one call, but no single calls";
        return Err(Violation::new("batch call", reason, "SR Invalid Selector"));
    }
    let calls = decode(call_data)?;
    if calls.len() != leaves.len() {
        let reason = format!("{} calls need as many sessions, there are {}", calls.len(), leaves.len());
        return Err(Violation::new("number of sessions", reason, "Lengths mismatch"));
    }
    let mut window = Window { valid_until: UINT48_END - 1, valid_after: 0 };
    for (index, (leaf, call)) in leaves.iter().zip(&calls).enumerate() {
        judge_batch_call(leaf, call)
            .map_err(|violation| Violation { rule: format!("call {index}: {}", violation.rule), ..violation })?;
        window.valid_after = window.valid_after.max(leaf.valid_after);
        if leaf.valid_until != 0 {
            window.valid_until = window.valid_until.min(leaf.valid_until);
        }
    }
    Ok(window)
}

/// The key that a session's data names; the module compares the signer with it.
pub fn session_key_of(leaf: &SessionLeaf) -> Option<Address> {
    match leaf.session_validation_module {
        ERC20_SESSION_VALIDATION_MODULE => {
            Erc20SessionData::decode(&leaf.session_key_data).ok().map(|data| data.session_key_address)
        }
        _ => leaf.session_key_data.get(..20).map(Address::from_slice),
    }
}

fn selector(call_data: &[u8]) -> Option<[u8; 4]> {
    call_data.first_chunk().copied()
}

fn decode(call_data: &[u8]) -> Result<Vec<Call>, Violation> {
    decode_calls(call_data).map_err(|error| Violation::new("call data", error.to_string(), ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::{B256, U256},
        sol_types::SolValue,
    };

    use super::*;
    use crate::{
        addresses::DEMO_NFT,
        policy::{Condition, FunctionSelector, Policy, Rule, SessionEpoch},
        smart_account::encode_calls,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn mint_session() -> SessionLeaf {
        let policy = Policy {
            session_key_address: None,
            contract_address: DEMO_NFT,
            function_selector: FunctionSelector::Signature("safeMint(address)".into()),
            rules: vec![Rule { offset: 0, condition: Condition::Equal, reference_value: ACCOUNT.into() }],
            interval: SessionEpoch { valid_until: 20, valid_after: 10 },
            value_limit: U256::ZERO,
        };
        SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap()
    }

    fn mint_to(to: Address) -> Call {
        let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
        Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
    }

    #[test]
    fn what_was_granted_passes_with_its_window() {
        let call_data = encode_calls(&[mint_to(ACCOUNT)], false).unwrap();
        let window = simulate_single(&mint_session(), &call_data).unwrap();
        assert_eq!(window, Window { valid_until: 20, valid_after: 10 });
        assert_eq!([9, 10, 20, 21].map(|now| window.contains(now)), [false, true, true, false]);
    }

    #[test]
    fn what_was_not_granted_names_rule_and_values() {
        let stranger = Address::repeat_byte(0xbb);
        let call_data = encode_calls(&[mint_to(stranger)], false).unwrap();
        let violation = simulate_single(&mint_session(), &call_data).unwrap_err();
        assert_eq!(violation.rule, "rule 0");
        assert_eq!(violation.revert_text, "ABISV Arg Rule Violated");
        assert!(violation.reason.contains(&ACCOUNT.to_string()) && violation.reason.contains(&stranger.to_string()));
    }

    #[test]
    fn a_batch_says_which_call_is_at_fault() {
        let session = mint_session();
        let call_data = encode_calls(&[mint_to(ACCOUNT), mint_to(DEMO_NFT)], false).unwrap();
        let violation = simulate_batch(&[&session, &session], &call_data).unwrap_err();
        assert_eq!(violation.rule, "call 1: rule 0");
        let lengths = simulate_batch(&[&session], &call_data).unwrap_err();
        assert_eq!(lengths.revert_text, "Lengths mismatch");
        assert_eq!(simulate_single(&session, &call_data).unwrap_err().revert_text, "ABISV Not Execute Selector");
    }

    /// The two paths of the ERC-20 module, as tests/onchain/differential.rs has them from the contracts.
    #[test]
    fn the_erc_20_modules_two_paths_differ_in_a_text_and_in_dirty_words() {
        let (token, recipient) = (Address::repeat_byte(7), Address::repeat_byte(8));
        let key = Address::repeat_byte(1);
        let leaf = SessionLeaf {
            session_validation_module: ERC20_SESSION_VALIDATION_MODULE,
            session_key_data: (key, token, recipient, U256::from(5)).abi_encode().into(),
            ..SessionLeaf::default()
        };
        let transfer = |first: u8, length: usize| {
            let mut data = [&[1, 2, 3, 4][..], recipient.into_word().as_slice(), B256::ZERO.as_slice()].concat();
            data[4] = first;
            data.truncate(length);
            Call { to: token, value: U256::ZERO, data: data.into() }
        };
        let both = |call: &Call| {
            [judge_call(&leaf, call), judge_batch_call(&leaf, call)].map(|it| it.err().map(|it| it.revert_text))
        };
        assert_eq!(both(&transfer(0, 68)), [None, None]);
        assert_eq!(both(&transfer(1, 68)), [None, Some(String::new())], "upper bits");
        assert_eq!(both(&transfer(0, 67)), [Some(String::new()), Some(String::new())]);
        let elsewhere = Call { to: key, ..transfer(0, 68) };
        assert_eq!(both(&elsewhere), [Some("ERC20SV Wrong Token".into()), Some("ERC20SV Invalid Token".into())]);
    }

    #[test]
    fn a_plain_native_transfer_can_never_pass() {
        let transfer = Call { to: DEMO_NFT, value: U256::ZERO, data: Default::default() };
        assert_eq!(judge_call(&mint_session(), &transfer).unwrap_err().rule, "selector");
    }
}
