//! A call that a session allows, made from its data alone: to show what it may do, or to try it.

use alloy::primitives::{U256, keccak256};

use crate::{
    addresses::ERC20_SESSION_VALIDATION_MODULE,
    bounds::bounds,
    session::SessionLeaf,
    session_data::{AbiSessionData, Erc20SessionData},
    smart_account::Call,
};

/// The plainest call that this session allows: each argument word that is under a condition has the lowest value that
/// passes, all others are 0. `None` when the data cannot be read or no call passes. Rules that overlap in part may
/// still make a call that is refused.
pub fn example_call(leaf: &SessionLeaf) -> Option<Call> {
    if leaf.session_validation_module == ERC20_SESSION_VALIDATION_MODULE {
        let data = Erc20SessionData::decode(&leaf.session_key_data).ok()?;
        let selector = keccak256("transfer(address,uint256)");
        let words = [data.recipient.into_word().0, data.max_amount.to_be_bytes()].concat();
        let call_data = [&selector[..4], &words].concat();
        return Some(Call { to: data.token, value: U256::ZERO, data: call_data.into() });
    }
    let data = AbiSessionData::decode(&leaf.session_key_data).ok()?;
    let words = bounds(&data.rules);
    let end = words.keys().last().map_or(0, |offset| usize::from(*offset) + 32);
    let mut call_data = vec![0; 4 + end];
    call_data.splice(..4, data.selector);
    for (offset, bounds) in &words {
        let start = 4 + usize::from(*offset);
        call_data.splice(start..start + 32, bounds.example()?.to_be_bytes::<32>());
    }
    Some(Call { to: data.contract_address, value: U256::ZERO, data: call_data.into() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Address, B256};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        addresses::{ABI_SESSION_VALIDATION_MODULE, DEMO_TOKEN},
        bounds::satisfiable,
        policy::SessionEpoch,
        simulate::judge_call,
    };

    const KEY: Address = Address::repeat_byte(1);

    fn abi(rules: Vec<(u16, u8, B256)>) -> SessionLeaf {
        let data = AbiSessionData {
            session_key_address: KEY,
            contract_address: DEMO_TOKEN,
            selector: [1, 2, 3, 4],
            value_limit: 0,
            rules,
        };
        SessionLeaf {
            session_validation_module: ABI_SESSION_VALIDATION_MODULE,
            session_key_address: KEY,
            session_key_data: data.encode().unwrap(),
            ..SessionLeaf::default()
        }
    }

    #[test]
    fn an_erc20_session_allows_its_transfer() {
        let data = Erc20SessionData {
            session_key_address: KEY,
            token: DEMO_TOKEN,
            recipient: Address::repeat_byte(2),
            max_amount: U256::from(5),
        };
        let leaf = SessionLeaf::erc20(&data, SessionEpoch::INDEFINITELY, "id").unwrap();
        assert_eq!(judge_call(&leaf, &example_call(&leaf).unwrap()), Ok(()));
    }

    proptest! {
        /// The linter, the example and the simulator agree on whether a policy allows anything at all.
        #[test]
        fn what_can_be_satisfied_is_satisfied_by_the_example(
            rules in prop::collection::vec((0_u16..3, 0_u8..7, 0_u64..6), 0..7)
        ) {
            let rules = rules
                .into_iter()
                .map(|(word, condition, value)| (word * 32, condition, B256::from(U256::from(value))))
                .collect::<Vec<_>>();
            let leaf = abi(rules.clone());
            let example = example_call(&leaf);
            prop_assert_eq!(example.is_some(), satisfiable(&rules));
            if let Some(call) = example {
                prop_assert_eq!(judge_call(&leaf, &call), Ok(()));
            }
        }
    }
}
