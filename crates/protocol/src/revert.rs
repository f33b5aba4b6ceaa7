//! What error texts of entry point, modules and paymasters mean, and how revert data reads (docs/protocol.md 2.1, 4.7).

use alloy::{
    primitives::Bytes,
    sol_types::{Panic, Revert},
};

use super::abi::{
    IDemo::IDemoErrors, IEcdsaModule::IEcdsaModuleErrors, IEntryPoint::IEntryPointErrors,
    ISmartAccount::ISmartAccountErrors, IVerifyingPaymaster::IVerifyingPaymasterErrors, decode,
};
use crate::foreign_text;

mod table;

pub use table::explanations;

/// How an empty deposit of a paymaster id is told.
const PAYMASTER_BALANCE: &str = "the paymaster's InsufficientBalance";

/// Meaning of an error text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Part of the error text, compared without regard to case.
    pub matches: &'static str,
    /// `@biconomy/use-aa`'s name of the error, or ours where `@biconomy/use-aa` has none.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it.
    pub causes: &'static [&'static str],
    /// What to do about it.
    pub solutions: &'static [&'static str],
    /// May the very same intent succeed when it is tried again (with fresh nonce, fees, limits)?
    pub retryable: bool,
}

/// The first entry whose text occurs in `text`, not as the beginning of a longer word: `Invalid UserOp` is not what
/// `Invalid UserOperation` says. Texts of modules come first, so that `AA23 reverted: SessionNotApproved` is explained by
/// the session, not by AA23.
pub fn explain(text: &str) -> Option<&'static Explanation> {
    explain_among(text, explanations())
}

/// [`explain`] with these entries.
pub(crate) fn explain_among(
    text: &str,
    mut entries: impl Iterator<Item = &'static Explanation>,
) -> Option<&'static Explanation> {
    let text = text.to_lowercase();
    let occurs = |known: &str| {
        let mut ends = text.match_indices(known).filter_map(|(at, known)| text.get(at + known.len()..));
        ends.any(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    entries.find(|explanation| occurs(&explanation.matches.to_lowercase()))
}

/// A bundler's or paymaster's refusal: its text where that is known, else its JSON-RPC code.
pub fn explain_rejection(code: i64, text: &str) -> Option<&'static Explanation> {
    explain(text).or_else(|| explanations().find(|explanation| explanation.matches.parse() == Ok(code)))
}

/// A wallet's code (EIP-1193, EIP-1474).
pub fn explain_wallet(code: i64) -> Option<&'static Explanation> {
    table::of_wallet(code)
}

/// Revert data in words: `Error(string)`, `Panic(uint256)`, the known custom errors with their
/// values; else the bytes as hex. Never panics. A contract's own text is cleaned ([`foreign_text::message`]).
pub fn decode_revert(data: &[u8]) -> String {
    if data.is_empty() {
        return "reverted without a reason".into();
    }
    if let Ok(revert) = decode::loose_error::<Revert>(data) {
        return foreign_text::message(&revert.reason);
    }
    if let Ok(panic) = decode::loose_error::<Panic>(data) {
        return panic.to_string();
    }
    if let Ok(error) = decode::loose_errors::<ISmartAccountErrors>(data) {
        return account_error(&error);
    }
    if let Ok(IEntryPointErrors::FailedOp(failed)) = decode::loose_errors::<IEntryPointErrors>(data) {
        return foreign_text::message(&failed.reason);
    }
    if let Ok(error) = decode::loose_errors::<IEcdsaModuleErrors>(data) {
        return match error {
            IEcdsaModuleErrors::NoOwnerRegisteredForSmartAccount(error) => {
                format!("NoOwnerRegisteredForSmartAccount({})", error.smartAccount)
            }
            IEcdsaModuleErrors::AlreadyInitedForSmartAccount(error) => {
                format!("AlreadyInitedForSmartAccount({})", error.smartAccount)
            }
            IEcdsaModuleErrors::WrongSignatureLength(_) => "WrongSignatureLength()".into(),
            IEcdsaModuleErrors::NotEOA(error) => format!("NotEOA({})", error.account),
            IEcdsaModuleErrors::ZeroAddressNotAllowedAsOwner(_) => "ZeroAddressNotAllowedAsOwner()".into(),
        };
    }
    if let Ok(error) = decode::loose_errors::<IVerifyingPaymasterErrors>(data) {
        return match error {
            // Tokens have an error of this name, too.
            IVerifyingPaymasterErrors::InsufficientBalance(e) => {
                format!("{PAYMASTER_BALANCE}({}, {})", e.amountRequired, e.currentBalance)
            }
            IVerifyingPaymasterErrors::InvalidPaymasterSignatureLength(e) => {
                format!("InvalidPaymasterSignatureLength({})", e.sigLength)
            }
        };
    }
    if let Ok(error) = decode::loose_errors::<IDemoErrors>(data) {
        return demo_error(&error);
    }
    format!("unknown error 0x{}", hex::encode(data))
}

/// The revert data in the `data` of a JSON-RPC error, given as JSON text: nodes put them there as text, as text after
/// "Reverted ", or as text inside an object.
pub fn revert_data(data: &str) -> Option<Bytes> {
    let value = serde_json::from_str::<serde_json::Value>(data).ok()?;
    let text = value.as_str().or_else(|| value.get("data")?.as_str())?.trim();
    let hex = text.strip_prefix("Reverted").unwrap_or(text).trim_start();
    hex.parse().ok().filter(|_| hex.starts_with("0x"))
}

fn demo_error(error: &IDemoErrors) -> String {
    match error {
        IDemoErrors::ZeroAddress(_) => "ZeroAddress()".into(),
        IDemoErrors::TokenDoesNotExist(e) => format!("TokenDoesNotExist({})", e.tokenId),
        IDemoErrors::NotOwner(e) => format!("NotOwner({}, {})", e.account, e.tokenId),
        IDemoErrors::NotAllowed(e) => format!("NotAllowed({}, {})", e.caller, e.tokenId),
        IDemoErrors::ReceiverRefused(e) => format!("ReceiverRefused({})", e.receiver),
        IDemoErrors::InsufficientBalance(e) => {
            format!("InsufficientBalance({}, {}, {})", e.owner, e.balance, e.needed)
        }
        IDemoErrors::InsufficientAllowance(e) => {
            format!("InsufficientAllowance({}, {}, {})", e.spender, e.allowance, e.needed)
        }
    }
}

fn account_error(error: &ISmartAccountErrors) -> String {
    match error {
        ISmartAccountErrors::WrongValidationModule(e) => format!("WrongValidationModule({})", e.module),
        ISmartAccountErrors::ModuleAlreadyEnabled(e) => format!("ModuleAlreadyEnabled({})", e.module),
        ISmartAccountErrors::ModuleNotEnabled(e) => format!("ModuleNotEnabled({})", e.module),
        ISmartAccountErrors::ModuleCannotBeZeroOrSentinel(e) => format!("ModuleCannotBeZeroOrSentinel({})", e.module),
        ISmartAccountErrors::ModuleAndPrevModuleMismatch(e) => {
            format!("ModuleAndPrevModuleMismatch({}, {}, {})", e.expectedModule, e.returnedModule, e.prevModule)
        }
        ISmartAccountErrors::WrongBatchProvided(e) => {
            format!("WrongBatchProvided({}, {}, {}, {})", e.dests, e.values, e.funcs, e.operations)
        }
        ISmartAccountErrors::CallerIsNotEntryPoint(e) => format!("CallerIsNotEntryPoint({})", e.caller),
        ISmartAccountErrors::CallerIsNotEntryPointOrSelf(e) => format!("CallerIsNotEntryPointOrSelf({})", e.caller),
        ISmartAccountErrors::CallerIsNotAnEntryPoint(e) => format!("CallerIsNotAnEntryPoint({})", e.caller),
        ISmartAccountErrors::AlreadyInitialized(_) => "AlreadyInitialized()".into(),
        ISmartAccountErrors::DelegateCallsOnly(_) => "DelegateCallsOnly()".into(),
        ISmartAccountErrors::ModulesSetupExecutionFailed(_) => "ModulesSetupExecutionFailed()".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::HashSet;

    use super::*;
    use crate::abi::{IDemo, IEcdsaModule, IEntryPoint, ISmartAccount, IVerifyingPaymaster};
    use alloy::{
        primitives::{Address, U256},
        sol_types::SolError,
    };

    /// docs/protocol.md 4.7: the module's text explains more than the entry point's.
    #[test]
    fn module_texts_are_found_before_entry_point_codes() {
        assert_eq!(explain("AA23 reverted: SessionNotApproved").map(|e| e.name), Some("SessionNotApprovedError"));
        assert_eq!(explain("AA23 reverted (or OOG)").map(|e| e.name), Some("SmartAccountValidationRevertedError"));
        assert_eq!(explain("aa22 EXPIRED or not due").map(|e| e.name), Some("ExpiredOrNotDueError"));
        assert_eq!(explain("all is well"), None);
    }

    /// What account, modules, factory and paymasters of the public chains say, as revert data and as a bundler quotes it.
    #[test]
    fn every_text_and_error_of_the_public_contracts_is_explained() {
        let owner = Address::repeat_byte(1);
        let (one, two) = (U256::from(1), U256::from(2));
        let errors = [
            (IEcdsaModule::NotEOA { account: owner }.abi_encode(), "OwnerIsNoKeyError"),
            (IEcdsaModule::ZeroAddressNotAllowedAsOwner {}.abi_encode(), "ZeroAddressNotAllowedAsOwnerError"),
            (ISmartAccount::DelegateCallsOnly {}.abi_encode(), "DelegateCallsOnlyError"),
            (ISmartAccount::ModulesSetupExecutionFailed {}.abi_encode(), "ModulesSetupFailedError"),
            (
                IVerifyingPaymaster::InsufficientBalance { amountRequired: two, currentBalance: one }.abi_encode(),
                "SponsorDepositTooLowError",
            ),
            (
                IVerifyingPaymaster::InvalidPaymasterSignatureLength { sigLength: one }.abi_encode(),
                "InvalidPaymasterSignatureLengthError",
            ),
        ];
        for (data, name) in errors {
            let text = decode_revert(&data);
            assert_eq!(explain(&text).map(|found| found.name), Some(name), "{text}");
        }
        for (text, name) in [
            ("Invalid UserOp", "MultichainProofError"),
            ("Create2 call failed", "AccountCreationFailedError"),
            ("Wrong Module Setup Address", "WrongModuleSetupError"),
            ("Sender not EntryPoint", "SenderNotEntryPointError"),
            ("BTPM: Invalid length for paymasterAndData", "InvalidPaymasterSignatureLengthError"),
        ] {
            for text in [text.to_owned(), format!("AA33 reverted: {text}")] {
                assert_eq!(explain(&text).map(|found| found.name), Some(name), "{text}");
            }
        }
        let empty = explain("AA33 reverted (or OOG)").unwrap();
        assert!(empty.causes.iter().any(|cause| cause.contains("deposit")), "a custom error loses its name in AA33");
        let token = decode_revert(&IDemo::InsufficientBalance { owner, balance: one, needed: two }.abi_encode());
        assert_eq!(explain(&token), None, "a token's balance is not the sponsor's: {token}");
        let fields = explain("Invalid UserOperation struct/fields (-32602)").map(|found| found.name);
        assert_eq!(fields, Some("InvalidFieldsError"), "the beginning of a longer word is another word");
    }

    #[test]
    fn revert_data_are_found_in_the_spellings_of_nodes() {
        let found = Some(Bytes::from_static(&[1, 2]));
        for text in [r#""0x0102""#, r#""Reverted 0x0102""#, r#"{"data":"0x0102"}"#] {
            assert_eq!(revert_data(text), found, "{text}");
        }
        for text in ["", "null", "5", r#""0102""#, r#""reverted""#, r#"{"data":5}"#] {
            assert_eq!(revert_data(text), None, "{text}");
        }
    }

    #[test]
    fn every_entry_is_reachable_and_says_something() {
        for entry in explanations() {
            assert_eq!(explain(entry.matches), Some(entry), "an earlier entry hides {}", entry.matches);
            assert!(!entry.meaning.is_empty() && !entry.causes.is_empty() && !entry.solutions.is_empty());
        }
        let texts: HashSet<_> = explanations().map(|entry| entry.matches.to_lowercase()).collect();
        assert_eq!(texts.len(), explanations().count());
    }

    /// Every code that EntryPoint v0.6 can answer with.
    #[test]
    fn every_code_of_the_entry_point_has_its_own_entry() {
        for code in [10, 13, 14, 15, 20, 21, 22, 23, 24, 25, 26, 30, 31, 32, 33, 34, 40, 41, 50, 51]
            .into_iter()
            .chain([90, 91, 92, 93, 94, 95, 96])
        {
            let code = format!("AA{code}");
            let found = explain(&format!("{code} whatever it says")).expect(&code);
            assert!(found.matches.eq_ignore_ascii_case(&code), "{code} is explained as {}", found.matches);
        }
    }

    #[test]
    fn codes_are_explained_where_the_text_is_not_known() {
        for code in (-32508..=-32500).chain([-32521, -32602]) {
            assert_eq!(explain_rejection(code, "no").map(|found| found.matches), Some(code.to_string().as_str()));
        }
        let known = explain_rejection(-32500, "AA24 signature error").map(|found| found.name);
        assert_eq!(known, Some("InvalidSmartAccountSignatureError"));
        assert_eq!(explain_rejection(-1, "no"), None);
        for code in [4001, 4100, 4200, 4900, 4901, 4902, 1011, 1013, -32002, -32603] {
            let found = explain_wallet(code).expect("a wallet's code");
            assert!(!found.causes.is_empty() && !found.solutions.is_empty(), "{code}");
        }
        assert_eq!(explain_wallet(4242), None);
    }

    #[test]
    fn revert_data_reads_as_words() {
        let text = Revert { reason: "ABISV Arg Rule Violated".into() }.abi_encode();
        assert_eq!(decode_revert(&text), "ABISV Arg Rule Violated");
        let unpadded = text.strip_suffix([0; 9].as_slice()).unwrap();
        assert_eq!(decode_revert(unpadded), "ABISV Arg Rule Violated", "hand-written contracts");
        let module = ISmartAccount::WrongValidationModule { module: Address::ZERO }.abi_encode();
        assert!(decode_revert(&module).starts_with("WrongValidationModule(0x0000"));
        let failed = IEntryPoint::FailedOp { opIndex: U256::ZERO, reason: "AA24 signature error".into() }.abi_encode();
        assert_eq!(decode_revert(&failed), "AA24 signature error");
        let overflow = Panic { code: U256::from(0x11) }.abi_encode();
        assert!(decode_revert(&overflow).contains("overflow"), "{}", decode_revert(&overflow));
        // safeMint(0) on the demo NFT, seen on anvil
        assert_eq!(decode_revert(&[0xd9, 0x2e, 0x23, 0x3d]), "ZeroAddress()");
        let hostile = Revert { reason: ["not yours\u{202e}", &"!".repeat(9_000)].concat() }.abi_encode();
        let said = decode_revert(&hostile);
        assert!(said.starts_with("not yours!!") && said.ends_with("!…") && said.len() < 1_100, "{said}");
        assert_eq!(decode_revert(&[]), "reverted without a reason");
        assert_eq!(decode_revert(&[1, 2, 3, 4]), "unknown error 0x01020304");
    }
}
