//! What a bundler says when it does not take an operation for its fees. There is no code for it, and each bundler has words
//! of its own: they are read here, and nowhere else.

use alloy::primitives::U256;
use serde_json::Value;

use super::rpc::GasFees;

/// Fees are raised to so many times what was signed first at most, or to what is advised now where that is more.
pub const MOST_RAISED: u64 = 2;

/// Words for the tip, as they stand once spaces between the words of a field are gone.
const TIP: [&str; 6] =
    ["maxpriorityfeepergas", "maxpriorityfee", "priorityfeepergas", "priorityfee", "gastipcap", "tip"];
/// Words for the whole fee.
const FEE: [&str; 6] = ["maxfeepergas", "maxfee", "gasfeecap", "gasprice", "gasfee", "fee"];
/// Fields of several words, as some write them.
const SPACED: [(&str, &str); 7] = [
    ("max priority fee per gas", "maxpriorityfeepergas"),
    ("max priority fee", "maxpriorityfee"),
    ("priority fee per gas", "priorityfeepergas"),
    ("priority fee", "priorityfee"),
    ("max fee per gas", "maxfeepergas"),
    ("max fee", "maxfee"),
    ("gas price", "gasprice"),
];
/// Words that call something too low; a number behind one is what is wanted. The surest come first.
const WANTED: [&str; 9] =
    ["at least", "at minimum", "minimum", "greater than", "higher than", "less than", "lower than", "below", "old="];
/// So many of them mean nothing else.
const SURE: usize = 3;
/// Words that call something too low and name nothing.
const LOW: [&str; 7] =
    ["too low", "underpriced", "must be greater", "must be higher", "must have higher", "bump the", "insufficient fee"];
/// What else may be too low.
const OTHER: [&str; 10] = [
    "preverificationgas",
    "pre-verification",
    "verificationgas",
    "callgas",
    "gaslimit",
    "gas limit",
    "deposit",
    "balance",
    "prefund",
    "stake",
];

/// What a refusal says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeRefusal {
    /// The least tip that is taken, wei per gas, when it is named.
    pub least_tip: Option<U256>,
    /// The least whole fee.
    pub least_fee: Option<U256>,
    /// Another operation with the same nonce waits, and what replaces it must pay a tenth more.
    pub is_replacement: bool,
}

impl FeeRefusal {
    /// Reads a refusal; `None` when it is not about fees. Words of a contract are none of the bundler's: whoever writes a
    /// contract could have others pay more.
    pub fn read(message: &str, data: Option<&str>) -> Option<Self> {
        let words = squeezed(message);
        let says = |some: &[&str]| some.iter().any(|some| words.contains(some));
        let is_replacement =
            words.contains("replacement") || (words.contains("present in mempool") && words.contains("bump"));
        let of_contract = words.contains("revert") || data.is_some_and(|data| data.trim_matches('"').starts_with("0x"));
        if of_contract || says(&OTHER) || words.contains("nonce too low") {
            return None;
        }
        if !(next_field(&words).is_some() || words.contains("underpriced") || is_replacement)
            || !(says(&WANTED) || says(&LOW))
        {
            return None;
        }
        let (mut least_tip, mut least_fee) = least(&words);
        if is_replacement {
            // What is named is what the other one pays.
            let current = |name: &str| {
                let data: Value = serde_json::from_str(data?).ok()?;
                data.get(name).and_then(quantity)
            };
            least_tip = current("currentPriorityFee").or(least_tip).map(tenth_more);
            least_fee = current("currentFee").or(least_fee).map(tenth_more);
        }
        Some(Self { least_tip, least_fee, is_replacement })
    }

    /// Fees that are taken, as far as that is known: what is named, or what is advised `now`. `None` when that is beyond
    /// [`MOST_RAISED`].
    pub fn raised(&self, first: &GasFees, now: Option<&GasFees>) -> Option<GasFees> {
        let most =
            |first: U256, now: Option<U256>| first.saturating_mul(U256::from(MOST_RAISED)).max(now.unwrap_or_default());
        let most_tip = most(first.max_priority_fee_per_gas, now.map(|now| now.max_priority_fee_per_gas));
        let most_fee = most(first.max_fee_per_gas, now.map(|now| now.max_fee_per_gas));
        let named_or_advised = |first: U256, named: Option<U256>, now: Option<U256>| {
            first.max(named.unwrap_or_default()).max(now.unwrap_or_default())
        };
        let mut fees = if self.is_replacement { first.bumped() } else { first.clone() };
        let now_tip = now.map(|now| now.max_priority_fee_per_gas);
        let now_fee = now.map(|now| now.max_fee_per_gas);
        fees.max_priority_fee_per_gas = named_or_advised(fees.max_priority_fee_per_gas, self.least_tip, now_tip);
        fees.max_fee_per_gas = named_or_advised(fees.max_fee_per_gas, self.least_fee, now_fee);
        if fees == *first {
            fees = first.bumped();
        }
        // What the tip grows by must not be taken from what is left for the base fee.
        let grown = fees.max_priority_fee_per_gas.saturating_sub(first.max_priority_fee_per_gas);
        let with_tip = first.max_fee_per_gas.saturating_add(grown).min(most_fee);
        fees.max_fee_per_gas = fees.max_fee_per_gas.max(with_tip).max(fees.max_priority_fee_per_gas);
        (fees.max_priority_fee_per_gas <= most_tip && fees.max_fee_per_gas <= most_fee).then_some(fees)
    }
}

fn tenth_more(fee: U256) -> U256 {
    fee.saturating_add(fee.div_ceil(U256::from(10)))
}

/// In lower case, each field one word.
fn squeezed(message: &str) -> String {
    let mut words = message.to_ascii_lowercase().replace('_', " ");
    for (spaced, field) in SPACED {
        words = words.replace(spaced, field);
    }
    words
}

/// What is wanted of the tip, and of the whole fee. A sentence about one field ends where another field is named.
fn least(words: &str) -> (Option<U256>, Option<U256>) {
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some(rest) = words.get(at..) {
        let Some((start, length, is_tip)) = next_field(rest) else { break };
        fields.push((at + start, is_tip));
        at += start + length;
    }
    let (mut tip, mut fee) = (None, None);
    for (index, (start, is_tip)) in fields.iter().enumerate() {
        let end = fields.get(index + 1).map_or(words.len(), |(next, _)| *next);
        let wanted = words.get(*start..end).and_then(wanted);
        let place = if *is_tip { &mut tip } else { &mut fee };
        *place = (*place).max(wanted);
    }
    if tip.is_none() && fee.is_none() {
        // "minimum tip: 5"
        match fields.iter().any(|(_, is_tip)| *is_tip) {
            true => tip = wanted_behind(&WANTED[..SURE], words),
            false => fee = wanted_behind(&WANTED[..SURE], words),
        }
    }
    (tip, fee)
}

/// The next field that is named: where, how long its name is, and whether it is the tip.
fn next_field(words: &str) -> Option<(usize, usize, bool)> {
    let find = |names: &'static [&'static str], is_tip: bool| {
        names.iter().filter_map(move |name| Some((word(words, name)?, name.len(), is_tip)))
    };
    // The longest name at the first place: "maxpriorityfee" is no fee.
    find(&TIP, true).chain(find(&FEE, false)).min_by_key(|(start, length, _)| (*start, usize::MAX - length))
}

/// Where a name stands that does not go on to the left: "multiple" has no tip.
fn word(words: &str, name: &str) -> Option<usize> {
    let is_begin = |at: &usize| !words.get(..*at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphabetic());
    words.match_indices(name).map(|(at, _)| at).find(is_begin)
}

fn wanted(words: &str) -> Option<U256> {
    wanted_behind(&WANTED, words)
}

fn wanted_behind(markers: &[&str], words: &str) -> Option<U256> {
    markers.iter().find_map(|marker| {
        let (_, behind) = words.split_once(marker)?;
        first_amount(behind)
    })
}

/// The first number that is an amount: no share, no address.
fn first_amount(words: &str) -> Option<U256> {
    let mut rest = words;
    loop {
        let start = rest.find(|c: char| c.is_ascii_digit())?;
        let token = rest.get(start..)?;
        let end = token.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ','))).unwrap_or(token.len());
        let (number, behind) = token.split_at(end);
        if let Some(amount) = amount(number.trim_end_matches(['.', ',']), behind) {
            return Some(amount);
        }
        rest = behind;
    }
}

fn amount(number: &str, behind: &str) -> Option<U256> {
    let behind = behind.trim_start();
    if let Some(digits) = number.strip_prefix("0x") {
        return (digits.len() <= 32).then(|| U256::from_str_radix(digits, 16).ok()).flatten();
    }
    if behind.starts_with('%') {
        return None;
    }
    let (number, in_gwei) = match number.strip_suffix("gwei") {
        Some(number) => (number, true),
        None => (number.strip_suffix("wei").unwrap_or(number), behind.starts_with("gwei")),
    };
    let number = number.replace(',', "");
    if in_gwei {
        return super::amount::parse(&[&number, " gwei"].concat());
    }
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| U256::from_str_radix(&number, 10).ok()).flatten()
}

fn quantity(value: &Value) -> Option<U256> {
    match value {
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => amount(&text.to_ascii_lowercase(), ""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn fees(fee: u64, tip: u64) -> GasFees {
        GasFees { max_fee_per_gas: U256::from(fee), max_priority_fee_per_gas: U256::from(tip) }
    }

    fn read(words: &str) -> Option<FeeRefusal> {
        FeeRefusal::read(words, None)
    }

    #[test]
    fn many_words_for_fees_that_are_too_low() {
        let (tip, fee) = (|least: u64| (Some(least), None), |least: u64| (None, Some(least)));
        for (words, expected) in [
            (
                "maxPriorityFeePerGas must be at least 1500 (current maxPriorityFeePerGas: 1) - use \
                 pimlico_getUserOperationGasPrice to get the current gas price",
                tip(1_500),
            ),
            (
                "maxFeePerGas must be at least 33 (current maxFeePerGas: 1) - use pimlico_getUserOperationGasPrice to get the \
                 current gas price",
                fee(33),
            ),
            ("precheck failed: maxPriorityFeePerGas is 1 but must be at least 1000000", tip(1_000_000)),
            ("max_priority_fee_per_gas is too low. it should be minimum : 1000", tip(1_000)),
            ("Max fee per gas is too low. it should be minimum : 2000", fee(2_000)),
            ("maxPriorityFeePerGas 5 is below minimum 10", tip(10)),
            ("maxPriorityFeePerGas: must be at least 0x64", tip(100)),
            ("priority fee is below the minimum of 1.5 gwei", tip(1_500_000_000)),
            ("minimum priority fee 7", tip(7)),
            ("maxPriorityFeePerGas (1) is lower than the minimum 1,000,000", tip(1_000_000)),
            ("fee too low", (None, None)),
            ("Transaction underpriced", (None, None)),
            ("gas price is too low", (None, None)),
            (
                "max fee per gas less than block base fee: address 0x0788816536DEFa6A14779711c0B08b7f0edFe68b, \
                 maxFeePerGas: 5 baseFee: 9",
                (None, None),
            ),
        ] {
            let told = read(words).expect(words);
            let number = |amount: Option<U256>| amount.map(|amount| amount.to::<u64>());
            assert_eq!((number(told.least_tip), number(told.least_fee)), expected, "{words}");
            assert!(!told.is_replacement, "{words}");
        }
        let both = read("maxFeePerGas must be at least 10, maxPriorityFeePerGas must be at least 5").unwrap();
        assert_eq!((both.least_fee, both.least_tip), (Some(U256::from(10)), Some(U256::from(5))));
    }

    #[test]
    fn a_replacement_pays_a_tenth_more_than_what_it_replaces() {
        let alto =
            "AA25 invalid account nonce: User operation already present in mempool, bump the gas price by minimum 10%";
        for words in ["replacement underpriced", "replacement transaction underpriced", alto] {
            let told = read(words).expect(words);
            assert_eq!(told, FeeRefusal { is_replacement: true, ..Default::default() }, "{words}");
            assert_eq!(told.raised(&fees(100, 15), None), Some(fees(110, 17)));
        }
        let data = r#"{"currentPriorityFee": "0x64", "currentFee": 1000}"#;
        let told = FeeRefusal::read("replacement underpriced", Some(data)).unwrap();
        assert_eq!((told.least_tip, told.least_fee), (Some(U256::from(110)), Some(U256::from(1_100))));
        let told = read("Replacement UserOperation must have higher maxPriorityFeePerGas (old=100 new=90)").unwrap();
        assert_eq!(told.least_tip, Some(U256::from(110)));
    }

    #[test]
    fn what_else_is_too_low_costs_nobody_more() {
        for words in [
            "preVerificationGas must be at least 48000",
            "verificationGasLimit must be at least 10000",
            "callGasLimit too low",
            "AA31 paymaster deposit too low",
            "AA21 didn't pay prefund",
            "nonce too low",
            "insufficient balance to pay the fee: at least 5 is needed",
            "AA33 reverted: maxPriorityFeePerGas must be at least 99",
            "AA25 invalid account nonce",
            "signature error",
            "multiple operations at least",
            "",
        ] {
            assert_eq!(read(words), None, "{words}");
        }
        assert_eq!(FeeRefusal::read("maxFeePerGas must be at least 9", Some("\"0x08c379a0\"")), None);
    }

    #[test]
    fn fees_are_raised_to_what_is_wanted_and_never_beyond_the_bound() {
        let wants = |tip: Option<u64>, fee: Option<u64>| FeeRefusal {
            least_tip: tip.map(U256::from),
            least_fee: fee.map(U256::from),
            is_replacement: false,
        };
        let first = fees(100, 10);
        assert_eq!(wants(Some(15), None).raised(&first, None), Some(fees(105, 15)));
        assert_eq!(wants(None, Some(150)).raised(&first, None), Some(fees(150, 10)));
        assert_eq!(wants(None, None).raised(&first, Some(&fees(130, 40))), Some(fees(130, 40)), "what is advised now");
        assert_eq!(wants(None, None).raised(&first, Some(&fees(90, 9))), Some(fees(110, 11)), "nobody says how much");
        assert_eq!(wants(Some(21), None).raised(&first, None), None, "beyond twice the first");
        assert_eq!(
            wants(Some(21), None).raised(&first, Some(&fees(100, 21))),
            Some(fees(111, 21)),
            "the server agrees"
        );
        assert_eq!(wants(None, Some(201)).raised(&first, Some(&fees(120, 10))), None);
        assert_eq!(wants(None, Some(u64::MAX)).raised(&first, None), None);
    }

    proptest! {
        #[test]
        fn no_words_make_anybody_pay_beyond_the_bound(
            words in "(max(Priority)?FeePerGas|tip|fee) (must be at least|below minimum|too low) [0-9a-fx., gwei%]{0,60}",
            fee in 0u64..1_000_000, tip in 0u64..1_000_000, now in proptest::option::of((0u64..3_000_000, 0u64..3_000_000)),
        ) {
            let now = now.map(|(fee, tip)| fees(fee, tip));
            if let Some(raised) = read(&words).and_then(|told| told.raised(&fees(fee, tip), now.as_ref())) {
                let now = now.unwrap_or(fees(0, 0));
                prop_assert!(raised.max_fee_per_gas <= U256::from(2 * fee).max(now.max_fee_per_gas));
                prop_assert!(raised.max_priority_fee_per_gas <= U256::from(2 * tip).max(now.max_priority_fee_per_gas));
            }
        }
    }
}
