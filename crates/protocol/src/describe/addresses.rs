//! The addresses that somebody who decides has to look at.

use alloy::primitives::{Address, B256};

use super::{DescribedValue, Detail, Permission, PolicyDescription};
use crate::{
    known_functions::{ArgumentKind, known_function},
    smart_account::Call,
};

impl PolicyDescription {
    /// The addresses that it names, each once, with what each is there: the contract first, then the arguments.
    pub fn addresses(&self) -> Vec<(String, Address)> {
        let first = match &self.permission {
            Permission::Call { contract, .. } => ("contract", *contract),
            Permission::Transfer { token, .. } => ("token", *token),
            Permission::Unreadable { module, .. } => ("module", *module),
        };
        let mut addresses = vec![(first.0.to_owned(), first.1)];
        for constraint in self.constraints() {
            if let DescribedValue::Address(address) = constraint.value
                && addresses.iter().all(|(_, known)| *known != address)
            {
                addresses.push((constraint.name(Detail::Review), address));
            }
        }
        addresses
    }
}

/// The addresses that a call goes to: the contract, and what its arguments name where the function is known.
pub fn call_addresses(call: &Call) -> Vec<(String, Address)> {
    let mut addresses = vec![("contract".to_owned(), call.to)];
    let Some((selector, arguments)) = call.data.split_first_chunk::<4>() else { return addresses };
    let Some(known) = known_function(*selector) else { return addresses };
    for (place, word) in arguments.chunks_exact(32).enumerate() {
        let argument = u32::try_from(place * 32).ok().and_then(|offset| known.argument_at(offset));
        let word = B256::from_slice(word);
        if let Some((name, ArgumentKind::Address)) = argument
            && word[..12] == [0; 12]
            && addresses.iter().all(|(_, address)| *address != Address::from_word(word))
        {
            addresses.push((name.to_owned(), Address::from_word(word)));
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::policy::{Condition, Erc20Policy, Policy};

    const TOKEN: Address = Address::repeat_byte(1);
    const OTHER: Address = Address::repeat_byte(0xbb);

    #[test]
    fn whom_a_permission_names_and_whom_a_call_reaches() {
        let named = |address: Address, name: &str| (name.to_owned(), address);
        let of = |policy| PolicyDescription::of_policy(&policy).unwrap().addresses();
        let approve = Policy::new(TOKEN, "approve(address,uint256)").with_rule(0, Condition::Equal, OTHER);
        assert_eq!(of(approve.clone().into()), [named(TOKEN, "contract"), named(OTHER, "spender")]);
        let twice = approve.with_rule(1, Condition::LessThanOrEqual, OTHER);
        assert_eq!(of(twice.into()).len(), 2);
        let transfer = Erc20Policy::new(TOKEN, OTHER, U256::from(7));
        assert_eq!(of(transfer.into()), [named(TOKEN, "token"), named(OTHER, "recipient")]);

        let data = [&[0xa9, 0x05, 0x9c, 0xbb][..], OTHER.into_word().as_slice(), &[1; 32]].concat();
        let call = |data: Vec<u8>| Call { to: TOKEN, value: U256::ZERO, data: data.into() };
        assert_eq!(call_addresses(&call(data)), [named(TOKEN, "contract"), named(OTHER, "recipient")]);
        for data in [vec![], vec![0xa9, 0x05, 0x9c, 0xbb, 1], vec![1; 68]] {
            assert_eq!(call_addresses(&call(data)), [named(TOKEN, "contract")]);
        }
    }
}
