//! The addresses that somebody who decides has to look at.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};

use super::{DescribedValue, Detail, Permission, PolicyDescription};
use crate::{
    bounds::bounds,
    known_functions::{known_function, published_function},
    policy::Condition,
    reading::Reading,
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

    /// Those that have something of it: the contract, and who must be the receiver where the function is known.
    pub fn parties(&self) -> Vec<Address> {
        let receivers = self.constraints().into_iter().filter_map(|constraint| match constraint.value {
            DescribedValue::Address(address) if constraint.names_receiver() => Some(address),
            _ => None,
        });
        let recipient = match &self.permission {
            Permission::Transfer { recipient, .. } => Some(*recipient),
            Permission::Call { .. } | Permission::Unreadable { .. } => None,
        };
        self.contract().into_iter().chain(recipient).chain(receivers).collect()
    }
}

/// The addresses that a call goes to: the contract, and what its arguments name where the function is known.
pub fn call_addresses(call: &Call) -> Vec<(String, Address)> {
    let mut addresses = vec![("contract".to_owned(), call.to)];
    for named in named_addresses(call) {
        if addresses.iter().all(|(_, address)| *address != named.address) {
            addresses.push((named.name, named.address));
        }
    }
    addresses
}

/// The addresses that have something of a call: the contract, and who receives or may take where the function is known.
pub fn call_parties(call: &Call) -> Vec<Address> {
    let receivers = named_addresses(call).into_iter().filter(|named| named.is_receiver).map(|named| named.address);
    std::iter::once(call.to).chain(receivers).collect()
}

struct NamedAddress {
    name: String,
    address: Address,
    is_receiver: bool,
}

/// The arguments of a known function that are addresses, wherever pointers put them.
fn named_addresses(call: &Call) -> Vec<NamedAddress> {
    let Some((selector, arguments)) = call.data.split_first_chunk::<4>() else { return Vec::new() };
    let Some(function) = published_function(*selector) else { return Vec::new() };
    // What the call says is read as rules that leave nothing else.
    let words = arguments.chunks_exact(32).enumerate();
    let words = words.map_while(|(place, word)| Some((u16::try_from(place * 32).ok()?, B256::from_slice(word))));
    let words = words.collect::<BTreeMap<_, _>>();
    let rules = words.iter().map(|(offset, word)| (*offset, Condition::Equal.code(), *word)).collect::<Vec<_>>();
    let bounds = bounds(&rules);
    let reading = Reading::of(function, &bounds);
    let receivers = function.effects.iter().filter_map(|effect| reading.offsets(effect.receiver()?));
    let receivers = receivers.flatten().collect::<Vec<_>>();
    // The names by which wallets sign come first.
    let known = known_function(*selector);
    let name = |offset: u16, name: &str| {
        let known = known.and_then(|known| known.argument_at(offset.into()));
        known.map_or(name, |(known, _)| known).to_owned()
    };
    let named = reading.values_of("address").filter_map(|(offset, called)| {
        let word = words.get(&offset).filter(|word| word[..12] == [0; 12])?;
        let (name, address) = (name(offset, called), Address::from_word(*word));
        Some(NamedAddress { name, address, is_receiver: receivers.contains(&offset) })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;
    use crate::policy::{Erc20Policy, FunctionSelector, Policy};

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

    #[test]
    fn receivers_of_all_known_functions_are_found_and_other_arguments_are_no_parties() {
        let word = |number: u64| B256::from(U256::from(number));
        let (to, from) = (OTHER.into_word(), Address::repeat_byte(0xcc).into_word());
        let call = |signature: &str, words: &[B256]| {
            let selector = FunctionSelector::Signature(signature.into()).selector().unwrap();
            Call { to: TOKEN, value: U256::ZERO, data: [&selector[..], &words.concat()].concat().into() }
        };
        let swap = "exactInput((bytes,address,uint256,uint256,uint256))";
        for (signature, words) in [
            ("approve(address,address,uint160,uint48)", vec![from, to, word(5), word(9)]),
            ("send(address,uint256,bytes)", vec![to, word(5), word(96), word(0)]),
            ("withdraw(uint256,address,address)", vec![word(5), to, from]),
            (swap, vec![word(32), word(160), to, word(9), word(5), word(1), word(0)]),
            ("transferFrom((address,address,uint160,address)[])", vec![word(32), word(1), from, to, word(5), from]),
        ] {
            let call = call(signature, &words);
            let reached = call_addresses(&call).into_iter().map(|(_, address)| address).collect::<Vec<_>>();
            assert!(reached.contains(&OTHER), "{signature}: {reached:?}");
            assert_eq!(reached.contains(&Address::from_word(from)), words.contains(&from), "{signature}");
            assert_eq!(call_parties(&call), [TOKEN, OTHER], "{signature}");
        }
        // A pointer that leads nowhere, and data without end.
        for words in [vec![B256::repeat_byte(0xff); 3], vec![to; 4_000]] {
            assert_eq!(call_parties(&call(swap, &words)), [TOKEN]);
        }
    }

    #[test]
    fn a_policy_makes_its_receivers_known_and_not_what_else_it_names() {
        let of = |policy| PolicyDescription::of_policy(&policy).unwrap().parties();
        let transfer = Policy::new(TOKEN, "transferFrom(address,address,uint256)");
        let noise = Address::repeat_byte(0xdd);
        let named = transfer.with_rule(1, Condition::Equal, OTHER);
        let noisy = named.with_rule(0, Condition::Equal, noise).with_rule(1, Condition::NotEqual, noise);
        assert_eq!(of(noisy.with_rule(2, Condition::LessThanOrEqual, noise).into()), [TOKEN, OTHER]);
        let unknown = Policy::new(TOKEN, "0x01020304").with_rule(0, Condition::Equal, noise);
        let unknown = Policy { function_selector: FunctionSelector::Raw([1, 2, 3, 4]), ..unknown };
        assert_eq!(of(unknown.into()), [TOKEN]);
        assert_eq!(of(Erc20Policy::new(TOKEN, OTHER, U256::from(7)).into()), [TOKEN, OTHER]);
    }
}
