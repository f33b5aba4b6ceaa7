//! What rules bind and what they do not, and that all that is said of a policy is true: policies are tried with calls
//! that put arguments where the rules do not look.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::primitives::{Address, B256, U256};

use super::*;
use crate::{
    addresses::ABI_SESSION_VALIDATION_MODULE,
    bounds::bounds,
    describe::{ArgumentPlace, Names, PolicyDescription},
    known_functions::{Amount, ArgumentPath, Effect, published_function, published_functions},
    lint::{FindingKind, LintContext, lint},
    policy::{Condition, FunctionSelector},
    session::SessionLeaf,
    session_data::AbiSessionData,
    simulate::judge_call,
    smart_account::Call,
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const STRANGER: Address = Address::repeat_byte(0xbb);
const CONTRACT: Address = Address::repeat_byte(0xcc);
const ABSURD: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

fn word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

fn function(declaration: &str) -> &'static PublishedFunction {
    published_function(FunctionSelector::Signature(declaration.into()).selector().unwrap()).unwrap()
}

fn leaf(function: &PublishedFunction, rules: &[(usize, Condition, U256)]) -> SessionLeaf {
    let rules = rules.iter().map(|(offset, condition, value)| (*offset as u16, condition.code(), B256::from(*value)));
    let data = AbiSessionData {
        session_key_address: CONTRACT,
        contract_address: CONTRACT,
        selector: function.selector,
        value_limit: 0,
        rules: rules.collect(),
    };
    SessionLeaf {
        valid_until: 2_000,
        session_validation_module: ABI_SESSION_VALIDATION_MODULE,
        session_key_address: CONTRACT,
        session_key_data: data.encode().unwrap(),
        ..SessionLeaf::default()
    }
}

fn kinds(leaf: &SessionLeaf) -> Vec<FindingKind> {
    let context = LintContext { account: ACCOUNT, now: 1_000, ..LintContext::default() };
    lint(std::slice::from_ref(leaf), context).into_iter().map(|finding| finding.kind).collect()
}

fn sentence(leaf: &SessionLeaf) -> String {
    let names = Names { account: Some(ACCOUNT), ..Names::default() };
    let description = PolicyDescription::of_leaf(leaf);
    [&description.sentence(&names), "\n", &description.rules(&names).join("\n")].concat()
}

const OWN: &str = "only for your own account";

#[test]
fn a_tuple_behind_a_pointer_is_bound_by_its_pointer() {
    let swap = function("exactInput((bytes,address,uint256,uint256,uint256))");
    // Canonical: pointer to the tuple, pointer to the path, recipient, deadline, amount in.
    let rules = [(64, word(ACCOUNT)), (128, U256::from(5))].map(|(offset, value)| (offset, Condition::Equal, value));
    let evaded = leaf(swap, &rules);
    assert_eq!(kinds(&evaded), [FindingKind::UnruledSpend, FindingKind::EvadedRule]);
    let said = sentence(&evaded);
    assert!(!said.contains(OWN) && said.matches(", which a call can get around").count() == 2, "{said}");
    let bound = leaf(swap, &[&[(0, Condition::Equal, U256::from(32))], &rules[..]].concat());
    assert_eq!(kinds(&bound), []);
    let said = sentence(&bound);
    assert!(said.contains(OWN) && said.contains("the position of params must be 32"), "{said}");
    assert!(said.ends_with("params.amountIn must be 5"), "{said}");
    // A pointer that is only limited, or leads into other arguments, binds nothing.
    for pointer in [(0, Condition::LessThanOrEqual, U256::from(32)), (0, Condition::Equal, U256::ZERO)] {
        assert!(kinds(&leaf(swap, &[&[pointer], &rules[..]].concat())).contains(&FindingKind::UnruledSpend));
    }
}

#[test]
fn elements_of_arrays_are_bound_by_pointer_and_length() {
    let many = function("transferFrom((address,address,uint160,address)[])");
    let equal = |offset, value: u64| (offset, Condition::Equal, U256::from(value));
    let to = |offset| (offset, Condition::Equal, word(ACCOUNT));
    let one = [equal(0, 32), equal(32, 1), to(96), equal(128, 5)];
    assert_eq!(kinds(&leaf(many, &one)), []);
    assert!(sentence(&leaf(many, &one)).contains(OWN));
    // Two elements, of which one is looked at; and a length that is free.
    for rules in
        [[equal(0, 32), equal(32, 2), to(96), equal(128, 5)], [equal(0, 32), equal(64, 1), to(96), equal(128, 5)]]
    {
        let found = kinds(&leaf(many, &rules));
        assert!(found.contains(&FindingKind::UnruledSpend), "{found:?}");
        assert!(!sentence(&leaf(many, &rules)).contains(OWN));
    }
}

#[test]
fn owner_and_from_are_no_receivers() {
    for (declaration, place) in [
        ("transferFrom(address,address,uint256)", 0),
        ("withdraw(uint256,address,address)", 64),
        ("safeTransferFrom(address,address,uint256)", 0),
    ] {
        let policy = leaf(function(declaration), &[(place, Condition::Equal, word(ACCOUNT))]);
        let said = sentence(&policy);
        assert!(!said.contains(OWN) && said.ends_with("must be your own account"), "{said}");
        assert_eq!(kinds(&policy), [FindingKind::UnruledSpend], "{declaration}");
    }
    // A function that is not known has no known receiver.
    let data = AbiSessionData {
        selector: [1, 2, 3, 4],
        ..decoded(&leaf(function("burn(uint256)"), &[(0, Condition::Equal, word(ACCOUNT))]))
    };
    let unknown = SessionLeaf { session_key_data: data.encode().unwrap(), ..leaf(function("burn(uint256)"), &[]) };
    assert!(sentence(&unknown).ends_with("argument 1 must be your own account"), "{}", sentence(&unknown));
}

fn decoded(leaf: &SessionLeaf) -> AbiSessionData {
    AbiSessionData::decode(&leaf.session_key_data).unwrap()
}

/// xorshift: the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Arguments as an encoder writes them, one word each.
fn encoded(layout: &Layout, value: &mut dyn FnMut(&str) -> U256, length: &mut dyn FnMut() -> usize) -> Vec<U256> {
    let members = match layout {
        Layout::Word(kind) => return vec![value(kind)],
        Layout::Bytes => {
            let length = length();
            return std::iter::once(U256::from(length * 32)).chain((0..length).map(|_| value("bytes"))).collect();
        }
        Layout::Tuple(members) => members.iter().map(|(_, member)| member.clone()).collect(),
        Layout::Array(each, count) => vec![(**each).clone(); count.unwrap_or_else(&mut *length)],
    };
    let head = members.iter().map(Layout::head).sum::<usize>();
    let (mut heads, mut tails) = (Vec::new(), Vec::new());
    for member in &members {
        let content = encoded(member, value, length);
        if member.is_dynamic() {
            heads.push(U256::from(head + tails.len() * 32));
            tails.extend(content);
        } else {
            heads.extend(content);
        }
    }
    let count = matches!(layout, Layout::Array(_, None)).then(|| U256::from(members.len()));
    count.into_iter().chain(heads).chain(tails).collect()
}

/// What a contract reads, by the names of the arguments: it follows the pointers, wherever they lead. `None` where it
/// would revert.
fn read(
    layout: &Layout,
    words: &[U256],
    at: usize,
    base: usize,
    name: &str,
    found: &mut Vec<(String, U256)>,
) -> Option<()> {
    let mut start = at;
    if layout.is_dynamic() {
        let target = usize::try_from(*words.get(at / 32)?).ok()?;
        start = base.checked_add(target).filter(|start| start.is_multiple_of(32))?;
    }
    let count = |start: usize| usize::try_from(*words.get(start / 32)?).ok().filter(|count| *count <= 128);
    let (members, start): (Vec<(String, Layout)>, usize) = match layout {
        Layout::Word(_) => {
            found.push((name.to_owned(), *words.get(start / 32)?));
            return Some(());
        }
        Layout::Bytes => {
            let length = count(start)?;
            found.push((format!("{name}.length"), U256::from(length)));
            for index in 0..length.div_ceil(32) {
                found.push((format!("{name}.{index}"), *words.get(start / 32 + 1 + index)?));
            }
            return Some(());
        }
        Layout::Tuple(members) => {
            let member = |(index, (own, member)): (usize, &(&str, Layout))| {
                let own = if own.is_empty() { format!("argument {}", index + 1) } else { (*own).to_owned() };
                (if name.is_empty() { own } else { format!("{name}.{own}") }, member.clone())
            };
            (members.iter().enumerate().map(member).collect(), start)
        }
        Layout::Array(each, fixed) => {
            let count = fixed.map_or_else(|| count(start), Some)?;
            if fixed.is_none() {
                found.push((format!("{name}.length"), U256::from(count)));
            }
            let members = (0..count).map(|index| (format!("{name}[{index}]"), (**each).clone())).collect();
            (members, if fixed.is_none() { start + 32 } else { start })
        }
    };
    let mut at = start;
    for (name, member) in members {
        read(&member, words, at, start, &name, found)?;
        at += member.head();
    }
    Some(())
}

fn read_all(arguments: &Layout, words: &[U256]) -> Option<Vec<(String, U256)>> {
    let Layout::Tuple(members) = arguments else { unreachable!() };
    let (mut found, mut at) = (Vec::new(), 0);
    for (index, (name, member)) in members.iter().enumerate() {
        let unnamed = format!("argument {}", index + 1);
        read(member, words, at, 0, if name.is_empty() { &unnamed } else { name }, &mut found)?;
        at += member.head();
    }
    Some(found)
}

/// Values of the arguments at `path`, and of all that is in them.
fn at_path(arguments: &Layout, path: &[u8], read: &[(String, U256)]) -> Vec<(String, U256)> {
    let (mut layout, mut pattern) = (arguments, String::new());
    for place in path {
        match layout {
            Layout::Tuple(members) => {
                let (name, member) = &members[usize::from(*place)];
                let name = if name.is_empty() { format!("argument {}", place + 1) } else { (*name).to_owned() };
                pattern = if pattern.is_empty() { name } else { format!("{pattern}.{name}") };
                layout = member;
            }
            Layout::Array(each, _) => {
                pattern.push_str("[]");
                layout = each;
            }
            other => panic!("{other:?}"),
        }
    }
    let plain = |name: &str| {
        let mut plain = String::new();
        let mut inside = false;
        for character in name.chars() {
            inside = (inside || character == '[') && character != ']';
            if !inside || character == '[' {
                plain.push(character);
            }
        }
        plain
    };
    let is_at = |name: &str| {
        let name = plain(name);
        name.strip_prefix(&pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    read.iter().filter(|(name, _)| is_at(name)).cloned().collect()
}

/// A call that passes and breaks a sentence; `honest` is what the policy was made for.
fn lie(
    function: &PublishedFunction,
    policy: &SessionLeaf,
    honest: &[(String, U256)],
    got: &[(String, U256)],
) -> Option<String> {
    let arguments = Layout::of_arguments(function.declaration);
    let values = |path: ArgumentPath, of: &[(String, U256)]| {
        at_path(&arguments, path, of)
            .into_iter()
            .filter(|(name, _)| !name.ends_with(".length"))
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    let said = kinds(policy);
    let says = |kind| said.contains(&kind);
    if sentence(policy).contains(OWN) {
        let receivers = function.effects.iter().filter_map(|effect| effect.receiver());
        if receivers.flat_map(|path| values(path, got)).any(|receiver| receiver != word(ACCOUNT)) {
            return Some(OWN.into());
        }
    }
    for rule in PolicyDescription::of_leaf(policy).constraints() {
        if let ArgumentPlace::Argument { name, .. } = &rule.place
            && let Some((_, value)) = got.iter().find(|(read, _)| read == name)
            && !rule.condition.unwrap().holds((*value).into(), rule.value.as_word())
        {
            return Some(format!("{name} {:?}", rule.condition));
        }
    }
    for effect in function.effects {
        if let Effect::Calls(paths) = effect
            && !says(FindingKind::CallsInside)
            && paths.iter().any(|path| at_path(&arguments, path, honest) != at_path(&arguments, path, got))
        {
            return Some("no other calls inside".into());
        }
        let unruled = says(FindingKind::UnruledSpend);
        let amounts: Vec<U256> = match effect.amount() {
            Some(Amount::Units(path) | Amount::Sum(path) | Amount::Either(path) | Amount::Items(_, path)) => {
                values(path, got)
            }
            _ => Vec::new(),
        };
        let moves = amounts.iter().any(|amount| !amount.is_zero());
        let one = [FindingKind::AnyReceiver, FindingKind::Control].iter().all(|kind| !says(*kind)) && !unruled;
        if let (Some(path), true, true) = (effect.receiver(), one, moves) {
            let meant = values(path, honest);
            if values(path, got).iter().any(|receiver| !meant.contains(receiver)) {
                return Some("one receiver".into());
            }
        }
        let own = effect.receiver().is_some_and(|path| values(path, got).iter().all(|to| *to == word(ACCOUNT)));
        if !says(FindingKind::UnlimitedAmount) && !unruled && !own && amounts.iter().any(|amount| *amount >= ABSURD) {
            return Some("a limited amount".into());
        }
    }
    None
}

#[test]
fn what_is_said_is_true_of_every_call_that_passes() {
    const POLICIES: usize = 1_200;
    const TRIES: usize = 24;
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let functions = published_functions().filter(|function| !function.effects.is_empty()).collect::<Vec<_>>();
    let (mut passed, mut evaded, mut own, mut silent) = (0, 0, 0, 0);
    for turn in 0..POLICIES {
        let function = functions[turn % functions.len()];
        let arguments = Layout::of_arguments(function.declaration);
        let length = 1 + dice.roll(2);
        let mut good = |kind: &str| match kind {
            "address" => word(ACCOUNT),
            "bool" => U256::ONE,
            _ => U256::from(5),
        };
        let honest = encoded(&arguments, &mut good, &mut || length);
        let mut bad = |kind: &str| if kind == "address" { word(STRANGER) } else { U256::MAX >> 1 };
        let hostile = encoded(&arguments, &mut bad, &mut || length);
        let meant = read_all(&arguments, &honest).unwrap();
        // Some of its words are under rules: most of them in some policies, few in others.
        let share = [3, 6, 9, 10][dice.roll(4)];
        let bound = honest.iter().map(|_| dice.roll(10) < share).collect::<Vec<_>>();
        let mut rules = Vec::new();
        for (index, value) in honest.iter().enumerate().filter(|(index, _)| bound[*index]) {
            let condition = if dice.roll(8) == 0 { Condition::LessThanOrEqual } else { Condition::Equal };
            rules.push((index * 32, condition, *value));
        }
        let policy = leaf(function, &rules);
        let call = |words: &[U256]| {
            let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
            Call {
                to: CONTRACT,
                value: U256::ZERO,
                data: function.selector.into_iter().chain(words).collect::<Vec<_>>().into(),
            }
        };
        assert_eq!(judge_call(&policy, &call(&honest)), Ok(()), "the honest call passes");
        let says_own = sentence(&policy).contains(OWN);
        own += usize::from(says_own);
        silent += usize::from(kinds(&policy).is_empty());
        for _ in 0..TRIES {
            // The honest words, hostile ones behind them, and whatever is free set to something else.
            let mut words = [&honest[..], &hostile[..]].concat();
            let reach = words.len();
            for index in 0..honest.len() {
                let is_free =
                    |rules: &[(usize, Condition, U256)]| rules.iter().all(|(offset, _, _)| *offset != index * 32);
                if is_free(&rules) && dice.roll(4) > 0 {
                    words[index] = match dice.roll(5) {
                        0 => word(STRANGER),
                        1 => U256::MAX >> 1,
                        2 => hostile[index],
                        _ => U256::from(32 * dice.roll(reach)),
                    };
                }
            }
            let Some(got) = read_all(&arguments, &words) else { continue };
            if judge_call(&policy, &call(&words)).is_err() {
                continue;
            }
            passed += 1;
            let lie = lie(function, &policy, &meant, &got);
            assert_eq!(lie, None, "{}\n{}\n{rules:?}\n{got:?}", function.declaration, sentence(&policy));
            // A receiver that a rule at its usual place names is read elsewhere.
            let receivers = function.effects.iter().filter_map(|effect| effect.receiver());
            let strays = receivers.flat_map(|path| at_path(&arguments, path, &got)).any(|(_, to)| to == word(STRANGER));
            let names_it = rules.iter().any(|(offset, condition, value)| {
                *condition == Condition::Equal && *value == word(ACCOUNT) && *offset >= 32 * function_head(&arguments)
            });
            evaded += usize::from(strays && names_it);
        }
    }
    println!(
        "{passed} calls passed, {evaded} walked past a rule; {own} policies for the own account, {silent} without findings"
    );
    assert!(passed > 10_000 && evaded > 40 && own > 200 && silent > 200, "{passed} {evaded} {own} {silent}");
}

fn function_head(arguments: &Layout) -> usize {
    let Layout::Tuple(members) = arguments else { unreachable!() };
    members.iter().map(|(_, member)| member.head() / 32).sum()
}

#[test]
fn pointers_to_one_place_and_endless_lengths_are_no_way_to_hang_it() {
    // Elements whose pointers all lead to one place, and a length beyond everything.
    let calls = function("multicall(bytes[])");
    let mut rules = vec![(0_u16, 0, B256::from(U256::from(32))), (32, 0, B256::from(U256::from(1_500)))];
    rules.extend((0..1_500_u16).map(|index| (64 + index * 32, 0, B256::from(U256::from(48_000)))));
    rules.push((48_064, 1, B256::from(U256::from(60_000))));
    let limits = bounds(&rules);
    let reading = Reading::of(calls, &limits);
    assert!(reading.words.len() <= MOST_WORDS + 65_536 / 32 && !reading.is_fixed(&[0]));
    let endless = bounds(&[(0, 0, B256::from(U256::from(32))), (32, 0, B256::repeat_byte(0xff))]);
    assert!(!Reading::of(calls, &endless).is_fixed(&[0]));
}
