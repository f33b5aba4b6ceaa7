//! The policy linter: what a person should know, or must be kept from, before a session is granted.
//!
//! It reads **leaves**, the very bytes that are put on chain, so that nothing said here depends on what an app says
//! about them. What a function does is known by its selector (`known_functions`), which conditions bind its arguments
//! by `reading`: one that a call can walk past counts as none. [`Severity::Stop`] must not be granted;
//! [`Severity::Warning`] is for the person to decide. The facts behind the findings are those of docs/protocol.md 3.3,
//! 3.4, 3.18, 10-S38, 10-C2 and 10-C3.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::{
    addresses::{
        ABI_SESSION_VALIDATION_MODULE, BATCHED_SESSION_ROUTER, ECDSA_MODULE, ERC20_SESSION_VALIDATION_MODULE,
        MULTICHAIN_MODULE, PASSKEY_MODULE, SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0,
    },
    bounds::satisfiable,
    entry_point::EntryPoint,
    policy::SessionEpoch,
    session::SessionLeaf,
    session_data::{ABI_HEADER, ABI_RULE, AbiSessionData, Erc20SessionData},
    simulate::session_key_of,
};

mod arguments;
mod example;
mod fees;
mod kept;

pub use example::example_call;
pub use fees::UNBOUNDED_FEES;
pub use kept::lint_kept;

/// A year in seconds: longer windows are pointed out.
const YEAR: u64 = 365 * 24 * 60 * 60;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a thought; the person decides.
    Warning,
    /// Must not be granted: it escalates, cannot work, or is not what it says.
    Stop,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// The session may call the account itself, so it could change the account's modules.
    OwnAccount,
    /// The session may call a contract that obeys the account: it could give itself everything.
    SessionModule,
    /// The destination, token, recipient or key is the zero address.
    ZeroAddress,
    /// The window is over.
    WindowOver,
    /// The window ends before it begins.
    WindowReversed,
    /// The data cannot be read the way the validation module reads it, or holds more than that reads.
    Malformed,
    /// The leaf's key differs from the key inside its data, so no signature can satisfy both.
    KeyMismatch,
    /// A transfer or an approval without any condition.
    UnruledSpend,
    /// No call can satisfy the conditions.
    Unsatisfiable,
    /// A transfer of nothing: calls pass, but none moves anything.
    ZeroAmount,
    /// The same leaf twice, or a leaf that is granted already.
    Duplicate,
    /// A validation module that is not known here: nobody can say what it allows.
    UnknownModule,
    /// The session never ends by itself.
    NoExpiry,
    /// The window is longer than a year.
    LongWindow,
    /// The amount of a transfer or approval has no upper limit.
    UnlimitedAmount,
    /// Anybody may be the receiver.
    AnyReceiver,
    /// All arguments are free.
    NoRules,
    /// A condition that every value satisfies.
    VacuousRule,
    /// A condition on bytes that are no whole argument, or behind the known arguments.
    OddOffset,
    /// A condition on data that the call can put elsewhere: it limits nothing.
    EvadedRule,
    /// Conditions on a function that is not known: nobody can say what they are worth.
    UnknownFunction,
    /// A number that limits an amount or says which items, as the contract decides: one of the two is too much.
    AmountOrItem,
    /// The call carries other calls: [`Severity::Stop`], or a warning where the conditions fix them.
    CallsInside,
    /// It trades on a market: what comes back may be next to nothing.
    Trade,
    /// Somebody else may get control of the contract.
    Control,
    /// Native currency may leave with each call, however many there are.
    NativeValue,
    /// Whoever has the key decides what its operations cost the account.
    GasIsUnbounded,
    /// The ERC-20 module does not look at the function that is called (docs/protocol.md 10-C2).
    Erc20AnyFunction,
}

/// One finding about one leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What it is.
    pub kind: FindingKind,
    /// Which of the leaves, from 0.
    pub leaf: usize,
    /// In words, for the person who decides.
    pub text: String,
}

/// What the leaves are judged against.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintContext<'a> {
    /// The account that would grant them.
    pub account: Address,
    /// Unix seconds.
    pub now: u64,
    /// Hashes of the leaves that are granted already.
    pub granted: &'a [B256],
    /// The account's modules, as the chain tells them; those that are known here are stopped without it.
    pub modules: &'a [Address],
}

/// Everything there is to say about these leaves, the gravest first, then leaf by leaf.
pub fn lint(leaves: &[SessionLeaf], context: LintContext<'_>) -> Vec<Finding> {
    let mut seen = context.granted.iter().copied().collect::<HashSet<_>>();
    let mut findings = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        let mut found = Findings { leaf: index, list: &mut findings };
        if !seen.insert(leaf.hash()) {
            found.stop(FindingKind::Duplicate, "This permission is there already; granting it again changes nothing.");
        }
        window(leaf, context.now, &mut found);
        match leaf.session_validation_module {
            ABI_SESSION_VALIDATION_MODULE => abi(leaf, context, &mut found),
            ERC20_SESSION_VALIDATION_MODULE => erc20(leaf, context, &mut found),
            module => {
                let text = format!("Module {module} would judge the calls. What it allows is not known here.");
                found.stop(FindingKind::UnknownModule, text);
            }
        }
        fees::check(leaf, &mut found);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// Collects the findings of one leaf.
struct Findings<'a> {
    leaf: usize,
    list: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    fn stop(&mut self, kind: FindingKind, text: impl Into<String>) {
        self.add(Finding { severity: Severity::Stop, kind, leaf: self.leaf, text: text.into() });
    }

    fn warn(&mut self, kind: FindingKind, text: impl Into<String>) {
        self.add(Finding { severity: Severity::Warning, kind, leaf: self.leaf, text: text.into() });
    }

    /// Once: a function that moves two things is told about like one that moves one.
    fn add(&mut self, finding: Finding) {
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }
}

fn window(leaf: &SessionLeaf, now: u64, found: &mut Findings<'_>) {
    let SessionEpoch { valid_until, valid_after } = leaf.interval();
    if valid_until == 0 {
        found.warn(FindingKind::NoExpiry, "It never ends by itself. Set an end, unless you have a reason not to.");
    } else if valid_until <= now {
        found.stop(FindingKind::WindowOver, "Its time is over already.");
    } else if valid_after > valid_until {
        found.stop(FindingKind::WindowReversed, "It would end before it begins.");
    } else if valid_until - now > YEAR {
        found.warn(FindingKind::LongWindow, "It lasts longer than a year.");
    }
}

/// Contracts that do what the account says: whoever may call them through the account owns it.
const OBEDIENT: [Address; 6] = [
    SESSION_KEY_MANAGER,
    SESSION_KEY_MANAGER_V1_0_0,
    BATCHED_SESSION_ROUTER,
    ECDSA_MODULE,
    MULTICHAIN_MODULE,
    PASSKEY_MODULE,
];

fn destination(to: Address, context: LintContext<'_>, found: &mut Findings<'_>) {
    if to == context.account {
        let text = "It may call your account itself, and so change who controls it.";
        found.stop(FindingKind::OwnAccount, text);
    } else if OBEDIENT.contains(&to) || EntryPoint::from_address(to).is_some() || context.modules.contains(&to) {
        let text = format!("It may call {to}, which obeys your account: the app could allow itself everything.");
        found.stop(FindingKind::SessionModule, text);
    } else if to.is_zero() {
        found.stop(FindingKind::ZeroAddress, "It is for the zero address, where there is no contract.");
    }
}

fn key(leaf: &SessionLeaf, found: &mut Findings<'_>) {
    match session_key_of(leaf) {
        Some(key) if key.is_zero() => found.stop(FindingKind::ZeroAddress, "Nobody can hold its key."),
        Some(key) if key == leaf.session_key_address => {}
        _ => {
            found.stop(FindingKind::KeyMismatch, "It names one key and is judged by another, so it can never be used.")
        }
    }
}

fn abi(leaf: &SessionLeaf, context: LintContext<'_>, found: &mut Findings<'_>) {
    let Ok(data) = AbiSessionData::decode(&leaf.session_key_data) else {
        return found.stop(FindingKind::Malformed, "Its data is cut off; it can never be used.");
    };
    if leaf.session_key_data.len() != ABI_HEADER + ABI_RULE * data.rules.len() {
        let text = "Its data holds conditions that are not counted, so the chain would not check them.";
        found.stop(FindingKind::Malformed, text);
    }
    key(leaf, found);
    destination(data.contract_address, context, found);
    if data.value_limit > 0 {
        let text = "Each call may send native currency away, up to the limit, and the number of calls is not limited.";
        found.warn(FindingKind::NativeValue, text);
    }
    if !satisfiable(&data.rules) {
        found.stop(FindingKind::Unsatisfiable, "Its conditions contradict each other: no call can satisfy them.");
    }
    arguments::check(&data, context.account, found);
}

fn erc20(leaf: &SessionLeaf, context: LintContext<'_>, found: &mut Findings<'_>) {
    let Ok(data) = Erc20SessionData::decode(&leaf.session_key_data) else {
        return found.stop(FindingKind::Malformed, "Its data cannot be read; it can never be used.");
    };
    key(leaf, found);
    destination(data.token, context, found);
    if data.recipient.is_zero() {
        found.stop(FindingKind::ZeroAddress, "Its recipient is the zero address.");
    }
    if data.max_amount.is_zero() {
        found.stop(FindingKind::ZeroAmount, "It allows an amount of 0 only.");
    }
    if data.max_amount >= arguments::ABSURD {
        found.warn(FindingKind::UnlimitedAmount, arguments::UNLIMITED);
    }
    let text = "The chain checks token, recipient and amount, but not the function: the recipient could also be given an allowance.";
    found.warn(FindingKind::Erc20AnyFunction, text);
}

#[cfg(test)]
mod tests;
