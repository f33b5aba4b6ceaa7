//! Policies in three degrees of detail, and that none of them leaves a rule out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::primitives::{Address, B256, Bytes, I256, U256, keccak256};
use proptest::prelude::*;

use super::*;
use crate::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    distributed_key::GRANT_VERSION,
    known_functions::KNOWN_FUNCTIONS,
    policy::{Erc20Policy, FunctionSelector, Policy},
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);
const ADDRESSES: &[(Address, &str)] = &[(DEMO_NFT, "Demo NFT"), (DEMO_TOKEN, "Demo token")];

fn facts(symbol: &str, decimals: u8) -> TokenFacts {
    TokenFacts { symbol: Some(symbol.into()), decimals: Some(decimals) }
}

/// All that is said: the list's line, the review's sentence, rules and native currency, the wallet's lines.
fn said(description: &PolicyDescription) -> [Vec<String>; 3] {
    let (dusd, pol) = (facts("DUSD", 6), facts("POL", 18));
    let token = (description.contract() == Some(DEMO_TOKEN)).then_some(&dusd);
    let names = Names { account: Some(ACCOUNT), addresses: ADDRESSES, token, native: Some(&pol) };
    let review =
        [vec![description.sentence(&names)], description.rules(&names), vec![description.native_words(&names)]];
    [vec![description.line(&names)], review.concat(), description.signed_lines(1, GRANT_VERSION)]
}

fn check(policy: impl Into<SessionPolicy>, line: &str, review: &[&str], signed: &[&str]) {
    let [got_line, got_review, got_signed] = said(&PolicyDescription::of_policy(&policy.into()).unwrap());
    assert_eq!(got_line, [line]);
    assert_eq!(got_review, review);
    assert_eq!(got_signed, signed);
}

#[test]
fn policies_in_three_degrees_of_detail() {
    check(
        Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT),
        "May call safeMint on Demo NFT (0x1758…665e) only for your own account",
        &[
            "May call safeMint on Demo NFT (0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e) only for your own account",
            "Its calls send no POL.",
        ],
        &[
            "1. May call function 0x40d097c3 (safeMint) on 0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e, only if:",
            "1.1 argument 1 (recipient) must be 0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa",
            "1.2 native currency sent per call must be 0",
            "1.3 no end of its own",
        ],
    );
    let transfer = Policy::new(DEMO_TOKEN, "transfer(address to, uint256 amount)")
        .with_rule(0, Condition::Equal, OTHER)
        .with_rule(1, Condition::LessThanOrEqual, 2_500_000_u64);
    let short_token = ["Demo token (", &shortened(&DEMO_TOKEN.to_string()), ")"].concat();
    let whole_token = format!("Demo token ({DEMO_TOKEN})");
    check(
        Policy { value_limit: U256::from(10).pow(U256::from(16)), ..transfer.clone() },
        &[
            "May call transfer on ",
            &short_token,
            " only if: recipient must be 0xbBbB…BBbB and amount must be at most 2.5 DUSD; each call may send at most 0.01 POL",
        ]
        .concat(),
        &[
            &["May call transfer on ", &whole_token, " only if:"].concat(),
            "recipient must be 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB",
            "amount must be at most 2.5 DUSD",
            "At most 0.01 POL in each call",
        ],
        &[
            &["1. May call function 0xa9059cbb (transfer) on ", &DEMO_TOKEN.to_string(), ", only if:"].concat(),
            "1.1 argument 1 (recipient) must be 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB",
            "1.2 argument 2 (amount) must be at most 2500000 of the smallest unit",
            "1.3 native currency sent per call must be at most 10000000000000000 wei",
            "1.4 no end of its own",
        ],
    );
    let window = SessionEpoch { valid_until: 951_782_400, valid_after: 951_782_399 };
    check(
        Policy { interval: window, ..Policy::new(OTHER, "claim()") },
        "May call claim on 0xbBbB…BBbB with any arguments",
        &["May call claim on 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB with any arguments", "Its calls send no POL."],
        &[
            "1. May call function 0x4e71d92d on 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB, with any arguments:",
            "1.1 native currency sent per call must be 0",
            "1.2 not before 2000-02-28 23:59:59 UTC",
            "1.3 not after 2000-02-29 00:00:00 UTC",
        ],
    );
    check(
        Erc20Policy::new(DEMO_TOKEN, ACCOUNT, U256::from(10_000_000)),
        &["May send at most 10 DUSD of ", &short_token, " per call, only to your own account"].concat(),
        &[
            &["May send at most 10 DUSD of ", &whole_token, " per call, only to your own account"].concat(),
            "Its calls send no POL.",
        ],
        &[
            &["1. May send tokens, and call any other function, on ", &DEMO_TOKEN.to_string(), ", only if:"].concat(),
            "1.1 argument 1 (recipient) must be 0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa",
            "1.2 argument 2 (amount) must be at most 10000000 of the smallest unit",
            "1.3 native currency sent per call must be 0",
            "1.4 no end of its own",
        ],
    );
}

/// The selector covers types, not names: a name that only the app gives is never taken for the argument's own.
#[test]
fn an_argument_that_only_the_app_names_is_said_to_be_named_by_it() {
    let named = Policy::new(OTHER, "pay(bytes note, (address to, uint256 sum) order)")
        .with_rule_on("order.to", Condition::Equal, ACCOUNT)
        .unwrap();
    let [line, review, signed] = said(&PolicyDescription::of_policy(&named.into()).unwrap());
    let rule = "argument 2 (by the app's name: order.to) must be your own account";
    assert_eq!(review[1], rule);
    assert!(line[0].ends_with(rule), "{line:?}");
    assert!(signed.iter().all(|line| !line.contains("order")), "{signed:?}");

    let known = Policy::new(DEMO_TOKEN, "transfer(address benefactor, uint256 fee)")
        .with_rule_on("fee", Condition::LessThanOrEqual, 5)
        .unwrap();
    let [_, review, _] = said(&PolicyDescription::of_policy(&known.into()).unwrap());
    assert!(review[1].starts_with("amount must be at most"), "{review:?}");
}

#[test]
fn every_comparison_and_kind_of_value_has_its_words() {
    use Condition::*;
    let word = B256::repeat_byte(0xfe);
    let mut policy = Policy::new(OTHER, "0x01020304")
        .with_rule(0, NotEqual, 7_u64)
        .with_rule(1, LessThan, OTHER)
        .with_rule(2, GreaterThan, U256::from_be_bytes(word.0))
        .with_rule(3, Equal, I256::MINUS_ONE)
        .with_rule(4, GreaterThanOrEqual, true);
    policy.rules[4].offset = 100;
    policy.function_selector = FunctionSelector::Raw([1, 2, 3, 4]);
    let [line, review, signed] = said(&PolicyDescription::of_policy(&policy.into()).unwrap());
    assert_eq!(line, ["May call function 0x01020304 on 0xbBbB…BBbB only under 5 conditions"]);
    let fifth = "the 32 bytes from byte 100 of the arguments must be at least 1";
    let (third, fourth) = (["argument 3 must be greater than ", &word.to_string()].concat(), B256::repeat_byte(0xff));
    let fourth = ["argument 4 must be ", &fourth.to_string(), " (-1 as a signed number)"].concat();
    let second = ["argument 2 must be less than ", &OTHER.to_string()].concat();
    let rules = ["argument 1 must not be 7", &second, &third, &fourth, fifth];
    assert_eq!(review[1..6], rules);
    assert!(signed[2].ends_with(&OTHER.to_string()) && signed[5].ends_with(fifth), "{signed:?}");
    let flag = Policy::new(OTHER, "setApprovalForAll(address,bool)").with_rule(1, Equal, false);
    let [line, ..] = said(&PolicyDescription::of_policy(&flag.into()).unwrap());
    assert!(line[0].ends_with("only if: allowed must be no"), "{line:?}");
}

#[test]
fn a_bound_that_is_none_is_said_to_be_none_and_no_other_figure_is() {
    let words = |condition| {
        let policy = Policy::new(DEMO_TOKEN, "transfer(address,uint256)").with_rule(1, condition, U256::MAX);
        let [_, review, signed] = said(&PolicyDescription::of_policy(&policy.into()).unwrap());
        (review[1].clone(), signed[1].clone())
    };
    let (review, signed) = words(Condition::LessThanOrEqual);
    assert_eq!(review, "amount may be any amount");
    assert!(signed.contains(&U256::MAX.to_string()), "{signed}");
    let (review, _) = words(Condition::Equal);
    let figure = review.replace('\u{202f}', "");
    let start = "amount must be 115792089237316195423570985008687907853269984665640564039457584007913129.6";
    assert!(
        figure.starts_with(start) && figure.ends_with(" (about 1.1 × 10^71) DUSD, as good as any amount"),
        "{review}"
    );
    let allowance = Policy::new(DEMO_TOKEN, "approve(address,uint256)").with_rule(1, Condition::Equal, U256::MAX);
    let [_, review, signed] = said(&PolicyDescription::of_policy(&allowance.into()).unwrap());
    assert!(review[1].ends_with("DUSD, as good as any amount") && !signed[1].contains("as good"), "{review:?}");
    // The number of an item is one item, however high.
    let item = Policy::new(DEMO_NFT, "approve(address,uint256)").with_rule(1, Condition::Equal, U256::MAX);
    let [_, review, _] = said(&PolicyDescription::of_policy(&item.into()).unwrap());
    assert!(!review[1].contains("as good"), "{review:?}");
    let any = Erc20Policy::new(DEMO_TOKEN, OTHER, U256::MAX);
    let [line, ..] = said(&PolicyDescription::of_policy(&any.into()).unwrap());
    assert!(line[0].starts_with("May send any amount of Demo token"), "{line:?}");
}

#[test]
fn what_cannot_be_read_says_so() {
    let readable = SessionLeaf::from_policy(&Policy::new(OTHER, "claim()"), OTHER, "x").unwrap();
    let of = |module, data: Bytes| {
        PolicyDescription::of_leaf(&SessionLeaf {
            session_validation_module: module,
            session_key_data: data,
            ..SessionLeaf::default()
        })
    };
    let data = &readable.session_key_data;
    let cut: Bytes = data[..61].to_vec().into();
    for description in [
        // Data that another module would understand is judged by one that nobody knows.
        of(OTHER, data.clone()),
        of(ABI_SESSION_VALIDATION_MODULE, cut),
        of(ERC20_SESSION_VALIDATION_MODULE, data.clone()),
        of(OTHER, Bytes::new()),
    ] {
        let [line, review, signed] = said(&description);
        for text in [&line[0], &review[0], &signed[0]] {
            assert!(text.contains("what it allows cannot be read here"), "{text}");
        }
        assert_eq!(review[1], "What it may spend is not known here.");
        assert_eq!(signed[1], ["1.1 its data is ", &description_data(&description).to_string()].concat());
    }
    // A comparison that does not exist is a rule, too: it lets nothing pass.
    let mut never = AbiSessionData::decode(data).unwrap();
    never.rules.push((0, 6, B256::ZERO));
    let [line, review, signed] = said(&of(ABI_SESSION_VALIDATION_MODULE, never.encode().unwrap()));
    for (text, place) in
        [&line[0], &review[1], &signed[1]].into_iter().zip(["argument 1", "argument 1", "of the arguments"])
    {
        let never = [place, " can never pass: comparison 6 with 0 does not exist"].concat();
        assert!(text.ends_with(&never), "{text}");
    }
}

fn description_data(description: &PolicyDescription) -> Bytes {
    match &description.permission {
        Permission::Unreadable { data, .. } => data.clone(),
        other => panic!("{other:?}"),
    }
}

/// Owners signed these words: nodes that say them otherwise refuse what was granted. A new entry or another word needs
/// a new version of the grant.
#[test]
fn the_signed_vocabulary_does_not_change() {
    for (version, digest) in [
        (2, "0xf80d482d7090c2bd558d8f3ca2d4f8b68a46f4bc643e37d856868622855b5069"),
        (3, "0xc9074f63b84b0151ce10bca8e75513e63ff6aef27130939fd4e21b4f431153a9"),
    ] {
        assert_eq!(keccak256(vocabulary(version)).to_string(), digest, "version {version}");
    }
}

/// Every word of that version.
fn vocabulary(version: u32) -> String {
    let mut text = String::new();
    for function in KNOWN_FUNCTIONS {
        let words = [U256::ZERO, U256::ONE, U256::from_be_slice(OTHER.as_slice()), U256::MAX].map(B256::from);
        let offsets = (0..=function.arguments.len()).map(|place| place as u16 * 32).chain([7]);
        let rules = offsets.flat_map(|offset| words.map(|word| (0..8).map(move |code| (offset, code, word))));
        let data = AbiSessionData {
            session_key_address: OTHER,
            contract_address: OTHER,
            selector: function.selector,
            value_limit: 1,
            rules: rules.flatten().collect(),
        };
        let leaf = SessionLeaf {
            session_validation_module: ABI_SESSION_VALIDATION_MODULE,
            session_key_data: data.encode().unwrap(),
            ..SessionLeaf::default()
        };
        text.push_str(&PolicyDescription::of_leaf(&leaf).signed_lines(1, version).join("\n"));
    }
    let transfer =
        Erc20SessionData { session_key_address: OTHER, token: OTHER, recipient: OTHER, max_amount: U256::MAX };
    let datas = [
        (ERC20_SESSION_VALIDATION_MODULE, transfer.encode()),
        (ABI_SESSION_VALIDATION_MODULE, vec![1, 2, 3].into()),
        (OTHER, vec![1, 2, 3].into()),
    ];
    for (session_validation_module, session_key_data) in datas {
        for (valid_after, valid_until) in [(0, 0), (1, 0), (0, 1_700_000_000), (1_600_000_000, 1_700_000_000)] {
            let session_key_data = session_key_data.clone();
            let leaf = SessionLeaf {
                valid_after,
                valid_until,
                session_validation_module,
                session_key_data,
                ..Default::default()
            };
            text.push_str(&PolicyDescription::of_leaf(&leaf).signed_lines(2, version).join("\n"));
        }
    }
    text
}

/// In a tuple with bytes, and behind them, the arguments are not where words of 32 bytes are counted.
#[test]
fn wallets_are_told_bytes_where_arguments_are_not_known() {
    let signed = |policy: Policy| {
        let described = PolicyDescription::of_policy(&policy.into()).unwrap();
        [2, 3].map(|version| described.signed_lines(1, version)[1].clone())
    };
    let recipient =
        |signature: &str, index: u32| signed(Policy::new(OTHER, signature).with_rule(index, Condition::Equal, ACCOUNT));
    let demand = |place: &str| ["1.1 ", place, " must be ", &ACCOUNT.to_string()].concat();
    let bytes = |offset: u16| demand(&format!("the 32 bytes from byte {offset} of the arguments"));
    let swap = "exactInput((bytes,address,uint256,uint256,uint256))";
    assert_eq!(recipient(swap, 2), [demand("argument 3"), bytes(64)]);
    assert_eq!(recipient("nobodyKnows(bytes,address)", 1), [demand("argument 2"), bytes(32)]);
    // Where data stands is not the data, and behind the arguments there is none.
    let transfer = "safeTransferFrom(address,address,uint256,bytes)";
    assert!(recipient(transfer, 3)[1].starts_with("1.1 the 32 bytes from byte 96 of the arguments must be 0x"));
    assert_eq!(recipient(transfer, 5)[1], bytes(160));
    // Known ones keep their names.
    let known = demand("argument 2 (recipient)");
    assert_eq!(recipient(transfer, 1), [known.clone(), known]);
}

/// Selectors that are known and others, offsets at arguments and between them, values of every kind.
fn leaves() -> impl Strategy<Value = AbiSessionData> {
    let selector =
        prop_oneof![(0..KNOWN_FUNCTIONS.len()).prop_map(|index| KNOWN_FUNCTIONS[index].selector), any::<[u8; 4]>(),];
    let offset = prop_oneof![(0_u16..5).prop_map(|place| place * 32), any::<u16>()];
    let word = prop_oneof![
        Just(ACCOUNT.into_word()),
        any::<[u8; 20]>().prop_map(|bytes| Address::from(bytes).into_word()),
        any::<u64>().prop_map(|number| U256::from(number).into()),
        Just(B256::repeat_byte(0xff)),
        any::<[u8; 32]>().prop_map(B256::from),
    ];
    let contract = prop_oneof![Just(DEMO_TOKEN), Just(OTHER)];
    let rules = prop::collection::vec((offset, 0_u8..8, word), 0..6);
    (selector, contract, any::<u128>(), rules).prop_map(|(selector, contract_address, value_limit, rules)| {
        AbiSessionData { session_key_address: OTHER, contract_address, selector, value_limit, rules }
    })
}

fn described(data: &AbiSessionData) -> PolicyDescription {
    PolicyDescription::of_leaf(&SessionLeaf {
        session_validation_module: ABI_SESSION_VALIDATION_MODULE,
        session_key_data: data.encode().unwrap(),
        ..SessionLeaf::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_rule_is_left_out(data in leaves()) {
        let [_, review, signed] = said(&described(&data));
        let is_own = |rule: &&(u16, u8, B256)| rule.1 == 0 && rule.2 == ACCOUNT.into_word();
        let said_at_once = review[0].contains("only for your own account");
        let listed = review.len() - 2;
        prop_assert_eq!(listed == data.rules.len(), !said_at_once || data.rules.is_empty());
        prop_assert!(data.rules.len() - listed <= data.rules.iter().filter(is_own).count());
        prop_assert_eq!(review[0].ends_with("only if:"), listed > 0);
        // Head, rules, native currency, end.
        prop_assert_eq!(signed.len(), data.rules.len() + 3);
        prop_assert!(signed.iter().all(|line| line.bytes().all(|byte| (b' '..=b'~').contains(&byte))), "{:?}", signed);
        for ((_, code, word), line) in data.rules.iter().zip(&signed[1..]) {
            let number = U256::from_be_bytes(word.0);
            let spellings = [
                number.to_string(),
                word.to_string(),
                Address::from_word(*word).to_string(),
                if number.is_zero() { "no" } else { "yes" }.to_owned(),
            ];
            let comparison = Condition::from_code(*code).map_or("can never pass", Condition::words);
            prop_assert!(line.contains(comparison), "{}", line);
            prop_assert!(spellings.iter().any(|value| line.contains(value)), "{}", line);
        }
    }

    /// Two leaves that allow different things are two texts in the wallet.
    #[test]
    fn what_is_signed_tells_leaves_apart(data in leaves(), other in leaves(), which in 0..5, place in 0..6_usize) {
        let mut changed = data.clone();
        match (which, other.rules.first()) {
            (0, _) => changed.selector = other.selector,
            (1, _) => changed.contract_address = other.contract_address,
            (2, _) => changed.value_limit = other.value_limit,
            (3, Some(rule)) => changed.rules.insert(place.min(data.rules.len()), *rule),
            (_, Some(rule)) if place < data.rules.len() => changed.rules[place] = *rule,
            _ => { changed.rules.pop(); }
        }
        let [before, after] = [&data, &changed].map(|data| described(data).signed_lines(1, GRANT_VERSION));
        prop_assert_eq!(before == after, data == changed);
    }
}
